"""The main job: open, inspect, train, evaluate, predict, report. This is the public API; CLI and app call it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets import (
    Dataset,
    DecodedPixels,
    Inspection,
    PixelCache,
    Scan,
    Split,
    check_classes,
    check_trainable,
    counted,
    inspect_dataset,
    one_line,
    open_dataset,
    regrouped,
    scan_images,
    split_images,
    trained_classes,
)
from coverslip.errors import BadDataset, BadRun, CoverslipError, Stopped
from coverslip.evaluation import apply_temperature
from coverslip.events import Emit, Event, Noted, Progressed, RunEnded, RunStarted, ignore
from coverslip.files import for_shell, write_json
from coverslip.images import ImageFacts, Preparation, ReadPlan
from coverslip.inference import (
    BATCH_SIZE,
    Classifier,
    Predictions,
    PredictionsFile,
    load_classifier,
    write_results,
)
from coverslip.models import model_info
from coverslip.reports import write_report
from coverslip.runs import (
    FORMAT_VERSION,
    ClassifierCard,
    Recipe,
    Run,
    RunLog,
    Status,
    TrainedOn,
    create_run_folder,
    describe_environment,
    is_alive,
    open_run,
    read_json,
    read_status,
    save_recipe,
    write_classifier,
)
from coverslip.runs.provenance import (
    held_out_images,
    plan_of,
    refuse_other_images,
    same_images,
    where_images_lie,
    write_split,
)
from coverslip.training.devices import check_device, chosen_device
from coverslip.training.preparing import learn_preparation
from coverslip.training.stopping import stop_requests

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted

__all__ = [
    "Summary",
    "evaluate",
    "inspect",
    "load_classifier",
    "open_dataset",
    "predict",
    "resume",
    "train",
    "write_report",
]

_MOST_REASONS = 5  # unreadable images that are named one by one


def inspect(data: Dataset, *, emit: Emit = ignore) -> Inspection:
    """What a set of images holds, what is wrong with it, and what to do about it. Decodes every image once."""
    return inspect_dataset(data, scan_images(data, emit=emit))


def train(
    data: Dataset, recipe: Recipe | None = None, *, out: Path | str, emit: Emit = ignore, allow_leakage: bool = False
) -> Run:
    """Train one classifier and leave a complete run folder at `out`.

    Args:
        data: labelled images.
        recipe: what to do; the default is a good one.
        out: a new or empty folder.
        emit: told everything that happens.
        allow_leakage: accept a given split with the same pixels or groups on both sides.

    Raises:
        CoverslipError: one of its kinds, with what to do.
        Stopped: on Ctrl-C, SIGTERM or a file named `stop` in the run folder; the best checkpoint is kept.
    """
    data, recipe = _agreed(data, recipe or Recipe())
    model_info(recipe.model)  # what can be known to be wrong is said before any work
    check_classes(data, data.classes)
    device = chosen_device(recipe)
    folder = create_run_folder(Path(out))
    _write_beginning(folder, data, recipe, device, allow_leakage)
    return _train_in(folder, data, recipe, emit)


def resume(run: Path | str, *, emit: Emit = ignore) -> Run:
    """Go on with a training that was stopped, killed or failed; it ends as if it had not been interrupted.

    Fine-tuning goes on after the last whole epoch; what comes before it is read from caches where they are still there.

    Raises:
        BadRecipe: this computer lacks the device that it began on.
        BadRun: it is finished or still running, or its images are not what they were.
    """
    found = open_run(run)
    status = read_status(found.folder)
    if status.get("state") == "done":
        raise BadRun("The run is finished", file=found.folder, do="Train a new one with another --out.")
    if is_alive(status):
        raise BadRun("The run is still being worked on", file=found.folder, do="Stop that process first.")
    check_device(read_json(found.folder / "environment.json")["device"])
    data = same_images(found)
    (found.folder / "stop").unlink(missing_ok=True)
    for part in found.folder.rglob(".*.part"):  # what a killed process was writing
        part.unlink(missing_ok=True)
    return _train_in(found.folder, data, found.recipe, emit)


def _train_in(folder: Path, data: Dataset, recipe: Recipe, emit: Emit) -> Run:
    """Do the work of a run folder, and leave in it what state that ended in."""
    status = Status(folder)
    status.say("running")
    with RunLog(folder, status) as log, stop_requests(folder) as is_stop_requested:
        is_told = False

        def tell(event: Event) -> None:
            nonlocal is_told
            log(event)
            emit(event)
            if not is_stop_requested():
                return
            if isinstance(event, Progressed):
                raise _stopped(folder)
            if not is_told:
                is_told = True
                again = "" if (folder / "stop").exists() else "; press Ctrl-C again to end at once"
                tell(Noted(text=f"Stopping after this step{again}."))

        try:
            try:
                _train(data, recipe, folder, tell, is_stop_requested)
            except KeyboardInterrupt as error:  # the second Ctrl-C
                raise _stopped(folder) from error
        except BaseException as error:
            _tell_the_end(error, folder, status, log, emit)
            raise
        status.say("done")
        ended = RunEnded(run=str(folder), state="done")
        log(ended)
        emit(ended)
    return Run(folder)


def _tell_the_end(error: BaseException, folder: Path, status: Status, log: Emit, emit: Emit) -> None:
    """What can still be told of an end before its time: on a full disk little can, and `error` matters more."""
    state = "stopped" if isinstance(error, Stopped) else "failed"
    reason = str(error) or type(error).__name__
    ended = RunEnded(run=str(folder), state=state, reason=reason)
    with suppress(CoverslipError, OSError):
        status.say(state, reason=reason)
    for listener in (log, emit):
        with suppress(CoverslipError, OSError):
            listener(ended)


def _stopped(folder: Path) -> Stopped:
    """What a stopped training leaves, and how to go on."""
    go_on = f"`coverslip train --resume {for_shell(folder)}` goes on."
    if not (folder / "classifier" / "classifier.json").exists():
        return Stopped("Training was stopped before there was a classifier", file=folder, do=go_on)
    return Stopped(
        "Training was stopped; the best classifier so far is kept, not yet measured on test images",
        file=folder / "classifier",
        do=f"{go_on} `coverslip evaluate {for_shell(folder)}` measures what there is.",
    )


def _train(data: Dataset, recipe: Recipe, folder: Path, emit: Emit, is_stop_requested: Callable[[], bool]) -> None:
    """Test images are looked at once, at the end, by the finished classifier.

    Scaling is learnt from training images; regularisation, early stopping, temperature and the threshold for
    `uncertain` from validation images.
    """
    environment = read_json(folder / "environment.json")
    scan = scan_images(data, emit=emit)
    write_json(folder / "data.json", inspect_dataset(data, scan).as_json())
    split = split_images(
        data,
        scan,
        val=recipe.split.val,
        test=recipe.split.test,
        seed=recipe.seed,
        allow_leakage=environment["allow_leakage"],
    )
    check_trainable(data, scan, split)
    write_split(folder, data, split)
    for text in split.notes:
        emit(Noted(text=text))
    parts = _Parts(data, scan, split)
    write_json(folder / "pixels.json", {"format_version": FORMAT_VERSION, **parts.seen_pixels()})
    emit(
        RunStarted(
            run=str(folder),
            n_train=len(parts.train),
            n_val=len(parts.val),
            n_test=len(parts.test),
            classes=parts.classes,
        )
    )
    preparation = learn_preparation([parts.facts[i] for i in parts.train.tolist()], recipe)
    fitted = _fit(data, scan, parts, preparation, recipe, folder, environment["device"], emit, is_stop_requested)
    write_json(folder / "training.json", {"format_version": FORMAT_VERSION, **fitted.story, "notes": list(split.notes)})
    if fitted.chosen is None:
        raise _stopped(folder)
    write_classifier(folder / "classifier", _card(recipe, preparation, parts, data, fitted), fitted.weights())
    if fitted.is_stopped:
        raise _stopped(folder)
    # From here on the classifier is used as anybody would use it: read back from disk.
    classifier = load_classifier(folder)
    _write_validation(folder, data, parts, classifier, fitted)
    _measure(folder, data.chosen(parts.test), classifier, recipe, split="test", emit=emit)
    write_report(folder)


def evaluate(run: Path | str, data: Dataset | None = None, *, name: str | None = None, emit: Emit = ignore) -> Run:
    """Numbers on the run's own held-out images, or on other labelled images.

    Args:
        run: a run folder.
        data: other labelled images; None measures the run's test part again and writes its report anew.
        name: of `evaluations/NAME`, where the numbers on other images are kept; default: the name of their folder or
            table.
        emit: told about progress.

    Returns:
        A `Run` whose folder holds `metrics.json` and `predictions.csv`.

    Raises:
        BadDataset: no image has a label that the classifier knows.
        BadRun: the run's own images are no longer what they were, or the name is that of an evaluation on others.
    """
    found = open_run(run)
    classifier = load_classifier(found.folder)
    if data is None:
        _measure(found.folder, held_out_images(found), classifier, found.recipe, split="test", emit=emit)
        write_report(found.folder)
        return found
    folder = found.folder / "evaluations" / _as_name(name or _name_of(data))
    refuse_other_images(folder, data)
    data = data.read_with(classifier.card.preparation.plan)
    _warn_of_known_images(found, data, emit)
    _measure(folder, data, classifier, found.recipe, split=folder.name, emit=emit)
    write_json(folder / "environment.json", {"format_version": FORMAT_VERSION, **where_images_lie(data)})
    return Run(folder)


@dataclass(frozen=True)
class Summary:
    """What `predict` wrote."""

    file: Path
    decisions: dict[str, int]  # images per decision, most frequent first


def predict(
    run: Path | str,
    sources: Sequence[Path | str] | Path | str,
    *,
    out: Path | str,
    batch_size: int = BATCH_SIZE,
    emit: Emit = ignore,
) -> Summary:
    """Predict new images into a CSV file, row by row in the order given; memory does not grow with their number.

    Args:
        run: a run folder or a packaged classifier.
        sources: files, folders, globs, tables.
        out: the file; it appears when it is complete. Earlier predictions of that name are replaced, nothing else is.
        batch_size: images at a time; changes speed and memory, never results.
        emit: told about progress, and about images unlike those of training.
    """
    classifier = load_classifier(run)
    data = open_dataset(sources, plan=classifier.card.preparation.plan, labelled=False)
    for text in data.notes:
        emit(Noted(text=text))
    decisions: Counter[str] = Counter()
    is_replaced = Path(out).exists()
    with PredictionsFile(Path(out), classifier.classes) as file:
        for row in classifier.predict_images(data, batch_size=batch_size, emit=emit):
            file.write(row)
            decisions[row.decision] += 1
            if row.reason and decisions[row.decision] <= _MOST_REASONS:
                emit(Noted(text=f"{one_line(row.path)}: {one_line(row.reason)}", level="warning"))
    if is_replaced:
        emit(Noted(text=f"The earlier predictions in '{one_line(str(out))}' were replaced."))
    return Summary(Path(out), dict(decisions.most_common()))


def _agreed(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The images read as the recipe says, and the recipe with what was chosen when the images were opened.

    Groups are those of the opening, else the recipe's; plane and channels are the recipe's, else those of the opening.
    """
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
    return data.read_with(plan_of(recipe)), recipe


