"""Classifiers of trainings and imported files: import, list and describe them, predict sent images."""

import math
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coverslip.datasets.index.opening import open_image_file
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadClassifier, Busy, CoverslipError, NotFound
from coverslip.evaluation.results import Evaluation
from coverslip.evaluation.table import METRICS
from coverslip.images.preprocessing import Depth
from coverslip.images.reader import pixel_side
from coverslip.messages import Message, message_of, text
from coverslip.processes import Json
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.sections.results import tested_section
from coverslip.reports.verdict import verdict_of_classifier, without_groups
from coverslip.runs.classifier import default_limits, find_classifier, open_classifier, state_of_classifier
from coverslip.runs.prediction_tables import PredictionColumns
from coverslip.runs.predictions import Prediction
from coverslip.runs.results import metrics_of_classifier
from coverslip.workspace.jobs.records import Job, JobKind, add_job, all_jobs, find_job, register
from coverslip.workspace.store.rows import CLASSIFIER_KINDS, Page, Paging
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.state import Headline, headline_of
from coverslip.workspace.workers import WorkerPool

if TYPE_CHECKING:
    from coverslip import inference


# An imported `.coverslip` file is a job without a process. Its file takes the place of the folder.

IMPORT = register(JobKind(name="import", queue="imports", check_files=open_classifier))


def import_file(workspace: Workspace, file: Path, name: str | None) -> str:
    """Import a `.coverslip` file into the workspace; return its ID. Its network is built only for predictions.

    Raises:
        BadClassifier: it is not a classifier, or is damaged.
    """
    try:
        card = open_classifier(file).card
    except BadClassifier as error:  # the temporary location means nothing to the sender
        raise BadClassifier.of(replace(error.failure, file=None)) from error
    classifier_id = secrets.token_hex(5)
    target = workspace.owned(workspace.folder / "classifiers" / f"{classifier_id}.coverslip")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, target)
    add_job(
        workspace,
        id=classifier_id,
        kind=IMPORT.name,
        name=name or " and ".join(card.classes[:3]),
        dataset_name="",
        folder=str(target),
        command=[],
        choices={},
        state="ended",
        queued=None,
    )
    return classifier_id


@dataclass(frozen=True, slots=True)
class ListedClassifier(DocumentedFields):
    """A classifier. If it was trained here, its ID is that of its run."""

    id: str
    name: str
    classes: list[str]
    model: str
    headline: Headline | None
    is_imported: bool
    is_finished: bool
    """Whether its training is finished; otherwise there are no test results."""
    study_id: str | None
    """The study of its training."""
    created: str
    """Time of the request of its training, or of the import."""
    stage: Literal["instant", "finetune"] | None
    """The stage of the selected network; null if unknown."""
    pixel_side_um: float | None
    """Usual side of a pixel of the training images in µm; null if unknown."""
    of_objects: bool
    """Whether it classifies objects in fields of view, not whole images."""


def list_classifiers(workspace: Workspace, paging: Paging) -> Page[ListedClassifier]:
    """Return the classifiers: trained here, imported, of studies; the newest of each first.

    Classifiers of unfinished trainings follow the others. Damaged ones are skipped.
    """
    listed: list[ListedClassifier] = []
    for job in (each for kind in CLASSIFIER_KINDS for each in all_jobs(workspace, kind)):
        with suppress(CoverslipError):
            listed.append(_listed_classifier(job))
    return paging.page_of(sorted(listed, key=lambda each: (each.study_id is not None, not each.is_finished)))


def classifier_job(workspace: Workspace, classifier_id: str) -> Job:
    """Return the training or import of a classifier, whose folder or file may not exist yet.

    Raises:
        NotFound: there is no such classifier.
    """
    try:
        return find_job(workspace, classifier_id, *CLASSIFIER_KINDS)
    except NotFound as error:
        raise NotFound("no-such-classifier") from error


