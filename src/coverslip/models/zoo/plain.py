"""Networks of plain convolutions in a row: AlexNet and the VGGs."""

from coverslip.models.zoo._entries import Layout, entry

_ALEXNET = Layout(
    boundaries=("features.0", "features.3", "features.6", "features.8", "features.10"),
    heatmap="features.11",
    taps=("features.1", "features.4", "features.7", "features.9", "features.11"),
)


def _plain(convolutions: tuple[int, ...], activations: tuple[int, ...]) -> Layout:
    """VGGs: the last layer with parameters, and the last activation, of every stage."""
    ends = tuple(f"features.{i}" for i in activations)
    return Layout(boundaries=tuple(f"features.{i}" for i in convolutions), heatmap=ends[-1], taps=ends)


NETWORKS = (
    entry(
        "alexnet",
        "AlexNet",
        "torchvision:alexnet",
        "AlexNet",
        "Krizhevsky et al. 2012; one tower: Krizhevsky 2014",
        _ALEXNET,
        (61_100_840, 714_188_480, 122_180_992),
        papers=("mobilevit_mn",),
        license="bsd-3-clause",
    ),
    entry(
        "vgg16",
        "VGG-16",
        "timm:vgg16.tv_in1k",
        "VGG",
        "Simonyan & Zisserman 2015",
        _plain((2, 7, 14, 21, 28), (3, 8, 15, 22, 29)),
        (138_357_544, 15_470_264_320, 276_688_256),
        papers=("mobilevit_mn", "aimic", "efficientnetv2_b0", "chromosomes"),
        license="bsd-3-clause",
    ),
    entry(
        "vgg16_bn",
        "VGG-16 with batch norm",
        "timm:vgg16_bn.tv_in1k",
        "VGG",
        "Simonyan & Zisserman 2015",
        _plain((4, 11, 21, 31, 41), (5, 12, 22, 32, 42)),
        (138_365_992, 15_470_264_320, 276_688_256),
        papers=("chromosomes",),
        license="bsd-3-clause",
    ),
    entry(
        "vgg19",
        "VGG-19",
        "timm:vgg19.tv_in1k",
        "VGG",
        "Simonyan & Zisserman 2015",
        _plain((2, 7, 16, 25, 34), (3, 8, 17, 26, 35)),
        (143_667_240, 19_632_062_464, 287_305_088),
        papers=("mobincep", "chromosomes"),
        license="bsd-3-clause",
    ),
    entry(
        "vgg19_bn",
        "VGG-19 with batch norm",
        "timm:vgg19_bn.tv_in1k",
        "VGG",
        "Simonyan & Zisserman 2015",
        _plain((4, 11, 24, 37, 50), (5, 12, 25, 38, 51)),
        (143_678_248, 19_632_062_464, 287_305_088),
        papers=("chromosomes",),
        license="bsd-3-clause",
    ),
)
