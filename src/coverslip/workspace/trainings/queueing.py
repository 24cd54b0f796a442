"""Trainings as a kind of job: preview the split, queue, rename, resume and finish them; adopt other runs."""

import base64
import io
import math
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from coverslip.audit.near_duplicates import with_cached_near_duplicates
from coverslip.cache.stores import Kind, RecordStore
from coverslip.counts import count_groups
from coverslip.datasets.index.opening import NO_GROUPS, open_dataset
from coverslip.datasets.index.records import Dataset, Part
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.folding import Folds, tested_classes
from coverslip.datasets.splits.splitting import (
    Split,
    check_groups,
    check_no_class_is_empty,
    check_trainable,
    split_images,
    trained_classes,
)
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError, LeakageFound, require_extra
from coverslip.events import SetSizes, ignore
from coverslip.experiments.presets import Preset, apply_preset
from coverslip.experiments.run_state import check_budget
from coverslip.files import sha256_json
from coverslip.messages import Failure, Note, language, note
from coverslip.models import check_weights, model_info
from coverslip.runs.folder import is_run, open_run
from coverslip.runs.images import apply_earlier_split
from coverslip.runs.progress import Work, seconds_left
from coverslip.runs.recipe import Recipe, Stage
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.training import budget_seconds
from coverslip.workspace.datasets.grouping import with_groups
from coverslip.workspace.datasets.labels import refuse_exchanged_files, training_images
from coverslip.workspace.datasets.sources import groups_of_images
from coverslip.workspace.jobs.queue import TRAININGS_QUEUE
from coverslip.workspace.jobs.records import (
    Job,
    JobKind,
    State,
    add_job,
    change_job,
    find_job,
    folded_log,
    job_folders,
    new_job_folder,
    register,
    requested_recipe,
    unused_name,
)
from coverslip.workspace.recipes import keeping_split_of, recipe_grouping, recipe_of_dataset
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import AnyRow, Json, load_dataset, load_scan, refuse_unready, row_ids_of, write_keys
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.state import can_finish, run_story
from coverslip.workspace.trainings.tested import TestedImages, tested_images
from coverslip.workspace.workers import WorkerPool

_SETS: tuple[Part, ...] = ("train", "val", "test", "excluded")
PREVIEWS = Kind("app-previews", bound_bytes=2 * 10**8)
_DRAWING_LOCK = threading.Lock()  # equal requests draw once


@dataclass(frozen=True, slots=True)
class SplitPart(DocumentedFields):
    """One set of a split."""

    part: Part
    n: int
    n_groups: int
    """Groups of these images."""
    n_ungrouped: int
    """Images without a group."""


@dataclass(frozen=True, slots=True)
class FoldPart(DocumentedFields):
    """The test set of one fold."""

    fold: int
    n: int
    n_groups: int
    """Groups of these images."""
    n_ungrouped: int
    """Images without a group."""


@dataclass(frozen=True, slots=True)
class UsedImages(DocumentedFields):
    """The images that a training uses: those of all sets, without excluded ones."""

    n: int
    n_classes: int
    """Classes with any of these images."""
    n_groups: int
    """Groups of these images."""
    n_ungrouped: int
    """Images without a group."""


@dataclass(frozen=True, slots=True)
class ClassSplit:
    """Images of one class in each set."""

    name: str
    train: int
    val: int
    test: int