def classifier_state(workspace: Workspace, classifier_id: str) -> ListedClassifier:
    """Return a classifier of a training, or an imported one.

    Raises:
        NotFound: there is no such classifier.
        BadClassifier: the training has none yet, or its file is damaged.
    """
    return _listed_classifier(classifier_job(workspace, classifier_id))


def classes_of(workspace: Workspace, classifier_id: str | None) -> tuple[str, ...]:
    """Return the classes of a classifier; none without one.

    Raises:
        NotFound: there is no such classifier.
        BadClassifier: the training has none yet, or its file is damaged.
    """
    if classifier_id is None:
        return ()
    return open_classifier(find_classifier(classifier_job(workspace, classifier_id).folder)).card.classes


def _headline_of_file(file: Path) -> Headline | None:
    """Return the primary metric on the test images of the training, if the file has metrics."""
    evaluation = metrics_of_classifier(file)
    metric = None if evaluation is None else evaluation.metrics.get(evaluation.primary)
    if evaluation is None or metric is None:
        return None
    name, has_points = evaluation.primary, open_classifier(file).card.operating_points is not None
    verdict = verdict_of_classifier(file)
    return Headline(
        use=None if verdict is None else verdict.use,
        verdict="" if verdict is None else verdict.headline,
        metric=name,
        title=METRICS[name].title if name in METRICS else name,
        value=metric.value,
        low=metric.low,
        high=metric.high,
        digits=metric.digits,
        has_groups=bool(evaluation.n_units),
        rule="chosen threshold" if has_points else "highest probability",
        n_relabeled=0,
    )


def _listed_classifier(job: Job) -> ListedClassifier:
    card = open_classifier(find_classifier(job.folder)).card
    size = card.trained_on.pixel_size_um
    is_imported = job.kind == IMPORT.name
    training = None if is_imported else job.run.training
    if is_imported:
        headline = _headline_of_file(job.folder)
    else:
        headline = headline_of(job.run) if job.run.is_measured else None
    return ListedClassifier(
        id=job.id,
        name=job.name,
        classes=list(card.classes),
        model=card.model,
        headline=headline,
        is_imported=is_imported,
        is_finished=is_imported or job.run.is_done,
        study_id=job.study_id,
        created=job.created,
        stage=None if training is None else training.chosen,
        pixel_side_um=None if size is None else pixel_side(size),
        of_objects=card.of_objects,
    )


_ANSWER_SECONDS = 180.0  # large images on a busy computer take long; a longer time means that the process hangs
_MOST_REQUESTS = 4  # at the same time; others are refused before their images are received
_FILES_AT_ONCE = 16  # for one answer of a process


@dataclass(frozen=True, slots=True)
class PredictedImage(DocumentedFields):
    """The prediction of an image."""

    path: str
    """The name of the file, as it was sent."""
    predicted: str | None
    """null: unreadable image."""
    probability: float | None
    """Of the predicted class; null: unreadable image."""
    decision: str
    """The predicted class, or `uncertain`, `unfamiliar` or `unreadable`."""
    probabilities: dict[str, float | None]
    """By class; with `top_k`, of the most probable classes, in this order."""
    reason: Message | None
    """Why the image could not be read, or is unfamiliar."""


