"""The tables of losses, and of groupings for the cluster regularizer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverslip.keys import Option
from coverslip.messages import text
from coverslip.registry import Registry, imported, no_such

if TYPE_CHECKING:
    from torch import Tensor

    LossFunction = Callable[..., Tensor]
    GroupsOf = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRecord:
    """One loss function.

    To add one, add its record to `LOSSES` and its texts to `recipe_keys.ftl` in all languages.

    `per_image` is a function or `module:function`, which is imported when training begins.
    `per_image(logits, label, weight=…, **options)` receives (B, K) logits, (B,) labels and (K,) class weights or None.
    It returns (B,) floats >= 0, the loss of each image.
    """

    name: str
    per_image: "str | LossFunction"
    summed: "str | LossFunction | None" = None  # the sum over images as one function, if there is one
    options: tuple[Option, ...] = ()

    def sum_over_images(self) -> "LossFunction":
        """Return a function with the arguments of `per_image` that returns the sum over images, a scalar."""
        source = self.summed or self.per_image
        function: LossFunction = imported(source) if isinstance(source, str) else source
        return function if self.summed else lambda *arrays, **options: function(*arrays, **options).sum()

    def with_defaults(self, options: Mapping[str, float]) -> dict[str, float]:
        """Return all options, with the default of those that are not in `options`."""
        return {option.name: options.get(option.name, option.default) for option in self.options}


LOSSES: Registry[LossRecord] = Registry(
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
    """Check the options of a loss.

    Raises:
        ValueError: the loss has no such option, or a number is out of its range.
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
class FeatureGrouping:
    """One way to group features: `groups(features, label, n_classes)` returns (n,) int without gradient."""

    name: str
    groups: "str | GroupsOf"

    def of(self, features: "Tensor", label: "Tensor", n_classes: int) -> "Tensor":
        """Return the group of each feature, (n,) int, from (n, D) features and (n,) labels."""
        groups: GroupsOf = imported(self.groups) if isinstance(self.groups, str) else self.groups
        return groups(features, label, n_classes)


GROUPINGS: Registry[FeatureGrouping] = Registry(
    "way to group features",
    [
        FeatureGrouping(name="labels", groups="coverslip.losses.functions:groups_by_label"),
        FeatureGrouping(
            name="kmeans",
            groups="coverslip.losses.functions:groups_by_kmeans",
        ),
    ],
)