@dataclass(frozen=True, slots=True)
class SplitPreview(DocumentedFields):
    """The split of a training with this recipe."""

    notes: list[Note]
    n_folds: int
    """0: one split. Otherwise parts and by_class are those of the first fold."""
    used: UsedImages
    parts: list[SplitPart]
    folds: list[FoldPart]
    """The test sets of the folds; empty for one split."""
    n_excluded: int
    """Images that are not used: excluded by hand, or by a training with this recipe."""
    by_class: list[ClassSplit]
    tested: list[TestedImages]
    """The test images of parts, with the reason; of at most 200 groups."""
    sizes: dict[Stage, list[SetSizes]]
    """By the stage of the recipe: of one split, or of each fold and of the training on all images; without the stages
    with which a training would be refused."""
    refusal: Failure | None
    """Why a training would be refused; null if it would start."""


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
    from coverslip.experiments.preparation import apply_recipe

    with read_transaction(workspace.engine) as connection:
        row = refuse_unready(connection, dataset_id)
        data = load_dataset(connection, dataset_id)
        scan = load_scan(connection, dataset_id)
        row_of = row_ids_of(connection, dataset_id)
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
    preview = preview_of_split(images, full_recipe, scan, row_of, allow_leakage=allow_leakage)
    pending = [note("near-duplicates-pending")] if is_searched and scan.near_duplicates is None else []
    n_excluded = preview.n_excluded + row.summary["n_excluded"]
    return replace(preview, notes=[*preview.notes, *pending], n_excluded=n_excluded)


def _scan_of(images: Dataset, data: Dataset, scan: Scan) -> Scan:
    """Return the scan of the images of a recipe. If it joins channel files, their facts are joined."""
    if len(images) == len(data):
        return scan
    index_of = {record.image_id: index for index, record in enumerate(data.records)}
    index_at = {(r.path, r.plan.region): index for index, r in enumerate(data.records) if not r.plan.other_files}
    return scan.joined(
        [
            [index_at.get((file, record.plan.region)) for file in record.files]
            if record.image_id not in index_of or data.records[index_of[record.image_id]].files != record.files
            else [index_of[record.image_id]]
            for record in images.records
        ]
    )


def preview_of_split(
    data: Dataset,
    recipe: Recipe,
    scan: Scan,
    row_of: Mapping[str, int] = MappingProxyType({}),
    *,
    allow_leakage: bool = False,
) -> SplitPreview:
    """Return the split of images by a recipe that fits them; `row_of` is the permanent number of each image by its ID.

    Raises:
        CoverslipError: no image can be used for training.
    """
    from coverslip.experiments.cross_validation import folds_of_recipe

    check_groups(data)
    recipe.check_validation()
    folds, folds_note = folds_of_recipe(data, scan, recipe)
    preview = _preview_with(folds, folds_note, data, recipe, scan, row_of, allow_leakage=allow_leakage)
    other_stage: Stage = "instant" if recipe.stage == "finetune" else "finetune"
    other_preview = preview
    if recipe.split.folds is None and not recipe.split.by_domain:  # the number of folds may depend on the stage
        other_folds, _ = folds_of_recipe(data, scan, recipe.model_copy(update={"stage": other_stage}))
        if (other_folds is None) != (folds is None):
            other_preview = _preview_with(other_folds, None, data, recipe, scan, row_of, allow_leakage=allow_leakage)
    sizes_of_other = other_preview.sizes.get(recipe.stage)
    return replace(preview, sizes=preview.sizes | ({other_stage: sizes_of_other} if sizes_of_other else {}))


def _preview_with(
    folds: Folds | None,
    folds_note: Note | None,
    data: Dataset,
    recipe: Recipe,
    scan: Scan,
    row_of: Mapping[str, int],
    *,
    allow_leakage: bool,
) -> SplitPreview:
    """Return the preview with these folds, or with a single split, and the sizes for the stage of the recipe."""
    from coverslip.experiments.estimating import sizes_of, sizes_of_folds
    from coverslip.experiments.preparation import refuse_leaking_recipe
    from coverslip.experiments.split_data import SplitData, capped_split

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
        sizes = {recipe.stage: [sizes_of(SplitData(data, scan, capped), recipe)]} if refusal is None else {}
        tested = tested_images(data, scan, capped, recipe, row_of)
        return _preview_of(data, capped, [*notes, *capped.notes], None, refusal, sizes, tested)
    capped = capped_split(data, folds.splits[0], recipe)
    refusal = leaks or _refusal(data, scan, capped, folds, needs_validation=needs_validation)
    sizes = {recipe.stage: sizes_of_folds(data, scan, folds, recipe)} if refusal is None else {}
    tested = tested_images(data, scan, capped, recipe, row_of)
    return _preview_of(data, capped, [*notes, *folds.notes], folds, refusal, sizes, tested)


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
    grouped = recipe_grouping(workspace, row, recipe)
    groups = None if grouped is None else asdict(grouped)  # those of the dataset change its revision
    dataset = [row.created, row.revision]
    key = sha256_json({"recipe": full_recipe, "groups": groups, "dataset": dataset, "language": language()})
    with _DRAWING_LOCK, RecordStore(PREVIEWS, dataset_id) as store:
        picture = store.find([key]).get(key)
        if picture is None:
            with TemporaryDirectory() as folder:
                images = training_images(workspace, dataset_id, grouped=grouped, folder=Path(folder))
                if images.grouped.ignores_groups:
                    full_recipe["group"] = NO_GROUPS
                grouping = {"group": images.grouped.column, "group_pattern": images.grouped.pattern}
                encoded = pool.call(draw_augmentation, sources=images.sources, recipe=full_recipe, **grouping)
            if encoded is None:
                raise CoverslipError("preview-ended-silently")
            picture = base64.b64decode(encoded)
            store.keep({key: picture})
        return picture


