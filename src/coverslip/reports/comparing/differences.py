"""Differences between runs: settings, changed predictions and published figures."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from coverslip.errors import CoverslipError
from coverslip.evaluation import METRICS
from coverslip.messages import text
from coverslip.reports.comparing.common import CommonImages
from coverslip.runs import SET_BY_FINISHING, Run, SplitRow, recipe_keys, values_of
from coverslip.runs.documents import read_table
from coverslip.runs.images import image_files
from coverslip.tables import no_such

MOST_IMAGES = 200  # listed per kind
Change = Literal["to-right", "to-wrong", "other-class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImage:
    """An image for which the predicted class of the two runs differs."""

    image_id: str
    change: Annotated[
        Change,
        Field(
            description="to-right: only the second run is right; to-wrong: only the first; other-class: both are "
            "wrong, with different classes."
        ),
    ]
    label: Annotated[str, Field(description="True class, as labeled in the first run.")]
    first: Annotated[str, Field(description="Class that the first run predicts.")]
    second: str
    first_probability: Annotated[float, Field(description="Of the class that the run predicts.")]
    second_probability: float
    first_row: Annotated[int, Field(description="Row of the first run's predictions, from 0.")]
    second_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImages:
    """How many predictions changed, and the images, those with the most confident second prediction first."""

    n_to_right: int
    n_to_wrong: int
    n_other_class: int
    images: Annotated[list[ChangedImage], Field(description=f"At most {MOST_IMAGES} of each kind.")]


def changed_images(common: CommonImages) -> ChangedImages:
    """Return the images for which both runs predict different classes, by the labels of the first run."""
    first, second, label = common.first.predicted, common.second.predicted, common.first_label
    is_kind: dict[Change, np.ndarray] = {
        "to-right": (first != label) & (second == label),
        "to-wrong": (first == label) & (second != label),
        "other-class": (first != label) & (second != label) & (first != second),
    }
    sure = common.second.probability[np.arange(len(label)), second]
    images = [
        _image(common, int(i), kind)
        for kind, is_so in is_kind.items()
        for i in np.flatnonzero(is_so)[np.argsort(-sure[is_so], kind="stable")][:MOST_IMAGES]
    ]
    return ChangedImages(
        n_to_right=int(is_kind["to-right"].sum()),
        n_to_wrong=int(is_kind["to-wrong"].sum()),
        n_other_class=int(is_kind["other-class"].sum()),
        images=images,
    )


def _image(common: CommonImages, i: int, change: Change) -> ChangedImage:
    first, second = int(common.first.predicted[i]), int(common.second.predicted[i])
    return ChangedImage(
        image_id=common.image_id[i],
        change=change,
        label=common.classes[common.first_label[i]],
        first=common.classes[first],
        second=common.classes[second],
        first_probability=float(common.first.probability[i, first]),
        second_probability=float(common.second.probability[i, second]),
        first_row=int(common.first_row[i]),
        second_row=int(common.second_row[i]),
    )


What = Literal["recipe", "images", "split", "program"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Something that is not the same in all runs."""

    what: What
    name: Annotated[str, Field(description="Of a recipe its dotted key.")]
    title: str
    values: Annotated[list[str], Field(description="In words, one for each run, in their order.")]


def what_differs(runs: Sequence[Run]) -> list[Differing]:
    """Return all recorded settings and data that differ between the runs."""
    return [*_recipe(runs), *_images(runs), *_split(runs), *_program(runs)]


def _recipe(runs: Sequence[Run]) -> Iterator[Differing]:
    values = [_with_plain_words(values_of(run.recipe)) for run in runs]
    early = [_finished_early(run) for run in runs]
    for key in (key for key in recipe_keys() if key.key != "group"):  # compared per image instead
        texts = [as_text(of_run.get(key.key)) for of_run in values]
        is_set = [bool(early_text) and key.key in SET_BY_FINISHING for early_text in early]
        if (
            any(is_set)
            and len({value for value, is_set_early in zip(texts, is_set, strict=True) if not is_set_early}) <= 1
        ):
            continue  # no run has a different value set by the user
        yield from _unless_equal("recipe", key.key, key.title, texts)
    if any(early) and len({run.recipe.last_epoch for run in runs}) > 1:
        yield from _unless_equal("recipe", "finished_early", "Fine-tuning finished early", early)


def _with_plain_words(values: Mapping[str, object]) -> dict[str, object]:
    """Return a recipe's values, without a target that is not used, and in words where numbers would not help."""
    rule = values["decide_by"]
    unused = {} if rule in ("sensitivity", "specificity") else {"target": None}
    unused |= {} if rule == "threshold" else {"threshold": None}
    adapted = text("comparison-adapted-to-budget") if values["schedule_changes"] else None
    return {**values, "schedule_changes": adapted, **unused}


