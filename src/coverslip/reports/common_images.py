"""The images that two runs both measured, and those for which their predictions differ."""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from coverslip.counts import GroupCount, count_groups
from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.comparison import Answers, PairedDifference, paired_differences
from coverslip.runs.folder import Run
from coverslip.runs.images import ImageLookup, original_id
from coverslip.runs.predictions import MeasuredPredictions

Key = tuple[str, ...]  # identifies an image: its file and region, or its ID if the file is no longer known


@dataclass(frozen=True, slots=True)
class CommonImages:
    """Images that both runs measured, and their predictions; classes are numbered as in the first run."""

    classes: tuple[str, ...]
    first: Answers
    second: Answers
    first_label: np.ndarray  # (n,) int, labels of the first run
    second_label: np.ndarray  # (n,) int
    group: np.ndarray | None  # (n,) names, or those of images that were copied; None: each image is a unit
    n_of_groups: GroupCount | None  # None: no groups are known
    image_id: tuple[str, ...]  # (n,) IDs in the second run
    first_row: np.ndarray  # (n,) int, row of the first run's predictions.csv, from 0
    second_row: np.ndarray
    n_only_first: int
    n_only_second: int
    n_by_content: int  # of these images, matched by equal pixels because their files are not the same

    def differences(self, label: np.ndarray, metrics: Sequence[str]) -> dict[str, PairedDifference]:
        """Return each metric of the second run minus that of the first by these labels."""
        are_groups = self.n_of_groups is not None
        return paired_differences(self.first, self.second, label, self.group, metrics=metrics, are_groups=are_groups)


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
    groups = _common_groups(second, second_ids, first, first_ids)
    has_copies = any(not run.is_evaluation and run.recipe.split.copies for run in (first, second))
    images = [original_id(image_id) for image_id in second_ids] if has_copies else second_ids
    return CommonImages(
        classes=classes,
        first=_answers(of_first, at_first, list(range(len(classes)))),
        second=_answers(of_second, at_second, order),
        first_label=of_first.label[at_first],
        second_label=_renumbered(of_second.label[at_second], order),
        group=_units(groups, images) if has_copies else groups,
        n_of_groups=None if groups is None else count_groups(dict(zip(images, groups, strict=True)).values()),
        image_id=tuple(second_ids),
        first_row=_prediction_rows(first, first_ids),
        second_row=_prediction_rows(second, second_ids),
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


def _prediction_rows(run: Run, image_ids: Sequence[str]) -> np.ndarray:
    """Return row numbers in predictions.csv, which also lists images that were not measured."""
    row_of = {row.image_id: k for k, row in enumerate(run.predictions)}
    return np.array([row_of[image_id] for image_id in image_ids], dtype=int)


def _common_groups(second: Run, second_ids: Sequence[str], first: Run, first_ids: Sequence[str]) -> np.ndarray | None:
    """Return the groups of the second run, or of the first run if the second has none: copied files may lack groups."""
    for run, image_ids in ((second, second_ids), (first, first_ids)):
        if run.is_evaluation:  # it has no split; its images are read again for their groups
            group_of = ImageLookup(run).groups()
        else:
            group_of = {row.image_id: row.group for row in run.split}
        groups = np.array([group_of.get(image_id, "") for image_id in image_ids], dtype=object)
        if any(groups):
            return groups
    return None


def _units(groups: np.ndarray | None, images: Sequence[str]) -> np.ndarray:
    """Return the group of each image or, without one, the image that it is a copy of."""
    names = [""] * len(images) if groups is None else groups
    return np.array([group or f"image {image_id}" for group, image_id in zip(names, images, strict=True)], dtype=object)


MOST_IMAGES = 200  # listed per kind
Change = Literal["to-right", "to-wrong", "other-class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImage(DocumentedFields):
    """An image for which the predicted class of the two runs differs."""

    image_id: str
    change: Change
    """to-right: only the second run is right; to-wrong: only the first; other-class: both are wrong, with different
    classes."""
    label: str
    """True class, as labeled in the first run."""
    first: str
    """Class that the first run predicts."""
    second: str
    """The class that the second run predicts."""
    first_probability: float
    """Probability of the class that the first run predicts."""
    second_probability: float
    first_row: int
    """Row of the first run's predictions, from 0."""
    second_row: int
    """The row of the image in the second run, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedImages(DocumentedFields):
    """How many predictions changed, and the images, those with the most confident second prediction first."""

    n_to_right: int
    """Images that only the second run predicts correctly."""
    n_to_wrong: int
    """Images that only the first run predicts correctly."""
    n_other_class: int
    """Images that both runs misclassify, with different classes."""
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
