"""Before a training: what can be known to be wrong is said, and its folder is made a run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.datasets import (
    Dataset,
    check_class_names,
    check_classes,
    check_groups,
    check_no_split,
    open_dataset,
    read_as,
    regrouped,
    with_classes,
)
from coverslip.errors import BadDataset, BadRecipe, BadRun
from coverslip.images import ReadPlan
from coverslip.models import describe_weights, model_info, starting_weights, weights_unavailable
from coverslip.runs import (
    BudgetRecord,
    Environment,
    FromRun,
    Pretraining,
    Recipe,
    Run,
    Weights,
    create_run_folder,
    describe_environment,
    fingerprint_of,
    keeping_split,
    plan_of,
    pretraining_recipe,
    save_recipe,
)
from coverslip.stopping import NO_DEADLINE, Deadline


def agreed(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The images read and labelled as the recipe says, and the recipe with what was chosen when the images were opened.

    Groups are those of the opening, else the recipe's; plane and channels are the recipe's, else those of the opening.
    """
    check_classes(data, recipe.classes)
    opening = data.opening
    if opening.plan.box is not None:
        raise BadDataset(
            "The images were opened with one box for all, which a recipe and a classifier do not keep",
            file=data.root,
            do="Give the boxes in a table, in the columns x, y, width and height.",
        )
    data = grouped(data, recipe)
    changes: dict[str, object] = {"group": opening.group or opening.group_pattern or recipe.group}
    if recipe.crop_size is None:
        changes["crop_size"] = opening.plan.crop_size
    if plan_of(recipe).model_copy(update={"crop_size": None}) == ReadPlan():
        changes |= {"plane": opening.plan.plane, "channels": opening.plan.channels}
    if recipe.channel_files is None:
        changes["channel_files"] = opening.plan.channel_files
    recipe = recipe.model_copy(update=changes)
    return with_classes(read_as(data, plan_of(recipe)), recipe.classes), recipe


def grouped(data: Dataset, recipe: Recipe) -> Dataset:
    """The images in the recipe's groups, where none were chosen when they were opened."""
    is_chosen = data.opening.group is not None or data.opening.group_pattern is not None
    return data if recipe.group is None or is_chosen else regrouped(data, recipe.group)


def checked(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The images and the recipe as they agree, with whole paths to the initialisation; no image is opened.

    Raises:
        BadClassifier: the initialisation is a run without a classifier.
        BadDataset: a class has a name that it may not have, or the images of pretraining cannot be used.
        BadRecipe: it does not fit the network, the images or the initialisation.
        BadRun: the split of an earlier run cannot be kept.
        WeightsUnavailable: none are known.
    """
    data, recipe = agreed(data, recipe)
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
    data, own_recipe = agreed(open_dataset(init.train_on), pretraining_recipe(recipe))
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
        initialisation=fingerprint_of(recipe.init.run) if isinstance(recipe.init, FromRun) else None,
        weights=Weights.model_validate(describe_weights(recipe.model)) if recipe.init == "imagenet" else None,
    )
    if budget is not None:
        is_open = _leaves_network_open(recipe)
        record = BudgetRecord(seconds=budget, chooses_network=is_open, asks_for_finetuning=recipe.is_finetuned)
        record.write(run.budget_file)
    write_beginning(run, environment, recipe)
    return environment


def check_budget(recipe: Recipe) -> None:
    """Raises BadRecipe where no time budget can be planned for a recipe."""
    if isinstance(recipe.init, Pretraining):
        raise BadRecipe(
            "A time budget cannot be planned for pretraining on other images",
            do="Pretrain first, by itself; then start from that run with a time budget.",
            faults=[("init", "no time budget can be planned for pretraining")],
        )


def rest_of_budget(run: Run, more: float | None) -> Deadline:
    """What those who worked on a run before have left of its time, or seconds that it is given from now.

    Raises:
        BadRun: it is given time that nothing is to be planned for.
    """
    record, status = run.budget, run.status
    if more is not None and (record is None or record.is_planned):
        why = "was given no time budget" if record is None else "goes on by the plan that was made for its time"
        raise BadRun(f"The run {why}", file=run.folder, do="Resume it without a time budget, or train a new one.")
    if record is None:
        return NO_DEADLINE
    if more is not None:
        record, used = record.model_copy(update={"seconds": more}), 0.0
    else:
        used = record.used_seconds + (0.0 if status is None else status.seconds_worked)
    record.model_copy(update={"used_seconds": used}).write(run.budget_file)
    return Deadline.within(record.seconds - used)


def _leaves_network_open(recipe: Recipe) -> bool:
    """Whether the recipe says nothing that depends on the network."""
    depending = {"model", "model_options", "freeze_to"}
    return recipe.init == "imagenet" and not depending & recipe.model_fields_set


def write_beginning(run: Run, environment: Environment, recipe: Recipe) -> None:
    """Write the first two files of a run, the recipe last: a folder with a recipe is a run."""
    environment.write(run.environment_file)
    save_recipe(recipe, run.recipe_file)


def _check_network(recipe: Recipe) -> None:
    """Whether there is such a network, with such weights, and whether it takes what was chosen."""
    from coverslip.models.freezing import check_choices

    record = model_info(recipe.model)
    init = pretraining_recipe(recipe).init if isinstance(recipe.init, Pretraining) else recipe.init
    if init == "imagenet" and record.weights is None and starting_weights(record) is None:
        raise weights_unavailable(record)
    check_choices(recipe.model, recipe.model_options, recipe.head, recipe.freeze_to, recipe.image_size)


def _with_whole_paths(recipe: Recipe, classes: Sequence[str]) -> Recipe:
    """The recipe with whole paths to the initialisation of a training on these classes, which is checked."""
    from coverslip.training.initialising import check_initialisation, check_labels

    match recipe.init:
        case FromRun(run=run):
            check_initialisation(recipe.init, recipe, classes)
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
