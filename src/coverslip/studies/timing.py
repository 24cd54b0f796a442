"""How long each training of a study will take here, by the pace of its network on a few of its dataset's own images."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from coverslip.datasets import Dataset, open_dataset, scan_images
from coverslip.errors import CoverslipError
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.experiments.one_split import make_split
from coverslip.experiments.pace import MeasuredPace
from coverslip.experiments.parts import Parts
from coverslip.experiments.planning import (
    TrainingPace,
    Workload,
    closing_seconds,
    epoch_seconds,
    folds_seconds,
    instant_seconds,
)
from coverslip.machine import chosen_device
from coverslip.runs import Recipe, RunContext, SplitPlan
from coverslip.studies.cells import Cell

_MOST_SAMPLED = 240  # images of a dataset that are looked at


def cell_seconds(cells: Sequence[Cell], emit: Emit = ignore) -> Mapping[str, float | None]:
    """About how long each training takes on this computer, alone; None where its images or weights cannot be had.

    Each network is built and timed once for each dataset and way to start, which itself takes seconds. All epochs are
    counted, though some trainings end sooner, as validation images tell.

    Args:
        cells: of the study.
        emit: told about progress.

    Returns:
        Seconds by the name of the training.
    """
    alike: dict[str, list[Cell]] = {}
    for cell in cells:
        alike.setdefault(f"{cell.dataset.path} {_as_timed(cell.recipe).model_dump_json()}", []).append(cell)
    seconds: dict[str, float | None] = {}
    for done, own in enumerate(alike.values(), start=1):
        try:
            seconds |= _timed(own)
        except CoverslipError as error:
            emit(Noted(code="not-timed", text=f"{own[0].label} could not be timed: {error.what}", level="warning"))
            seconds |= dict.fromkeys((cell.name for cell in own), None)
        emit(Progressed(stage="measuring how quick this machine is", done=done, total=len(alike), unit="networks"))
    return seconds


def _as_timed(recipe: Recipe) -> Recipe:
    """What is measured: where the images come to be, and what an earlier run has learnt, makes no difference."""
    init = recipe.init if isinstance(recipe.init, str) else "imagenet"
    split = SplitPlan(val=0.2, test=0.2, folds=0)
    return recipe.model_copy(update={"init": init, "split": split, "seed": 0, "group": None})


def _timed(cells: Sequence[Cell]) -> dict[str, float | None]:
    recipe = _as_timed(cells[0].recipe)
    data = open_dataset(list(cells[0].dataset.path))
    sample = data.chosen(_evenly(data))
    scan = scan_images(sample)
    with TemporaryDirectory() as folder:
        context = RunContext(Path(folder), chosen_device(recipe.device))
        parts = Parts(sample, scan, make_split(sample, scan, recipe))
        pace = MeasuredPace(parts, context)
        embedding = pace.embedding(recipe)
        training = pace.training(recipe) if recipe.is_finetuned else TrainingPace(math.inf)
    found: dict[str, float | None] = {}
    for cell in cells:
        works = _workloads(data, cell.recipe)
        n_epochs = cell.recipe.with_epochs(works[0].n_epoch).n_epochs
        whole = sum(epoch_seconds(training, work) for work in works) * n_epochs
        if len(works) > 1:
            whole += folds_seconds(embedding, len(data.records), n_folds=len(works) - 1, n_embedded=1)
        else:
            whole += instant_seconds(embedding, works[0]) + closing_seconds(embedding, works[0])
        found[cell.name] = whole
    return found


def _workloads(data: Dataset, recipe: Recipe) -> list[Workload]:
    """Of each network that is trained: one, or those of the folds and the one of all images."""
    n, plan = len(data.records), recipe.split
    n_folds = len({record.domain for record in data.records}) if plan.by_domain else plan.folds or 0
    most = math.inf if plan.train_per_class is None else plan.train_per_class * len(data.classes)
    n_val = round(plan.val * n)
    if not n_folds:
        n_test = round(plan.test * n)
        n_train = int(min(n - n_val - n_test, most))
        return [Workload(n_train, n_val, n_test, n_train)]
    n_train = int(min(n - n // n_folds - n_val, most))
    last = int(min(n, most))
    return [*[Workload(n_train, n_val, n // n_folds, n_train)] * n_folds, Workload(last, 0, 0, last)]


def _evenly(data: Dataset) -> list[int]:
    """Positions of some images, all over the dataset, so that each class is among them."""
    usable = [i for i, record in enumerate(data.records) if data.has_class(record)]
    by_class: dict[str, list[int]] = {}
    for i in usable:
        by_class.setdefault(data.records[i].label or "", []).append(i)
    each = max(5, _MOST_SAMPLED // max(1, len(by_class)))
    return sorted(i for places in by_class.values() for i in places[:: -(-len(places) // each)])
