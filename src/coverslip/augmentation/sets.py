"""Named sets of random changes.

The papers name kinds of changes but no amounts: the kinds are theirs, the amounts were chosen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from coverslip.tables import Table

Amount = float | bool | str
Amounts = Mapping[str, Amount]  # by the name of the change


@dataclass(frozen=True, slots=True)
class AugmentSet:
    """Random changes under one name."""

    name: str
    amounts: Amounts
    source: str  # where the kinds of changes come from, one phrase
    others_are_default: bool = False  # else other changes are off


AUGMENT_SETS: Table[AugmentSet] = Table(
    "set",
    [
        AugmentSet("default", {}, "what an empty recipe does", others_are_default=True),
        AugmentSet("none", {}, "images as they are"),
        AugmentSet(
            "stain",
            {"brightness": 0.25, "contrast": 0.25, "saturation": 0.4, "hue_degrees": 20.0, "stain": 0.15},
            "for stained bright-field images (blood, Pap, histology), to be used on those of other laboratories",
            others_are_default=True,
        ),
        AugmentSet("aimic", {}, "AIMIC states no random changes"),
        AugmentSet(
            "mobilevit_mn",
            {"flip": True, "rotate_degrees": 180.0, "zoom": 0.2},
            "MobileViT-MN states rotation, flipping and scaling; there only for the rare class and validation images",
        ),
        AugmentSet(
            "mobincep",
            {"flip": True, "rotate_degrees": 180.0, "crop": 0.2, "shift": 0.1, "zoom": 0.2, "shear_degrees": 10.0},
            "Mobincep states rotation, flipping, cropping, translation, scaling and shear",
        ),
        AugmentSet(
            "efficientnetv2_b0",
            {"flip": True, "rotate_degrees": 180.0, "shift": 0.1, "zoom": 0.2, "shear_degrees": 10.0},
            "the EfficientNetV2-B0 paper states flipping, zoom, shear, shifts in both directions and rotation",
        ),
        AugmentSet(
            "chromosomes",
            {"flip": True, "blur": 1.0},
            "the chromosome paper on two-step transfer states flips in both directions and Gaussian blur",
        ),
    ],
)
