"""What a convolutional architecture costs, computed from the architecture alone."""

from archsearch.space import Architecture, FeatureSize, concatenated, feature_sizes
from archsearch.space.network import read_network


def multiply_adds(architecture: Architecture, image: tuple[int, int, int], classes: int) -> int:
    """Multiply-adds of one image (channels, height, width) passing through the network, exactly.

    Counted as the literature does (NASNet 1707.07012, DARTS 1806.09055): convolutions and fully connected layers only,
    one multiply-add as 1; normalisation, pooling and activations are not counted. SAME convolutions count their zeros.

    Raises:
        GenotypeError: ``architecture`` is not a convolutional architecture.
    """
    channels, height, width = image
    network = read_network(architecture)
    sizes = feature_sizes(architecture, height, width, channels)
    convolutions = sum(
        size.height * size.width * size.channels_in * size.channels_out * layer.filter_height * layer.filter_width
        for layer, size in zip(network.layers, sizes, strict=True)
    )
    return convolutions + classifier_inputs(architecture, sizes) * classes


def classifier_inputs(architecture: Architecture, sizes: list[FeatureSize]) -> int:
    """Channels that reach the classifier: those of all layers that no layer reads."""
    return concatenated(sizes[number - 1] for number in read_network(architecture).outputs)[2]
