"""The main job: open, inspect, train, evaluate, predict, report. This is the public API; CLI and app call it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.datasets import (
    Dataset,
    DecodedPixels,
    Inspection,
    Opening,
    PixelCache,
    Scan,
    Split,
    check_trainable,
    inspect_dataset,
    open_again,
    open_dataset,
    scan_images,
    split_images,
    trained_classes,
)
from coverslip.errors import BadRun, Stopped
from coverslip.evaluation import apply_temperature
from coverslip.events import Emit, Event, Noted, Progressed, RunEnded, RunStarted, ignore
from coverslip.files import sha256_json, write_json
from coverslip.images import ImageFacts, Preparation, ReadPlan
from coverslip.inference import (
    BATCH_SIZE,
    Classifier,
    Predictions,
    PredictionsFile,
    load_classifier,
    write_results,
)
from coverslip.reports import write_report
from coverslip.runs import (
    FORMAT_VERSION,
    SPLIT_COLUMNS,
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
    read_table,
    save_recipe,
    write_classifier,
    write_table,
)
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
    folder = create_run_folder(Path(out))
    _write_beginning(folder, data, recipe, allow_leakage)
    return _train_in(folder, data, recipe, emit)


def resume(run: Path | str, *, emit: Emit = ignore) -> Run:
    """Go on with a training that was stopped, killed or failed; it ends as if it had not been interrupted.

    Fine-tuning goes on after the last whole epoch; what comes before it is read from caches where they are still there.

    Raises:
        BadRun: it is finished or still running, or its images are not what they were.
    """
    found = open_run(run)
    status = read_status(found.folder)
    if status.get("state") == "done":
        raise BadRun("The run is finished", file=found.folder, do="Train a new one with another --out.")
    if is_alive(status):
        raise BadRun("The run is still being worked on", file=found.folder, do="Stop that process first.")
    data = _same_images(found)
    (found.folder / "stop").unlink(missing_ok=True)
    return _train_in(found.folder, data, found.recipe, emit)


def _train_in(folder: Path, data: Dataset, recipe: Recipe, emit: Emit) -> Run:
    """Do the work of a run folder, and leave in it what state that ended in."""
    status = Status(folder)
    status.say("running")
    with RunLog(folder, status) as log, stop_requests(folder) as is_stop_requested:

        def tell(event: Event) -> None:
            log(event)
            emit(event)
            if isinstance(event, Progressed) and is_stop_requested():
                raise Stopped("It was stopped before there was a classifier", file=folder, do=_how_to_go_on(folder))

        try:
            _train(data, recipe, folder, tell, is_stop_requested)
        except BaseException as error:
            state = "stopped" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"
            reason = str(error) or type(error).__name__
            status.say(state, reason=reason)
            tell(RunEnded(run=str(folder), state=state, reason=reason))
            raise
        status.say("done")
        tell(RunEnded(run=str(folder), state="done"))
    return Run(folder)


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
    _write_split(folder, data, split)
    for text in split.notes:
        emit(Noted(text=text))
    parts = _Parts(data, scan, split)
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
        raise Stopped("It was stopped before there was a classifier", file=folder, do=_how_to_go_on(folder))
    write_classifier(folder / "classifier", _card(recipe, preparation, parts, data, fitted), fitted.weights())
    if fitted.is_stopped:
        raise Stopped(
            "Training was stopped; the best classifier so far is kept, not yet measured on test images",
            file=folder / "classifier",
            do=f"{_how_to_go_on(folder)} `coverslip evaluate {folder}` measures what there is.",
        )
    # From here on the classifier is used as anybody would use it: read back from disk.
    classifier = load_classifier(folder)
    _write_validation(folder, data, parts, classifier, fitted)
    _measure(folder, _chosen(data, parts.test), classifier, recipe, split="test", emit=emit)
    write_report(folder)


def evaluate(run: Path | str, data: Dataset | None = None, *, name: str | None = None, emit: Emit = ignore) -> Run:
    """Numbers on the run's own held-out images, or on other labelled images.

    Args:
        run: a run folder.
        data: other labelled images; None measures the run's test part again.
        name: of `evaluations/NAME`, where the numbers on other images are kept; default: the name of their folder.
        emit: told about progress.

    Returns:
        A `Run` whose folder holds `metrics.json` and `predictions.csv`.

    Raises:
        BadDataset: no image has a label that the classifier knows.
        BadRun: the run's own images are no longer where they were.
    """
    found = open_run(run)
    classifier = load_classifier(found.folder)
    if data is None:
        folder = found.folder
        _measure(folder, _test_images(found), classifier, found.recipe, split="test", emit=emit)
    else:
        folder = found.folder / "evaluations" / _as_name(name or data.root.name)
        data = _read_as(classifier.card.preparation.plan, data)
        _warn_of_known_images(found, data, emit)
        _measure(folder, data, classifier, found.recipe, split=folder.name, emit=emit)
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
        out: the file; it appears when it is complete.
        batch_size: images at a time; changes speed and memory, never results.
        emit: told about progress, and about images unlike those of training.
    """
    classifier = load_classifier(run)
    data = open_dataset(sources, plan=classifier.card.preparation.plan, labelled=False)
    for text in data.notes:
        emit(Noted(text=text))
    decisions: Counter[str] = Counter()
    with PredictionsFile(Path(out), classifier.classes) as file:
        for row in classifier.predict_images(data, batch_size=batch_size, emit=emit):
            file.write(row)
            decisions[row.decision] += 1
            if row.reason and decisions[row.decision] <= _MOST_REASONS:
                emit(Noted(text=f"{row.path}: {row.reason}", level="warning"))
    return Summary(Path(out), dict(decisions.most_common()))


