"""A search whose loop fails for a reason that nobody has thought of is looked after again."""

import asyncio
from typing import Any, cast

import pytest

from archsearch.operator import searches
from archsearch.operator.searches import Searches
from archsearch.operator.shared import Shared

SEARCH = {"metadata": {"namespace": "team", "name": "s", "uid": "u", "generation": 1}}


async def test_a_loop_that_fails_is_begun_again_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[str] = []
    again = asyncio.Event()

    class Loop:
        seconds_since_pass = 0.0

        def __init__(self, *_: Any) -> None:
            pass

        async def run(self) -> None:
            runs.append("run")
            if len(runs) == 1:
                raise KeyError("never thought of")
            again.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(searches, "SearchLoop", Loop)
    monkeypatch.setattr(searches, "_AGAIN", 0.0)
    all_of_them = Searches(cast(Shared, None))
    all_of_them.seen(SEARCH, deleted=False)
    async with asyncio.timeout(10):
        await again.wait()
    assert len(all_of_them) == 1
    assert "the loop of search team/s failed" in caplog.text
    assert "never thought of" in caplog.text
    await all_of_them.close()
