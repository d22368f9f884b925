"""The human baseline: a VGG-like stack for each task of image classification, nothing for other tasks."""

import json
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch
from archsearch.space import feature_sizes, human_baseline
from archsearch.space.network import read_network

CONVOLUTIONAL = {"convolutional": {"depth": {"initial": 1}, "filters": [4]}}


def _search(task: dict[str, Any], space: dict[str, Any] = CONVOLUTIONAL, **trial: Any) -> ArchitectureSearch:
    manifest = {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {"name": "example"},
        "spec": {"searchSpace": space, "trial": {"task": task, **trial}},
    }
    return ArchitectureSearch.model_validate_json(json.dumps(manifest))


def _images(**dataset: Any) -> dict[str, Any]:
    return {"imageClassification": {"dataset": dataset}}


STACKS: list[tuple[dict[str, Any], int, list[int], list[int]]] = [
    # data set, size of its images, filters of each layer, height of each layer's map
    ({"digits": {}}, 8, [32, 32, 64, 64], [8, 8, 4, 4]),
    ({"fashionMnist": {}}, 28, [32, 32, 64, 64, 128, 128], [28, 28, 14, 14, 7, 7]),
    ({"cifar10": {}}, 32, [32, 32, 64, 64, 128, 128], [32, 32, 16, 16, 8, 8]),
    ({"imageFolder": {"folder": "pictures"}}, 32, [32, 32, 64, 64, 128, 128], [32, 32, 16, 16, 8, 8]),
    ({"imageFolder": {"folder": "pictures", "size": 4}}, 4, [32, 32, 64, 64], [4, 4, 2, 2]),
    (
        {"imageFolder": {"folder": "pictures", "size": 512}},
        512,
        [width for width in (32, 64, 128, 256, 512, 512, 512) for _ in range(2)],
        [size for size in (512, 256, 128, 64, 32, 16, 8) for _ in range(2)],
    ),
]


@pytest.mark.parametrize(("dataset", "size", "filters", "heights"), STACKS)
def test_filters_double_where_the_map_is_halved(
    dataset: dict[str, Any], size: int, filters: list[int], heights: list[int]
) -> None:
    architecture = human_baseline(_search(_images(**dataset)))
    assert architecture is not None
    layers = read_network(architecture).layers
    assert [layer.filters for layer in layers] == filters
    sizes = feature_sizes(architecture, size, size)
    assert [(found.height, found.width) for found in sizes] == [(height, height) for height in heights]
    assert {(layer.filter_height, layer.filter_width) for layer in layers} == {(3, 3)}
    assert [layer.inputs for layer in layers] == [(number,) for number in range(len(layers))]
    assert json.loads(json.dumps(architecture)) == architecture


def test_every_data_set_of_the_task_has_a_baseline() -> None:
    from archsearch.api.task import ImageData

    known = {kind for dataset, *_ in STACKS for kind in dataset}
    assert known == {field.alias or name for name, field in ImageData.model_fields.items()}


CHOICES = {"choices": [{"name": "width", "values": [1, 2]}]}
WITHOUT: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("tabular", {"tabular": {"table": "table.csv"}}, CHOICES, {}),
    ("custom", {"custom": {}}, CONVOLUTIONAL, {"command": ["train"]}),
    ("images, trained by one's own program", _images(digits={}), CONVOLUTIONAL, {"command": ["train"]}),
    ("images of a choices space, trained by one's own program", _images(digits={}), CHOICES, {"command": ["train"]}),
]


@pytest.mark.parametrize(("task", "space", "trial"), [case[1:] for case in WITHOUT], ids=[case[0] for case in WITHOUT])
def test_other_tasks_have_no_baseline(task: dict[str, Any], space: dict[str, Any], trial: dict[str, Any]) -> None:
    assert human_baseline(_search(task, space, **trial)) is None
