"""Rare classes: sampling, loss and decision rule with 5 to 50 labeled images of the smallest class."""

from collections.abc import Sequence

from coverslip.studies.plan import Changes
from coverslip.studies.presets.record import Dataset, Preset

_N_RARE, _N_RARE_SMALL = (5, 10, 20, 50), (5, 20)
_SAMPLINGS: dict[str, Changes] = {
    "all images": {"sampling": "all"},
    "oversampling": {"sampling": "oversample"},
    "undersampling": {"sampling": "undersample"},
}
_LOSSES: dict[str, Changes] = {
    "cross-entropy": {},
    "class weights": {"class_weights": "balanced"},
    "focal loss": {"loss": "focal"},
}


def _model(sampling: str, loss: str) -> Changes:
    return {
        "name": f"{sampling}, {loss}",
        "recipe": {"model": "efficientnet_lite0", **_SAMPLINGS[sampling], **_LOSSES[loss]},
    }


def _of_sizes(datasets: Sequence[Dataset], *, is_small: bool, all_tables: bool) -> list[Dataset]:
    """Return each dataset at each number of images of its smallest class. Test sets keep all images."""
    return [
        {
            **each,
            "name": f"{each['name']}, {n} rare",
            "recipe": {**each.get("recipe", {}), "split": {"rare_images": n}},
        }
        for each in datasets
        for n in (_N_RARE_SMALL if is_small else _N_RARE)
    ]


IMBALANCE = Preset(
    name="imbalance",
    citation="Not of a publication; Wei and others 2025 (mobilevit-mn) name it as future work",
    page="studies.md",
    models=tuple(_model(sampling, loss) for sampling in _SAMPLINGS for loss in _LOSSES),
    small_models=(
        _model("all images", "cross-entropy"),
        _model("oversampling", "cross-entropy"),
        _model("all images", "focal loss"),
    ),
    small_per_class=200,  # fewer would balance the classes
    regimes=("imagenet",),
    baseline="all images, cross-entropy",
    small_baseline="all images, cross-entropy",
    primary_metric="balanced_accuracy",
    recipe={},
    protocol={},
    arrange=_of_sizes,
)
