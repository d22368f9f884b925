"""The human baseline: the network that a person would draw for the task, trained and drawn beside the found ones."""

from archsearch.api.search import ArchitectureSearch
from archsearch.api.task import ImageData
from archsearch.space.base import Architecture
from archsearch.space.network import IMAGE, KIND, Layer, Network

_FILTER = 3
_FIRST_WIDTH = 32
_WIDEST = 512
_LAYERS_PER_STAGE = 2
_FEWEST_STAGES = 2
_SMALLEST_MAP = 8


def human_baseline(search: ArchitectureSearch) -> Architecture | None:
    """The human baseline of ``search``, as architecture JSON of kind ``convolutional``; None where there is none.

    A stack in the manner of VGG (1409.1556, section 2): 3x3 filters, two layers a stage; each further stage begins
    with a stride of 2 and doubles the filters (32 at first, 512 at most); stages end with a map of 8 pixels or less.
    That makes 4 layers for digits, 6 for Fashion-MNIST and CIFAR-10. It knows the task only, not the user's options,
    so it need not be a child of the search space. Trained with the task's own epochs, it costs the budget of one child.

    Only for imageClassification of a convolutional space by the default trial program: other tasks and programs read
    other architectures.
    """
    task = search.spec.trial.task.image_classification
    if task is None or search.spec.search_space.kind != KIND or search.spec.trial.command is not None:
        return None
    return _stack(_stages(_image_size(task.dataset)))


def _image_size(dataset: ImageData) -> int:
    """Height and width of the images, in pixels."""
    if dataset.image_folder is not None:
        return dataset.image_folder.size
    return {"digits": 8, "fashionMnist": 28, "cifar10": 32}[dataset.kind]


def _stages(size: int) -> int:
    stages = 1
    while size > _SMALLEST_MAP:
        size, stages = -(-size // 2), stages + 1
    return max(stages, _FEWEST_STAGES)


def _stack(stages: int) -> Architecture:
    layers: list[Layer] = []
    for stage in range(stages):
        width = min(_WIDEST, _FIRST_WIDTH * 2**stage)
        for place in range(_LAYERS_PER_STAGE):
            stride = 2 if stage > 0 and place == 0 else 1
            source = len(layers) or IMAGE
            layers.append(Layer(_FILTER, _FILTER, stride, stride, width, (source,)))
    return Network(tuple(layers)).to_json()
