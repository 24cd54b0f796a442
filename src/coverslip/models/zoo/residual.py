"""ResNets and ResNeXts."""

from coverslip.models.zoo._entries import Layout, entry

_RESIDUAL = Layout(
    boundaries=("bn1", "layer1", "layer2", "layer3", "layer4"),
    heatmap="layer4",
    taps=("act1", "layer1.*", "layer2.*", "layer3.*", "layer4.*"),
)

NETWORKS = (
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
    # These weights saw 940 million images of Instagram with hashtags before ImageNet; timm has none of ImageNet alone.
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