class LoadedClassifiers:
    """A process that predicts sent images with the classifiers that it has loaded."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._pool = WorkerPool(workspace.readable, most_seconds=_ANSWER_SECONDS)
        self._slots = threading.BoundedSemaphore(_MOST_REQUESTS)

    def close(self) -> None:
        """End the process."""
        self._pool.close()

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Reserve one of the few places for requests within the block.

        Raises:
            Busy: there is none left.
        """
        if not self._slots.acquire(blocking=False):
            raise Busy("predictions-busy", n_requests=_MOST_REQUESTS)
        try:
            yield
        finally:
            self._slots.release()

    def predict(
        self, classifier_id: str, images: Sequence[tuple[str, Path]], top_k: int | None = None
    ) -> list[PredictedImage]:
        """Predict images, given by name and file.

        Args:
            classifier_id: the classifier.
            images: the name and the file of each.
            top_k: number of most probable classes to report in place of all classes.

        Raises:
            NotFound: there is no such classifier.
            CoverslipError: it has fewer classes, cannot be loaded, or its process ended twice on the same images.
        """
        folder = classifier_job(self._workspace, classifier_id).folder
        if top_k is not None:
            PredictionColumns(
                open_classifier(find_classifier(folder)).card.classes, top_k
            )  # reports errors before the work
        rows: list[Json] = []
        for start in range(0, len(images), _FILES_AT_ONCE):
            rows += self._predict(folder, [file for _, file in images[start : start + _FILES_AT_ONCE]])
        for row in rows:
            row["probabilities"] = _most_probable(row["probabilities"], top_k)
            row["reason"] = row["reason"] and message_of(row["reason"])
        return [PredictedImage(path=name, **row) for (name, _), row in zip(images, rows, strict=True)]

    def _predict(self, folder: Path, files: Sequence[Path]) -> list[Json]:
        state = repr(state_of_classifier(folder))  # a training that continued has written another one
        for _ in range(2):  # a process that has died is started again
            rows: list[Json] | None = self._pool.call(
                predict_files, run=str(folder), state=state, files=[str(file) for file in files]
            )
            if rows is not None:
                return rows
        raise CoverslipError("classifier-ended")


def _most_probable(probabilities: dict[str, float | None], top_k: int | None) -> dict[str, float | None]:
    if top_k is None:
        return probabilities
    return dict(sorted(probabilities.items(), key=lambda pair: -(pair[1] or 0.0))[:top_k])


def predict_files(*, run: str, state: str, files: Sequence[str]) -> list[Json]:
    """Return the predictions of images as JSON.

    Args:
        run: the folder of the classifier.
        state: of `state_of_classifier`: a changed classifier is loaded again.
        files: the images.

    Raises:
        CoverslipError: the classifier cannot be read.
    """
    classifier = _loaded(run, state)
    opened = [open_image_file(Path(file)) for file in files]
    data = replace(opened[0], records=tuple(each.records[0] for each in opened))
    return [_prediction_as_json(row, classifier.classes) for row in classifier.predict(data)]


def _prediction_as_json(row: Prediction, classes: Sequence[str]) -> Json:
    numbers = row.probabilities or (math.nan,) * len(classes)
    return {
        "predicted": row.predicted,
        "probability": row.probability,
        "decision": row.decision,
        "probabilities": {name: None if math.isnan(p) else p for name, p in zip(classes, numbers, strict=True)},
        "reason": None if row.reason is None else asdict(row.reason),
    }


@lru_cache(maxsize=2)  # each needs some hundred megabytes
def _loaded(run: str, _state: str) -> "inference.Classifier":
    from coverslip.inference import load_classifier

    return load_classifier(run, "cpu")  # fast enough for single images; the GPU stays free for trainings


# The card, and metrics on test images, also of an imported `.coverslip` file.


@dataclass(frozen=True, slots=True)
class TestMetrics(DocumentedFields):
    """The metrics of a classifier on the test images of its training."""

    split: str
    """The measured images: `test`, or `out-of-fold` of all images after cross-validation."""
    n: int
    """Number of measured images."""
    n_groups: int | None
    """Number of groups of these images; null: unknown."""
    n_ungrouped: int
    """Number of these images without a group, if groups are known."""
    section: ReportSection
    """The metrics that are shown first, and those of each class."""


