"""GoogLeNet and the Inceptions."""

from coverslip.models.records import HALVES
from coverslip.models.zoo._entries import Layout, entry

_INCEPTION_V3 = Layout(
    boundaries=("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    heatmap="Mixed_7c",
    taps=("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_*"),
)
_INCEPTION_RESNET_V2 = Layout(
    boundaries=("conv2d_2b", "conv2d_4a", "mixed_5b", "repeat", "repeat_1", "repeat_2", "conv2d_7b"),
    heatmap="conv2d_7b",
    taps=("conv2d_2b", "conv2d_4a", "mixed_5b", "repeat", "repeat_1", "repeat_2", "conv2d_7b"),
)
_GOOGLENET = Layout(
    boundaries=("conv1", "conv3", "inception3b", "inception4e", "inception5b"),
    heatmap="inception5b",
    taps=("conv1", "conv3", "inception*"),
)

NETWORKS = (
    # The weights saw pixels from -1 to 1; torchvision converts to that inside the network, we do it outside.
    entry(
        "googlenet",
        "GoogLeNet",
        "torchvision:googlenet",
        "Inception",
        "Szegedy et al. 2015",
        _GOOGLENET,
        (6_624_904, 1_498_376_192, 13_218_688),
        papers=("mobilevit_mn", "aimic", "mobincep"),
        normalization=HALVES,
        license="bsd-3-clause",
        builder_options={"aux_logits": False, "transform_input": False, "init_weights": True},
    ),
    entry(
        "inception_v3",
        "Inception v3",
        "timm:inception_v3.tv_in1k",
        "Inception",
        "Szegedy et al. 2016",
        _INCEPTION_V3,
        (23_834_568, 5_713_216_096, 47_598_272),
        papers=("aimic", "mobincep", "efficientnetv2_b0"),
        px=299,
        license="apache-2.0",
        normalization=HALVES,
    ),
    entry(
        "inception_resnet_v2",
        "Inception-ResNet v2",
        "timm:inception_resnet_v2.tf_in1k",
        "Inception",
        "Szegedy et al. 2017",
        _INCEPTION_RESNET_V2,
        (55_843_464, 13_155_794_016, 111_472_320),
        papers=("mobincep",),
        px=299,
        license="apache-2.0",
        normalization=HALVES,
    ),
)
