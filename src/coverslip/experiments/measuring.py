"""A classifier on labelled images: its predictions, and how good they are."""

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from coverslip.datasets import Dataset, ImageRecord, counted, one_line, some
from coverslip.errors import BadDataset
from coverslip.evaluation import Evaluation, empty_evaluation, evaluate_predictions, without_temperature
from coverslip.events import Emit, Noted, telling
from coverslip.inference import Classifier
from coverslip.runs import Prediction, Predictions, Recipe, Run, RunContext, write_confusion, write_metrics


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
    """Predict labelled images, and leave predictions, logits and numbers in a run's folder.

    Args:
        run: gets `predictions.csv`, `metrics.json` and the logits.
        data: the images.
        classifier: what predicts them.
        recipe: names the primary metric.
        context: told what could not be measured.
        split: what the images are called among the numbers.
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
    """How good predictions of labelled images are.

    Args:
        table: one row per record of `data`, in its order.
        data: the images with labels and groups.
        temperature: (n_rows,) that made the probabilities; it is taken out again for the uncalibrated numbers.
        recipe: names the primary metric.
        split: what the images are called among the numbers.
        emit: told which images could not be measured.
        unmeasured: positions of rows to leave out of the numbers, for a reason that was told already.
        may_be_empty: give numbers that are all None, instead of raising, where no image can be measured.

    Raises:
        BadDataset: no readable image has a label that the classifier knows.
    """
    rows, classes = table.rows, table.classes
    number = {name: k for k, name in enumerate(classes)}
    measured = [i for i, row in enumerate(rows) if row.probabilities and row.label in number and i not in unmeasured]
    _tell_what_is_left_out(rows, number, data.dropped, emit)
    if not measured and may_be_empty:
        return empty_evaluation(
            classes, split=split, primary=recipe.primary_metric, reason="no image could be measured"
        )
    if not measured:
        raise BadDataset(
            f"None of the images has a label that the classifier knows ({some(classes, 8)})",
            file=data.root,
            do="Use the same names for the classes, or predict these images as images without labels.",
        )
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
        on_progress=telling(emit, "computing confidence intervals", "metrics"),
    )


def _column(values: Sequence[str | None]) -> np.ndarray | None:
    return np.array([value or "" for value in values]) if any(values) else None


def _columns(records: Sequence[ImageRecord]) -> dict[str, np.ndarray]:
    """What tables say of these images besides; an empty text where a table does not say it."""
    about = [dict(record.about) for record in records]
    names = dict.fromkeys(name for cells in about for name in cells)
    return {name: np.array([cells.get(name, "") for cells in about]) for name in names}


def _tell_what_is_left_out(
    rows: Sequence[Prediction], classes: Collection[str], dropped: frozenset[str], emit: Emit
) -> None:
    unreadable = sum(not row.probabilities for row in rows)
    if unreadable:
        _warn(emit, "unreadable", f"{counted(unreadable, 'image')} could not be read")
    others = {row.label for row in rows if row.label is not None and row.label not in classes}
    _tell_nearly_equal(others - dropped, classes, emit)
    _warn_of_labels(rows, others - dropped, "that the classifier does not know", emit)
    _warn_of_labels(rows, others & dropped, "of dropped classes", emit)
    unlabelled = sum(row.label is None for row in rows)
    if unlabelled:
        _warn(emit, "no-label", f"{counted(unlabelled, 'image has', 'images have')} no label")


def _tell_nearly_equal(labels: set[str], classes: Collection[str], emit: Emit) -> None:
    """Labels that are a class's name but for capitals and spaces are a slip more often than another class."""
    plain = {_plain(name): name for name in classes}
    for label in sorted(labels):
        if (name := plain.get(_plain(label))) is not None:
            text = (
                f"The label '{one_line(label, 60)}' is not the class '{one_line(name, 60)}': they differ only in "
                "capitals, spaces or dashes. If they are one class, use the spelling of the class in the name of the "
                "folder or in the label column of the table, and measure again."
            )
            values = {"label": label, "class": name}
            emit(Noted(code="nearly-equal-labels", text=text, level="warning", values=values))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _warn_of_labels(rows: Sequence[Prediction], labels: set[str], which: str, emit: Emit) -> None:
    if labels:
        n = sum(row.label in labels for row in rows)
        what = f"{counted(n, 'image has a label', 'images have labels')} {which} ({some(sorted(labels))})"
        _warn(emit, "other-labels", what)


def _warn(emit: Emit, code: str, what: str) -> None:
    emit(Noted(code=code, text=f"{what}: not in the numbers.", level="warning"))
