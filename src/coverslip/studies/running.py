"""The trainings of a study: their names, folders and expected times, merged datasets, and running them in processes."""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from coverslip.datasets import NO_GROUPS, Dataset, ImageRecord, merge_datasets, open_dataset, scan_images
from coverslip.errors import BadRecipe, BadRun, CoverslipError, Stopped, error_text
from coverslip.events import Emit, FoldEnded, Noted, Progressed, StepEnded, from_json, ignore
from coverslip.experiments.budgeting import SetSizes, measure_pace, plan_work
from coverslip.experiments.one_split import make_split
from coverslip.experiments.preparation import SplitData, apply_recipe
from coverslip.files import sha256_json, write_json
from coverslip.images import PLAN_COLUMNS, ReadPlan
from coverslip.inference import load_classifier
from coverslip.inference.latency import MANY, Latency, classifier_latency
from coverslip.machine import FOR_TRAINING, n_cores, processor_name, select_device
from coverslip.messages import Resume, failure, note
from coverslip.runs.documents import check_format, first_fault, read_object
from coverslip.runs.folder import Run, RunContext, is_run
from coverslip.runs.images import write_image_table
from coverslip.runs.log import LogReader, total_seconds
from coverslip.runs.recipe import FromRun, Pretraining, Recipe, SplitPlan
from coverslip.runs.recipe_keys import check_recipe, pretraining_recipe, save_recipe
from coverslip.runs.status import StatusFile
from coverslip.runtime.executors import Executor, ProgramExecutor, ProgramTask
from coverslip.runtime.programs import python_command, record_exit, record_failure, recorded_failure
from coverslip.stopping import Deadline, Stop
from coverslip.studies.plan import (
    READING_KEYS,
    Changes,
    ModelPlan,
    PartPlan,
    RegimePlan,
    StudyPlan,
    TrainedDataset,
    merged_changes,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One training. A pretraining is not part of the table of results."""

    dataset: TrainedDataset  # its images
    model: str
    regime: str
    train_per_class: int | None
    repeat: int  # 1-based
    seed: int
    recipe: Recipe
    run: Run
    starts_from: Run | None = None  # a pretraining of this study
    is_pretraining: bool = False

    @property
    def merged_table(self) -> Path | None:
        """The table of a merged dataset in the study's folder; None: the dataset is not merged."""
        folder = self.run.folder.parents[1] / "datasets"
        return folder / f"{slug(self.dataset.name)}.csv" if self.dataset.parts else None

    @property
    def sources(self) -> tuple[str, ...]:
        """The folders or tables that the training opens."""
        return self.dataset.path or (str(self.merged_table),)

    @property
    def label(self) -> str:
        """Return a readable description."""
        return f"{self.dataset.name}, {self.model}, {self.regime}"

    @property
    def name(self) -> str:
        return self.run.folder.name


def cells_of(plan: StudyPlan, folder: Path) -> list[Cell]:
    """Return all trainings of a study, pretrainings before the trainings that start from them.

    The order is by repeat and seed. If a study ends early, all variants have nearly the same number of trainings.

    Args:
        plan: of the study.
        folder: of the study.

    Raises:
        BadRecipe: a combined recipe is not valid; the error names dataset, network and regime. Or two trainings would
            have the same folder name.
    """
    cells: dict[Path, Cell] = {}
    for repeat in range(1, plan.repeats + 1):
        for seed in plan.seeds:
            for cell in _of_one_repeat(plan, folder, repeat, seed):
                same = cells.setdefault(cell.run.folder, cell)
                if same is not cell and not cell.is_pretraining:
                    raise BadRecipe("study-name-collision", first=same.label, second=cell.label, folder=cell.name)
    return list(cells.values())


def _of_one_repeat(plan: StudyPlan, folder: Path, repeat: int, seed: int) -> Iterator[Cell]:
    for n in plan.train_per_class:
        for dataset in plan.trained_datasets:
            for model in plan.models:
                if dataset.models and model.name not in dataset.models:
                    continue
                for regime in plan.regimes:
                    if regime.two_step in dataset.sources:  # a dataset is no pretraining for itself
                        continue
                    yield from _cell(plan, folder, dataset, model, regime, n, repeat, seed)


def _cell(
    plan: StudyPlan,
    folder: Path,
    dataset: TrainedDataset,
    model: ModelPlan,
    regime: RegimePlan,
    train_per_class: int | None,
    repeat: int,
    seed: int,
) -> Iterator[Cell]:
    """Yield the training, preceded by its pretraining if there is one."""
    where = f"{dataset.name}, {plan.variant_name(model.name, regime.name)}"
    folds: Changes = {"by_domain": True} if dataset.by_domain else {"folds": plan.folds}
    split: Changes = {**folds, "seed": repeat - 1, "train_per_class": train_per_class}
    changes: Changes = {
        "seed": seed,
        "model": model.name,
        "primary_metric": plan.primary_metric,
        "refit_all": False,  # a study compares the tested classifiers
    }
    common = merged_changes(plan.recipe, dataset.recipe)
    if dataset.parts:
        dataset, common = _with_reading(common, dataset, where)
    layers = (common, model.recipe, {} if regime.two_step else regime.recipe)
    for layer in ({"split": split, **_groups(dataset)}, *layers, _initialization(regime)):
        changes = merged_changes(changes, layer)
    if dataset.ignores_groups:
        changes["group"] = None if dataset.parts else NO_GROUPS  # the table of merged images states no groups
    recipe = _checked(changes, where)
    name = slug(
        dataset.name, model.name, *([regime.name] if len(plan.regimes) > 1 else []),
        *([f"n{train_per_class}"] if train_per_class else []), f"r{repeat}", f"s{seed}",
    )  # fmt: skip
    cell = Cell(dataset, model.name, regime.name, train_per_class, repeat, seed, recipe, Run(folder / "cells" / name))
    if not isinstance(recipe.init, Pretraining):
        yield cell
        return
    images = TrainedDataset(path=(recipe.init.train_on,), name=regime.name, plan_name=regime.name)
    first = pretraining_recipe(recipe.model_copy(update={"split": recipe.split.model_copy(update={"seed": None})}))
    same = sha256_json([recipe.init.train_on, first.model_dump(mode="json")])[:8]  # datasets may differ in image size
    before = Run(folder / "pretraining" / slug(regime.name, model.name, f"s{seed}", same))
    yield replace(cell, dataset=images, recipe=first, run=before, is_pretraining=True)
    start = FromRun(run=str(before.folder), labels=recipe.init.labels)
    yield replace(cell, recipe=recipe.model_copy(update={"init": start}), starts_from=before)


def _with_reading(common: Changes, dataset: TrainedDataset, where: str) -> tuple[TrainedDataset, Changes]:
    """Return a merged dataset whose parts have all their keys of reading, and the keys that apply to all images.

    A length in µm becomes pixels when an image is read, so that all parts must have the same.

    Args:
        common: keys of all parts, unless they have others.
        dataset: as planned.
        where: description of the training, for the error.

    Raises:
        BadRecipe: parts have different crops, some of them in µm.
    """
    reading = {key: common[key] for key in READING_KEYS if key in common}
    recipes = [merged_changes(reading, part.recipe) for part in dataset.parts]
    if dataset.ignores_groups:
        recipes = [{**recipe, "group": NO_GROUPS} for recipe in recipes]
    parts = [part.model_copy(update={"recipe": recipe}) for part, recipe in zip(dataset.parts, recipes, strict=True)]
    of_all: Changes = {key: value for key, value in common.items() if key not in READING_KEYS}
    crops = [{key: recipe[key] for key in ("crop_size", "crop_margin") if recipe.get(key)} for recipe in recipes]
    if any(isinstance(length, str) for crop in crops for length in crop.values()):
        if any(crop != crops[0] for crop in crops):
            raise BadRecipe("merged-crops-differ", training=where)
        of_all |= crops[0]
    if order := dict.fromkeys(name for recipe in recipes for name in recipe.get("classes", {}).get("order", ())):
        of_all["classes"] = {"order": list(order)}
    return dataset.model_copy(update={"parts": tuple(parts)}), of_all


def _groups(dataset: TrainedDataset) -> Changes:
    return {"group": dataset.group} if dataset.group else {}


def _initialization(regime: RegimePlan) -> Changes:
    if regime.two_step:
        return {"init": {"train_on": regime.two_step, "recipe": regime.recipe, "labels": regime.labels}}
    return {"init": {"run": regime.run, "labels": regime.labels}} if regime.run else {}


def _checked(changes: Changes, where: str) -> Recipe:
    try:
        return check_recipe(changes)
    except BadRecipe as error:
        raise BadRecipe("study-training-error", cause=error, training=where, faults=error.faults) from error


def slug(*parts: str) -> str:
    """Return a folder name that is valid on every operating system."""
    return "_".join(re.sub(r"[^\w.+-]+", "-", part).strip("-.") for part in parts)[:150]


# Trainings of a study as programs, on this computer or with Slurm.

_INTERRUPTED = 130
_SECONDS_BETWEEN_QUERIES = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """The definition of a training. It can be sent to another computer."""

    sources: tuple[str, ...]  # folders or tables
    recipe: Recipe
    group_pattern: str | None
    threads: int


def _training_command(order: Order, folder: Path) -> list[str]:
    """Return the command that starts or resumes a training, and write the recipe of a new one."""
    arguments = ["--resume", str(folder)]
    if not is_run(folder):
        save_recipe(order.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
        groups = ["--group-pattern", order.group_pattern] if order.group_pattern else []
        leakage = ["--allow-leakage"] if order.recipe.leaking_keys else []
        arguments = [*order.sources, "--recipe", str(recipe), *groups, *leakage, "--out", str(folder)]
    return python_command("-m", "coverslip", "train", *arguments)


def train_in_program(executor: ProgramExecutor, order: Order, folder: Path) -> None:
    """Train in a process, and record how it ended, unless it did so itself, or was to stop.

    The process is in a session of its own, so that only the executor forwards Ctrl-C. If a killed study has submitted
    the training to Slurm, wait for the end of that job first.
    """
    while executor.has_job(folder) and not executor.is_stopped:
        time.sleep(_SECONDS_BETWEEN_QUERIES)
    if Run(folder).is_done:
        return
    try:
        exit_code = executor.run(ProgramTask(_training_command(order, folder), folder))
    except Stopped:  # before its start
        return
    status = Run(folder).status
    if not executor.is_stopped and exit_code != _INTERRUPTED and (status is None or status.state == "running"):
        record_exit(folder, exit_code)


def start_failure(folder: Path) -> str | None:
    """Return why a training failed without a last status; None if it did not fail."""
    failure = recorded_failure(folder)
    return None if failure is None else error_text(failure)


# Training of a study's cells in separate processes. Finished cells are skipped, and stopped cells are resumed.

_POLL_SECONDS = 0.2

AnyExecutor = Executor[Any, Any, Any]  # Any: its tasks

CellWord = Literal["done", "failed", "running", "stopped", "not begun"]


Train = Callable[[Order, Path, Path | None], None]
"""Trains into a folder, which then holds the result or the failure. The last argument is that of the initial run."""


@dataclass(frozen=True, slots=True)
class CellState:
    """The state of a training."""

    state: CellWord
    error: str | None = None


def state_of(cell: Cell) -> CellState:
    """Return the state of a training from its run folder, or from its failure file if there is no run folder."""
    status = cell.run.status
    if status is not None and status.state == "done":
        return CellState("done")
    if status is not None and status.state == "failed":
        return CellState("failed", status.reason if status.failure is None else error_text(status.failure))
    if status is not None and status.is_alive:
        return CellState("running")
    if (reason := start_failure(cell.run.folder)) is not None:
        return CellState("failed", reason)
    return CellState("not begun" if status is None else "stopped")


@dataclass(kw_only=True)
class CellRunner:
    """Runs the unfinished trainings of a study, as many in parallel as the executor allows.

    Args:
        cells: in the order in which they are started.
        folder: of the study.
        executor: runs the trainings.
        train: trains on the executor; called from several threads.
        threads: of each training.
        status: receives the state and the remaining time.
        after_each: called after each training, also if it failed.
        emit: receives the end of each training and the remaining time.
        deadline: a training is not started if its expected end, by the time of other trainings, is later.
    """

    cells: list[Cell]
    folder: Path
    executor: AnyExecutor
    train: Train
    threads: int
    status: StatusFile
    after_each: Callable[[], object]
    emit: Emit
    deadline: Deadline

    def __post_init__(self) -> None:
        self._stop = Stop(self.folder / "stop")
        self._seconds: list[float] = []
        self._ends: float | None = None  # expected end of the study, from the time of finished trainings
        self._followed: tuple[Cell, LogReader] | None = None

    def run(self) -> None:
        """Run them.

        Raises:
            Stopped: on request. Running trainings stop in order, and resume when the study is resumed.
        """
        waiting = [cell for cell in self.cells if state_of(cell).state != "done"]
        n_done, n_parallel = len(self.cells) - len(waiting), self.executor.n_parallel
        running: dict[Future[float], Cell] = {}
        with ThreadPoolExecutor(n_parallel) as pool:
            while waiting or running:
                while waiting and len(running) < n_parallel and not self._stop.is_requested():
                    if (cell := self._next(waiting, running)) is None:
                        break
                    waiting.remove(cell)
                    running[pool.submit(self._train, cell)] = cell
                if not running:
                    break
                ended, _ = wait(running, _POLL_SECONDS, FIRST_COMPLETED)
                self._follow(next(iter(running.values())))
                self.status.beat(seconds_left=None if self._ends is None else max(0.0, self._ends - time.monotonic()))
                if self._stop.is_requested():
                    self.executor.stop()
                for future in ended:
                    cell = running.pop(future)
                    n_done += state_of(cell).state in ("done", "failed")
                    self._report(cell, future.result(), n_done, len(waiting) + len(running))
                    self.after_each()
        if self._stop.is_requested():
            resume = Resume(str(self.folder), of="study")
            raise Stopped("study-stopped", file=self.folder, remedies=(resume,))
        if waiting:
            self.emit(Noted.of(note("study-budget", n_trainings=len(waiting))))

    def _next(self, waiting: list[Cell], running: dict[Future[float], Cell]) -> Cell | None:
        """Return the first waiting training whose pretraining has ended, if there is time for it."""
        if self.deadline.seconds_left() < (max(self._seconds) if self._seconds else 0):
            return None
        busy = {cell.run.folder for cell in running.values()} | {cell.run.folder for cell in waiting}
        return next((c for c in waiting if c.starts_from is None or c.starts_from.folder not in busy), None)

    def _train(self, cell: Cell) -> float:
        """Train, and return the duration in seconds, also if the training failed."""
        started_at = time.monotonic()
        _wait_for(cell.run, self._stop)
        if cell.run.is_done:  # finished by a process that outlived an earlier study
            return time.monotonic() - started_at
        if cell.starts_from is not None and not cell.starts_from.has_classifier:
            record_failure(cell.run.folder, failure("pretraining-failed"))
            return 0.0
        order = Order(cell.sources, cell.recipe, cell.dataset.group_pattern, self.threads)
        if not self._stop.is_requested():
            starts_from = None if cell.starts_from is None else cell.starts_from.folder
            self.train(order, cell.run.folder, starts_from)
        return time.monotonic() - started_at

    def _follow(self, cell: Cell) -> None:
        """Forward the progress of the running training that was started first."""
        if self._followed is None or self._followed[0] is not cell:
            self._followed = (cell, LogReader(cell.run.events_file))
            self._followed[1].new_lines()  # skips lines of an earlier attempt
            self.emit(Noted.of(note("cell-begun", cell=cell.name)))
        for line in self._followed[1].new_lines():
            event = from_json({"event": line.event, **line.values})
            if isinstance(event, Progressed | StepEnded | FoldEnded):
                self.emit(event)

    def _report(self, cell: Cell, seconds: float, n_done: int, n_left: int) -> None:
        state = state_of(cell)
        if state.state == "done":
            self._seconds.append(seconds)
        elif state.state == "failed":
            reason = state.error or ""
            self.emit(Noted.of(note("cell-failed", level="warning", cell=cell.name, reason=reason)))
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else None
        seconds_left = None if mean is None else mean * n_left / self.executor.n_parallel
        self._ends = None if seconds_left is None else time.monotonic() + seconds_left
        self.emit(
            Progressed(
                stage="training-networks",
                done=n_done,
                total=len(self.cells),
                unit="trainings",
                seconds_left=seconds_left,
            )
        )


def _wait_for(run: Run, stop: Stop) -> None:
    """Wait for the end of a training that outlived the study that started it."""
    while (status := run.status) is not None and status.is_alive and not stop.is_requested():
        time.sleep(1)


# Merged datasets: several datasets as one. Each is a domain with its own groups, classes and reading of images.
#
# Their table in the study's folder lists the images as each part reads and labels them.


def open_images(cell: Cell) -> Dataset:
    """Open the images of a training as it opens them, before its recipe applies."""
    if cell.dataset.parts:
        return merge_datasets([_open_part(part) for part in cell.dataset.parts])
    return open_dataset(list(cell.sources), group_pattern=cell.dataset.group_pattern)


def write_merged_tables(cells: Iterable[Cell]) -> None:
    """Write the table of each merged dataset that still has trainings, with the current labels of its parts.

    Raises:
        BadDataset, BadRecipe: a part cannot be opened, or two parts give an image different labels.
    """
    unfinished = (cell for cell in cells if state_of(cell).state != "done")
    for table, cell in {cell.merged_table: cell for cell in unfinished}.items():
        if table is not None:
            write_image_table(open_images(cell), table)


def _open_part(part: PartPlan) -> Dataset:
    """Open a dataset whose records state its groups, classes, planes and crops."""
    recipe = check_recipe({**part.recipe, **({"group": part.group} if part.group else {})})
    data = open_dataset(list(part.path), group_pattern=part.group_pattern, crop_size=recipe.crop_size)
    data, _ = apply_recipe(data, recipe)
    return replace(data, records=tuple(_as_stated(record) for record in data.records if data.has_class(record)))


def _as_stated(record: ImageRecord) -> ImageRecord:
    """Return a record that keeps its plan if it is opened from a table. A crop in pixels becomes its region."""
    plan, default = record.plan, ReadPlan()
    stated = {name for name in PLAN_COLUMNS if getattr(plan, name) != getattr(default, name)}
    if plan.other_files:
        stated.add("other_files")
    if plan.region is not None and not (plan.has_physical_size or isinstance(plan.crop_margin, str)):
        region = plan.crop((0, 0), None)
        changes = {"region": region, "crop_size": None, "crop_margin": 0.0}
        return replace(record, plan=plan.model_copy(update=changes), stated=frozenset({*stated, "region"}))
    return replace(record, plan=plan, stated=record.stated | stated)


# Expected time of each training of a study, and the prediction time of its classifiers.

_MAX_SAMPLED = 240  # images of a dataset that are timed


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
    """Return the timed recipe. The split and an initial run do not change the time, so they are standardized."""
    init = recipe.init if isinstance(recipe.init, str) else "imagenet"
    split = SplitPlan(val=0.2, test=0.2, folds=0)
    return recipe.model_copy(update={"init": init, "split": split, "seed": 0, "group": None})


def _timed(cells: Sequence[Cell]) -> dict[str, float | None]:
    recipe = _as_timed(cells[0].recipe)
    data = open_images(cells[0])
    sample = data.subset(_evenly(data))
    scan = scan_images(sample)
    with TemporaryDirectory() as folder:
        context = RunContext(Path(folder), select_device(recipe.device, automatic=FOR_TRAINING))
        split_data = SplitData(sample, scan, make_split(sample, scan, recipe))
        pace = measure_pace(split_data, split_data.with_epochs(recipe), context)
    return {
        cell.name: total_seconds(plan_work(cell.recipe, _counts(data, cell.recipe), context.device, pace), pace)
        for cell in cells
    }


def _counts(data: Dataset, recipe: Recipe) -> SetSizes:
    """Return the numbers of images of a training, or of its first fold."""
    n, plan = len(data.records), recipe.split
    n_folds = len({record.domain for record in data.records}) if plan.by_domain else plan.folds or 0
    most = math.inf if plan.train_per_class is None else plan.train_per_class * len(data.classes)
    n_val, n_test = round(plan.val * n), n // n_folds if n_folds else round(plan.test * n)
    n_train = int(min(n - n_val - n_test, most))
    return SetSizes(n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=n_train, n_folds=n_folds)


def _evenly(data: Dataset) -> list[int]:
    """Return the positions of a sample of images, evenly spaced within each class."""
    usable = [i for i, record in enumerate(data.records) if data.has_class(record)]
    by_class: dict[str, list[int]] = {}
    for i in usable:
        by_class.setdefault(data.records[i].label or "", []).append(i)
    each = max(5, _MAX_SAMPLED // max(1, len(by_class)))
    return sorted(i for indices in by_class.values() for i in indices[:: -(-len(indices) // each)])


_FILE = "latency.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLatency:
    """The prediction time of a network on a dataset. It does not depend on the initialization."""

    dataset: str
    model: str
    latency: Latency


_LATENCIES = TypeAdapter(list[NetworkLatency])


def measure_latencies(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Time one finished training of each network and dataset on images of that dataset.

    Results are saved after each network. An interrupted measurement continues; a complete one is repeated. Times of
    another computer are replaced.

    Raises:
        BadRun: the file of earlier measurements is damaged.
    """
    first: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            first.setdefault((cell.dataset.name, cell.model), cell)
    here = processor_name(), n_cores()
    measured = {
        (each.dataset, each.model): each
        for each in read_latencies(folder)
        if (each.latency.processor, each.latency.n_threads) == here
    }
    if measured.keys() >= first.keys():
        measured = {}
    for done, (key, cell) in enumerate(first.items(), start=1):
        if key not in measured:
            try:
                records = open_images(cell).records[:MANY]
                latency = classifier_latency(load_classifier(cell.run.folder), [record.path for record in records])
            except CoverslipError:  # images or classifier are missing
                continue
            measured[key] = NetworkLatency(dataset=cell.dataset.name, model=cell.model, latency=latency)
            content = [asdict(measured[each]) for each in first if each in measured]
            write_json(folder / _FILE, {"format_version": 1, "latencies": content})
        emit(Progressed(stage="measuring-latencies", done=done, total=len(first), unit="networks"))


def read_latencies(folder: Path) -> Sequence[NetworkLatency]:
    """Return the saved measurements; empty if there are none.

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
