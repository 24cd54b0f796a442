"""What two runs have in common and how runs differ: common test images, settings, predictions, published values."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from coverslip.counts import count_groups
from coverslip.errors import CoverslipError
from coverslip.evaluation.comparison import Answers
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.registry import no_such
from coverslip.runs.documents import rows_of_table
from coverslip.runs.folder import Run
from coverslip.runs.images import ImageLookup, image_files, original_id
from coverslip.runs.predictions import MeasuredPredictions
from coverslip.runs.recipe import SET_BY_FINISHING
from coverslip.runs.recipe_keys import recipe_keys, values_of
from coverslip.runs.split import SplitRow
from coverslip.table_cells import number_of

Key = tuple[str, ...]  # identifies an image: its file and region, or its ID if the file is no longer known


@dataclass(frozen=True, slots=True)
class CommonImages:
    """Images that both runs measured, and their predictions; classes are numbered as in the first run."""

    classes: tuple[str, ...]
    first: Answers
    second: Answers
    first_label: np.ndarray  # (n,) int, labels of the first run
    second_label: np.ndarray  # (n,) int
    group: np.ndarray | None  # (n,) names; None where no groups are known
    image_id: tuple[str, ...]  # (n,) IDs in the second run
    first_row: np.ndarray  # (n,) int, row of the first run's predictions.csv, from 0
    second_row: np.ndarray
    n_only_first: int
    n_only_second: int
    n_by_content: int  # of these images, matched by equal pixels because their files are not the same

    @property
    def n_groups(self) -> int | None:
        """Number of groups; None where no groups are known."""
        return None if self.group is None else count_groups(self.group.tolist()).n_groups


def common_images(first: Run, second: Run) -> CommonImages:
    """Return the images that two runs with the same classes have both measured, with the predictions of each."""
    of_first, of_second = first.predictions.measured(), second.predictions.measured()
    by_file = _same_files(first, second, of_first, of_second)
    by_content = _same_pixels(first, second, of_first, of_second, by_file)
    pairs = sorted([*by_file, *by_content])
    at_first, at_second = (
        np.array(positions, dtype=int) for positions in (zip(*pairs, strict=True) if pairs else ((), ()))
    )
    classes = first.predictions.classes
    first_ids = [of_first.rows[k].image_id for k in at_first]
    second_ids = [of_second.rows[k].image_id for k in at_second]
    order = [second.predictions.classes.index(name) for name in classes]
    return CommonImages(
        classes=classes,
        first=_answers(of_first, at_first, list(range(len(classes)))),
        second=_answers(of_second, at_second, order),
        first_label=of_first.label[at_first],
        second_label=_renumbered(of_second.label[at_second], order),
        group=_groups(second, second_ids, first, first_ids),
        image_id=tuple(second_ids),
        first_row=_rows(first, first_ids),
        second_row=_rows(second, second_ids),
        n_only_first=len(of_first.rows) - len(pairs),
        n_only_second=len(of_second.rows) - len(pairs),
        n_by_content=len(by_content),
    )


RowPairs = list[tuple[int, int]]  # row numbers of the same image in the measured predictions of both runs


def _same_files(first: Run, second: Run, of_first: MeasuredPredictions, of_second: MeasuredPredictions) -> RowPairs:
    first_keys, second_keys = _keys_of_both(first, second)
    return _equal_pairs(
        {k: first_keys[row.image_id] for k, row in enumerate(of_first.rows)},
        {k: second_keys[row.image_id] for k, row in enumerate(of_second.rows)},
    )


def _same_pixels(
    first: Run, second: Run, of_first: MeasuredPredictions, of_second: MeasuredPredictions, by_file: RowPairs
) -> RowPairs:
    """Return pairs with equal pixels among images that are not matched by file; each image is in at most one pair.

    Of several images with equal pixels, those with equal labels are matched first.
    """
    first_rest = _without(range(len(of_first.rows)), [k for k, _ in by_file])
    second_rest = _without(range(len(of_second.rows)), [k for _, k in by_file])
    if not first_rest or not second_rest:
        return []
    pixels = [_pixels(run, of, at) for run, of, at in ((first, of_first, first_rest), (second, of_second, second_rest))]
    equal_pairs = _equal_pairs(
        *(
            {k: (pixel_hash, of.rows[k].label) for k, pixel_hash in hashes.items()}
            for of, hashes in zip((of_first, of_second), pixels, strict=True)
        )
    )
    rest = (
        {k: hashes[k] for k in _without(hashes, [pair[i] for pair in equal_pairs])} for i, hashes in enumerate(pixels)
    )
    return [*equal_pairs, *_equal_pairs(*rest)]


def _without(positions: Iterable[int], excluded: Iterable[int]) -> list[int]:
    excluded_positions = set(excluded)
    return [k for k in positions if k not in excluded_positions]


def _pixels(run: Run, predictions: MeasuredPredictions, positions: Sequence[int]) -> dict[int, str]:
    """Return the pixel hash of the image at each position, without images that are no longer available."""
    hash_of = ImageLookup(run).pixel_hashes([predictions.rows[k].image_id for k in positions])
    return {k: hash_of[image_id] for k in positions if (image_id := predictions.rows[k].image_id) in hash_of}


def _equal_pairs(first: Mapping[int, Hashable], second: Mapping[int, Hashable]) -> RowPairs:
    """Return pairs of positions with equal keys in their order; each position occurs at most once."""
    positions_of: dict[Hashable, deque[int]] = defaultdict(deque)
    for k, key in second.items():
        positions_of[key].append(k)
    return [(k, positions_of[key].popleft()) for k, key in first.items() if positions_of[key]]


def _keys_of_both(first: Run, second: Run) -> tuple[dict[str, Key], dict[str, Key]]:
    """Return keys by file and region if all are recorded, else by ID: a relative path is not sufficient."""
    first_files, second_files = _files(first), _files(second)
    if first_files is not None and second_files is not None:
        return first_files, second_files
    return _ids(first), _ids(second)


def _ids(run: Run) -> dict[str, Key]:
    return {row.image_id: (row.image_id,) for row in run.predictions}


def _files(run: Run) -> dict[str, Key] | None:
    lookup = ImageLookup(run)
    keys: dict[str, Key] = {}
    for row in run.predictions:
        source = lookup.find(row.image_id)
        if source is None:
            return None
        keys[row.image_id] = (str(source.file), source.plan.model_dump_json(include={"series", "t", "z", "region"}))
    return keys


def _answers(predictions: MeasuredPredictions, positions: np.ndarray, order: Sequence[int]) -> Answers:
    return Answers(predictions.probability[positions][:, order], _renumbered(predictions.predicted[positions], order))


def _renumbered(classes: np.ndarray, order: Sequence[int]) -> np.ndarray:
    new = np.empty(len(order), dtype=int)
    new[list(order)] = np.arange(len(order))
    numbered: np.ndarray = new[classes]
    return numbered


def _rows(run: Run, image_ids: Sequence[str]) -> np.ndarray:
    """Return row numbers in predictions.csv, which also lists images that were not measured."""
    row_of = {row.image_id: k for k, row in enumerate(run.predictions)}
    return np.array([row_of[image_id] for image_id in image_ids], dtype=int)


def _groups(second: Run, second_ids: Sequence[str], first: Run, first_ids: Sequence[str]) -> np.ndarray | None:
    """Return the groups of the second run, or of the first run if the second has none: copied files may lack groups.

    Without groups, the augmented copies of an image are a group.
    """
    for run, image_ids in ((second, second_ids), (first, first_ids)):
        if run.is_evaluation:  # it has no split; its images are read again for their groups
            group_of = ImageLookup(run).groups()
        else:
            group_of = {row.image_id: row.group for row in run.split}
        groups = np.array([group_of.get(image_id, "") for image_id in image_ids], dtype=object)
        if any(groups):
            return groups
    if any(not run.is_evaluation and run.recipe.split.copies for run in (first, second)):
        return np.array([original_id(image_id) for image_id in second_ids], dtype=object)
    return None


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
    second: Annotated[str, Field(description="The class that the second run predicts.")]
    first_probability: Annotated[float, Field(description="Probability of the class that the first run predicts.")]
    second_probability: float
    first_row: Annotated[int, Field(description="Row of the first run's predictions, from 0.")]
    second_row: Annotated[int, Field(description="The row of the image in the second run, from 0.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImages:
    """How many predictions changed, and the images, those with the most confident second prediction first."""

    n_to_right: Annotated[int, Field(description="Images that only the second run predicts correctly.")]
    n_to_wrong: Annotated[int, Field(description="Images that only the first run predicts correctly.")]
    n_other_class: Annotated[int, Field(description="Images that both runs misclassify, with different classes.")]
    images: Annotated[list[ChangedImage], Field(description=f"At most {MOST_IMAGES} of each kind.")]


def changed_images(common: CommonImages) -> ChangedImages:
    """Return the images for which both runs predict different classes, by the labels of the first run."""
    first, second, label = common.first.predicted, common.second.predicted, common.first_label
    is_kind: dict[Change, np.ndarray] = {
        "to-right": (first != label) & (second == label),
        "to-wrong": (first == label) & (second != label),
        "other-class": (first != label) & (second != label) & (first != second),
    }
    confidence = common.second.probability[np.arange(len(label)), second]
    images = [
        _image(common, int(i), kind)
        for kind, is_changed in is_kind.items()
        for i in np.flatnonzero(is_changed)[np.argsort(-confidence[is_changed], kind="stable")][:MOST_IMAGES]
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
    """A setting or property that is not the same in all runs."""

    what: What
    name: Annotated[str, Field(description="For a recipe, the dotted key of the setting.")]
    title: str
    values: Annotated[list[str], Field(description="Texts, one per run, in the order of the runs.")]


def differences_between(runs: Sequence[Run]) -> list[Differing]:
    """Return all recorded settings and data that differ between the runs."""
    return [*_recipe(runs), *_images(runs), *_split(runs), *_program(runs)]


def _recipe(runs: Sequence[Run]) -> Iterator[Differing]:
    values = [_recipe_values(values_of(run.recipe)) for run in runs]
    early = [_finished_early(run) for run in runs]
    for key in (key for key in recipe_keys() if key.key != "group"):  # compared per image instead
        texts = [as_text(of_run.get(key.key)) for of_run in values]
        is_set = [bool(early_text) and key.key in SET_BY_FINISHING for early_text in early]
        if (
            any(is_set)
            and len({value for value, is_set_early in zip(texts, is_set, strict=True) if not is_set_early}) <= 1
        ):
            continue  # no run has a different value set by the user
        yield from _if_different("recipe", key.key, key.title, texts)
    if any(early) and len({run.recipe.last_epoch for run in runs}) > 1:
        yield from _if_different("recipe", "finished_early", text("comparison-fact-finished-early"), early)


def _recipe_values(values: Mapping[str, object]) -> dict[str, object]:
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
        ("sources", text("comparison-fact-sources"), lambda run: ", ".join(run.environment.opened.sources)),
        ("classes", text("comparison-fact-classes"), lambda run: ", ".join(run.metrics.classes)),
        (
            "n_images",
            text("comparison-fact-images"),
            lambda run: f"{sum(row.split != 'excluded' for row in run.split):,}",
        ),
    ]
    for name, title, of_run in facts:
        yield from _if_different("images", name, title, [of_run(run) for run in runs])
    yield from _differing_images(runs, "labels", text("comparison-fact-labels"), lambda row: row.label)
    yield from _differing_images(runs, "groups", text("comparison-fact-groups"), lambda row: row.group)


def _split(runs: Sequence[Run]) -> Iterator[Differing]:
    counts = [Counter(row.split for row in run.split) for run in runs]
    set_sizes = [", ".join(f"{part} {n[part]:,}" for part in ("train", "val", "test") if n[part]) for n in counts]
    yield from _if_different("split", "parts", text("comparison-fact-sets"), set_sizes)
    if (
        len({any(row.fold for row in run.split) for run in runs}) == 1
    ):  # folds cannot be compared with the sets of a single split
        yield from _differing_images(runs, "moved", text("comparison-fact-moved"), _set_of)


def _set_of(row: SplitRow) -> str:
    return f"{row.split} {row.fold or ''}"


def _differing_images(
    runs: Sequence[Run], name: Literal["labels", "groups", "moved"], title: str, value: Callable[[SplitRow], str]
) -> Iterator[Differing]:
    """Yield how many of the first run's images differ in each of the others."""
    first = {row.image_id: value(row) for row in runs[0].split}
    of_file = {key: value(row) for key, row in _by_file(runs[0]).items()}
    n_differing = [
        sum(first.get(row.image_id, of_file.get(key, value(row))) != value(row) for key, row in _by_file(run).items())
        for run in runs[1:]
    ]
    if any(n_differing):
        values = ["–", *(text("comparison-images-differ", n_images=n, difference=name) for n in n_differing)]
        yield Differing(what="split" if name == "moved" else "images", name=name, title=title, values=values)


