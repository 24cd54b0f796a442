"""Before a training: what can be known to be wrong is said, its folder is made a run folder, and images are read."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coverslip.audit import (
    SeenWhileScanning,
    cached_leakage_audit,
    inspect_with_leakage_audit,
    with_known_quality,
    with_near_duplicates,
    with_recorded_near_duplicates,
)
from coverslip.datasets import (
    Dataset,
    Scan,
    check_class_names,
    check_classes,
    check_groups,
    check_no_split,
    kept_together,
    open_dataset,
    read_as,
    regrouped,
    scan_images,
    shared_class_notes,
    with_classes,
)
from coverslip.errors import BadDataset, BadRecipe, OutOfTime
from coverslip.events import Noted
from coverslip.images import ImageFacts, ReadPlan
from coverslip.messages import Note, duration, note, text
from coverslip.models import check_weights, describe_weights, model_info
from coverslip.runs import (
    BudgetRecord,
    Environment,
    FromRun,
    Pretraining,
    Recipe,
    Run,
    RunContext,
    Weights,
    create_run_folder,
    describe_environment,
    fingerprint_of,
    keep_content_hashes,
    keeping_split,
    plan_of,
    pretraining_recipe,
    save_recipe,
    write_inspection,
)
from coverslip.stopping import NO_DEADLINE, Deadline
from coverslip.training.preprocessing import check_channels

_LOOKED_AT = 32  # images, before all of them are read
_FEW_IMAGES = 10  # of a class, on average: numbers from fewer say next to nothing
_SEARCH_SHARE = 0.25  # of the time that is left, which a search for near-duplicates may take


def apply_recipe(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The images read and labeled as the recipe says, and the recipe with what was chosen when the images were opened.

    Groups are those of the opening, else the recipe's; plane and channels are the recipe's, else those of the opening.
    """
    check_classes(data, recipe.classes)
    opening = data.opening
    if opening.plan.box is not None:
        raise BadDataset("opened-with-one-box", file=data.root)
    data = assign_groups(data, recipe)
    changes: dict[str, object] = {"group": opening.group or opening.group_pattern or recipe.group}
    if recipe.crop_size is None:
        changes["crop_size"] = opening.plan.crop_size
    if plan_of(recipe).model_copy(update={"crop_size": None}) == ReadPlan():
        changes |= {"plane": opening.plan.plane, "channels": opening.plan.channels}
    if recipe.channel_files is None:
        changes["channel_files"] = opening.plan.channel_files
    recipe = recipe.model_copy(update=changes)
    return with_classes(read_as(data, plan_of(recipe)), recipe.classes), recipe


def assign_groups(data: Dataset, recipe: Recipe) -> Dataset:
    """The images in the recipe's groups, where none were chosen when they were opened."""
    return data if recipe.group is None or data.opening.is_grouped else regrouped(data, recipe.group)


