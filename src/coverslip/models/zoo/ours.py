"""Networks that no library has: they are built in `coverslip.models.architectures`."""

from coverslip.keys import Choice, Option
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
_ATTENTION = (
    Choice("none", "none"),
    Choice("se", "squeeze and excitation (SE)"),
    Choice("nam", "by the norms' weights (NAM)"),
)
_MOBILEVIT_MN = (
    Option(
        name="dsc",
        title="Separable convolutions",
        help="Large convolutions become pairs of small ones, as the paper proposes.",
        type="boolean",
        default=True,
    ),
    Option(
        name="mv2_attention",
        title="Attention between blocks",
        help="How channels are weighed in the parts that come from MobileNet-v2.",
        type="choice",
        default="se",
        choices=_ATTENTION,
    ),
    Option(
        name="mobilevit_attention",
        title="Attention within MobileViT blocks",
        help="How channels are weighed in the parts with transformers.",
        type="choice",
        default="nam",
        choices=_ATTENTION,
    ),
    Option(
        name="depths",
        title="Encoders per block",
        help="How many transformer encoders each of the three MobileViT blocks has; more are slower.",
        type="integers",
        default=(2, 4, 3),
        minimum=1,
        maximum=64,
        length=3,
    ),
    Option(
        name="placement",
        title="Where attention sits",
        help="The paper’s sentences and its printed counts of weights disagree.",
        type="choice",
        default="text",
        choices=(Choice("text", "as the paper says"), Choice("counts", "as its counts of weights imply")),
    ),
    Option(
        name="neutral_start",
        title="New attention starts neutral",
        help="So that it does not disturb pretrained weights; an addition to the paper.",
        type="boolean",
        default=False,
    ),
)

NETWORKS = (
    # Pretrained, it takes what fits of MobileViT-XXS's weights, hence its normalization.
    entry(
        "mobilevit_mn",
        "MobileViT-MN",
        "coverslip.models.architectures.mobilevit_mn:MobileViTMN",
        "MobileViT",
        "Wei et al. 2025, Scientific Reports",
        MOBILEVIT,
        (987_672, 232_827_120, 1_947_200),
        papers=("mobilevit_mn",),
        normalization=UNCHANGED,
        weights="timm mobilevit_xxs.cvnets_in1k, wherever a tensor fits",
        weights_of="mobilevit_xxs",
        transfer="coverslip.models.architectures.mobilevit_mn:transfer_mobilevit",
        license="cvnets-license",
        options=_MOBILEVIT_MN,
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
        weights_file="the .h5 of Keras's NASNetMobile (Apache-2.0), or nasnetamobile-7e03cead.pth",
    ),
)
