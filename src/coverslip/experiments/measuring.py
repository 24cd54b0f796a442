"""Test a classifier on labeled images: predictions, metrics, and the memory that this takes."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets import Dataset, ImageRecord, connected_components, one_line, some
from coverslip.errors import BadDataset, OutOfMemory
from coverslip.evaluation import Evaluation, empty_evaluation, evaluate_predictions, without_temperature
from coverslip.events import Emit, Noted, progress_reporter
from coverslip.experiments.split_data import SplitData
from coverslip.inference import Classifier
from coverslip.machine import free_memory_bytes
from coverslip.messages import Set, note
from coverslip.runs import (
    LearningCurveRecord,
    Prediction,
    Predictions,
    Recipe,
    Run,
    RunContext,
    save_recipe,
    write_confusion,
    write_metrics,
)
from coverslip.training.preprocessing import learn_preprocessing

if TYPE_CHECKING:
    from coverslip.engines import Features
    from coverslip.training.heads import Variation
    from coverslip.training.instant_stage import OnFeatures


def measure(
    run: Run,
    data: Dataset,
    classifier: Classifier,
    recipe: Recipe,
    context: RunContext,
    *,
    split: str = "test",
    may_be_empty: bool = False,
) -> Evaluation:
    """Predict labeled images, and leave predictions, logits and numbers in a run's folder.

    Args:
        run: gets `predictions.csv`, `metrics.json` and the logits.
        data: the images.
        classifier: what predicts them.
        recipe: names the primary metric.
        context: its listener receives notes on images that could not be evaluated.
        split: name of the set of images in the metrics.
        may_be_empty: give numbers that are all None, instead of raising, where no image can be measured.

    Raises:
        BadDataset: no readable image has a label that the classifier knows.
        Stopped: on request.
    """
    predicted = classifier.predict_images(data, emit=context.emit, stop=context.stop)
    rows = Predictions(_below_root(data, predicted), classifier.classes)
    temperature = np.full(len(rows), classifier.card.temperature)
    evaluation = evaluated(rows, data, temperature, recipe, split=split, emit=context.emit, may_be_empty=may_be_empty)
    run.write_logits("test", rows.logits)
    keep_results(run, rows, evaluation)
    return evaluation


def _below_root(data: Dataset, rows: Iterable[Prediction]) -> Iterator[Prediction]:
    """Rows whose paths are relative to the root that the run's `environment.json` states."""
    for record, row in zip(data.records, rows, strict=True):
        yield replace(row, path=data.relative_path(record))


def keep_results(run: Run, rows: Predictions, evaluation: Evaluation) -> None:
    """Write predictions, then the numbers: a folder with numbers is whole."""
    rows.write_csv(run.predictions_file)
    write_confusion(run.confusion_file, evaluation)
    write_metrics(run.metrics_file, evaluation)


def evaluated(
    table: Predictions,
    data: Dataset,
    temperature: np.ndarray,
    recipe: Recipe,
    *,
    split: str,
    emit: Emit,
    unmeasured: Container[int] = (),
    may_be_empty: bool = False,
) -> Evaluation:
    """How good predictions of labeled images are.

    Args:
        table: one row per record of `data`, in its order.
        data: the images with labels and groups.
        temperature: (n_rows,) that made the probabilities; it is taken out again for the uncalibrated numbers.
        recipe: names the primary metric.
        split: name of the set of images in the metrics.
        emit: receives notes on images that could not be evaluated.
        unmeasured: positions of rows to exclude from the metrics, for a reason that was reported already.
        may_be_empty: give numbers that are all None, instead of raising, where no image can be measured.

    Raises:
        BadDataset: no readable image has a label that the classifier knows.
    """
    rows, classes = table.rows, table.classes
    number = {name: k for k, name in enumerate(classes)}
    measured = [i for i, row in enumerate(rows) if row.probabilities and row.label in number and i not in unmeasured]
    _note_excluded(rows, number, data.dropped, emit)
    if not measured and may_be_empty:
        return empty_evaluation(
            classes, split=split, primary=recipe.primary_metric, reason="no image could be measured"
        )
    if not measured:
        raise BadDataset("no-known-label", file=data.root, classes=some(classes, 8))
    probability = np.nan_to_num([rows[i].probabilities for i in measured])  # NaN: a class that its fold did not know
    records = [data.records[i] for i in measured]
    return evaluate_predictions(
        probability,
        np.array([number[rows[i].label or ""] for i in measured]),
        classes,
        split=split,
        primary=recipe.primary_metric,
        predicted=np.array([number[rows[i].predicted or ""] for i in measured]),
        group=_column([record.named_group for record in records]),
        domain=_column([record.domain or None for record in records]),
        probability_uncalibrated=without_temperature(probability, temperature[measured]),
        positive=recipe.positive_class,
        columns=_columns(records),
        on_progress=progress_reporter(emit, "computing confidence intervals", "metrics"),
    )


