"""Networks made for telephones: ShuffleNet, the MobileNets, MobileViT."""

from coverslip.models.records import HALVES, UNCHANGED
from coverslip.models.zoo._entries import MOBILEVIT, Layout, entry, inverted

_SHUFFLENET = Layout(
    boundaries=("conv1", "stage2", "stage3", "stage4"),
    heatmap="stage4",
    taps=("conv1", "stage2.*", "stage3.*", "stage4.*"),
)

NETWORKS = (
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
        MOBILEVIT,
        (1_272_024, 407_364_096, 2_516_672),
        papers=("mobilevit_mn",),
        px=256,
        license="cvnets-license",
        normalization=UNCHANGED,
    ),
)
