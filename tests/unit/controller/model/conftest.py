"""Tests of the model."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    # As every strategy sets it: threads of small operations cost far more than they bring.
    torch.set_num_threads(1)
