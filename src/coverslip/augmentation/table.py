"""The table of data augmentations: their names in a recipe, their allowed amounts, and what they draw.

They draw in this order, used or not, so that switching one on leaves the others as they were. A new one comes last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from coverslip.keys import Key
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


_DRAWING = "coverslip.augmentation.drawing"

AUGMENTATIONS: Table[Augmentation] = Table(
    "random change",
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
