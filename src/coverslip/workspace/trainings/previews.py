"""Previews of a training: its split, and data augmentation."""

import base64
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from coverslip import pipeline
from coverslip.audit import with_cached_near_duplicates
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.counts import count_groups
from coverslip.datasets import (
    Dataset,
    Folds,
    Part,
    Scan,
    Split,
    check_groups,
    check_no_class_is_empty,
    check_trainable,
    split_images,
    tested_classes,
    trained_classes,
)
from coverslip.errors import CoverslipError, LeakageFound
from coverslip.events import ignore
from coverslip.files import sha256_json
from coverslip.messages import Failure, Note, language, note
from coverslip.runs import Recipe, apply_earlier_split
from coverslip.workspace.datasets.grouping import with_groups
from coverslip.workspace.datasets.snapshots import training_images
from coverslip.workspace.datasets.sources import groups_of_images
from coverslip.workspace.recipes import keeping_split_of, recipe_grouping, recipe_of_dataset
from coverslip.workspace.store.rows import AnyRow, Json, load_dataset, load_scan, refuse_unready
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import WorkerPool

_SETS: tuple[Part, ...] = ("train", "val", "test", "excluded")
PREVIEWS = register(Kind("app-previews", RECORDS, bound_bytes=2 * 10**8))
_DRAWING_LOCK = threading.Lock()  # equal requests draw once


@dataclass(frozen=True, slots=True)
class SplitPart:
    """One set of a split."""

    part: Part
    n: int
    n_groups: Annotated[int, Field(description="Groups of these images.")]
    n_ungrouped: Annotated[int, Field(description="Images without a group.")]


@dataclass(frozen=True, slots=True)
class FoldPart:
    """The test set of one fold."""

    fold: int
    n: int
    n_groups: Annotated[int, Field(description="Groups of these images.")]
    n_ungrouped: Annotated[int, Field(description="Images without a group.")]


@dataclass(frozen=True, slots=True)
class UsedImages:
    """The images that a training uses: those of all sets, without excluded ones."""

    n: int
    n_classes: Annotated[int, Field(description="Classes with any of these images.")]
    n_groups: Annotated[int, Field(description="Groups of these images.")]
    n_ungrouped: Annotated[int, Field(description="Images without a group.")]


@dataclass(frozen=True, slots=True)
class ClassSplit:
    """Images of one class in each set."""

    name: str
    train: int
    val: int
    test: int


@dataclass(frozen=True, slots=True)
class SplitPreview:
    """The split of a training with this recipe."""

    notes: list[Note]
    n_folds: Annotated[
        int, Field(description="0: one split. Otherwise parts and by_class are those of the first fold.")
    ]
    used: UsedImages
    parts: list[SplitPart]
    folds: Annotated[list[FoldPart], Field(description="The test sets of the folds; empty for one split.")]
    n_excluded: Annotated[
        int, Field(description="Images that are not used: excluded by hand, or by a training with this recipe.")
    ]
    by_class: list[ClassSplit]
    refusal: Annotated[Failure | None, Field(description="Why a training would be refused; null if it would start.")]


_PREVIEW_OF_SPLIT = TypeAdapter(SplitPreview)


