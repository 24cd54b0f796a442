"""Random changes to training images, as data, and named sets of them.

The papers name kinds of changes but no amounts: the kinds are theirs, the amounts were chosen here.
"""

import difflib
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.keys import Choice, Key
from coverslip.runs.recipe.choices import Choices


class Augment(Choices):
    """Random changes to training images, drawn afresh in every epoch and applied to whole batches.

    Cells under a microscope have no 'up', so flips and rotation by any angle are on by default.
    """

    flip: Annotated[
        bool | Literal["horizontal"],
        Key(
            "Mirror",
            "augment",
            "Whether the mirror image is of the same class. Not for letters, or where left and right matter.",
            choices=(
                Choice(True, "both ways", "mirroring"),
                Choice(False, "no"),
                Choice("horizontal", "left and right only", "mirroring left and right"),
            ),
        ),
    ] = Field(
        True,
        description="Mirror left-right and top-bottom, each with probability one half; horizontal: left-right only.",
    )
    rotate_degrees: Annotated[
        float,
        Key(
            "Rotate",
            "augment",
            "Turned by up to so many degrees either way. 180 allows any angle, as cells on a slide have no upside.",
            "rotation by up to {:g}°",
            unit="degrees",
        ),
    ] = Field(180.0, ge=0, le=180, description="Largest rotation either way; 180 allows any angle.")
    zoom: Annotated[
        float,
        Key("Zoom", "augment", "Larger or smaller by up to this share: 0.1 is a tenth.", "zoom of ±{:.0%}"),
    ] = Field(0.1, ge=0, lt=1, description="Largest relative change of scale: 0.1 draws from 1/1.1 to 1.1.")
    shift: Annotated[
        float,
        Key("Shift", "augment", "Moved by up to this share of the side.", "shift of up to {:.0%}"),
    ] = Field(0.05, ge=0, lt=0.5, description="Largest shift as a share of the image's side.")
    brightness: Annotated[
        float,
        Key(
            "Brightness",
            "augment",
            "Brighter or darker by up to this share of the whole range.",
            "brightness of ±{:.0%}",
        ),
    ] = Field(0.1, ge=0, lt=1, description="Largest change of brightness as a share of the full range.")
    contrast: Annotated[
        float,
        Key("Contrast", "augment", "More or less contrast, by up to this share.", "contrast of ±{:.0%}"),
    ] = Field(0.1, ge=0, lt=1, description="Largest relative change of contrast.")
    shear_degrees: Annotated[
        float,
        Key(
            "Shear",
            "augment",
            "Slanted by up to so many degrees, as italic letters are.",
            "shear by up to {:g}°",
            unit="degrees",
        ),
    ] = Field(0.0, ge=0, le=45, description="Largest slant either way, as of italic letters.")
    crop: Annotated[
        float,
        Key(
            "Crop",
            "augment",
            "Up to this share of the side is cut away; the rest fills the image.",
            "cropping of up to {:.0%} of the side",
        ),
    ] = Field(
        0.0,
        ge=0,
        lt=0.9,
        description="Largest share of the side cut away; what is left, at any place, fills the image.",
    )
    blur: Annotated[
        float,
        Key(
            "Blur",
            "augment",
            "As if out of focus: up to so many pixels.",
            "Gaussian blur of up to σ = {:g} pixels",
            unit="pixels",
        ),
    ] = Field(
        0.0, ge=0, le=10, description="Largest sigma of a Gaussian blur, in pixels of the size that the network sees."
    )
    saturation: Annotated[
        float,
        Key("Saturation", "augment", "Colours stronger or paler by up to this share.", "saturation of ±{:.0%}"),
    ] = Field(0.0, ge=0, le=1, description="Largest relative change of saturation; for colour images.")
    hue_degrees: Annotated[
        float,
        Key(
            "Hue",
            "augment",
            "Colours turned by up to so many degrees of the colour circle.",
            "hue by up to {:g}°",
            unit="degrees",
        ),
    ] = Field(0.0, ge=0, le=180, description="Largest turn of the colour circle either way; for colour images.")
    stain: Annotated[
        float,
        Key(
            "Stain strength",
            "augment",
            "Each dye stronger or weaker by up to this share, as from one staining to the next. For stained slides in "
            "bright field.",
            "strength of stains of ±{:.0%} (by colour deconvolution)",
        ),
    ] = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Largest change of each stain's strength, relative and in optical density (base e); for "
        "bright-field colour images.",
    )


@dataclass(frozen=True, slots=True)
class AugmentSet:
    """Random changes under one name."""

    augment: Augment
    source: str  # where the kinds of changes come from, one phrase


_NOTHING = Augment(flip=False, rotate_degrees=0, zoom=0, shift=0, brightness=0, contrast=0)


def _only(**changes: float | bool) -> Augment:
    return Augment.model_validate({**_NOTHING.model_dump(), **changes})


AUGMENT_SETS = {
    "default": AugmentSet(Augment(), "what an empty recipe does"),
    "none": AugmentSet(_NOTHING, "images as they are"),
    "stain": AugmentSet(
        Augment(brightness=0.05, saturation=0.1, stain=0.05),
        "for stained bright-field images (blood, Pap, histology) from several stainings or scanners",
    ),
    "aimic": AugmentSet(_NOTHING, "AIMIC states no random changes"),
    "mobilevit_mn": AugmentSet(
        _only(flip=True, rotate_degrees=180, zoom=0.2),
        "MobileViT-MN states rotation, flipping and scaling; there only for the rare class and validation images",
    ),
    "mobincep": AugmentSet(
        _only(flip=True, rotate_degrees=180, crop=0.2, shift=0.1, zoom=0.2, shear_degrees=10),
        "Mobincep states rotation, flipping, cropping, translation, scaling and shear",
    ),
    "efficientnetv2_b0": AugmentSet(
        _only(flip=True, rotate_degrees=180, shift=0.1, zoom=0.2, shear_degrees=10),
        "the EfficientNetV2-B0 paper states flipping, zoom, shear, shifts in both directions and rotation",
    ),
    "chromosomes": AugmentSet(
        _only(flip=True, blur=1.0),
        "the chromosome paper on two-step transfer states flips in both directions and Gaussian blur",
    ),
}


def augment_named(name: str) -> Augment:
    """The random changes of that name.

    Raises:
        ValueError: there is no such set; the names are told.
    """
    if name not in AUGMENT_SETS:
        near = difflib.get_close_matches(name, AUGMENT_SETS, n=1)
        meant = f" (did you mean '{near[0]}'?)" if near else ""
        raise ValueError(f"there is no such set{meant}; there are {', '.join(AUGMENT_SETS)}")
    return AUGMENT_SETS[name].augment
