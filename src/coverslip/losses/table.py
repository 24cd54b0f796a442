"""The tables of losses, and of the groups that a regularizer draws together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverslip.keys import Option
from coverslip.messages import text
from coverslip.tables import Table, imported, no_such

if TYPE_CHECKING:
    from torch import Tensor

    OfImages = Callable[..., Tensor]
    GroupsOf = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRecord:
    """How much each image adds to what training makes small.

    `per_image` is a function, or `module:function`, imported when training begins:
    `per_image(logits, label, weight=…, label_smoothing=…, **options)` takes (B, K) logits, (B,) labels, (K,) weights of
    classes or None, and the share of the label's weight that is spread over all classes, and gives (B,) floats of at
    least 0.
    """

    name: str
    per_image: "str | OfImages"
    summed: "str | OfImages | None" = None  # the sum over images, where it can be had in one go
    options: tuple[Option, ...] = ()

    def sum_over_images(self) -> "OfImages":
        """Return a function like `per_image` that gives the sum over images, a scalar."""
        way = self.summed or self.per_image
        function: OfImages = imported(way) if isinstance(way, str) else way
        return function if self.summed else lambda *arrays, **options: function(*arrays, **options).sum()

    def with_defaults(self, options: Mapping[str, float]) -> dict[str, float]:
        """Return all options, those that are not given at their default."""
        return {option.name: options.get(option.name, option.default) for option in self.options}


LOSSES: Table[LossRecord] = Table(
    "loss",
    [
        LossRecord(
            name="cross_entropy",
            per_image="coverslip.losses.functions:cross_entropy",
            summed="coverslip.losses.functions:summed_cross_entropy",
        ),
        LossRecord(
            name="focal",
            per_image="coverslip.losses.functions:focal",
            options=(
                Option(
                    name="gamma",
                    title="Gamma",
                    help="How much less images count that the network is sure of. At 0 all count the same.",
                    type="number",
                    default=2.0,
                    minimum=0,
                    maximum=10,
                ),
            ),
        ),
    ],
)


def check_options(name: str, options: Mapping[str, float]) -> None:
    """Whether a loss takes these.

    Raises:
        ValueError: it has no such option, or the number is out of its range.
    """
    by_name = {option.name: option for option in LOSSES.find(name).options}
    for key, value in options.items():
        if not by_name:
            raise ValueError(text("loss-without-options", name=name))
        if key not in by_name:
            raise no_such(f"option of the loss {name}", key, by_name)
        if fault := by_name[key].fault_in(value):
            raise ValueError(f"{key}: {fault}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What the regularizer takes for groups: `groups(features, label, n_classes)` gives (n,) int, no gradient."""

    name: str
    groups: "str | GroupsOf"

    def of(self, features: "Tensor", label: "Tensor", n_classes: int) -> "Tensor":
        """Return (n,) int from (n, D) features and (n,) labels."""
        groups: GroupsOf = imported(self.groups) if isinstance(self.groups, str) else self.groups
        return groups(features, label, n_classes)


GROUPINGS: Table[Grouping] = Table(
    "way to group features",
    [
        Grouping(name="labels", groups="coverslip.losses.cluster:groups_by_label"),
        Grouping(
            name="kmeans",
            groups="coverslip.losses.cluster:groups_by_kmeans",
        ),
    ],
)