def _warn_of_known_images(run: Run, data: Dataset, emit: Emit) -> None:
    """A classifier looks better than it is on images that it was trained on, or copies of them."""
    seen = read_json(run.folder / "pixels.json")
    known = {*seen["train"], *seen["val"]}
    facts = scan_images(data, emit=emit).facts
    n = sum(isinstance(fact, ImageFacts) and fact.pixel_hash in known for fact in facts)
    if n:
        used = counted(n, "of these images was", "of these images were")
        text = f"{used} used in training the classifier; its numbers on such images say little."
        emit(Noted(text=text, level="warning"))


class _Parts:
    """The images of each part of a split, as positions in the dataset, with labels as class numbers."""

    def __init__(self, data: Dataset, scan: Scan, split: Split) -> None:
        self.classes = trained_classes(data, split)
        place = {name: k for k, name in enumerate(self.classes)}
        parts = np.array(split.parts)
        self.train, self.val, self.test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
        self.label = np.array([place.get(record.label or "", -1) for record in data.records])
        self.facts = {i: fact for i, fact in enumerate(scan.facts) if isinstance(fact, ImageFacts)}

    def seen_pixels(self) -> dict[str, list[str]]:
        """Hashes of the images that weights and choices come from, so that copies of them can be told."""
        sides = {"train": self.train, "val": self.val}
        return {side: [self.facts[i].pixel_hash for i in of_side.tolist()] for side, of_side in sides.items()}