def _agreed(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The images read as the recipe says, and the recipe with the groups that the images were opened with."""
    group = data.opening.group or data.opening.group_pattern
    if recipe.group is not None and group is None:
        data, group = open_again(data.opening, plan=_plan(recipe), group=recipe.group), recipe.group
    else:
        data = _read_as(_plan(recipe), data)
    return data, recipe.model_copy(update={"group": group})


def _read_as(plan: ReadPlan, data: Dataset) -> Dataset:
    """The images opened with this plan; where a table's row says its own, that holds."""
    return data if plan == ReadPlan() else open_again(data.opening, plan=plan)


def _warn_of_known_images(run: Run, data: Dataset, emit: Emit) -> None:
    """A classifier looks better than it is on images that it was trained on."""
    root = Path(read_json(run.folder / "environment.json")["data"][0]["root"])
    rows = read_table(run.folder / "split.csv")
    known = {root / row["path"] for row in rows if row["split"] in ("train", "val")}
    n = sum(record.path in known for record in data.records)
    if n:
        text = f"{n:,} of these images were used in training the classifier; its numbers on them say little."
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


def _chosen(data: Dataset, positions: Sequence[int] | np.ndarray) -> Dataset:
    """The images at these positions as a dataset of their own."""
    return replace(data, records=tuple(data.records[int(i)] for i in positions))


def _test_images(run: Run) -> Dataset:
    """The images that a run kept aside, found again where they were."""
    rows = [row for row in read_table(run.folder / "split.csv") if row["split"] == "test"]
    wanted = {row["image_id"] for row in rows}
    data = _reopened(run)
    found = _chosen(data, [i for i, record in enumerate(data.records) if record.image_id in wanted])
    if len(found.records) != len(wanted):
        raise BadRun(
            f"{len(wanted) - len(found.records):,} of the {len(wanted):,} test images are no longer there",
            file=data.root,
            do="Put them back, or measure other labelled images: coverslip evaluate RUN DATA.",
        )
    return found


def _reopened(run: Run) -> Dataset:
    """The images of a run as they are now."""
    described = read_json(run.folder / "environment.json")["data"][0]
    opening = Opening(tuple(described["sources"]), described["group"], described["group_pattern"])
    return open_again(opening, plan=_plan(run.recipe))


def _same_images(run: Run) -> Dataset:
    data = _reopened(run)
    if _fingerprint(data) != read_json(run.folder / "environment.json")["data"][0]["fingerprint"]:
        raise BadRun(
            "Images were added, taken away or labelled anew since the run began",
            file=data.root,
            do="Put them back, or train a new run.",
        )
    return data


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


def _how_to_go_on(folder: Path) -> str:
    return f"`coverslip train --resume {folder}` goes on."


def _write_beginning(folder: Path, data: Dataset, recipe: Recipe, allow_leakage: bool) -> None:
    described: dict[str, Any] = {  # Any: JSON values
        "domain": "",
        "root": str(data.root),
        "sources": list(data.opening.sources),
        "group": data.opening.group,
        "group_pattern": data.opening.group_pattern,
        "n_images": len(data.records),
        "fingerprint": _fingerprint(data),
    }
    environment = describe_environment(
        seed=recipe.seed, device=_device(recipe), data=[described], allow_leakage=allow_leakage
    )
    write_json(folder / "environment.json", environment)
    save_recipe(recipe, folder / "recipe.yaml")  # last: a folder with a recipe is a run


def _fingerprint(data: Dataset) -> str:
    """Tells whether images were added, taken away, or described anew."""
    described = [
        [record.image_id, record.label, record.group, record.given_split, record.plan.model_dump(mode="json")]
        for record in data.records
    ]
    return sha256_json(sorted(described, key=lambda image: str(image[0])))


def _write_split(folder: Path, data: Dataset, split: Split) -> None:
    rows = [
        {
            "image_id": record.image_id,
            "path": data.relative_path(record),
            "label": record.label or "",
            "group": record.group or "",
            "domain": record.domain,
            "split": part,
            "fold": "",
            "reason": reason,
        }
        for record, part, reason in zip(data.records, split.parts, split.reasons, strict=True)
    ]
    file = folder / "split.csv"
    if file.exists() and read_table(file) != rows:  # the run goes on
        raise BadRun("Images have changed since the run began: the split would be another", file=file, do="Train anew.")
    write_table(file, SPLIT_COLUMNS, rows)


def _write_validation(folder: Path, data: Dataset, parts: _Parts, classifier: Classifier, fitted: Fitted) -> None:
    probability = apply_temperature(fitted.val_logits, fitted.temperature)
    rows = [
        classifier.decide(data.records[i], data.relative_path(data.records[i]), p)
        for i, p in zip(parts.val.tolist(), probability, strict=True)
    ]
    Predictions(rows, classifier.classes).write_csv(folder / "validation.csv")


def _plan(recipe: Recipe) -> ReadPlan:
    return ReadPlan(plane=recipe.plane, channels=recipe.channels)


def _device(recipe: Recipe) -> str:
    if recipe.device != "auto":
        return recipe.device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "cpu"


def _as_name(text: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "evaluation"