def _finished_early(run: Run) -> str:
    """Return after how many epochs fine-tuning was finished early; empty if it was not."""
    stage = run.training and run.training.finetune
    if not stage or stage.stopped_because != "finished early":
        return ""
    return text("comparison-finished-early", n_epochs=stage.epochs_run, n_planned=stage.epochs_planned)


def _images(runs: Sequence[Run]) -> Iterator[Differing]:
    facts: list[tuple[str, str, Callable[[Run], str]]] = [
        ("sources", "Folders or tables", lambda run: ", ".join(run.environment.opened.sources)),
        ("classes", "Classes", lambda run: ", ".join(run.metrics.classes)),
        ("n_images", "Images", lambda run: f"{sum(row.split != 'excluded' for row in run.split):,}"),
    ]
    for name, title, of_run in facts:
        yield from _unless_equal("images", name, title, [of_run(run) for run in runs])
    yield from _unlike_the_first(runs, "labels", "Labels", lambda row: row.label)
    yield from _unlike_the_first(runs, "groups", "Groups", lambda row: row.group)


def _split(runs: Sequence[Run]) -> Iterator[Differing]:
    counts = [Counter(row.split for row in run.split) for run in runs]
    set_sizes = [", ".join(f"{part} {n[part]:,}" for part in ("train", "val", "test") if n[part]) for n in counts]
    yield from _unless_equal("split", "parts", "Sets", set_sizes)
    if (
        len({any(row.fold for row in run.split) for run in runs}) == 1
    ):  # folds cannot be compared with the sets of a single split
        yield from _unlike_the_first(runs, "moved", "Images moved", _set_of)


def _set_of(row: SplitRow) -> str:
    return f"{row.split} {row.fold or ''}"


def _unlike_the_first(
    runs: Sequence[Run], name: Literal["labels", "groups", "moved"], title: str, value: Callable[[SplitRow], str]
) -> Iterator[Differing]:
    """Yield how many of the first run's images differ in each of the others."""
    first = {row.image_id: value(row) for row in runs[0].split}
    of_file = {key: value(row) for key, row in _by_file(runs[0]).items()}
    n_other = [
        sum(first.get(row.image_id, of_file.get(key, value(row))) != value(row) for key, row in _by_file(run).items())
        for run in runs[1:]
    ]
    if any(n_other):
        values = ["–", *(text("comparison-images-differ", n_images=n, difference=name) for n in n_other)]
        yield Differing(what="split" if name == "moved" else "images", name=name, title=title, values=values)


def _by_file(run: Run) -> dict[tuple[str, str], SplitRow]:
    """Return the images of a run by file and ID, without the domain prefix that IDs have with several sources."""
    files = image_files(run)
    return {(files[row.image_id], row.image_id.removeprefix(f"{row.domain}/")): row for row in run.split}


def _program(runs: Sequence[Run]) -> Iterator[Differing]:
    yield from _unless_equal("program", "coverslip", "coverslip", [run.environment.coverslip for run in runs])
    yield from _unless_equal("program", "device", "Computed on", [run.environment.device for run in runs])


def _unless_equal(what: What, name: str, title: str, values: list[str]) -> Iterator[Differing]:
    if len(set(values)) > 1:
        yield Differing(what=what, name=name, title=title, values=[value or "–" for value in values])


def as_text(value: object) -> str:
    """Return a recipe's value as the text of a cell."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}: {as_text(item)}" for name, item in value.items()) or "–"
        case list() | tuple():
            return ", ".join(map(as_text, value)) or "–"
    return str(value)


_WORDS = ("name", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Figures that somebody else published."""

    name: str
    metrics: Mapping[str, float]  # by metric name
    source: str = ""  # citation


def read_published(file: Path) -> list[Published]:
    """Read a table (CSV) with the column `name`, a column per metric (`accuracy`, `macro_f1`), and `source`.

    Raises:
        CoverslipError: the file cannot be read, or a column or number cannot be parsed.
    """
    try:
        rows = list(read_table(file))
    except CoverslipError as error:
        raise CoverslipError("unreadable-published-values", file=file, cause=error) from error
    if not rows:
        raise CoverslipError("no-published-values", file=file)
    return [_row(cells, file) for cells in rows]


def _row(cells: Mapping[str, str], file: Path) -> Published:
    if not cells.get("name", "").strip():
        raise CoverslipError("published-values-without-name", file=file)
    metrics = {}
    for column, cell in cells.items():
        if column in _WORDS or not cell.strip():
            continue
        if column not in METRICS:
            reason = str(no_such("metric", column, METRICS))
            raise CoverslipError("unknown-published-metric", file=file, reason=reason)
        metrics[column] = _number(cell, column, file)
    return Published(name=cells["name"].strip(), metrics=metrics, source=cells.get("source", "").strip())


def _number(cell: str, metric: str, file: Path) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not (value >= -1 and (METRICS[metric].scale not in ("share", "correlation") or value <= 1)):
        raise CoverslipError("invalid-published-value", file=file, value=cell[:40], metric=METRICS[metric].title)
    return value