def _column(values: Sequence[str | None]) -> np.ndarray | None:
    return np.array([value or "" for value in values]) if any(values) else None


def _columns(records: Sequence[ImageRecord]) -> dict[str, np.ndarray]:
    """What tables say of these images besides; an empty text where a table does not say it."""
    about = [dict(record.about) for record in records]
    names = dict.fromkeys(name for cells in about for name in cells)
    return {name: np.array([cells.get(name, "") for cells in about]) for name in names}


def _note_excluded(rows: Sequence[Prediction], classes: Collection[str], dropped: frozenset[str], emit: Emit) -> None:
    unreadable = sum(not row.probabilities for row in rows)
    if unreadable:
        emit(Noted.of(note("unreadable-not-measured", level="warning", n_images=unreadable)))
    others = {row.label for row in rows if row.label is not None and row.label not in classes}
    _tell_nearly_equal(others - dropped, classes, emit)
    _warn_of_labels(rows, others - dropped, emit, is_dropped=False)
    _warn_of_labels(rows, others & dropped, emit, is_dropped=True)
    unlabeled = sum(row.label is None for row in rows)
    if unlabeled:
        emit(Noted.of(note("no-label", level="warning", n_images=unlabeled)))


def _tell_nearly_equal(labels: set[str], classes: Collection[str], emit: Emit) -> None:
    """Labels that are a class's name but for capitals and spaces are a slip more often than another class."""
    plain = {_plain(name): name for name in classes}
    for label in sorted(labels):
        if (name := plain.get(_plain(label))) is not None:
            near = note(
                "nearly-equal-labels", level="warning", label=one_line(label, 60), class_name=one_line(name, 60)
            )
            emit(Noted.of(near))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _warn_of_labels(rows: Sequence[Prediction], labels: set[str], emit: Emit, *, is_dropped: bool) -> None:
    if labels:
        n, names = sum(row.label in labels for row in rows), some(sorted(labels))
        emit(Noted.of(note("other-labels", level="warning", n_images=n, labels=names, is_dropped=is_dropped)))


_SMALLEST_BATCH = 4  # below it gradients are noise
_SMALLEST_PX = 32


def fit_to_memory(
    split_data: SplitData, recipe: Recipe, context: RunContext, free: Callable[[str], int] = free_memory_bytes
) -> Recipe:
    """The recipe, with smaller batches where fine-tuning would take more memory than is free; the run's own says so.

    Without fine-tuning, and if fine-tuning is resumed, the memory is not checked.

    Args:
        split_data: the images and their split.
        recipe: what to do.
        context: its device has the memory.
        free: bytes that are free on a device.

    Raises:
        OutOfMemory: not even small batches fit.
    """
    goes_on = any(run.checkpoint_file("last").exists() for run in (context.run, *context.run.folds))
    if not recipe.is_finetuned or goes_on:
        return recipe
    available = free(context.device)
    batch_size = batch_size_within_memory(split_data, recipe, context.device, lambda _: available)
    if batch_size == recipe.batch_size:
        return recipe
    _, needed_by = _needed(split_data, recipe, context.device)
    context.emit(_smaller(recipe, batch_size, needed_by(recipe.batch_size), available))
    changes = {"batch_size": batch_size}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    return recipe.model_copy(update=changes)


def batch_size_within_memory(
    split_data: SplitData, recipe: Recipe, device: str, free: Callable[[str], int] = free_memory_bytes
) -> int:
    """The recipe's size of batches, or the first of its halves by which fine-tuning fits into the memory that is free.

    Raises:
        OutOfMemory: not even small batches fit.
    """
    available = free(device)
    size, needed_by = _needed(split_data, recipe, device)
    if needed_by(recipe.batch_size) <= available:
        return recipe.batch_size
    batch_size = recipe.batch_size // 2
    while batch_size >= _SMALLEST_BATCH and needed_by(batch_size) > available:
        batch_size //= 2
    if batch_size < _SMALLEST_BATCH:
        raise _too_much(recipe, size, needed_by(min(_SMALLEST_BATCH, recipe.batch_size)), available)
    return batch_size


