"""Prepare a training: apply the recipe, validate and scan the images, and augment copies before the split."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from coverslip.audit.leakage_estimate import cached_leakage_audit, inspect_with_leakage_audit
from coverslip.audit.near_duplicates import ScanCollector, with_near_duplicates, with_recorded_near_duplicates
from coverslip.augmentation.copies import changed_image
from coverslip.datasets.index.classes import check_classes, shared_class_notes, with_classes
from coverslip.datasets.index.folders import with_plan
from coverslip.datasets.index.opening import NO_GROUPS, open_dataset, with_groups
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import one_line
from coverslip.datasets.pixels import PixelWriter
from coverslip.datasets.quality.related_images import undivided_clusters
from coverslip.datasets.quality.scanning import OnPixels, Scan, scan_images
from coverslip.datasets.splits.folding import check_no_split
from coverslip.datasets.splits.splitting import check_class_names, check_groups
from coverslip.errors import BadDataset, BadRecipe, LeakageFound, OutOfTime, UnreadableImage, require_extra
from coverslip.events import Emit, Noted, ignore
from coverslip.images.preprocessing import PixelFacts, normalized_names
from coverslip.images.reader import PLAN_COLUMNS, Decoded, ReadPlan
from coverslip.images.reading import Pixels
from coverslip.messages import AllowLeakage, Note, Set, duration, note, text
from coverslip.models import check_weights, model_info
from coverslip.models.backbone import Architecture
from coverslip.models.weights import is_imported
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.images import apply_earlier_split, copy_id, plan_of, write_content_hashes, write_records
from coverslip.runs.recipe import Augment, FromRun, ImageChoices, Pretraining, Recipe, protocol_code
from coverslip.runs.recipe_keys import pretraining_recipe, save_recipe
from coverslip.runs.results import write_inspection
from coverslip.stopping import NO_DEADLINE
from coverslip.training.preprocessing import check_channels, check_color_changes, color_changes, preprocessing_in_scan

_N_CHECKED_FIRST = 32  # images whose channels are checked before all images are read
_FEW_IMAGES = 10  # per class on average: metrics of fewer images are hardly informative
_SEARCH_SHARE = 0.25  # share of the remaining time budget that the search for near-duplicates may take


def apply_recipe(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """Return the images as the recipe reads and labels them, and the recipe with the options of opening the images.

    Groups chosen when the images were opened take precedence over those of the recipe. `images` of the recipe
    takes precedence over the plan of opening the images.
    """
    check_classes(data, recipe.classes)
    opening = data.opening
    if opening.plan.region is not None:
        raise BadDataset("opened-with-one-box", file=data.root)
    data = assign_groups(data, recipe)
    changes: dict[str, object] = {"group": opening.group or opening.group_pattern or recipe.group}
    if recipe.crop_size is None:
        changes["crop_size"] = opening.plan.crop_size
    if recipe.crop_margin == 0:
        changes["crop_margin"] = opening.plan.crop_margin
    if plan_of(recipe).model_copy(update={"crop_size": None, "crop_margin": 0.0}) == ReadPlan():
        changes["images"] = ImageChoices(**{name: getattr(opening.plan, name) for name in PLAN_COLUMNS})
    elif opening.channels is not None:
        changes["images"] = recipe.images.model_copy(update={"channels": opening.channels})
    if recipe.channel_files is None:
        changes["channel_files"] = opening.plan.channel_files
    recipe = recipe.model_copy(update=changes)
    return with_classes(with_plan(data, plan_of(recipe)), recipe.classes), recipe


def assign_groups(data: Dataset, recipe: Recipe) -> Dataset:
    """Return the images with the recipe's groups, unless groups were chosen when the images were opened.

    Raises:
        BadDataset: as `open_dataset`.
        BadRecipe: groups were chosen, and the recipe ignores groups.
    """
    if recipe.group == NO_GROUPS and data.opening.is_grouped:
        group = one_line(data.opening.group or data.opening.group_pattern or "", 60)
        raise BadRecipe("groups-chosen-and-ignored", remedies=(Set("group", None),), group=group)
    return data if recipe.group is None or data.opening.is_grouped else with_groups(data, recipe.group)


def validated(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """Return images and recipe after `apply_recipe`, with absolute paths, once both are valid. No image is opened.

    Raises:
        BadClassifier: the initialization is a run without a classifier.
        BadDataset: the name of a class is not allowed, or the images of pretraining cannot be used.
        BadRecipe: the recipe does not fit the network, the images or the initialization.
        BadRun: the split of an earlier run cannot be used.
        WeightsUnavailable: there are no pretrained weights for the network.
    """
    data, recipe = apply_recipe(data, recipe)
    _check_network(recipe)
    recipe = _with_absolute_init(recipe, data.classes)
    if recipe.split.run is not None:
        apply_earlier_split(data, recipe)  # only for its errors
        plan = recipe.split.model_copy(update={"run": str(Path(recipe.split.run).absolute())})
        recipe = recipe.model_copy(update={"split": plan})
    check_class_names(data, data.classes)
    check_groups(data)
    recipe.check_decision(data.classes)
    recipe.check_validation()
    if recipe.split.sets_folds:
        check_no_split(data)
    return data, recipe


def refuse_leaking_recipe(recipe: Recipe, *, allow_leakage: bool) -> None:
    """Raise LeakageFound if test images would affect the training, and this is not allowed."""
    if recipe.leaking_keys and not allow_leakage:
        raise LeakageFound("leaking-recipe", remedies=(AllowLeakage(),), keys=", ".join(recipe.leaking_keys))


def protocol_notes(recipe: Recipe) -> list[Note]:
    """Return a note for each step of a published protocol in the recipe."""
    return [note(protocol_code(key), level="warning") for key in recipe.protocol_keys]


def open_pretraining(recipe: Recipe, init: Pretraining) -> tuple[Dataset, Recipe]:
    """Return the images and the recipe of pretraining."""
    data, inner_recipe = apply_recipe(open_dataset(init.train_on), pretraining_recipe(recipe))
    inner_recipe.check_validation()
    return data, _with_absolute_init(inner_recipe, data.classes)


def needs_pytorch(recipe: Recipe) -> bool:
    """Return whether a training by this recipe needs the extra `train`."""
    side = recipe.image_size or model_info(recipe.model).input_px
    architecture = Architecture(recipe.model, recipe.head, 3, side, recipe.model_options)
    if isinstance(recipe.init, Pretraining) and needs_pytorch(pretraining_recipe(recipe)):
        return True
    uses_package = architecture.is_packaged and not is_imported(recipe.model)
    is_unchanged = recipe.freeze_to is None and recipe.batch_norm != "learn"
    return recipe.is_finetuned or not (uses_package and is_unchanged)


def _check_network(recipe: Recipe) -> None:
    """Raise if the network or its pretrained weights are unknown, or if it does not support an option of the recipe."""
    if needs_pytorch(recipe):
        require_extra("train")
    record = model_info(recipe.model)
    init = pretraining_recipe(recipe).init if isinstance(recipe.init, Pretraining) else recipe.init
    if init == "imagenet":
        check_weights(record)
    if needs_pytorch(recipe):
        from coverslip.models.networks import check_choices

        check_choices(recipe.model, recipe.model_options, recipe.head, recipe.freeze_to, recipe.image_size)


def _with_absolute_init(recipe: Recipe, classes: Sequence[str]) -> Recipe:
    """Check the initialization of a training on these classes, and return the recipe with absolute paths to it."""
    from coverslip.training.instant import check_initialization, check_labels

    match recipe.init:
        case FromRun(run=run):
            check_initialization(recipe.init, recipe, classes)
            return recipe.model_copy(update={"init": recipe.init.model_copy(update={"run": str(Path(run).absolute())})})
        case Pretraining(train_on=source):
            data, inner_recipe = open_pretraining(recipe, recipe.init)
            check_class_names(data, data.classes)
            check_labels(recipe.init.labels, data.classes, classes)
            changes: dict[str, Any] = {"train_on": str(Path(source).absolute())}  # Any: of each key its own
            if isinstance(inner_recipe.init, FromRun):
                changes["recipe"] = {**recipe.init.recipe, "init": inner_recipe.init.model_dump(mode="json")}
            return recipe.model_copy(update={"init": recipe.init.model_copy(update=changes)})
    return recipe


def scan_and_check(data: Dataset, recipe: Recipe, context: RunContext) -> tuple[Scan, Recipe]:
    """Decode every image once, search for near-duplicates, and write the inspection to the run folder.

    Returns:
        The scan, and the recipe. If a time budget leaves no time for the search, its `split.near_duplicates` is
        `ignore`.
    """
    descriptions = ScanCollector(len(data)) if _is_searched(recipe, context) else None
    with _pixel_writer(data, recipe) as writer:

        def collect(position: int, pixels: Pixels, facts: PixelFacts) -> None:
            writer(position, pixels, facts)
            if descriptions is not None:
                descriptions(position, pixels, facts)

        _check_some_channels(data, context, collect)
        scan = scan_images(data, emit=context.emit, stop=context.stop, on_pixels=collect)
    write_content_hashes(context.run, data, scan)
    scan = replace(scan, is_decoded=bytes(writer.is_decoded))
    scan, recipe = _with_near_duplicates(data, scan, descriptions, recipe, context)
    inspection = inspect_with_leakage_audit(data, scan, cached_leakage_audit(data, scan))
    write_inspection(context.run.inspection_file, inspection)
    notes = [*data.notes, *shared_class_notes(data), *_few_images_notes(data, scan)]
    notes = [*notes, *protocol_notes(recipe)]
    if recipe.sampling == "domains" and len({record.domain for record in data.records}) < 2:
        notes = [*notes, note("one-domain")]
    for each in notes:
        context.emit(Noted.of(each))
    return scan, recipe


def _pixel_writer(data: Dataset, recipe: Recipe) -> PixelWriter:
    """Return a writer of the pixels that the training needs, so that their images are not decoded again.

    It writes none if the scan cannot know them, because a cap chooses the images.
    """
    is_known = recipe.split.train_per_class is None
    is_used = bytes(is_known and data.has_class(record) for record in data.records)
    return PixelWriter(is_used, preprocessing_in_scan(recipe))


def _few_images_notes(data: Dataset, scan: Scan) -> list[Note]:
    readable = scan.readable().positions
    n = sum(data.has_class(data.records[position]) for position in readable)
    if n >= _FEW_IMAGES * len(data.classes):
        return []
    return [note("few-images", level="warning", n_images=n, n_classes=len(data.classes))]


def _is_searched(recipe: Recipe, context: RunContext) -> bool:
    """Return whether near-duplicates are searched for. A resumed run uses those of its first session."""
    return recipe.split.near_duplicates == "together" and context.run.inspection is None


def _with_near_duplicates(
    data: Dataset, scan: Scan, descriptions: ScanCollector | None, recipe: Recipe, context: RunContext
) -> tuple[Scan, Recipe]:
    """Return the scan with clusters of near-duplicates, and the recipe, as `scan_and_check` returns them."""
    if recipe.split.near_duplicates == "ignore":
        return scan, recipe
    inspection = context.run.inspection
    if inspection is not None:
        return with_recorded_near_duplicates(data, scan, inspection), recipe
    left, stop = max(0.0, context.deadline.seconds_left()), context.stop
    if context.deadline != NO_DEADLINE:
        stop = replace(stop, deadline=context.deadline.earlier((1 - _SEARCH_SHARE) * left))
    try:
        scan = with_near_duplicates(data, scan, descriptions, emit=context.emit, stop=stop)
    except OutOfTime:
        return scan, _without_search(recipe, context, _SEARCH_SHARE * left)
    clusters = undivided_clusters(data, scan)
    if clusters:
        n = sum(map(len, clusters))
        context.emit(Noted.of(note("near-duplicates", n_clusters=len(clusters), n_images=n)))
    return scan, recipe


def _without_search(recipe: Recipe, context: RunContext, seconds: float) -> Recipe:
    """Return and write the recipe of a run whose time budget is too short for the search."""
    context.emit(Noted.of(note("near-duplicates-not-searched", level="warning", duration=duration(seconds))))
    split = recipe.split.model_copy(update={"near_duplicates": "ignore"})
    save_recipe(context.run.recipe.model_copy(update={"split": split}), context.run.recipe_file)
    return recipe.model_copy(update={"split": split})


def _check_some_channels(data: Dataset, context: RunContext, on_pixels: OnPixels) -> None:
    """Check the channels of a sample of images, so that a mismatch is reported before all images are read.

    Args:
        data: the images.
        context: of the training.
        on_pixels: called for the decoded images, which later scans do not decode again.

    Raises:
        BadDataset: the numbers of channels differ, and more than one image has each.
    """
    used = [i for i, record in enumerate(data.records) if data.has_class(record)]
    if len(used) < 2 * _N_CHECKED_FIRST:
        return
    sample = used[:: len(used) // _N_CHECKED_FIRST][:_N_CHECKED_FIRST]
    scan = scan_images(data.subset(sample), stop=context.stop, on_pixels=lambda k, *image: on_pixels(sample[k], *image))
    facts = [fact for fact in scan.facts if isinstance(fact, PixelFacts)]
    times = Counter(fact.n_channels for fact in facts)
    check_channels([fact for fact in facts if times[fact.n_channels] > 1], n_checked=len(sample))


# Data augmentation before the split: copies of each image on disk, which are split like images of their own.
#
# Some publications augment a dataset first, and then divide it into sets. Versions of one image are then in the
# training and in the test set.

CopiedPixels = npt.NDArray[Any]  # Any: uint8, uint16 or float32


def write_copies(data: Dataset, recipe: Recipe, run: Run, *, emit: Emit = ignore) -> Dataset:
    """Write `split.copies` augmented copies of each image to the folder of a run; return images and copies.

    A copy has the label, group, domain and predefined split of its image.

    Args:
        data: labeled images, as they were opened.
        recipe: of the training; its seed determines the copies.
        run: gets the files.
        emit: receives progress events.

    Raises:
        BadRecipe: the recipe reads planes or channels of the images, which their copies do not have, or changes colors
            of images that have none.
    """
    if plan_of(recipe) != ReadPlan():
        raise BadRecipe("copies-of-planes", faults=[("split.copies", text("copies-of-planes.fault"))])
    n = len(data) * (1 + recipe.split.copies)
    return replace(write_records(data, _with_copies(data, recipe), n, run, emit=emit), notes=data.notes)


def _with_copies(data: Dataset, recipe: Recipe) -> Iterator[ImageRecord]:
    n_channels, orders = 1, dict[tuple[str, ...], tuple[str, ...]]()
    for record in data.records:
        yield record
        if not data.has_class(record):
            continue
        try:
            pixels = record.read()
        except UnreadableImage:  # reported by the scan
            continue
        array, names = pixels.array, normalized_names(pixels.channel_names)
        if orders.setdefault(tuple(sorted(names)), names) != names:  # copies have no names
            raise BadRecipe(
                "copies-of-mixed-channels", faults=[("split.copies", text("copies-of-mixed-channels.fault"))]
            )
        if array.shape[2] > 1:
            n_channels = array.shape[2]
            check_color_changes(n_channels, recipe)
        elif color_changes(recipe):
            array = array.repeat(3, axis=2)  # as in a training of color images
        for k in range(1, recipe.split.copies + 1):
            name = copy_id(record.image_id, k)
            copy = augmented_copy(array, recipe.augment, f"{recipe.seed} {name}")
            decoded = Decoded(copy, bit_depth=pixels.bit_depth)
            plain = {"path": Path(name), "plan": ReadPlan(), "stated": frozenset(), "in_memory": decoded}
            yield replace(record, image_id=name, **plain)  # type: ignore[arg-type]  # each field has its own type
    check_color_changes(n_channels, recipe)


def augmented_copy(array: CopiedPixels, augment: Augment, seed_text: str) -> CopiedPixels:
    """Return the (H, W, C) image changed at random, of the same shape and type; equal texts give equal changes."""
    low, high = (0.0, float(np.iinfo(array.dtype).max)) if array.dtype.kind == "u" else _range(array)
    scaled = (array.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    changed = changed_image(scaled, augment, np.random.default_rng(crc32(seed_text.encode()))) * (high - low) + low
    return (np.rint(changed) if array.dtype.kind == "u" else changed).astype(array.dtype)


def _range(array: CopiedPixels) -> tuple[float, float]:
    low, high = float(array.min()), float(array.max())
    return low, high if high > low else low + 1.0