def _by_file(run: Run) -> dict[tuple[str, str], SplitRow]:
    """Return the images of a run by file and ID, without the domain prefix that IDs have with several sources."""
    files = image_files(run)
    return {(files[row.image_id], row.image_id.removeprefix(f"{row.domain}/")): row for row in run.split}


def _program(runs: Sequence[Run]) -> Iterator[Differing]:
    yield from _if_different("program", "coverslip", "coverslip", [run.environment.coverslip for run in runs])
    yield from _if_different(
        "program", "device", text("comparison-fact-device"), [run.environment.device for run in runs]
    )


def _if_different(what: What, name: str, title: str, values: list[str]) -> Iterator[Differing]:
    if len(set(values)) > 1:
        yield Differing(what=what, name=name, title=title, values=[value or "–" for value in values])


def as_text(value: object) -> str:
    """Return a recipe's value as the text of a cell."""
    match value:
        case None:
            return "–"
        case bool():
            return text("report-yes") if value else text("report-no")
        case dict():
            return ", ".join(f"{name}: {as_text(item)}" for name, item in value.items()) or "–"
        case list() | tuple():
            return ", ".join(map(as_text, value)) or "–"
    return str(value)


_TEXT_COLUMNS = ("name", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Published values of metrics."""

    name: str
    metrics: Mapping[str, float]  # by metric name
    source: str = ""  # citation


def read_published(file: Path) -> list[Published]:
    """Read a table (CSV) with the column `name`, a column per metric (`accuracy`, `macro_f1`), and `source`.

    Raises:
        CoverslipError: the file cannot be read, or a column or number cannot be parsed.
    """
    try:
        rows = list(rows_of_table(file, lambda name: name not in _TEXT_COLUMNS))
    except CoverslipError as error:
        raise CoverslipError("unreadable-published-values", file=file, cause=error) from error
    if not rows:
        raise CoverslipError("no-published-values", file=file)
    return [_published_row(cells, file) for cells in rows]


def _published_row(cells: Mapping[str, str], file: Path) -> Published:
    if not cells.get("name", "").strip():
        raise CoverslipError("published-values-without-name", file=file)
    metrics = {}
    for column, cell in cells.items():
        if column in _TEXT_COLUMNS or not cell.strip():
            continue
        if column not in METRICS:
            reason = str(no_such("metric", column, METRICS))
            raise CoverslipError("unknown-published-metric", file=file, reason=reason)
        metrics[column] = _number(cell, column, file)
    return Published(name=cells["name"].strip(), metrics=metrics, source=cells.get("source", "").strip())


def _number(cell: str, metric: str, file: Path) -> float:
    value = number_of(cell)
    is_limited = METRICS[metric].scale in ("share", "correlation")
    if value is None or value < -1 or (is_limited and value > 1):
        raise CoverslipError("invalid-published-value", file=file, value=cell[:40], metric=METRICS[metric].title)
    return value
