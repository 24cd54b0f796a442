"""Expected time of each training of a study, and the prediction time of its classifiers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter, ValidationError

from coverslip.datasets import Dataset, open_dataset, scan_images
from coverslip.errors import BadRun, CoverslipError
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.experiments.first_steps import FirstSteps, first_steps
from coverslip.experiments.one_split import make_split
from coverslip.experiments.parts import Parts
from coverslip.files import write_json
from coverslip.inference import load_classifier
from coverslip.inference.latency import MANY, Latency, classifier_latency
from coverslip.machine import chosen_device
from coverslip.messages import note
from coverslip.runs import Recipe, RunContext, SplitPlan
from coverslip.runs.documents import check_format, first_fault, read_object
from coverslip.studies.cells import Cell
from coverslip.studies.running import state_of

_MOST_SAMPLED = 240  # images of a dataset that are looked at


@dataclass(frozen=True, slots=True)
class _Workload:
    """How many images the training of a network uses."""

    n_train: int
    n_val: int
    n_test: int


def cell_seconds(cells: Sequence[Cell], emit: Emit = ignore) -> Mapping[str, float | None]:
    """About how long each training takes on this computer, alone; None where its images or weights cannot be had.

    Each network is built and timed once for each dataset and way to start, which itself takes seconds. All epochs are
    counted, though some trainings end sooner, as validation images tell.

    Args:
        cells: of the study.
        emit: receives progress events.

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
            emit(Noted.of(note("not-timed", level="warning", training=own[0].label, what=error.what)))
            seconds |= dict.fromkeys((cell.name for cell in own), None)
        emit(Progressed(stage="measuring the speed of this computer", done=done, total=len(alike), unit="networks"))
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
        measured = first_steps(parts, parts.with_epochs(recipe), context)
    return {
        cell.name: sum(_seconds(work, cell.recipe, measured) for work in _workloads(data, cell.recipe))
        for cell in cells
    }


def _seconds(work: _Workload, recipe: Recipe, measured: FirstSteps) -> float:
    """For one network: the instant stage, fine-tuning, and what comes after it."""
    seconds = measured.test_seconds + measured.embedding_seconds * (
        work.n_train + recipe.copies_in_images(work.n_train) + 2 * work.n_val + work.n_test
    )
    if measured.pace is None:
        return seconds
    image = measured.pace.step_seconds / recipe.batch_size
    n_epochs = recipe.with_epochs(work.n_train).n_epochs
    return seconds + n_epochs * image * (work.n_train + work.n_val / 3)


def _workloads(data: Dataset, recipe: Recipe) -> list[_Workload]:
    """Of each network that is trained: one, or those of the folds and the one of all images."""
    n, plan = len(data.records), recipe.split
    n_folds = len({record.domain for record in data.records}) if plan.by_domain else plan.folds or 0
    most = math.inf if plan.train_per_class is None else plan.train_per_class * len(data.classes)
    n_val = round(plan.val * n)
    if not n_folds:
        n_test = round(plan.test * n)
        n_train = int(min(n - n_val - n_test, most))
        return [_Workload(n_train, n_val, n_test)]
    n_train = int(min(n - n // n_folds - n_val, most))
    last = int(min(n, most))
    return [*[_Workload(n_train, n_val, n // n_folds)] * n_folds, _Workload(last, 0, 0)]


def _evenly(data: Dataset) -> list[int]:
    """Positions of some images, all over the dataset, so that each class is among them."""
    usable = [i for i, record in enumerate(data.records) if data.has_class(record)]
    by_class: dict[str, list[int]] = {}
    for i in usable:
        by_class.setdefault(data.records[i].label or "", []).append(i)
    each = max(5, _MOST_SAMPLED // max(1, len(by_class)))
    return sorted(i for places in by_class.values() for i in places[:: -(-len(places) // each)])


_FILE = "latency.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLatency:
    """Of a network, as it was trained on a dataset; where its training starts makes no difference."""

    dataset: str
    model: str
    latency: Latency


_LATENCIES = TypeAdapter(list[NetworkLatency])


def measure_latencies(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> list[NetworkLatency]:
    """Time one finished training of each network and dataset, on images of that dataset, and keep it in the folder."""
    first: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            first.setdefault((cell.dataset.name, cell.model), cell)
    measured = []
    for done, ((dataset, model), cell) in enumerate(first.items(), start=1):
        try:
            records = open_dataset(list(cell.dataset.path)).records[:MANY]
            latency = classifier_latency(load_classifier(cell.run.folder), [record.path for record in records])
        except CoverslipError:  # its images or its classifier are gone
            continue
        measured.append(NetworkLatency(dataset=dataset, model=model, latency=latency))
        emit(Progressed(stage="timing", done=done, total=len(first), unit="networks"))
    write_json(folder / _FILE, {"format_version": 1, "latencies": [asdict(each) for each in measured]})
    return measured


def read_latencies(folder: Path) -> Sequence[NetworkLatency]:
    """What was measured before; nothing where it was not.

    Raises:
        BadRun: the file is damaged.
    """
    if not (folder / _FILE).is_file():
        return ()
    values = read_object(folder / _FILE)
    check_format(values.get("format_version"), folder / _FILE)
    try:
        return _LATENCIES.validate_python(values.get("latencies"))
    except ValidationError as error:
        raise BadRun("damaged-latencies", file=folder / _FILE, reason=first_fault(error)) from error
