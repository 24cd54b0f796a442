"""What training does in a run folder: first perhaps on other images, then by one split or by folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coverslip.datasets import (
    Dataset,
    Scan,
    cap_training,
    check_class_names,
    check_classes,
    check_trainable,
    counted,
    inspect_dataset,
    one_line,
    open_dataset,
    plan_folds,
    regrouped,
    scan_images,
    shared_class_notes,
    split_images,
    with_classes,
)
from coverslip.errors import BadDataset, BadRun, LeakageFound, Stopped
from coverslip.events import Emit, Event, Noted, Progressed, RunEnded
from coverslip.experiments.cross_validation import train_by_folds
from coverslip.experiments.one_split import Parts, stopped, train_by_split, work_in
from coverslip.files import write_json
from coverslip.images import ImageFacts, ReadPlan
from coverslip.models import describe_weights
from coverslip.runs import (
    FromRun,
    Recipe,
    Run,
    TrainFirst,
    create_run_folder,
    describe_environment,
    fingerprint_of,
    first_recipe,
    open_run,
    read_json,
    read_status,
    save_recipe,
)
from coverslip.runs.provenance import plan_of, same_images, where_images_lie
from coverslip.seen_pixels import SeenPixels, seen_by_start
from coverslip.stopping import stop_requests


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
    if recipe.group is not None and opening.group is None and opening.group_pattern is None:
        data = regrouped(data, recipe.group)
    changes: dict[str, object] = {"group": opening.group or opening.group_pattern or recipe.group}
    if plan_of(recipe) == ReadPlan():
        changes |= {"plane": opening.plan.plane, "channels": opening.plan.channels}
    recipe = recipe.model_copy(update=changes)
    return with_classes(data.read_with(plan_of(recipe)), recipe.classes), recipe


def with_start(recipe: Recipe, classes: Sequence[str]) -> Recipe:
    """The recipe with whole paths to where a training on these classes starts.

    Raises:
        BadClassifier: there is no classifier to start from.
        BadDataset: the images of a first training cannot be used.
        BadRecipe: the network to start from is another, or the recipe of a first training is not valid.
    """
    from coverslip.training.starting import check_labels, check_start

    match recipe.init:
        case FromRun(run=run):
            check_start(recipe.init, recipe, classes)
            return recipe.model_copy(update={"init": recipe.init.model_copy(update={"run": str(Path(run).absolute())})})
        case TrainFirst(train_on=source):
            data, first = _first_of_two(recipe, recipe.init)
            check_class_names(data, data.classes)
            check_labels(recipe.init.labels, data.classes, classes)
            whole: dict[str, Any] = {"train_on": str(Path(source).absolute())}
            if isinstance(first.init, FromRun):
                whole["recipe"] = {**recipe.init.recipe, "init": first.init.model_dump(mode="json")}
            return recipe.model_copy(update={"init": recipe.init.model_copy(update=whole)})
    return recipe


def write_beginning(folder: Path, data: Dataset, recipe: Recipe, device: str, allow_leakage: bool) -> None:
    """Make a folder a run folder: what the run is about, and how it shall be done."""
    environment = describe_environment(
        seed=recipe.seed, device=device, **where_images_lie(data), allow_leakage=allow_leakage
    )
    if isinstance(recipe.init, FromRun):
        environment["start"] = fingerprint_of(recipe.init.run)
    if recipe.init == "imagenet":
        environment["weights"] = describe_weights(recipe.model)
    write_json(folder / "environment.json", environment)
    save_recipe(recipe, folder / "recipe.yaml")  # last: a folder with a recipe is a run


def train_in(folder: Path, data: Dataset, recipe: Recipe, emit: Emit) -> Run:
    """Do the work of a run folder until it is done, fails or is asked to stop."""
    with stop_requests(folder) as is_stop_requested:

        def work(tell: Emit) -> None:
            try:
                _train(folder, data, recipe, _heeding(tell, folder, is_stop_requested), is_stop_requested)
            except KeyboardInterrupt as error:  # the second Ctrl-C
                raise stopped(folder) from error

        work_in(folder, emit, work)
    return Run(folder)


def _heeding(tell: Emit, folder: Path, is_stop_requested: Callable[[], bool]) -> Emit:
    """A listener that ends stages which can be ended anywhere, once a stop was asked for; loops end by themselves."""
    is_told = False

    def heed(event: Event) -> None:
        nonlocal is_told
        tell(event)
        if not is_stop_requested() or isinstance(event, RunEnded):
            return
        if isinstance(event, Progressed):
            raise stopped(folder)
        if not is_told:
            is_told = True
            again = "" if (folder / "stop").exists() else "; press Ctrl-C again to end at once"
            tell(Noted(text=f"Stopping after this step{again}."))

    return heed


def _train(folder: Path, data: Dataset, recipe: Recipe, emit: Emit, is_stop_requested: Callable[[], bool]) -> None:
    """Look at the images, share them out, and train once or by folds; before that, on other images if so asked."""
    environment = read_json(folder / "environment.json")
    scan = scan_images(data, emit=emit)
    write_json(folder / "data.json", inspect_dataset(data, scan).as_json())
    for text in [*shared_class_notes(data), *_balance_notes(data, recipe)]:
        emit(Noted(text=text))
    plan = recipe.split
    folds, note = plan_folds(data, scan, asked=plan.folds, val=plan.val, seed=recipe.seed)
    if note:
        emit(Noted(text=note))
    if folds:
        tested = _Tested(data, scan, [i for i, fold in enumerate(folds.fold_of) if fold])
        recipe = _with_its_start(folder, recipe, tested, environment, emit, is_stop_requested)
        resolved = {"split": plan.model_copy(update={"folds": len(folds.splits)})}
        save_recipe(open_run(folder).recipe.model_copy(update=resolved), folder / "recipe.yaml")
        recipe = recipe.model_copy(update=resolved)
        train_by_folds(folder, data, scan, folds, recipe, environment, emit, is_stop_requested)
        return
    by_split = split_images(
        data,
        scan,
        val=plan.val,
        test=plan.test,
        seed=recipe.seed,
        allow_leakage=environment["allow_leakage"],
    )
    by_split = cap_training(data, by_split, plan.train_per_class, recipe.seed)
    check_trainable(data, scan, by_split)
    tested = _Tested(data, scan, [i for i, part in enumerate(by_split.parts) if part == "test"])
    recipe = _with_its_start(folder, recipe, tested, environment, emit, is_stop_requested)
    train_by_split(folder, Parts(data, scan, by_split), recipe, environment["device"], emit, is_stop_requested)


@dataclass(frozen=True, slots=True)
class _Tested:
    """The images that shall measure the result."""

    data: Dataset
    scan: Scan
    positions: Sequence[int]

    def known_to(self, seen: SeenPixels, start: Path, emit: Emit, *, is_allowed: bool) -> str | None:
        """What is to say on those of them that the start knows; None without any.

        Raises:
            LeakageFound: there are some, and that is not allowed.
        """
        n = len(seen.known(self.data, self.scan, self.positions, emit))
        if not n:
            return None
        which = f"{counted(n, 'image')} of {len(self.positions):,} kept aside for the numbers"
        text = f"{which} {'was' if n == 1 else 'were'} used in training the start"
        if not is_allowed:
            raise LeakageFound(
                text,
                file=start,
                do="Start from other images, or say --allow-leakage to go on with numbers that look too good.",
            )
        return text


def _balance_notes(data: Dataset, recipe: Recipe) -> list[str]:
    if recipe.balance == "domains" and len({record.domain for record in data.records}) < 2:
        return ["There is one set of images only, so balance: domains changes nothing."]
    return []


def _with_its_start(
    folder: Path,
    recipe: Recipe,
    tested: _Tested,
    environment: dict[str, Any],
    emit: Emit,
    is_stop_requested: Callable[[], bool],
) -> Recipe:
    """The recipe with a run to start from, which may have to be trained first.

    Raises:
        BadRun: the run to start from is another than when this one began.
        LeakageFound: it knows images which shall measure the result.
    """
    if isinstance(recipe.init, TrainFirst):
        recipe = _train_first(folder, recipe, recipe.init, tested, environment, emit, is_stop_requested)
    if not isinstance(recipe.init, FromRun):
        return recipe
    if "start" in environment and fingerprint_of(recipe.init.run) != environment["start"]:
        raise BadRun("The run to start from has changed", file=Path(recipe.init.run), do="Train a new run.")
    before = seen_by_start(recipe)
    if not before.is_complete:
        text = "The classifier to start from does not tell its training images; none of these may be among them."
        emit(Noted(text=text, level="warning"))
    known = tested.known_to(before, Path(recipe.init.run), emit, is_allowed=environment["allow_leakage"])
    if known:
        emit(Noted(text=f"{known}: the numbers look too good.", level="warning"))
    return recipe


def _train_first(
    folder: Path,
    recipe: Recipe,
    init: TrainFirst,
    tested: _Tested,
    environment: dict[str, Any],
    emit: Emit,
    is_stop_requested: Callable[[], bool],
) -> Recipe:
    """Do the first of two trainings, in `first/`, unless it is done; gives the recipe of the second."""
    own, is_allowed = folder / "first", environment["allow_leakage"]
    if read_status(own).get("state") != "done":
        emit(Noted(text=f"First a training on '{one_line(init.train_on)}', from whose network the second will start."))
        if (own / "recipe.yaml").is_file():
            first = open_run(own).recipe
            data = same_images(open_run(own))
        else:
            data, first = _first_of_two(recipe, init)
            create_run_folder(own)
            write_beginning(own, data, first, environment["device"], allow_leakage=is_allowed)

        def tell(event: Event) -> None:
            emit(replace(event, is_first=True))

        # Before hours of training: any image of both sets, though only those that are trained on will count.
        facts = scan_images(data, emit=tell).facts
        shared = frozenset(fact.pixel_hash for fact in facts if isinstance(fact, ImageFacts))
        tested.known_to(SeenPixels({data.opening.plan: shared}), Path(init.train_on), tell, is_allowed=is_allowed)
        try:
            work_in(own, tell, lambda told: _train(own, data, first, told, is_stop_requested))
        except Stopped as error:
            raise stopped(folder) from error  # the whole run goes on
    if read_json(own / "training.json")["chosen"] == "instant":
        text = "The first training did not improve on the pretrained network, which the second starts from as it is."
        emit(Noted(text=text, level="warning"))
    return recipe.model_copy(update={"init": FromRun(run=str(own), labels=init.labels)})


def _first_of_two(recipe: Recipe, init: TrainFirst) -> tuple[Dataset, Recipe]:
    """The images and the recipe of the first of two trainings."""
    data, first = agreed(open_dataset(init.train_on), first_recipe(recipe))
    return data, with_start(first, data.classes)