def _fit(
    data: Dataset,
    scan: Scan,
    parts: _Parts,
    preparation: Preparation,
    recipe: Recipe,
    folder: Path,
    device: str,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
) -> Fitted:
    from coverslip.training.finetuning import TrainingImages
    from coverslip.training.fitting import fit

    pixels: PixelCache | DecodedPixels
    if recipe.stage == "instant" and recipe.init == "imagenet":  # one pass over the images: nothing to keep
        pixels = DecodedPixels(data, preparation)
    else:
        pixels = PixelCache(data, scan, [*parts.train.tolist(), *parts.val.tolist()], preparation, emit=emit)
    images = TrainingImages(
        pixels_of=pixels,
        train=parts.train,
        train_label=parts.label[parts.train],
        val=parts.val,
        val_label=parts.label[parts.val],
        n_classes=len(parts.classes),
    )
    with pixels:
        return fit(
            images,
            lambda positions: [parts.facts[i].pixel_hash for i in positions],
            preparation,
            recipe,
            checkpoints=folder / "checkpoints",
            device=device,
            emit=emit,
            is_stop_requested=is_stop_requested,
        )


def _measure(folder: Path, data: Dataset, classifier: Classifier, recipe: Recipe, *, split: str, emit: Emit) -> None:
    rows = list(classifier.predict_images(data, emit=emit))
    write_results(
        folder, rows, data, classifier, split=split, primary=recipe.primary_metric, seed=recipe.seed, emit=emit
    )


