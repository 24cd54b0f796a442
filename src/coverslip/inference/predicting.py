"""Prediction of new images into a CSV file, on this computer or on a Ray cluster."""

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
from coverslip.inference.new_images import EstimatedShares, note_on_thresholds
from coverslip.inference.ray_executor import PredictionOptions, predict_on_ray
from coverslip.messages import Note, Resume, note
from coverslip.progress import show
from coverslip.runs import Prediction, PredictionsFile, Run, check_predictions_file, is_run


class TrainingImageCounter:
    """Counts copies of training and validation images among predicted images.

    Args:
        classifier: a run, or its packaged classifier. Without the run the training images are not known.
    """

    def __init__(self, classifier: Run | Path | str) -> None:
        path = classifier.folder if isinstance(classifier, Run) else Path(classifier)
        run = Run(path.parent if path.name == "classifier" else path)
        self._hashes = (
            frozenset([*run.training_hashes.train, *run.training_hashes.val])
            if run.training_hashes_file.is_file()
            else frozenset[str]()
        )
        self._n = 0

    @property
    def is_known(self) -> bool:
        """Whether the hashes of the training images are available."""
        return bool(self._hashes)

    def rows(
        self, predicted: Iterable[tuple[Prediction, PreprocessedImage | UnreadableImage | None]]
    ) -> Iterator[Prediction]:
        """Yield the rows of predicted images with their hashes, and count training images."""
        for row, image in predicted:
            self._n += isinstance(image, PreprocessedImage) and image.pixel_hash in self._hashes
            yield row

    def note(self) -> Note | None:
        """Return the note on training images, or None if there are none."""
        if not self._n:
            return None
        return note("training-images", level="warning", n_images=self._n)


_MAX_REASONS = 5  # unreadable images with a note of their own


@dataclass(frozen=True)
class Summary:
    """The results of `predict`."""

    file: Path
    decisions: dict[str, int]  # images per decision, most frequent first
    shares: dict[str, Metric]  # proportion of each class, estimated from the probabilities
    assumed: dict[str, float]  # proportion of each class that the probabilities assume: of training, or as stated


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
    """Predict new images into a CSV file, row by row in their order. Memory does not grow with the number of images.

    Args:
        run: a run folder or a packaged classifier: its `classifier/`, or a `.coverslip` file.
        sources: files, folders, globs, tables, arrays, Pillow images, data frames, or an iterable of these, which is
            held in memory.
        out: the file, which is created when it is complete. Only earlier predictions of this name are replaced.
        axes: of arrays of color images: channels last or first.
        batch_size: images at a time; affects speed and memory, but not the results.
        device: as of `load_classifier`.
        prevalence: known proportions of classes among these images, as of `Classifier.at_prevalence`.
        on: `local`, or a Ray cluster whose computers can read the images: `ray` for the cluster of the environment
            variable `RAY_ADDRESS` or a new cluster of this computer; or `ray://HOST:PORT` or `HOST:PORT`.
        trust_cluster: join a cluster that requires no token. Anyone who controls one of its computers can run any code
            on this computer.
        emit: receives progress, and notes on images unlike the training images.

    Raises:
        CoverslipError: the suffix of the file is that of another format; Ray is not installed.
        UntrustedCluster: the cluster requires no token, and `trust_cluster` is not set.
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
    training_images = TrainingImageCounter(run)
    if on == "local":
        rows = _predicted(classifier, data, training_images, batch_size, emit)
    else:
        options = PredictionOptions(batch_size, device, prevalence or {}, training_images.is_known)
        pairs = predict_on_ray(on, run, classifier.card, data, options, trust_cluster=trust_cluster, emit=emit)
        rows = _counted(pairs, training_images)
    decisions: Counter[str] = Counter()
    shares = EstimatedShares(classifier.card)
    is_replaced = Path(out).exists()
    with closing(rows), PredictionsFile(Path(out), classifier.classes) as file:
        for row in rows:
            file.write(row)
            decisions[row.decision] += 1
            shares.add(row)
            if row.decision == UNREADABLE and decisions[UNREADABLE] <= _MAX_REASONS:
                image, reason = one_line(row.image_id), one_line(row.reason or "")
                emit(Noted.of(note("unreadable-image", level="warning", image=image, reason=reason, path=row.path)))
    if is_replaced:
        emit(Noted.of(note("replaced", file_name=one_line(str(out)))))
    for closing_note in (training_images.note(), shares.note()):
        if closing_note is not None:
            emit(Noted.of(closing_note))
    assumed = dict(zip(classifier.classes, classifier.card.prior, strict=True))
    return Summary(Path(out), dict(decisions.most_common()), shares.by_class(), assumed)


def _predicted(
    classifier: Classifier, data: Dataset, training_images: TrainingImageCounter, batch_size: int, emit: Emit
) -> Generator[Prediction]:
    pairs = classifier.predict_with_pixels(
        data.records, batch_size=batch_size, is_hashed=training_images.is_known, emit=emit
    )
    yield from training_images.rows(pairs)


def _counted(
    pairs: Generator[tuple[Prediction, PreprocessedImage | None]], training_images: TrainingImageCounter
) -> Generator[Prediction]:
    with closing(pairs):
        yield from training_images.rows(pairs)


def unfinished_note(run: Run) -> Note | None:
    """Return the note on a classifier whose training has not ended, or None."""
    if not is_run(run.folder) or run.is_done:
        return None
    return note("unfinished-training", level="warning", remedies=(Resume(str(run.folder)),))
