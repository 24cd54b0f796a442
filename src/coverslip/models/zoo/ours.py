"""Networks that no library has: they are built in `coverslip.models.architectures`."""

from coverslip.models.records import HALVES, UNCHANGED
from coverslip.models.zoo._entries import MOBILEVIT, Layout, entry, numbered

_MOBINCEP = Layout(
    boundaries=("buffer", "inception", *numbered("stack.", 10)),
    heatmap="stack.9",
    taps=("buffer", "inception", "stack.*"),
)
_NASNET = Layout(  # the ends of the runs of cells of one width
    boundaries=("stem", "cells.1", "cells.5", "cells.10", "cells.15"), heatmap="cells.15", taps=("stem", "cells.*")
)

NETWORKS = (
    # Pretrained, it takes what fits of MobileViT-XXS's weights, hence its normalisation.
    entry(
        "mobilevit_mn",
        "MobileViT-MN",
        "coverslip.models.architectures.mobilevit_mn.network:MobileViTMN",
        "MobileViT",
        "Wei et al. 2025, Scientific Reports",
        MOBILEVIT,
        (987_672, 232_827_120, 1_947_200),
        papers=("mobilevit_mn",),
        normalisation=UNCHANGED,
        weights="timm mobilevit_xxs.cvnets_in1k, wherever a tensor fits",
        weights_of="mobilevit_xxs",
        transfer="coverslip.models.architectures.mobilevit_mn.transfer:transfer_mobilevit",
        licence="cvnets-license",
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
        normalisation=HALVES,
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
        normalisation=HALVES,
    ),
)
