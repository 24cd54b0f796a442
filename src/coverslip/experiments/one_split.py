"""One training in one folder: from images and a split to a classifier, its numbers and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coverslip.datasets import (
    Dataset,
    DecodedPixels,
    PixelCache,
    Scan,
    Split,
    check_trainable,
    some,
    trained_classes,
)
from coverslip.errors import CoverslipError, Stopped
from coverslip.evaluation import OperatingPoint, apply_temperature
from coverslip.events import Emit, Event, Noted, RunEnded, RunStarted
from coverslip.files import for_shell, write_json, written_whole
from coverslip.images import ImageFacts, Preparation
from coverslip.inference import Classifier, Predictions, load_classifier, write_results
from coverslip.models import describe_weights
from coverslip.reports import write_report
from coverslip.runs import (
    FORMAT_VERSION,
    ClassifierCard,
    FromRun,
    Recipe,
    RunLog,
    Status,
    TrainedOn,
    read_json,
    write_classifier,
)
from coverslip.runs.provenance import write_split
from coverslip.seen_pixels import seen_by_start, write_seen_pixels
from coverslip.training.preparing import canvas_notes, learn_preparation

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted, Settled

_FEW = 10  # validation images of a class: an operating point that rests on fewer is worth a note


def work_in(folder: Path, emit: Emit, work: Callable[[Emit], None]) -> None:
    """Do the work of a run folder, and leave in it what was told and what state that ended in."""
    status = Status(folder)
    status.say("running")
    with RunLog(folder, status) as log:

        def tell(event: Event) -> None:
            log(event)
            emit(event)

        try:
            work(tell)
        except BaseException as error:
            _tell_the_end(error, folder, status, (log, emit))
            raise
        status.say("done")
        tell(RunEnded(run=str(folder), state="done"))


def _tell_the_end(error: BaseException, folder: Path, status: Status, listeners: tuple[Emit, Emit]) -> None:
    """What can still be told of an end before its time: on a full disk little can, and `error` matters more."""
    state = "stopped" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"
    reason = str(error) or type(error).__name__
    parts = {"what": error.what, "do": error.do} if isinstance(error, CoverslipError) else {}
    with suppress(CoverslipError, OSError):
        status.say(state, reason=reason, **parts)
    for listener in listeners:
        with suppress(CoverslipError, OSError):
            listener(RunEnded(run=str(folder), state=state, reason=reason))


def stopped(folder: Path) -> Stopped:
    """What a stopped training leaves, and how to go on."""
    go_on = f"`coverslip train --resume {for_shell(folder)}` goes on."
    if (folder / "classifier" / "classifier.json").exists():
        return Stopped(
            "Training was stopped; the best classifier so far is kept, not yet measured on test images",
            file=folder / "classifier",
            do=f"{go_on} `coverslip evaluate {for_shell(folder)}` measures what there is.",
        )
    if (folder / "folds").is_dir():
        return Stopped("Training was stopped; what the folds have reached is kept", file=folder, do=go_on)
    return Stopped("Training was stopped before there was a classifier", file=folder, do=go_on)


class Parts:
    """The images of each part of a split, as positions in the dataset, with labels as class numbers."""

    def __init__(self, data: Dataset, scan: Scan, split: Split) -> None:
        self.data, self.scan, self.split = data, scan, split
        self.classes = trained_classes(data, split)
        place = {name: k for k, name in enumerate(self.classes)}
        parts = np.array(split.parts)
        self.train, self.val, self.test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
        self.label = np.array([place.get(record.label or "", -1) for record in data.records])
        self.domain = np.unique([record.domain for record in data.records], return_inverse=True)[1]
        self.facts = {i: fact for i, fact in enumerate(scan.facts) if isinstance(fact, ImageFacts)}

    def some_training_images(self, n: int, *, seed: int) -> list[int]:
        """Positions of n training images at random, the classes in turn, ordered by class."""
        order = np.random.default_rng(seed).permutation(self.train)
        met: Counter[int] = Counter()
        turn = []
        for label in self.label[order].tolist():
            turn.append(met[label])
            met[label] += 1
        chosen = order[np.argsort(turn, kind="stable")[:n]]
        return [int(i) for i in chosen[np.argsort(self.label[chosen], kind="stable")]]

    def hashes(self, positions: npt.NDArray[np.int64]) -> list[str]:
        """What tells copies of the images at these positions."""
        return [self.facts[i].pixel_hash for i in positions.tolist()]

    def write_seen(self, folder: Path, recipe: Recipe) -> None:
        """Leave in a run folder which images it learns from and chooses by."""
        plan = self.data.opening.plan
        write_seen_pixels(folder, recipe, plan, self.hashes(self.train), self.hashes(self.val))


def train_by_split(
    folder: Path,
    parts: Parts,
    recipe: Recipe,
    device: str,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
    *,
    is_fold: bool = False,
) -> None:
    """Fill a run folder with one training by one split, which may be that of a fold.

    Test images are looked at once, at the end, by the finished classifier. Scaling is learnt from training images;
    regularisation, early stopping, temperature, operating points and the threshold for `uncertain` from validation
    images.

    Raises:
        Stopped: on request; the best classifier so far is kept.
    """
    data, split = parts.data, parts.split
    check_trainable(data, parts.scan, split)
    write_split(folder, data, split)
    for text in split.notes:
        emit(Noted(text=text))
    parts.write_seen(folder, recipe)
    emit(
        RunStarted(
            run=str(folder),
            n_train=len(parts.train),
            n_val=len(parts.val),
            n_test=len(parts.test),
            classes=parts.classes,
        )
    )
    fitted = fit_classifier(folder, parts, recipe, device, emit, is_stop_requested)
    if fitted.is_stopped:
        raise stopped(folder)
    # From here on the classifier is used as anybody would use it: read back from disk.
    classifier = load_classifier(folder, device)
    _write_validation(folder, parts, classifier, fitted)
    measure(folder, data.chosen(parts.test), classifier, recipe, split="test", emit=emit, is_fold=is_fold)
    if not is_fold:  # the report of the whole run shows all folds
        write_report(folder)


def fit_classifier(
    folder: Path,
    parts: Parts,
    recipe: Recipe,
    device: str,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
    settled: Settled | None = None,
) -> Fitted:
    """Train on the parts' training images and leave `training.json` and `classifier/` in the folder.

    Args:
        folder: of the run.
        parts: images by part.
        recipe: what to do.
        device: where to train.
        emit: told what happens.
        is_stop_requested: asked before every step.
        settled: the choices, where folds have made them; the validation part is empty then.

    Raises:
        Stopped: on request, before there was a classifier; with `settled`, before its last epoch.
    """
    seen = [parts.facts[i] for i in parts.train.tolist()]
    preparation = learn_preparation(seen, recipe)
    scale_notes = canvas_notes(seen, preparation)
    for text in scale_notes:
        emit(Noted(text=text))
    fitted = _fit(folder, parts, preparation, recipe, device, emit, is_stop_requested, settled)
    if recipe.init == "imagenet":
        _complete_weights(folder, recipe.model)
    decision_notes = _operating_notes(parts.classes, fitted.operating_points or ())
    for text in decision_notes:
        emit(Noted(text=text))
    notes = [*parts.split.notes, *scale_notes, *decision_notes]
    story = {**fitted.story, "notes": notes, "start_is_known": seen_by_start(recipe).is_complete}
    write_json(folder / "training.json", {"format_version": FORMAT_VERSION, **story})
    if fitted.chosen is None or (settled and fitted.is_stopped):
        raise stopped(folder)
    write_classifier(folder / "classifier", _card(recipe, preparation, parts, fitted), fitted.weights())
    return fitted


def _complete_weights(folder: Path, model: str) -> None:
    """Say in `environment.json` what was fetched, where that was not known when the run began."""
    file = folder / "environment.json"
    environment = read_json(file)
    if "weights" in environment and environment["weights"]["sha256"] is None:
        write_json(file, {**environment, "weights": describe_weights(model)})


def measure(
    folder: Path,
    data: Dataset,
    classifier: Classifier,
    recipe: Recipe,
    *,
    split: str,
    emit: Emit,
    is_fold: bool = False,
) -> None:
    """Predict labelled images and write `predictions.csv` and `metrics.json` into the folder.

    A fold may have nothing to measure, and keeps its probabilities unrounded in `probabilities.npy` for pooling.
    """
    rows = list(classifier.predict_images(data, emit=emit))
    if is_fold:
        unread = (np.nan,) * len(classifier.classes)
        with written_whole(folder / "probabilities.npy") as part, part.open("wb") as file:
            np.save(file, np.array([row.probabilities or unread for row in rows]), allow_pickle=False)
    write_results(
        folder,
        rows,
        data,
        classifier.classes,
        temperature=classifier.card.temperature,
        split=split,
        primary=recipe.primary_metric,
        seed=recipe.seed,
        emit=emit,
        may_be_empty=is_fold,
    )


def _fit(
    folder: Path,
    parts: Parts,
    preparation: Preparation,
    recipe: Recipe,
    device: str,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
    settled: Settled | None,
) -> Fitted:
    from coverslip.training.finetuning import TrainingImages
    from coverslip.training.fitting import fit
    from coverslip.training.starting import starting_point

    pixels: PixelCache | DecodedPixels
    if recipe.stage == "instant" and recipe.init != "scratch":  # one pass over the images: nothing to keep
        pixels = DecodedPixels(parts.data, parts.scan, preparation)
    else:
        needed = [*parts.train.tolist(), *parts.val.tolist()]
        pixels = PixelCache(parts.data, parts.scan, needed, preparation, emit=emit)
    images = TrainingImages(
        pixels_of=pixels,
        train=parts.train,
        train_label=parts.label[parts.train],
        val=parts.val,
        val_label=parts.label[parts.val],
        n_classes=len(parts.classes),
        train_domain=parts.domain[parts.train],
    )
    with pixels:
        return fit(
            images,
            lambda positions: parts.hashes(np.asarray(positions)),
            preparation,
            recipe,
            checkpoints=folder / "checkpoints",
            device=device,
            emit=emit,
            is_stop_requested=is_stop_requested,
            start=starting_point(recipe.init, parts.classes) if isinstance(recipe.init, FromRun) else None,
            settled=settled,
        )


def _card(recipe: Recipe, preparation: Preparation, parts: Parts, fitted: Fitted) -> ClassifierCard:
    seen = [parts.facts[i] for i in parts.train.tolist()]
    widths, heights = [fact.width_px for fact in seen], [fact.height_px for fact in seen]
    groups = {parts.data.records[i].group for i in parts.train.tolist()}
    trained_on = TrainedOn(
        n_images=len(seen),
        n_groups=len(groups) if parts.data.has_groups else None,
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
        operating_points=fitted.operating_points and tuple(point.threshold for point in fitted.operating_points),
        uncertain_below=fitted.uncertain_below,
        trained_on=trained_on,
    )


def _operating_notes(classes: Sequence[str], points: Sequence[OperatingPoint]) -> list[str]:
    """Which operating points say little, in words; none where the most probable class is predicted."""
    weak: dict[str, list[str]] = {}
    for name, point in zip(classes, points, strict=bool(points)):
        few = f"chosen on fewer than {_FEW} validation images" if point.n < _FEW else ""
        if reason := f"{point.reason}: {point.threshold:.3g} is used" if point.reason else few:
            weak.setdefault(reason, []).append(name)
    return [f"Operating points to doubt: {some(names, 8)} ({reason})." for reason, names in weak.items()]


def _write_validation(folder: Path, parts: Parts, classifier: Classifier, fitted: Fitted) -> None:
    probability = apply_temperature(fitted.val_logits, fitted.temperature)
    records = [parts.data.records[i] for i in parts.val.tolist()]
    rows = [
        classifier.decide(record, parts.data.relative_path(record), p)
        for record, p in zip(records, probability, strict=True)
    ]
    Predictions(rows, classifier.classes).write_csv(folder / "validation.csv")