def _card(recipe: Recipe, preparation: Preparation, parts: _Parts, data: Dataset, fitted: Fitted) -> ClassifierCard:
    seen = [parts.facts[i] for i in parts.train.tolist()]
    widths, heights = [fact.width_px for fact in seen], [fact.height_px for fact in seen]
    groups = {data.records[i].group for i in parts.train.tolist()}
    trained_on = TrainedOn(
        n_images=len(seen),
        n_groups=len(groups) if data.has_groups else None,
        width_px=(min(widths), max(widths)),
        height_px=(min(heights), max(heights)),
        dtypes=tuple(sorted({fact.dtype for fact in seen})),
        channels=tuple(sorted({fact.n_channels for fact in seen})),
    )
    return ClassifierCard(
        model=recipe.model,
        model_options=recipe.model_options,
        head=recipe.head,
        views=recipe.views,
        classes=parts.classes,
        preparation=preparation,
        temperature=fitted.temperature,
        uncertain_below=fitted.uncertain_below,
        trained_on=trained_on,
    )


def _write_beginning(folder: Path, data: Dataset, recipe: Recipe, device: str, allow_leakage: bool) -> None:
    environment = describe_environment(
        seed=recipe.seed, device=device, **where_images_lie(data), allow_leakage=allow_leakage
    )
    write_json(folder / "environment.json", environment)
    save_recipe(recipe, folder / "recipe.yaml")  # last: a folder with a recipe is a run


def _write_validation(folder: Path, data: Dataset, parts: _Parts, classifier: Classifier, fitted: Fitted) -> None:
    probability = apply_temperature(fitted.val_logits, fitted.temperature)
    rows = [
        classifier.decide(data.records[i], data.relative_path(data.records[i]), p)
        for i, p in zip(parts.val.tolist(), probability, strict=True)
    ]
    Predictions(rows, classifier.classes).write_csv(folder / "validation.csv")


def _name_of(data: Dataset) -> str:
    """What to call a measurement of these images: after their folders or tables."""
    sources = [Path(source) for source in data.opening.sources]
    return "_".join(source.stem if source.is_file() else source.name for source in sources)[:80]


def _as_name(text: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "evaluation"