def draw_augmentation(*, sources: Sequence[str], recipe: Json, group: str | None, group_pattern: str | None) -> str:
    """Return the picture of `preview_augmentation` as Base64.

    Raises:
        CoverslipError: no image can be shown.
    """
    from coverslip.pipeline import draw_training_images

    data = open_dataset(list(sources), group=group, group_pattern=group_pattern)
    sheet = draw_training_images(data, Recipe.model_validate(recipe), emit=ignore)
    file = io.BytesIO()  # a process that is killed would leave a temporary file
    sheet.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


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
    data: Dataset,
    split: Split,
    notes: list[Note],
    folds: Folds | None,
    refusal: Failure | None,
    sizes: dict[Stage, list[SetSizes]],
    tested: list[TestedImages],
) -> SplitPreview:
    groups = [record.group for record in data.records]

    def counts_of(indices: Sequence[int]) -> tuple[int, int, int]:
        of_part = count_groups(groups[i] for i in indices)
        return len(indices), of_part.n_groups, of_part.n_ungrouped

    by_part: dict[Part, list[int]] = {part: [] for part in _SETS}
    for i, part in enumerate(split.parts):
        by_part[part].append(i)
    of_fold: dict[int, list[int]] = {}
    for i, fold in enumerate(folds.fold_of if folds else ()):
        if fold is not None:
            of_fold.setdefault(fold, []).append(i)
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
        folds=[FoldPart(fold, *counts_of(indices)) for fold, indices in sorted(of_fold.items())],
        by_class=[
            ClassSplit(name, counts[name, "train"], counts[name, "val"], counts[name, "test"]) for name in data.classes
        ],
        tested=tested,
        sizes=sizes,
        refusal=refusal,
    )


# The kind of job.


def _resume_command(job: Job, is_finishing: bool) -> list[str]:
    if not is_run(job.folder) or job.is_adaptation:  # an adaptation begins again
        return list(job.command)
    return ["-m", "coverslip", "train", f"--{'finish' if is_finishing else 'resume'}={job.folder}"]


def _can_finish(job: Job, state: State) -> bool:
    return can_finish(job, state, folded_log(job).progress)


def _progress(job: Job) -> Work | None:
    progress = folded_log(job).progress
    if not progress.has_begun:
        return None
    stage = progress.stage if progress.work is None else progress.work.stage
    done, left = int(progress.share * 100), seconds_left(progress, time.time())
    return Work(stage=stage or "", done=done, total=100, seconds_left=left)


TRAINING = register(
    JobKind(
        name="train",
        queue=TRAININGS_QUEUE,
        can_be_submitted=True,
        story=run_story,
        progress=_progress,
        has_measurements=True,
        resume_command=_resume_command,
        can_finish=_can_finish,
        refuse=refuse_exchanged_files,
    )
)