def validated(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The images and the recipe as they agree, with whole paths to the initialization; no image is opened.

    Raises:
        BadClassifier: the initialization is a run without a classifier.
        BadDataset: a class has a name that it may not have, or the images of pretraining cannot be used.
        BadRecipe: it does not fit the network, the images or the initialization.
        BadRun: the split of an earlier run cannot be kept.
        WeightsUnavailable: none are known.
    """
    data, recipe = apply_recipe(data, recipe)
    _check_network(recipe)
    recipe = _with_whole_paths(recipe, data.classes)
    if recipe.split.run is not None:
        keeping_split(data, recipe)  # it can be kept
        whole = recipe.split.model_copy(update={"run": str(Path(recipe.split.run).absolute())})
        recipe = recipe.model_copy(update={"split": whole})
    check_class_names(data, data.classes)
    check_groups(data)
    recipe.check_decision(data.classes)
    if recipe.split.asks_for_folds:
        check_no_split(data)
    return data, recipe


def open_pretraining(recipe: Recipe, init: Pretraining) -> tuple[Dataset, Recipe]:
    """The images and the recipe of pretraining."""
    data, own_recipe = apply_recipe(open_dataset(init.train_on), pretraining_recipe(recipe))
    return data, _with_whole_paths(own_recipe, data.classes)


def begin_run(
    folder: Path, data: Dataset, recipe: Recipe, device: str, *, allow_leakage: bool, budget: float | None = None
) -> Environment:
    """Make a new folder a run folder, in which stands what the run is about and how it shall be done.

    Args:
        folder: new or empty.
        data, recipe: as they agree.
        device: that it is done on.
        allow_leakage: the same pixels or groups may stand on both sides of a predefined split.
        budget: seconds that it may take; None for as long as it takes.

    Returns:
        What the run says of itself.

    Raises:
        BadRun: it exists and is not empty.
    """
    run = create_run_folder(folder)
    environment = describe_environment(
        data,
        seed=recipe.seed,
        device=device,
        allow_leakage=allow_leakage,
        initialization=fingerprint_of(recipe.init.run) if isinstance(recipe.init, FromRun) else None,
        weights=Weights.model_validate(describe_weights(recipe.model)) if recipe.init == "imagenet" else None,
    )
    if budget is not None:
        new_budget(recipe, budget).write(run.budget_file)
    write_beginning(run, environment, recipe)
    return environment


def check_budget(recipe: Recipe) -> None:
    """Raises BadRecipe where no time budget can be planned for a recipe."""
    if isinstance(recipe.init, Pretraining):
        raise BadRecipe("budget-with-pretraining", faults=[("init", text("budget-with-pretraining.fault"))])
    if recipe.init == "scratch" and recipe.split.asks_for_folds:
        fault = text("budget-with-folds-from-scratch.fault")
        raise BadRecipe("budget-with-folds-from-scratch", faults=[("init", fault)])


def rest_of_budget(run: Run, more: float | None) -> Deadline:
    """What those who worked on a run before have left of its time, or seconds that it is given from now.

    Raises:
        BadRecipe: it is given time, and does pretraining.
    """
    record, status = run.budget, run.status
    if more is not None:
        check_budget(run.recipe)
        record = (record or new_budget(run.recipe, more)).model_copy(update={"seconds": more, "used_seconds": 0.0})
        if run.is_cross_validated:
            record = record.model_copy(update={"is_fixed": True})
        elif record.is_finetuned and not run.recipe.is_finetuned:  # there was no time for it before
            shutil.rmtree(run.checkpoint_file("last").parent, ignore_errors=True)  # of another image size
            save_recipe(run.recipe.model_copy(update={"stage": "finetune"}), run.recipe_file)
    elif record is not None:
        used = record.used_seconds + (0.0 if status is None else status.seconds_worked)
        record = record.model_copy(update={"used_seconds": used})
    if record is None:
        return NO_DEADLINE
    if more is not None or not record.is_fixed:
        record = record.model_copy(update={"ended": None})
    record.write(run.budget_file)
    return Deadline.within(record.seconds - record.used_seconds)


def new_budget(recipe: Recipe, seconds: float) -> BudgetRecord:
    """The record of a run that is given so many seconds."""
    return BudgetRecord(seconds=seconds, adds_epochs=recipe.epochs == "auto", is_finetuned=recipe.is_finetuned)


def write_beginning(run: Run, environment: Environment, recipe: Recipe) -> None:
    """Write the first two files of a run, the recipe last: a folder with a recipe is a run."""
    environment.write(run.environment_file)
    save_recipe(recipe, run.recipe_file)


def _check_network(recipe: Recipe) -> None:
    """Whether there is such a network, with such weights, and whether it takes what was chosen."""
    from coverslip.models.networks import check_choices

    record = model_info(recipe.model)
    init = pretraining_recipe(recipe).init if isinstance(recipe.init, Pretraining) else recipe.init
    if init == "imagenet":
        check_weights(record)
    check_choices(recipe.model, recipe.model_options, recipe.head, recipe.freeze_to, recipe.image_size)


def _with_whole_paths(recipe: Recipe, classes: Sequence[str]) -> Recipe:
    """The recipe with whole paths to the initialization of a training on these classes, which is checked."""
    from coverslip.training.initialization import check_initialization, check_labels

    match recipe.init:
        case FromRun(run=run):
            check_initialization(recipe.init, recipe, classes)
            return recipe.model_copy(update={"init": recipe.init.model_copy(update={"run": str(Path(run).absolute())})})
        case Pretraining(train_on=source):
            data, own_recipe = open_pretraining(recipe, recipe.init)
            check_class_names(data, data.classes)
            check_labels(recipe.init.labels, data.classes, classes)
            whole: dict[str, Any] = {"train_on": str(Path(source).absolute())}  # Any: of each key its own
            if isinstance(own_recipe.init, FromRun):
                whole["recipe"] = {**recipe.init.recipe, "init": own_recipe.init.model_dump(mode="json")}
            return recipe.model_copy(update={"init": recipe.init.model_copy(update=whole)})
    return recipe


def look_at_images(data: Dataset, recipe: Recipe, context: RunContext) -> tuple[Scan, Recipe]:
    """Decode every image once, search for near-duplicates, and write what is wrong to the run folder.

    Returns:
        What each image is, and the recipe, which says so where a time budget leaves no time for the search.
    """
    _look_ahead(data, context)
    keep_content_hashes(context.run, data, emit=context.emit, stop=context.stop)
    seen = SeenWhileScanning(with_quality=False) if _is_searched(recipe, context) else None
    scan = scan_images(data, emit=context.emit, stop=context.stop, on_pixels=seen)
    scan, recipe = _with_near_duplicates(data, scan, seen, recipe, context)
    inspection = inspect_with_leakage_audit(data, with_known_quality(scan), cached_leakage_audit(data, scan))
    write_inspection(context.run.inspection_file, inspection)
    notes = [*data.notes, *shared_class_notes(data), *_few_images_notes(data)]
    if recipe.sampling == "domains" and len({record.domain for record in data.records}) < 2:
        notes = [*notes, note("one-domain")]
    for each in notes:
        context.emit(Noted.of(each))
    return scan, recipe


def _few_images_notes(data: Dataset) -> list[Note]:
    n = sum(data.has_class(record) for record in data.records)
    if n >= _FEW_IMAGES * len(data.classes):
        return []
    return [note("few-images", level="warning", n_images=n, n_classes=len(data.classes))]


def _is_searched(recipe: Recipe, context: RunContext) -> bool:
    """Whether near-duplicates are searched for; a run that is resumed keeps those that it began with."""
    return recipe.split.near_duplicates == "together" and context.run.inspection is None


def _with_near_duplicates(
    data: Dataset, scan: Scan, seen: SeenWhileScanning | None, recipe: Recipe, context: RunContext
) -> tuple[Scan, Recipe]:
    """The scan with the clusters that the split keeps together, and the recipe, as `look_at_images` gives it."""
    if recipe.split.near_duplicates == "ignore":
        return scan, recipe
    inspection = context.run.inspection
    if inspection is not None:
        return with_recorded_near_duplicates(data, scan, inspection), recipe
    left, stop = context.deadline.seconds_left(), context.stop
    if context.deadline != NO_DEADLINE:
        stop = replace(stop, deadline=context.deadline.earlier((1 - _SEARCH_SHARE) * left))
    try:
        scan = with_near_duplicates(data, scan, seen, emit=context.emit, stop=stop)
    except OutOfTime:
        return scan, _without_search(recipe, context, _SEARCH_SHARE * left)
    clusters = kept_together(data, scan)
    if clusters:
        n = sum(map(len, clusters))
        context.emit(Noted.of(note("near-duplicates", n_clusters=len(clusters), n_images=n)))
    return scan, recipe


def _without_search(recipe: Recipe, context: RunContext, seconds: float) -> Recipe:
    """The recipe of a run whose time budget is too short for the search, which its file says from now on."""
    context.emit(Noted.of(note("near-duplicates-not-searched", level="warning", duration=duration(seconds))))
    split = recipe.split.model_copy(update={"near_duplicates": "ignore"})
    save_recipe(context.run.recipe.model_copy(update={"split": split}), context.run.recipe_file)
    return recipe.model_copy(update={"split": split})


def _look_ahead(data: Dataset, context: RunContext) -> None:
    """Images that cannot be trained on together are refused by a few of them, before minutes are spent on reading all.

    Raises:
        BadDataset: they have different numbers of channels, and not by a single image.
    """
    taking_part = [i for i, record in enumerate(data.records) if data.has_class(record)]
    if len(taking_part) < 2 * _LOOKED_AT:
        return
    some = taking_part[:: len(taking_part) // _LOOKED_AT][:_LOOKED_AT]
    facts = [fact for fact in scan_images(data.chosen(some), stop=context.stop).facts if isinstance(fact, ImageFacts)]
    times = Counter(fact.n_channels for fact in facts)
    check_channels([fact for fact in facts if times[fact.n_channels] > 1], n_checked=len(some))