def _needed(split_data: SplitData, recipe: Recipe, device: str) -> tuple[int, Callable[[int], int]]:
    """The image size, and what fine-tuning takes by the size of a batch, in bytes."""
    from coverslip.models.complexity import training_memory

    preprocessing = learn_preprocessing(split_data.train_facts, recipe)

    def needed_by(batch_size: int) -> int:
        return training_memory(
            recipe.model,
            image_size=preprocessing.image_size,
            channels=preprocessing.channels,
            n_classes=len(split_data.classes),
            images_at_once=_images_at_once(recipe, batch_size, device),
            head=recipe.head,
            options=recipe.model_options,
        )

    return preprocessing.image_size, needed_by


def _images_at_once(recipe: Recipe, batch_size: int, device: str) -> int:
    """Whose activations a step holds at least: a part of the batch, where that gives the same gradient."""
    from coverslip.training.finetuning import IMAGES_AT_ONCE

    follows_batches = recipe.batch_norm == "learn" or (recipe.batch_norm == "auto" and recipe.init == "scratch")
    if follows_batches or recipe.regularizer.groups != "none":
        return batch_size
    return min(batch_size, IMAGES_AT_ONCE if device == "cpu" else _SMALLEST_BATCH)


def _smaller(recipe: Recipe, batch_size: int, needed: int, available: int) -> Noted:
    return Noted.of(
        note(
            "smaller-batches",
            level="warning",
            model=recipe.model,
            batch_size=batch_size,
            full_batch_size=recipe.batch_size,
            needed=_gb(needed),
            free=_gb(available),
            needed_bytes=needed,
            free_bytes=available,
        )
    )


def _too_much(recipe: Recipe, size: int, needed: int, available: int) -> OutOfMemory:
    smaller = max(_SMALLEST_PX, size // 2)
    return OutOfMemory(
        "fine-tuning-out-of-memory",
        remedies=(Set("image_size", smaller),),
        model=recipe.model,
        image_size=size,
        needed=_gb(needed),
        free=_gb(available),
        needed_bytes=needed,
        free_bytes=available,
    )


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


_ROWS_AT_ONCE = 2048


def drawn_on(
    split_data: SplitData, recipe: Recipe, context: RunContext, n_of_fold: int | None = None
) -> "OnFeatures | None":
    """What leaves the learning curve in the run folder, once the instant stage has features of the images.

    None where there are no such features, or where they come from an earlier run, which may have learnt from these
    very images: networks that leave images out would know them all the same.
    """
    if recipe.init != "imagenet":
        return None

    def draw(train: "Features", val: "Features", shrinkage: float | None, variation: "Variation | None") -> None:
        from coverslip.audit import MOST_IMAGES, learning_curve, nested_order
        from coverslip.training.heads import is_balanced

        assert shrinkage is not None, "a linear probe was fitted"
        context.stop.check()
        positions = np.concatenate([split_data.train, split_data.val])
        label, unit = (
            split_data.label[positions],
            connected_components(split_data.data, split_data.scan, positions.tolist()),
        )
        order = nested_order(label, unit, np.random.default_rng(recipe.seed))
        used = order < MOST_IMAGES / len(positions)
        learnt = (
            split_data.train if recipe.split.train_per_class is not None else positions
        )  # as the last layer is fitted
        records, has_groups = split_data.data.records, split_data.data.has_groups
        has_name = np.array([records[i].named_group is not None for i in positions[used].tolist()])
        curve = learning_curve(
            _rows((train, val), used),
            label[used],
            unit[used],
            n_images=len(learnt),
            n_groups=len({records[i].named_group for i in learnt.tolist()} - {None}) if has_groups else None,
            has_name=has_name if has_groups else None,
            shrinkage=shrinkage,
            balanced=is_balanced(recipe),
            variation=variation.rows if variation else None,
            n_images_of_fold=n_of_fold,
            seed=recipe.seed,
            on_progress=progress_reporter(context.emit, "drawing the learning curve", "networks"),
        )
        LearningCurveRecord(curve=curve).write(context.run.learning_curve_file)

    return draw


def _rows(parts: "Sequence[Features]", used: np.ndarray) -> np.ndarray:
    """The features of the images that are used, read some at a time."""
    used_rows, first = [], 0
    for part in parts:
        for start in range(0, part.shape[0], _ROWS_AT_ONCE):
            rows = part[slice(start, start + _ROWS_AT_ONCE)]
            used_rows.append(rows[used[first : first + len(rows)]])
            first += len(rows)
    return np.concatenate(used_rows)
