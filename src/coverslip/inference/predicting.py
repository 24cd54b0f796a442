"""Predict new images: on this computer, or on a Ray cluster."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from coverslip.datasets import UNREADABLE, Axes, Dataset, ImageSource, PreprocessedImage, one_line
from coverslip.errors import UnreadableImage
from coverslip.evaluation import Metric
from coverslip.events import Emit, Noted
from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.executors.ray import PredictionOptions, predict_on_ray
from coverslip.inference.new_images import EstimatedShares, note_on_thresholds
from coverslip.messages import Note, Resume, note
from coverslip.progress import show
from coverslip.runs import Prediction, PredictionsFile, Run, check_predictions_file, is_run


class LearntImages:
    """Counts copies of training and validation images among images that are predicted.

    Args:
        classifier: a run, or its packaged classifier; one without its run does not tell which images it knows.
    """

    def __init__(self, classifier: Run | Path | str) -> None:
        place = classifier.folder if isinstance(classifier, Run) else Path(classifier)
        run = Run(place.parent if place.name == "classifier" else place)
        self._hashes = (
            frozenset([*run.training_hashes.train, *run.training_hashes.val])
            if run.training_hashes_file.is_file()
            else frozenset[str]()
        )
        self._n = 0

    @property
    def is_known(self) -> bool:
        """Whether it is known which images these are."""
        return bool(self._hashes)

    def rows(
        self, predicted: Iterable[tuple[Prediction, PreprocessedImage | UnreadableImage | None]]
    ) -> Iterator[Prediction]:
        """The rows of hashed images as they come, counted."""
        for row, image in predicted:
            self._n += isinstance(image, PreprocessedImage) and image.pixel_hash in self._hashes
            yield row

    def note(self) -> Note | None:
        """What is to be said of them; None without any."""
        if not self._n:
            return None
        return note("training-images", level="warning", n_images=self._n)


_MOST_REASONS = 5  # unreadable images that are named one by one; unfamiliar ones, which any images have, are counted


@dataclass(frozen=True)
class Summary:
    """What `predict` wrote."""

    file: Path
    decisions: dict[str, int]  # images per decision, most frequent first
    shares: dict[str, Metric]  # of each class among the images, estimated from their probabilities
    assumed: dict[str, float]  # the proportion of each class that the probabilities assume: in training, or as stated


def predict(
    run: Run | Path | str,
    sources: Dataset | ImageSource,
    *,
    out: Path | str,
    axes: Axes = "HWC",
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    prevalence: Mapping[str, float] | None = None,
    on: str = "local",
    trust_cluster: bool = False,
    emit: Emit = show,
) -> Summary:
    """Predict new images into a CSV file, row by row in the order given; memory does not grow with their number.

    Args:
        run: a run folder or a packaged classifier: its `classifier/`, or a `.coverslip` file.
        sources: files, folders, globs, tables, arrays, Pillow's images, data frames, or several in anything that can be
            gone through; it is held in memory as it is given.
        out: the file; it appears when it is complete. Earlier predictions of that name are replaced, nothing else is.
        axes: of arrays of color images: channels last or first.
        batch_size: images at a time; changes speed and memory, never results.
        device: what runs the classifier, as of `load_classifier`.
        prevalence: the share of each class that is known of these images, as of `Classifier.at_prevalence`.
        on: `local`, or a Ray cluster whose computers can read the images: `ray` for the one that the environment
            variable `RAY_ADDRESS` names, or a new one of this computer alone; or `ray://HOST:PORT` or `HOST:PORT`.
        trust_cluster: join a cluster that asks for no token. Whoever controls one of its computers can run any code
            here.
        emit: receives progress, and notes on images unlike the training images.

    Raises:
        CoverslipError: the name of the file promises another format; Ray is not installed.
        UntrustedCluster: the cluster asks for no token, and `trust_cluster` is not set.
        ClusterUnreachable: no cluster answers at the address.
        DeviceUnavailable: this computer has no such device.

    Examples:
        >>> summary = cs.predict("runs/first", ["new/", "monday/*.tif"], out="predictions.csv", device="cpu")
        >>> sum(summary.decisions.values())
        8
    """
    check_predictions_file(Path(out))
    classifier = load_classifier(run, device if on == "local" else "cpu")
    if (unfinished := unfinished_note(Run(Path(run)))) is not None:
        emit(Noted.of(unfinished))
    if prevalence:
        if (unused_thresholds := note_on_thresholds(classifier.card)) is not None:
            emit(Noted.of(unused_thresholds))
        classifier = classifier.at_prevalence(prevalence)
    data = classifier.open_images(sources, axes)
    for each in data.notes:
        emit(Noted.of(each))
    learnt = LearntImages(run)
    if on == "local":
        rows = _predicted(classifier, data, learnt, batch_size, emit)
    else:
        options = PredictionOptions(batch_size, device, prevalence or {}, learnt.is_known)
        pairs = predict_on_ray(on, run, classifier.card, data, options, trust_cluster=trust_cluster, emit=emit)
        rows = _counted(pairs, learnt)
    decisions: Counter[str] = Counter()
    shares = EstimatedShares(classifier.card)
    is_replaced = Path(out).exists()
    with closing(rows), PredictionsFile(Path(out), classifier.classes) as file:
        for row in rows:
            file.write(row)
            decisions[row.decision] += 1
            shares.add(row)
            if row.decision == UNREADABLE and decisions[UNREADABLE] <= _MOST_REASONS:
                image, reason = one_line(row.image_id), one_line(row.reason or "")
                emit(Noted.of(note("unreadable-image", level="warning", image=image, reason=reason, path=row.path)))
    if is_replaced:
        emit(Noted.of(note("replaced", file_name=one_line(str(out)))))
    for closing_note in (learnt.note(), shares.note()):
        if closing_note is not None:
            emit(Noted.of(closing_note))
    assumed = dict(zip(classifier.classes, classifier.card.prior, strict=True))
    return Summary(Path(out), dict(decisions.most_common()), shares.by_class(), assumed)


def _predicted(
    classifier: Classifier, data: Dataset, learnt: LearntImages, batch_size: int, emit: Emit
) -> Generator[Prediction]:
    pairs = classifier.predict_with_pixels(data.records, batch_size=batch_size, is_hashed=learnt.is_known, emit=emit)
    yield from learnt.rows(pairs)


def _counted(
    pairs: Generator[tuple[Prediction, PreprocessedImage | None]], learnt: LearntImages
) -> Generator[Prediction]:
    with closing(pairs):
        yield from learnt.rows(pairs)


def unfinished_note(run: Run) -> Note | None:
    """Return the note on a classifier whose training has not ended; None if it has, or if that is not known."""
    if not is_run(run.folder) or run.is_done:
        return None
    return note("unfinished-training", level="warning", remedies=(Resume(str(run.folder)),))
