"""The tables of data augmentations and of named sets of them.

All augmentations draw random numbers in the order of the table, even those that are off, so that switching one on does
not change the others. Append new ones at the end.

Papers name kinds of augmentation without amounts. The sets have the kinds of the papers; the amounts were chosen here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from coverslip.keys import Key
from coverslip.registry import Registry, imported

if TYPE_CHECKING:
    from torch import Tensor

    Change = Callable[[Tensor, dict[str, Tensor]], Tensor]

Floats = npt.NDArray[np.float32]
Draw = Callable[["Random", Any], dict[str, Floats]]  # Any: the amount, of the type that the record declares
Amount = float | bool | str
Amounts = Mapping[str, Amount]  # by the name of the augmentation


class Random:
    """Random numbers for the images of a batch; equal for generators in equal states."""

    def __init__(self, n: int, generator: np.random.Generator) -> None:
        self.n = n
        self._generator = generator

    def uniform(self, low: float, high: float) -> Floats:
        """Return (n,) floats in [low, high)."""
        return self._generator.random(self.n, np.float32) * np.float32(high - low) + np.float32(low)

    def signs(self, rows: int) -> Floats:
        """Return (rows, n) values of -1 or 1."""
        return self._generator.integers(0, 2, (rows, self.n)).astype(np.float32) * 2 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """One kind of data augmentation.

    To add one, add its record to `AUGMENTATIONS` and its texts to `recipe_keys.ftl` in all languages. It is then a key
    of recipes, with its field in the forms, the documentation and the methods text.

    `draw` and `change` are functions or `module:function`, which is imported when a batch is sampled.
    `draw(random, amount)` returns arrays by name, with the images along the first axis. Without `change` their names
    are those of `drawing.PARTS`: all of these are applied as one resampling and one multiplication. With `change` any
    names are allowed: `change(x, drawn)` receives (B, C, H, W) floats in [0, 1] after all other augmentations, and
    what was drawn, as tensors of PyTorch, and returns the same shape.
    """

    name: str  # of the key in the recipe
    key: Key
    draw: str | Draw
    change: "str | Change | None" = None
    type: Any = float  # Any: a type annotation for Pydantic
    default: float | bool | str = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)  # ge, gt, le, lt
    needs_color: bool = False  # requires red, green and blue

    @property
    def off(self) -> float | bool:
        """The amount that switches the augmentation off."""
        return False if isinstance(self.default, bool) else 0.0

    def sample(self, random: "Random", amount: float | bool | str) -> dict[str, Floats]:
        """Return the arrays of one batch."""
        draw: Draw = imported(self.draw) if isinstance(self.draw, str) else self.draw
        return draw(random, amount)

    def apply(self, x: "Tensor", drawn: "dict[str, Tensor]") -> "Tensor":
        """Return the images changed by `change`."""
        assert self.change is not None
        change: Change = imported(self.change) if isinstance(self.change, str) else self.change
        return change(x, drawn)


_DRAWING = "coverslip.augmentation.drawing"

AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation",
    [
        Augmentation(
            name="rotate_degrees",
            key=Key("augment"),
            draw=f"{_DRAWING}:rotation",
            default=180.0,
            limits={"ge": 0, "le": 180},
        ),
        Augmentation(
            name="zoom",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:zoom",
            default=0.1,
            limits={"ge": 0, "lt": 1},
        ),
        Augmentation(
            name="flip",
            key=Key("augment"),
            draw=f"{_DRAWING}:flip",
            type=bool | Literal["horizontal"],
            default=True,
        ),
        Augmentation(
            name="shift",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:shift",
            default=0.05,
            limits={"ge": 0, "lt": 0.5},
        ),
        Augmentation(
            name="contrast",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:contrast",
            default=0.1,
            limits={"ge": 0, "lt": 1},
        ),
        Augmentation(
            name="brightness",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:brightness",
            default=0.1,
            limits={"ge": 0, "lt": 1},
        ),
        Augmentation(
            name="shear_degrees",
            key=Key("augment"),
            draw=f"{_DRAWING}:shear",
            limits={"ge": 0, "le": 45},
        ),
        Augmentation(
            name="crop",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:crop",
            limits={"ge": 0, "lt": 0.9},
        ),
        Augmentation(
            name="stain",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:stain",
            limits={"ge": 0, "le": 0.5},
            needs_color=True,
        ),
        Augmentation(
            name="saturation",
            key=Key("augment", is_percentage=True),
            draw=f"{_DRAWING}:saturation",
            limits={"ge": 0, "le": 1},
            needs_color=True,
        ),
        Augmentation(
            name="hue_degrees",
            key=Key("augment"),
            draw=f"{_DRAWING}:hue",
            limits={"ge": 0, "le": 180},
            needs_color=True,
        ),
        Augmentation(
            name="blur",
            key=Key("augment"),
            draw=f"{_DRAWING}:blur",
            limits={"ge": 0, "le": 10},
        ),
    ],
)


@dataclass(frozen=True, slots=True)
class AugmentSet:
    """A named set of augmentations. Its text is the entry `key-augment-choice-NAME` of the catalogue."""

    name: str
    amounts: Amounts
    others_are_default: bool = False  # False: augmentations that are not in `amounts` are off


AUGMENT_SETS: Registry[AugmentSet] = Registry(
    "set",
    [
        AugmentSet("default", {}, others_are_default=True),
        AugmentSet("none", {}),
        AugmentSet(
            "stain",
            {"brightness": 0.25, "contrast": 0.25, "saturation": 0.4, "hue_degrees": 20.0, "stain": 0.15},
            others_are_default=True,
        ),
        AugmentSet("aimic", {}),
        AugmentSet(
            "mobilevit_mn",
            {"flip": True, "rotate_degrees": 180.0, "zoom": 0.2},
        ),
        AugmentSet(
            "mobincep",
            {"flip": True, "rotate_degrees": 180.0, "crop": 0.2, "shift": 0.1, "zoom": 0.2, "shear_degrees": 10.0},
        ),
        AugmentSet(
            "efficientnetv2_b0",
            {"flip": True, "rotate_degrees": 180.0, "shift": 0.1, "zoom": 0.2, "shear_degrees": 10.0},
        ),
        AugmentSet(
            "chromosomes",
            {"flip": True, "blur": 1.0},
        ),
    ],
)
