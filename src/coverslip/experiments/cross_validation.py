"""k trainings whose test parts together are all images, and a classifier trained on everything they were trained on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.datasets import Dataset, Folds, Part, Scan, Split, cap_training
from coverslip.errors import BadRun, Stopped
from coverslip.evaluation import learn_decisions, over_folds
from coverslip.events import Emit, Event, FoldEnded, FoldStarted, Noted
from coverslip.experiments.one_split import Parts, fit_classifier, measure, stopped, train_by_split, work_in
from coverslip.files import for_shell, write_json
from coverslip.inference import Prediction, load_classifier, write_results
from coverslip.reports import write_report
from coverslip.runs import (
    Recipe,
    Run,
    create_run_folder,
    find_classifier,
    open_classifier,
    open_run,
    read_json,
    read_metrics,
    read_status,
    read_table,
    save_recipe,
)
from coverslip.runs.provenance import write_split

if TYPE_CHECKING:
    from coverslip.training.fitting import Settled

Json = dict[str, Any]  # Any: JSON values


def is_cross_validated(run: Run) -> bool:
    """Whether a run was made of folds."""
    return (run.folder / "folds").is_dir()


def refuse_fold(run: Run) -> None:
    """Raises BadRun where the folder is a fold of another run, which goes on with all of them."""
    if "fold" in read_json(run.folder / "environment.json"):
        whole = for_shell(run.folder.absolute().parent.parent)
        raise BadRun("This is a fold of a run", file=run.folder, do=f"Go on with it: coverslip train --resume {whole}")


def train_by_folds(
    folder: Path,
    data: Dataset,
    scan: Scan,
    folds: Folds,
    recipe: Recipe,
    environment: Json,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
) -> None:
    """Fill a run folder with one training per fold, their pooled numbers, and a classifier trained on all images.

    Raises:
        Stopped: on request; folds that are done are not trained again when the run goes on.
    """
    n_folds = len(folds.splits)
    splits = [cap_training(data, split, recipe.split.train_per_class, recipe.seed) for split in folds.splits]
    write_split(folder, data, folds.whole, folds.fold_of)
    for text in folds.notes:
        emit(Noted(text=text))
    pace = _Pace(n_folds + 1)
    for k, split in enumerate(splits, start=1):
        emit(FoldStarted(fold=k, n_folds=n_folds))
        own, parts = folder / "folds" / str(k), Parts(data, scan, split)
        _begin(own, recipe, environment, k)
        was_done = read_status(own).get("state") == "done"
        if not was_done:

            def work(tell: Emit, own: Path = own, parts: Parts = parts) -> None:
                train_by_split(own, parts, recipe, environment["device"], tell, is_stop_requested, is_fold=True)

            try:
                work_in(own, _as_fold(emit, k), work)
            except Stopped as error:
                raise stopped(folder) from error  # the whole run goes on, not the fold
        metrics = read_metrics(own / "metrics.json")
        emit(
            FoldEnded(
                fold=k,
                n_folds=n_folds,
                accuracy=metrics["accuracy"].value,
                macro_f1=metrics["macro_f1"].value,
                seconds_left=pace.left_after(k, was_done=was_done),
            )
        )
        if is_stop_requested():
            raise stopped(folder)
    chosen = [i for i, fold in enumerate(folds.fold_of) if fold is not None]
    _pool(folder, data.chosen(chosen), [folds.fold_of[i] or 0 for i in chosen], recipe, emit)
    _fit_on_all(folder, data, scan, folds, recipe, environment["device"], emit, is_stop_requested)
    write_report(folder)


def measure_folds(run: Run, data: Dataset, device: str, emit: Emit) -> None:
    """Measure every fold's classifier on its own test images again, and pool.

    Args:
        run: a cross-validated run.
        data: its images, found again.
        device: what runs the classifiers.
        emit: told about progress.
    """
    fold_of = {row["image_id"]: int(row["fold"]) for row in read_table(run.folder / "split.csv") if row["fold"]}
    folds = [fold_of[record.image_id] for record in data.records]
    for k in sorted(set(folds)):
        own = open_run(run.folder / "folds" / str(k))
        tested = data.chosen(i for i, fold in enumerate(folds) if fold == k)
        classifier, tell = load_classifier(own.folder, device), _as_fold(emit, k)
        measure(own.folder, tested, classifier, own.recipe, split="test", emit=tell, is_fold=True)
    _pool(run.folder, data, folds, run.recipe, emit)


class _Pace:
    """How long the rest takes, by the trainings that were done in this process."""

    def __init__(self, n_trainings: int) -> None:
        self._n, self._n_timed, self._seconds = n_trainings, 0, 0.0
        self._before = time.monotonic()

    def left_after(self, done: int, *, was_done: bool) -> float | None:
        seconds, self._before = time.monotonic() - self._before, time.monotonic()
        if not was_done:
            self._n_timed, self._seconds = self._n_timed + 1, self._seconds + seconds
        return self._seconds / self._n_timed * (self._n - done) if self._n_timed else None


def _as_fold(emit: Emit, fold: int) -> Emit:
    """A listener that passes events on as those of a fold."""

    def tell(event: Event) -> None:
        emit(replace(event, fold=fold))

    return tell


def _begin(folder: Path, recipe: Recipe, environment: Json, fold: int) -> None:
    """Make a fold's folder a run folder, unless it is one."""
    if (folder / "recipe.yaml").is_file():
        return
    if not folder.exists():
        create_run_folder(folder)
    write_json(folder / "environment.json", {**environment, "fold": fold})
    save_recipe(recipe, folder / "recipe.yaml")


