"""Expected time of each training of a study."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from coverslip.datasets.index.records import Dataset
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Noted, Progressed, SetSizes, ignore
from coverslip.experiments.estimating import measure_speed_of, plan_work
from coverslip.experiments.preparation import apply_recipe
from coverslip.messages import note
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.timing import total_seconds
from coverslip.studies.cells import Cell, open_images


def cell_seconds(cells: Sequence[Cell], emit: Emit = ignore) -> Mapping[str, float | None]:
    """Return the expected time of each training on this computer, without other load.

    Each network is built and timed once for each dataset and initialization, which takes seconds. All epochs are
    counted, although early stopping can end a training sooner.

    Args:
        cells: of the study.
        emit: receives progress events.

    Returns:
        Seconds by the name of the training; None if its images or weights are not available.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(f"{cell.sources} {_as_timed(cell.recipe).model_dump_json()}", []).append(cell)
    seconds: dict[str, float | None] = {}
    for done, group in enumerate(groups.values(), start=1):
        try:
            seconds |= _timed(group)
        except CoverslipError as error:
            emit(Noted.of(note("not-timed", level="warning", training=group[0].label, what=error.message)))
            seconds |= dict.fromkeys((cell.name for cell in group), None)
        emit(Progressed(stage="measuring-speed", done=done, total=len(groups), unit="networks"))
    return seconds


def _as_timed(recipe: Recipe) -> Recipe:
    """Return the timed recipe. The split and an initial run do not change the speed, so they are standardized."""
    init = recipe.init if isinstance(recipe.init, str) else "imagenet"
    return recipe.model_copy(update={"init": init, "split": SplitPlan(folds=0), "seed": 0, "group": None})


def _timed(cells: Sequence[Cell]) -> dict[str, float]:
    data, recipe = open_images(cells[0]), _as_timed(cells[0].recipe)
    speed = measure_speed_of(apply_recipe(data, recipe)[0], recipe)
    plans = {cell.name: plan_work(cell.recipe, _sizes(data, cell.recipe), speed) for cell in cells}
    return {name: total_seconds(plan, plan.pace) for name, plan in plans.items()}


def _sizes(data: Dataset, recipe: Recipe) -> list[SetSizes]:
    """Return the approximate numbers of images of each training of a run, without splitting the images."""
    data, _ = apply_recipe(data, recipe)
    plan, labeled = recipe.split, [record for record in data.records if data.has_class(record)]
    n_of_class = np.array(list(Counter(record.label for record in labeled).values()))
    if plan.is_balanced:
        n_of_class = np.full_like(n_of_class, n_of_class.min())
    n_of_class = n_of_class * (1 + plan.copies)
    tested = [plan.test]  # shares
    if plan.by_domain:
        tested = [n / len(labeled) for n in Counter(record.domain for record in labeled).values()]
    elif plan.folds:
        tested = [1 / plan.folds] * plan.folds
    shares = [(plan.val, test) for test in tested] + ([(0.0, 0.0)] if plan.by_domain or plan.folds else [])
    return [_sizes_of_shares(n_of_class, recipe, val, test) for val, test in shares]


def _sizes_of_shares(n_of_class: npt.NDArray[np.int64], recipe: Recipe, val: float, test: float) -> SetSizes:
    n, most = int(n_of_class.sum()), recipe.split.train_per_class
    n_of_class = np.maximum(1, n_of_class * (1 - val - test)).astype(int)
    n_of_class = n_of_class if most is None else np.minimum(n_of_class, most)
    n_val, n_test = round(val * n), round(test * n)
    return SetSizes(
        n_train=int(n_of_class.sum()),
        n_val=n_val,
        n_test=n_test,
        n_drawn=recipe.n_drawn(n_of_class.tolist()),
        n_selecting=(n_test if recipe.checkpoint_selection_set == "test" else n_val) * (1 + recipe.validation_copies),
    )