def recipe_for(workspace: Workspace, row: AnyRow, recipe: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a training on a dataset, without its groups, which the dataset gives.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    return recipe_of_dataset(workspace, row, {key: value for key, value in recipe.items() if key != "group"})


def preview_split(
    workspace: Workspace,
    dataset_id: str,
    recipe: Mapping[str, Any],
    *,
    allow_leakage: bool = False,
    repeats_run: str | None = None,
) -> SplitPreview:
    """Return the split with the current labels and groups, and why a training would be refused.

    With folds, every image is tested once; parts and counts by class are those of the first fold.

    Raises:
        NotFound: there is no such dataset.
        Conflict: it is still being read.
        CoverslipError: the recipe is not valid, or no image can be used for training.
    """
    return workspace.compute(
        compute_split_preview,
        _PREVIEW_OF_SPLIT.validate_python,
        dataset_id=dataset_id,
        recipe=recipe,
        allow_leakage=allow_leakage,
        repeats_run=repeats_run,
    )


def compute_split_preview(
    workspace: Workspace, dataset_id: str, recipe: Mapping[str, Any], *, allow_leakage: bool, repeats_run: str | None
) -> SplitPreview:
    """Return a split as `preview_split` does, in this thread."""
    from coverslip.experiments import apply_recipe

    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
        data = load_dataset(connection, dataset_id)
        scan = load_scan(connection, dataset_id)
    if (group_by := recipe_grouping(workspace, row, recipe)) is not None:
        group_of = groups_of_images(workspace, row, group_by)
        data = with_groups(data, [group_of.get(record.image_id) for record in data.records])
    full_recipe = recipe_for(workspace, row, recipe)
    if repeats_run is not None:
        full_recipe = keeping_split_of(workspace, repeats_run, dataset_id, full_recipe)
    images, full_recipe = apply_recipe(data, full_recipe)
    full_recipe.check_decision(images.classes)
    images = apply_earlier_split(images, full_recipe)
    is_searched = full_recipe.split.near_duplicates != "ignore"
    scan = _scan_of(images, data, with_cached_near_duplicates(scan) if is_searched else scan)
    preview = preview_of_split(images, full_recipe, scan, allow_leakage=allow_leakage)
    pending = [note("near-duplicates-pending")] if is_searched and scan.near_duplicates is None else []
    n_excluded = preview.n_excluded + row.summary["n_excluded"]
    return replace(preview, notes=[*preview.notes, *pending], n_excluded=n_excluded)


def _scan_of(images: Dataset, data: Dataset, scan: Scan) -> Scan:
    """Return the scan of the images of a recipe. If it joins channel files, their facts are joined."""
    if len(images) == len(data):
        return scan
    index_of = {record.image_id: index for index, record in enumerate(data.records)}
    files = {record.path: index for index, record in enumerate(data.records) if not record.plan.other_files}
    return scan.joined(
        [
            [files.get(file) for file in record.files]
            if record.image_id not in index_of or data.records[index_of[record.image_id]].plan != record.plan
            else [index_of[record.image_id]]
            for record in images.records
        ]
    )


def preview_of_split(data: Dataset, recipe: Recipe, scan: Scan, *, allow_leakage: bool = False) -> SplitPreview:
    """Return the split of images by a recipe that fits them.

    Raises:
        CoverslipError: no image can be used for training.
    """
    from coverslip.experiments import capped_split, folds_of_recipe, refuse_leaking_recipe

    check_groups(data)
    recipe.check_validation()
    folds, folds_note = folds_of_recipe(data, scan, recipe)
    needs_validation = recipe.split.val > 0
    notes = [folds_note] if folds_note else []
    leaks: Failure | None = None
    try:
        refuse_leaking_recipe(recipe, allow_leakage=allow_leakage)
    except LeakageFound as error:
        leaks = error.failure
    if folds is None:
        split, refusal = _one_split(data, scan, recipe, allow_leakage)
        capped = capped_split(data, split, recipe)
        refusal = leaks or refusal or _refusal(data, scan, capped, None, needs_validation=needs_validation)
        return _preview_of(data, capped, [*notes, *capped.notes], None, refusal)
    capped = capped_split(data, folds.splits[0], recipe)
    refusal = leaks or _refusal(data, scan, capped, folds, needs_validation=needs_validation)
    return _preview_of(data, capped, [*notes, *folds.notes], folds, refusal)


def refuse_untrainable(
    workspace: Workspace, dataset_id: str, recipe: Mapping[str, Any], *, allow_leakage: bool, repeats_run: str | None
) -> None:
    """Raise CoverslipError if a training with this recipe would be refused."""
    refusal = preview_split(workspace, dataset_id, recipe, allow_leakage=allow_leakage, repeats_run=repeats_run).refusal
    if refusal is not None:
        raise CoverslipError.of(refusal)


def preview_augmentation(workspace: Workspace, pool: WorkerPool, dataset_id: str, recipe: Json) -> bytes:
    """Return a PNG of some training images after preprocessing and data augmentation.

    A process of the pool draws it, because it needs deep learning libraries. The picture is cached.

    Raises:
        NotFound: there is no such dataset.
        Conflict: it is still being read.
        CoverslipError: the recipe is not valid, or no image can be shown.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
    full_recipe = recipe_for(workspace, row, recipe).model_dump(mode="json")
    key = sha256_json({"recipe": full_recipe, "dataset": [row.created, row.revision], "language": language()})
    with _DRAWING_LOCK, RecordStore(PREVIEWS, dataset_id) as store:
        picture = store.find([key]).get(key)
        if picture is None:
            sources = training_images(workspace, dataset_id).sources  # groups do not affect data augmentation
            encoded = pool.call(draw_augmentation, sources=sources, recipe=full_recipe)
            if encoded is None:
                raise CoverslipError("preview-ended-silently")
            picture = base64.b64decode(encoded)
            store.keep({key: picture})
        return picture


def draw_augmentation(*, sources: Sequence[str], recipe: Json) -> str:
    """Return the picture of `preview_augmentation` as Base64.

    Raises:
        CoverslipError: no image can be shown.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = pipeline.preview(
            list(sources), Recipe.model_validate(recipe), out=Path(folder, "preview.png"), emit=ignore
        )
        return base64.b64encode(file.read_bytes()).decode()


def _one_split(data: Dataset, scan: Scan, recipe: Recipe, allow_leakage: bool) -> tuple[Split, Failure | None]:
    """Return the split, even if it would be refused because of data leakage."""
    plan = recipe.split
    split_with = partial(
        split_images,
        data,
        scan,
        val=plan.val,
        test=plan.test,
        seed=recipe.split_seed,
        keeps_split=plan.run is not None,
        balanced=plan.is_balanced,
    )
    try:
        return split_with(allow_leakage=allow_leakage), None
    except LeakageFound as error:
        return split_with(allow_leakage=True), error.failure


def _refusal(data: Dataset, scan: Scan, split: Split, folds: Folds | None, *, needs_validation: bool) -> Failure | None:
    """Return why a training would refuse this split; None if it would start."""
    try:
        if folds is None:
            check_trainable(data, scan, split, needs_validation=needs_validation)
        check_no_class_is_empty(data, trained_classes(data, split) if folds is None else tested_classes(data, folds))
    except CoverslipError as error:
        return error.failure
    return None


def _preview_of(
    data: Dataset, split: Split, notes: list[Note], folds: Folds | None, refusal: Failure | None
) -> SplitPreview:
    groups = [record.named_group for record in data.records]

    def counts_of(indices: Sequence[int]) -> tuple[int, int, int]:
        of_part = count_groups(groups[i] for i in indices)
        return len(indices), of_part.n_groups, of_part.n_ungrouped

    by_part: dict[Part, list[int]] = {part: [] for part in _SETS}
    for i, part in enumerate(split.parts):
        by_part[part].append(i)
    tested: dict[int, list[int]] = {}
    for i, fold in enumerate(folds.fold_of if folds else ()):
        if fold is not None:
            tested.setdefault(fold, []).append(i)
    counts = Counter(
        (record.label, part) for record, part in zip(data.records, split.parts, strict=True) if part != "excluded"
    )
    n, n_groups, n_ungrouped = counts_of([i for i, part in enumerate(split.parts) if part != "excluded"])
    return SplitPreview(
        notes=notes,
        n_folds=len(folds.splits) if folds else 0,
        used=UsedImages(n, len({label for label, _ in counts}), n_groups, n_ungrouped),
        parts=[SplitPart(part, *counts_of(indices)) for part, indices in by_part.items()],
        n_excluded=len(by_part["excluded"]),
        folds=[FoldPart(fold, *counts_of(indices)) for fold, indices in sorted(tested.items())],
        by_class=[
            ClassSplit(name, counts[name, "train"], counts[name, "val"], counts[name, "test"]) for name in data.classes
        ],
        refusal=refusal,
    )
