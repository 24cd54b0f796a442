"""Advice for a recipe: networks, expected times, and the split of an earlier training."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import select

from coverslip.errors import BadRun, Conflict, WeightsUnavailable
from coverslip.experiments.estimating import LONG_SECONDS, Counts, plan_work
from coverslip.keys import Option
from coverslip.machine import FOR_TRAINING, chosen_device
from coverslip.messages import text
from coverslip.models import ModelRecord, has_weights, list_models, model_info, starting_weights
from coverslip.runs import Pretraining, Recipe, Run
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.recipes.checking import recipe_of_dataset
from coverslip.workspace.store.rows import folder_of_run, no_such_training
from coverslip.workspace.store.tables import jobs
from coverslip.workspace.store.workspace import Workspace

PretrainedWeights = Literal["here", "download", "import", "none"]
_BYTES = 4  # for each parameter: weights are stored as float32


@dataclass(frozen=True, slots=True)
class AdvisedModel:
    """A network with facts for choosing it. Counts are for 1,000 classes, at its default image size."""

    name: str
    title: str
    family: str
    paper: str | None
    parameters: int
    macs: Annotated[int | None, Field(description="Multiply-accumulate operations for one image.")]
    input_px: int
    weights: Annotated[
        PretrainedWeights,
        Field(
            description="here: on this computer; download: at first use; import: from a file; none: train from scratch."
        ),
    ]
    download_bytes: Annotated[
        int | None, Field(description="Approximate download at first use; null if there is none.")
    ]
    license: Annotated[str | None, Field(description="License of the weights.")]
    advice: str
    is_recommended: bool
    options: Annotated[tuple[Option, ...], Field(description="The keys of `model_options`.")]
    takes_others: Annotated[bool, Field(description="Whether it accepts further options of its library.")]
    parts: Annotated[list[str], Field(description="The values of `freeze_to`, the earliest first.")]


def advised_models() -> list[AdvisedModel]:
    """Return all networks: the default first, then those with available weights, then by size."""
    default = Recipe().model
    advised = [_advised(record, model_info(default)) for record in list_models()]
    return sorted(advised, key=lambda model: model.name != default)


def _advised(record: ModelRecord, default: ModelRecord) -> AdvisedModel:
    weights = _weights_of(record)
    return AdvisedModel(
        name=record.name,
        title=record.title,
        family=record.family,
        paper=record.paper,
        parameters=record.parameters,
        macs=record.macs,
        input_px=record.input_px,
        weights=weights,
        download_bytes=_download_bytes(record) if weights == "download" else None,
        license=_license(record),
        advice=_advice(record, default, weights),
        is_recommended=record.name == default.name,
        options=record.options,
        takes_others=record.timm_name is not None or record.torchvision_name is not None,
        parts=list(record.freeze_boundaries),
    )


def _license(record: ModelRecord) -> str | None:
    """Return the license of the weights that a training would use."""
    with suppress(WeightsUnavailable):  # the training reports damaged weights
        weights = starting_weights(record)
        return record.license if weights is None else weights.license
    return record.license


def _weights_of(record: ModelRecord) -> PretrainedWeights:
    if has_weights(record):
        return "here"
    if record.weights is not None:
        return "download"
    return "none" if record.weights_file is None else "import"


def _download_bytes(record: ModelRecord) -> int:
    source = record if record.weights_of is None else model_info(record.weights_of)
    return _BYTES * source.parameters


def _advice(record: ModelRecord, default: ModelRecord, weights: PretrainedWeights) -> str:
    if record.name == default.name:
        advice = text("recommended-network")
    else:
        cost_ratio = record.macs / default.macs if record.macs and default.macs else None
        size_ratio = record.parameters / default.parameters
        advice = text(
            "network-cost",
            cost="unknown" if cost_ratio is None else _compared(cost_ratio),
            cost_ratio=_rounded(cost_ratio or 0.0),
            size=_compared(size_ratio),
            size_ratio=_rounded(size_ratio),
        )
    return f"{advice} {text('import-network-weights', weights=record.weights_file)}" if weights == "import" else advice


def _compared(ratio: float) -> Literal["more", "less", "same"]:
    return "more" if ratio > 1.25 else "less" if ratio < 0.8 else "same"


def _rounded(ratio: float) -> float:
    return round(ratio) if ratio >= 3 else ratio


@dataclass(frozen=True, slots=True)
class TimePreview:
    """The expected time of a training on this computer."""

    seconds: Annotated[float | None, Field(description="Null if no earlier training allows an estimate.")]
    basis: Annotated[str | None, Field(description="The earlier training on which the estimate is based.")]
    is_long: Annotated[bool, Field(description="Longer than half an hour, or many folds of unknown time.")]
    n_trainings: Annotated[int, Field(description="Folds and the classifier trained on all images; 1 without folds.")]
    has_pretraining: Annotated[bool, Field(description="Whether pretraining on other images comes in addition.")]


_MANY_TRAININGS = 20


def expected(workspace: Workspace, dataset_id: str, recipe: Mapping[str, Any], counts: Counts) -> TimePreview:
    """Return the expected time of a training.

    Args:
        workspace: the workspace of the dataset.
        dataset_id: a dataset of labeled images.
        recipe: values that differ from the defaults.
        counts: the sizes of the sets of its split.

    Raises:
        NotFound, Conflict: there is no such dataset, or it is still being read.
        BadRecipe: a key or value is not valid.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
    settled = recipe_of_dataset(workspace, row, {key: value for key, value in recipe.items() if key != "group"})
    plan = plan_work(settled, counts, chosen_device(settled.device, automatic=FOR_TRAINING))
    n_trainings = counts.n_folds + 1 if counts.n_folds else 1
    is_long = n_trainings > _MANY_TRAININGS if plan.seconds is None else plan.seconds > LONG_SECONDS
    return TimePreview(
        seconds=plan.seconds,
        basis=plan.basis,
        is_long=is_long,
        n_trainings=n_trainings,
        has_pretraining=isinstance(settled.init, Pretraining),
    )


def keeping_split_of(workspace: Workspace, run_id: str, dataset_id: str, recipe: Recipe) -> Recipe:
    """Return the recipe with the split of an earlier training on the same dataset.

    Returns:
        The unchanged recipe if one of the two trainings has folds, which test every image once.

    Raises:
        NotFound: there is no such training.
        Conflict: it used another dataset, or has no split.
    """
    with workspace.engine.connect() as connection:
        folder = folder_of_run(connection, run_id)
        its_dataset = connection.execute(select(jobs.c.dataset_id).where(jobs.c.id == run_id)).scalar_one_or_none()
    if folder is None:
        raise no_such_training()
    if its_dataset != dataset_id:
        raise Conflict("training-of-other-dataset")
    try:
        rows = Run(folder).split
    except BadRun as error:
        raise Conflict("split-not-kept", cause=error) from error
    if not rows:
        raise Conflict("training-without-split")
    if recipe.split.asks_for_folds or any(row.fold for row in rows):
        return recipe
    return recipe.model_copy(update={"split": recipe.split.model_copy(update={"run": str(folder)})})