@dataclass(frozen=True, slots=True)
class ClassifierDescription(ListedClassifier):
    """What a classifier is, what it was trained on, and how well it predicted test images."""

    n_parameters: int
    """Number of parameters of the network."""
    image_size: int
    """Side in pixels to which images are resized."""
    resize: str
    """How images are resized."""
    n_images: int
    """Number of images of the training and validation set; after cross-validation, or if the delivered classifier is
    fitted on test images too, of all."""
    n_tested: int | None
    """Number of training and validation images of the tested classifier, whose metrics these are; null: the delivered
    classifier is the tested one."""
    n_groups: int | None
    """Number of groups of these images; null: unknown."""
    n_ungrouped: int
    """Number of these images without a group, if groups are known."""
    width_px: tuple[int, int]
    """Smallest and largest width of the training images."""
    height_px: tuple[int, int]
    """Smallest and largest height of the training images."""
    dtypes: tuple[Depth, ...]
    """Data types of the training images."""
    channels: tuple[int, ...]
    """Numbers of channels of the training images."""
    channel_names: tuple[tuple[str, ...], ...]
    """Names of the channels, in the order of the network input; several lists if files differ. Empty: the files name
    none."""
    uncertain_below: float
    """Less probable predictions are uncertain; 0 marks none."""
    thresholds: dict[str, float] | None
    """Decision threshold of each class; null: the most probable class is predicted."""
    detects_unfamiliar: bool
    """Whether it marks images that differ from training images."""
    must_not_be_used_for: str
    """Uses for which the classifier is not suitable."""
    further: list[str]
    """The reasons of the verdict besides that of its sentences."""
    words: list[str]
    """What it means if no groups were given, and what would change the verdict."""
    test: TestMetrics | None
    """Metrics on test images; null if the file has none."""


def classifier_card(workspace: Workspace, classifier_id: str) -> ClassifierDescription:
    """Return the card of a classifier of a training, or of an imported one.

    Raises:
        NotFound: there is no such classifier.
        BadClassifier: the training has none yet, or its file is damaged.
    """
    listed, path = classifier_state(workspace, classifier_id), classifier_job(workspace, classifier_id).folder
    packed = open_classifier(find_classifier(path))
    card, metrics = packed.card, metrics_of_classifier(path)
    limits = card.must_not_be_used_for
    verdict = None
    with suppress(CoverslipError):  # a file of the run that its metrics do not need cannot be read
        verdict = verdict_of_classifier(path)
    trained_on, points, words = card.trained_on, card.operating_points, []
    if metrics is not None and verdict is not None:
        has_images = not listed.is_imported  # of the training, which an adaptation needs
        next_sentence = verdict.next_sentence if has_images or verdict.action != "adapt" else ""
        words = [*filter(None, (without_groups(metrics), next_sentence))]
    return ClassifierDescription(
        **{each.name: getattr(listed, each.name) for each in fields(ListedClassifier)},
        n_parameters=packed.n_parameters,
        image_size=card.preprocessing.image_size,
        resize=card.preprocessing.resize,
        n_images=trained_on.n_images,
        n_tested=None if card.tested is None else card.tested.n_images,
        n_groups=trained_on.n_groups,
        n_ungrouped=trained_on.n_ungrouped,
        width_px=trained_on.width_px,
        height_px=trained_on.height_px,
        dtypes=trained_on.dtypes,
        channels=trained_on.channels,
        channel_names=card.preprocessing.channel_names,
        uncertain_below=card.uncertain_below,
        thresholds=None if points is None else dict(zip(card.classes, points, strict=True)),
        detects_unfamiliar=card.ood is not None,
        must_not_be_used_for=text("classifier-limits") if limits == default_limits() else limits,
        further=[] if verdict is None else [reason.claim for reason in verdict.further],
        words=words,
        test=None if metrics is None else _test_metrics(metrics),
    )


def _test_metrics(evaluation: Evaluation) -> TestMetrics:
    return TestMetrics(
        split=evaluation.split,
        n=evaluation.n,
        n_groups=evaluation.n_groups,
        n_ungrouped=evaluation.n_ungrouped,
        section=as_data(tested_section(evaluation)),
    )
