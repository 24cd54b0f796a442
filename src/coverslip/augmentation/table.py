"""The table of data augmentations: their names in a recipe, their allowed amounts, and what they draw.

They draw in this order, used or not, so that switching one on leaves the others as they were. A new one comes last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from coverslip.keys import Choice, Key
from coverslip.tables import Table, imported

if TYPE_CHECKING:
    from torch import Tensor

    from coverslip.augmentation.drawing import Random

    Draw = Callable[[Random, Any], dict[str, Tensor]]  # Any: the amount, of whatever type the record says
    Change = Callable[[Tensor, dict[str, Tensor]], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """One random change.

    `draw` and `change` are functions, or `module:function`, imported when a batch is drawn. `draw(random, amount)`
    gives tensors by name, the first axis that of the images: those of `transform.PARTS`, which all go into one
    resampling and one multiplication; or, with `change`, any that this takes: `change(x, drawn)` gets (B, C, H, W) in
    [0, 1] after the rest and gives the same.
    """

    name: str  # of the recipe's key
    key: Key
    meaning: str  # the same as the key's help, exactly
    draw: "str | Draw"
    change: "str | Change | None" = None
    type: Any = float  # Any: an annotation, as Pydantic reads it
    default: float | bool | str = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)  # ge, gt, le, lt
    needs_color: bool = False  # red, green and blue

    @property
    def off(self) -> float | bool:
        """The amount that changes nothing."""
        return False if isinstance(self.default, bool) else 0.0

    def drawn(self, random: "Random", amount: float | bool | str) -> "dict[str, Tensor]":
        """Return what it draws for a batch."""
        draw: Draw = imported(self.draw) if isinstance(self.draw, str) else self.draw
        return draw(random, amount)

    def changed(self, x: "Tensor", drawn: "dict[str, Tensor]") -> "Tensor":
        """Return the batch, changed by a function of its own."""
        assert self.change is not None
        change: Change = imported(self.change) if isinstance(self.change, str) else self.change
        return change(x, drawn)


def _key(title: str, sentence: str, phrase: str = "", **more: Any) -> Key:  # Any: see Key
    return Key(title, "augment", sentence, phrase, **more)


_DRAWING = "coverslip.augmentation.drawing"

AUGMENTATIONS: Table[Augmentation] = Table(
    "random change",
    [
        Augmentation(
            name="rotate_degrees",
            key=_key(
                "Rotate",
                "Turned by up to so many degrees either way. 180 allows any angle, as cells on a slide have no upside.",
                "rotation by up to {:g}°",
                unit="degrees",
            ),
            meaning="Largest rotation either way; 180 allows any angle.",
            draw=f"{_DRAWING}:rotation",
            default=180.0,
            limits={"ge": 0, "le": 180},
        ),
        Augmentation(
            name="zoom",
            key=_key("Zoom", "Larger or smaller by up to this share: 0.1 is a tenth.", "zoom of ±{:.0%}"),
            meaning="Largest relative change of scale: 0.1 draws from 1/1.1 to 1.1.",
            draw=f"{_DRAWING}:zoom",
            default=0.1,
            limits={"ge": 0, "lt": 1},
        ),
        Augmentation(
            name="flip",
            key=_key(
                "Mirror",
                "Whether the mirror image is of the same class. Not for letters, or where left and right matter.",
                choices=(
                    Choice(True, "both ways", "mirroring"),
                    Choice(False, "no"),
                    Choice("horizontal", "left and right only", "mirroring left and right"),
                ),
            ),
            meaning="Mirror left-right and top-bottom, each with probability one half; horizontal: left-right only.",
            draw=f"{_DRAWING}:flip",
            type=bool | Literal["horizontal"],
            default=True,
        ),
        Augmentation(
            name="shift",
            key=_key("Shift", "Moved by up to this share of the side.", "shift of up to {:.0%}"),
            meaning="Largest shift as a share of the image's side.",
            draw=f"{_DRAWING}:shift",
            default=0.05,
            limits={"ge": 0, "lt": 0.5},
        ),
        Augmentation(
            name="contrast",
            key=_key("Contrast", "More or less contrast, by up to this share.", "contrast of ±{:.0%}"),
            meaning="Largest relative change of contrast.",
            draw=f"{_DRAWING}:contrast",
            default=0.1,
            limits={"ge": 0, "lt": 1},
        ),
        Augmentation(
            name="brightness",
            key=_key(
                "Brightness", "Brighter or darker by up to this share of the whole range.", "brightness of ±{:.0%}"
            ),
            meaning="Largest change of brightness as a share of the full range.",
            draw=f"{_DRAWING}:brightness",
            default=0.1,
            limits={"ge": 0, "lt": 1},
        ),
        Augmentation(
            name="shear_degrees",
            key=_key(
                "Shear",
                "Slanted by up to so many degrees, as italic letters are.",
                "shear by up to {:g}°",
                unit="degrees",
            ),
            meaning="Largest slant either way, as of italic letters.",
            draw=f"{_DRAWING}:shear",
            limits={"ge": 0, "le": 45},
        ),
        Augmentation(
            name="crop",
            key=_key(
                "Crop",
                "Up to this share of the side is cut away; the rest fills the image.",
                "cropping of up to {:.0%} of the side",
            ),
            meaning="Largest share of the side cut away; what is left, at any place, fills the image.",
            draw=f"{_DRAWING}:crop",
            limits={"ge": 0, "lt": 0.9},
        ),
        Augmentation(
            name="stain",
            key=_key(
                "Stain strength",
                "Each dye stronger or weaker by up to this share, as from one staining to the next. For stained slides "
                "in bright field.",
                "strength of stains of ±{:.0%} (by color deconvolution)",
            ),
            meaning="Largest change of each stain's strength, relative and in optical density (base e); for "
            "bright-field color images.",
            draw=f"{_DRAWING}:stain",
            limits={"ge": 0, "le": 0.5},
            needs_color=True,
        ),
        Augmentation(
            name="saturation",
            key=_key("Saturation", "Colors stronger or paler by up to this share.", "saturation of ±{:.0%}"),
            meaning="Largest relative change of saturation; for color images.",
            draw=f"{_DRAWING}:saturation",
            limits={"ge": 0, "le": 1},
            needs_color=True,
        ),
        Augmentation(
            name="hue_degrees",
            key=_key(
                "Hue",
                "Colors turned by up to so many degrees of the color circle.",
                "hue by up to {:g}°",
                unit="degrees",
            ),
            meaning="Largest turn of the color circle either way; for color images.",
            draw=f"{_DRAWING}:hue",
            limits={"ge": 0, "le": 180},
            needs_color=True,
        ),
        Augmentation(
            name="blur",
            key=_key(
                "Blur",
                "As if out of focus: up to so many pixels.",
                "Gaussian blur of up to σ = {:g} pixels",
                unit="pixels",
            ),
            meaning="Largest sigma of a Gaussian blur, in pixels of the size that the network sees.",
            draw=f"{_DRAWING}:blur",
            limits={"ge": 0, "le": 10},
        ),
    ],
)