def _pool(folder: Path, data: Dataset, fold_of: Sequence[int], recipe: Recipe, emit: Emit) -> None:
    """Write `predictions.csv` and `metrics.json` of every image as the fold that tested it predicted it.

    Args:
        folder: of the whole run.
        data: the images that were tested.
        fold_of: the fold of each, 1-based.
        recipe: of the run.
        emit: told which images could not be measured.
    """
    folds = [folder / "folds" / str(k) for k in sorted(set(fold_of))]
    cards = [open_classifier(find_classifier(own)).card for own in folds]
    classes = [name for name in data.classes if any(name in card.classes for card in cards)]
    rows: dict[str, Prediction] = {}
    temperature, unmeasured = {}, set()
    for own, card in zip(folds, cards, strict=True):
        probability = np.load(own / "probabilities.npy", allow_pickle=False)
        for row, of_row in zip(read_table(own / "predictions.csv"), probability, strict=True):
            rows[row["image_id"]] = _prediction(row, dict(zip(card.classes, of_row.tolist(), strict=True)), classes)
            temperature[row["image_id"]] = card.temperature
            if row["label"] not in card.classes:
                unmeasured.add(row["image_id"])
    ids = [record.image_id for record in data.records]
    n_train = [card.trained_on.n_images for card in cards]
    of_folds = over_folds([read_metrics(own / "metrics.json") for own in folds], n_train)
    write_results(
        folder,
        [rows[image_id] for image_id in ids],
        data,
        classes,
        temperature=np.array([temperature[image_id] for image_id in ids]),
        split="out-of-fold",
        primary=recipe.primary_metric,
        seed=recipe.seed,
        emit=emit,
        unmeasured={i for i, image_id in enumerate(ids) if image_id in unmeasured},
        folds=of_folds,
    )


def _prediction(row: dict[str, str], probability: dict[str, float], classes: Sequence[str]) -> Prediction:
    """A row of a fold's table with its unrounded probabilities, over the classes of all folds."""
    is_read = bool(row["probability"])
    return Prediction(
        image_id=row["image_id"],
        path=row["path"],
        label=row["label"],
        predicted=row["predicted"] or None,
        probability=probability[row["predicted"]] if is_read else None,
        decision=row["decision"],
        probabilities=tuple(probability.get(name, np.nan) for name in classes) if is_read else (),
    )


def _fit_on_all(
    folder: Path,
    data: Dataset,
    scan: Scan,
    folds: Folds,
    recipe: Recipe,
    device: str,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
) -> None:
    """Train the run's classifier on all images, by the choices that the folds made."""
    everything: tuple[Part, ...] = tuple("left-out" if fold is None else "train" for fold in folds.fold_of)
    split = Split(everything, folds.reasons, folds.notes)
    parts = Parts(data, scan, cap_training(data, split, recipe.split.train_per_class, recipe.seed))
    parts.write_seen(folder, recipe)
    settled = _settled([folder / "folds" / str(k) for k in range(1, len(folds.splits) + 1)], parts.classes, recipe)
    how = f" for {settled.epochs} epochs, the folds' median" if settled.epochs else ""
    emit(Noted(text=f"Now the classifier itself: trained on all {len(parts.train):,} images{how}."))
    fit_classifier(folder, parts, recipe, device, emit, is_stop_requested, settled)


def _settled(folds: Sequence[Path], classes: Sequence[str], recipe: Recipe) -> Settled:
    """The median of what the folds chose on their validation images; decisions are learnt from all of these together.

    A fold may have one or two validation images of a rare class, or none: its ROC curve then has hardly a point to
    choose, and the median of such choices is no better founded than each.
    """
    from coverslip.training.fitting import Settled

    stories = [read_json(own / "training.json") for own in folds]
    heads = [stage for story in stories for stage in story["stages"] if stage["stage"] == "instant"]
    best = [
        next((stage["best_epoch"] for stage in story["stages"] if stage["stage"] == story["chosen"] == "finetune"), 0)
        for story in stories
    ]
    epochs = statistics.median_high(best)
    # Temperatures of trained and of frozen networks differ: only those of the kind that is trained now count.
    alike = [story for story, n in zip(stories, best, strict=True) if bool(n) == bool(epochs)]
    points, uncertain_below = learn_decisions(*_validated(folds, classes), by_roc=recipe.decide_by == "roc")
    return Settled(
        strength=statistics.median_high([stage["regularisation"] for stage in heads]) if heads else None,
        keeps_head=2 * sum(stage.get("head") == "kept" for stage in heads) > len(heads),
        start_temperature=statistics.median([stage["temperature"] for stage in heads]) if heads else 1.0,
        epochs=epochs,
        temperature=statistics.median([story["temperature"] for story in alike]),
        operating_points=points,
        uncertain_below=uncertain_below,
    )


def _validated(folds: Sequence[Path], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) probabilities and (n,) labels of all folds' validation images; 0 for a class that a fold did not know."""
    rows = [row for own in folds for row in read_table(own / "validation.csv")]
    probability = np.array([[float(row.get(f"p:{name}") or 0) for name in classes] for row in rows])
    return probability, np.array([classes.index(row["label"]) for row in rows])
