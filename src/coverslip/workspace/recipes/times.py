"""How long a training is expected to take, before it is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from coverslip.experiments.estimating import LONG_SECONDS, Counts, plan_work
from coverslip.machine import FOR_TRAINING, chosen_device
from coverslip.runs import Pretraining
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.recipes.checking import recipe_of_dataset
from coverslip.workspace.store.home import Workspace


@dataclass(frozen=True, slots=True)
class TimePreview:
    """How long a training would take on this computer."""

    seconds: Annotated[float | None, Field(description="Null where no training here tells.")]
    basis: Annotated[str | None, Field(description="Which earlier training tells it.")]
    is_long: Annotated[bool, Field(description="Longer than half an hour, or many folds whose time is not known.")]
    n_trainings: Annotated[int, Field(description="Folds and the classifier trained on all images; 1 without folds.")]
    has_pretraining: Annotated[bool, Field(description="A first step on other images comes in addition.")]


_MANY_TRAININGS = 20


def expected(workspace: Workspace, dataset_id: str, recipe: Mapping[str, Any], counts: Counts) -> TimePreview:
    """How long a training would take.

    Args:
        workspace: of the dataset.
        dataset_id: of labelled images.
        recipe: what differs from the defaults.
        counts: images in each part of its split.

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