def queue_training(
    workspace: Workspace,
    *,
    dataset_id: str,
    name: str | None,
    recipe: Mapping[str, Any],
    allow_leakage: bool = False,
    preset: Preset = "best",
    budget: str | None = None,
    repeats_run: str | None = None,
) -> str:
    """Queue a training; return its ID.

    Args:
        workspace: the workspace of the training.
        dataset_id: a dataset of labeled images.
        name: the name; by default that of the dataset.
        recipe: values that differ from the defaults, nested or with dotted keys; `init.run` may be the ID of a run.
        allow_leakage: accept a predefined split with the same pixels or groups in training and test set.
        preset: as for `coverslip.train`.
        budget: the time budget; fine-tuning is adapted to it.
        repeats_run: an earlier training on the same dataset: each image stays in its set.

    Raises:
        NotFound, Conflict: the dataset does not exist or is not ready, or the earlier split cannot be reused.
        BadRecipe: a key or value is not valid, the preset does not fit the recipe, the budget is not a duration, or it
            cannot be planned for the recipe.
        ExtraNotInstalled: the training needs PyTorch, which is not installed.
        WeightsUnavailable: the pretrained weights of the network are not available.
        CoverslipError: the split is refused, for example because a set or a class would be empty.
    """
    from coverslip.experiments.preparation import needs_pytorch

    budget_options = [] if budget is None else [f"--budget={math.ceil(budget_seconds(budget))}s"]
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    full_recipe = apply_preset(recipe_of_dataset(workspace, dataset, recipe), preset)
    if needs_pytorch(full_recipe):
        require_extra("train")
    if budget is not None:
        check_budget(full_recipe)
    if full_recipe.init == "imagenet":
        check_weights(model_info(full_recipe.model))
    stated = {**recipe, "stage": full_recipe.stage}  # on which the number of folds depends
    refuse_untrainable(workspace, dataset_id, stated, allow_leakage=allow_leakage, repeats_run=repeats_run)
    if repeats_run is not None:
        full_recipe = keeping_split_of(workspace, repeats_run, dataset_id, full_recipe)
    images = training_images(workspace, dataset_id, grouped=recipe_grouping(workspace, dataset, recipe))
    name = name or unused_name(workspace, TRAINING.name, dataset.name)
    job_id, folder = new_job_folder(workspace, workspace.runs, name)
    recipe_file = requested_recipe(folder)
    save_recipe(full_recipe, recipe_file, only_set=True)
    leakage_options = ["--allow-leakage"] if allow_leakage else []
    options = [*images.options, *leakage_options, *budget_options, f"--recipe={recipe_file}", f"--out={folder}"]
    add_job(
        workspace,
        id=job_id,
        kind=TRAINING.name,
        name=name,
        dataset_id=dataset_id,
        dataset_name=dataset.name,
        repeats_run=repeats_run,
        folder=str(folder),
        command=["-m", "coverslip", "train", *options, "--", *images.sources],
        choices=full_recipe.model_dump(mode="json"),
        image_keys=write_keys(workspace, images.row_of),
    )
    return job_id


def rename_run(workspace: Workspace, run_id: str, name: str) -> None:
    """Rename a training."""
    find_job(workspace, run_id, TRAINING.name)
    change_job(workspace, run_id, name=name)


def adopt_runs(workspace: Workspace) -> None:
    """Add run folders of the workspace that are not in its tables: trained in a terminal, or copied there."""
    folders = job_folders(workspace).listed
    for folder in sorted(workspace.runs.glob("*")):
        if is_run(folder) and str(folder) not in folders:
            with suppress(CoverslipError):  # incomplete and damaged runs are not listed
                _adopt(workspace, folder)


def _adopt(workspace: Workspace, folder: Path) -> None:
    run = open_run(folder)
    sources = run.environment.opened.sources
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind=TRAINING.name,
        name=folder.name,
        dataset_name=Path(sources[0]).name if sources else "",
        folder=str(folder),
        command=["-m", "coverslip", "train", f"--resume={folder}"],
        choices=run.recipe.model_dump(mode="json"),
        state="started",
        queued=None,
    )
