"""Prediction of new images into a table, on this computer or on a Ray cluster."""

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip._version import __version__
from coverslip.cache import FileHashes
from coverslip.counts import most_frequent_first
from coverslip.datasets import (
    UNREADABLE,
    Axes,
    Dataset,
    ImageRecord,
    ImageSource,
    first_positions,
    hash_files,
    name_as_text,
    one_line,
)
from coverslip.evaluation import Metric
from coverslip.evaluation.prevalence import METHOD
from coverslip.events import Emit, Noted
from coverslip.images import PreprocessedImage, prepare_decoding
from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.new_images import EstimatedShares, Pair, note_on_thresholds
from coverslip.inference.ray_executor import predict_on_ray
from coverslip.inference.ray_worker import PredictionOptions
from coverslip.messages import Note, Resume, message, note
from coverslip.progress import show
from coverslip.runs import (
    CLASSIFIER_COLUMN,
    REPEATS_COLUMN,
    Format,
    HashedReading,
    Prediction,
    PredictionColumns,
    Run,
    check_output,
    fingerprint_of,
    identity_of,
    is_run,
    output_columns,
    prediction_table,
)


class TrainingImageCounter:
    """Counts copies of training and validation images among predicted images.

    Args:
        classifier: a run, or its packaged classifier. Without the run the training images are not known.
    """

    def __init__(self, classifier: Run | Path | str) -> None:
        path = classifier.folder if isinstance(classifier, Run) else Path(classifier)
        run = Run(path.parent if path.name == "classifier" else path)
        self._hashes = (
            frozenset(
                [
                    *run.training_hashes.train,
                    *run.training_hashes.val,
                    *(run.training_hashes.test if run.is_fitted_on_test else ()),
                ]
            )
            if run.training_hashes_file.is_file()
            else frozenset[str]()
        )
        self._n = 0

    @property
    def is_known(self) -> bool:
        """Whether the hashes of the training images are available."""
        return bool(self._hashes)

    def rows(self, predicted: Iterable[Pair]) -> Iterator[Prediction]:
        """Yield the rows of predicted images with their hashes, and count training images, each once."""
        for row, image in predicted:
            self._n += isinstance(image, PreprocessedImage) and image.pixel_hash in self._hashes
            yield row

    def note(self) -> Note | None:
        """Return the note on training images, or None if there are none."""
        if not self._n:
            return None
        return note("training-images", level="warning", n_images=self._n)


MAX_REASONS = 5  # unreadable images with a note of their own


@dataclass(frozen=True)
class PredictionSummary:
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
    rescale: bool = False,
    format: Format = "csv",  # noqa: A002  the usual name of this parameter
    top_k: int | None = None,
    resume: bool = False,
    on: str = "local",
    trust_cluster: bool = False,
    emit: Emit = show,
) -> PredictionSummary:
    """Predict new images into a table, row by row in their order. Memory does not grow with the number of images.

    If the prediction is interrupted, its rows stay in the folder `NAME.unfinished` beside the table.

    Args:
        run: a run folder or a packaged classifier: its `classifier/`, or a `.coverslip` file.
        sources: files, folders, globs, tables, arrays, Pillow images, data frames, or an iterable of these, which is
            held in memory.
        out: the file, which is created when it is complete. Only earlier predictions of this name are replaced.
        axes: of arrays of color images: channels last or first.
        batch_size: images at a time; affects speed and memory, but not the results.
        device: as of `load_classifier`.
        prevalence: known proportions of classes among these images, as of `Classifier.at_prevalence`.
        rescale: rescale images of known pixel size to that of the training images, as of `Classifier.with_rescaling`.
        format: `csv`, `jsonl` (one JSON object per line), or `parquet`, which needs the extra `parquet`.
        top_k: write the most probable classes with their probabilities instead of the probability of each class.
        resume: continue an interrupted prediction of the same images with the same options after its last complete
            row; the result has the same bytes. From the first image whose file has changed since, images are predicted
            again. Not for `parquet`.
        on: `local`, or a Ray cluster whose computers can read the images: `ray` for the cluster of the environment
            variable `RAY_ADDRESS` or a new cluster of this computer; or `ray://HOST:PORT` or `HOST:PORT`.
        trust_cluster: join a cluster that requires no token. Anyone who controls one of its computers can run any code
            on this computer.
        emit: receives progress, and notes on images unlike the training images.

    Raises:
        CoverslipError: the suffix of the file is that of another format; Ray is not installed; `top_k` does
            not fit the classifier; the interrupted prediction has other images or options.
        ExtraNotInstalled: Parquet files need the extra `parquet`.
        Conflict: another process writes this table.
        UntrustedCluster: the cluster requires no token, and `trust_cluster` is not set.
        ClusterUnreachable: no cluster answers at the address.
        DeviceUnavailable: this computer has no such device.

    Examples:
        >>> summary = cs.predict("runs/first", ["new/", "monday/*.tif"], out="predictions.csv", device="cpu")
        >>> sum(summary.decisions.values())
        8
    """
    check_output(Path(out), format)
    if on == "local":
        prepare_decoding()
    classifier = load_classifier(run, device if on == "local" else "cpu")
    PredictionColumns(classifier.classes, top_k)  # reports errors before any work
    if (unfinished := unfinished_note(Run(Path(run)))) is not None:
        emit(Noted.of(unfinished))
    if prevalence:
        if (unused_thresholds := note_on_thresholds(classifier.card)) is not None:
            emit(Noted.of(unused_thresholds))
        classifier = classifier.at_prevalence(prevalence)
    if rescale:
        classifier = classifier.with_rescaling()
    data = classifier.open_images(sources, axes)
    cluster = None if on == "local" else Cluster(on, prevalence or {}, is_trusted=trust_cluster)
    return predict_opened(
        run,
        classifier,
        data,
        out=Path(out),
        batch_size=batch_size,
        device=device,
        is_rescaled=rescale,
        format=format,
        top_k=top_k,
        resume=resume,
        cluster=cluster,
        emit=emit,
    )


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster that predicts."""

    address: str
    prevalence: Mapping[str, float]
    is_trusted: bool


def predict_opened(
    run: Run | Path | str,
    classifier: Classifier,
    data: Dataset,
    *,
    out: Path,
    more: Mapping[str, Callable[[int], str]] = {},
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    is_rescaled: bool = False,
    format: Format = "csv",  # noqa: A002  as in `predict`
    top_k: int | None = None,
    resume: bool = False,
    cluster: Cluster | None = None,
    emit: Emit,
) -> PredictionSummary:
    """Predict images that are open into a table, as `predict`, with a classifier whose settings are made.

    Args:
        run, classifier, data, out, batch_size, device, is_rescaled, format, top_k, resume, cluster, emit: as `predict`.
        more: further columns with a function of the position of an image that returns its cell.

    Raises:
        CoverslipError: as `predict`.
    """
    identity = identity_of(classifier.path, classifier.card, is_rescaled=is_rescaled)
    first = first_positions(data.records).tolist()
    if first != list(range(len(first))):
        more = {REPEATS_COLUMN: lambda k: "" if first[k] == k else data.records[first[k]].image_id, **more}
    columns = output_columns(record.columns for record in data.records)
    layout = PredictionColumns(classifier.classes, top_k, (*columns.values(), *more, CLASSIFIER_COLUMN))
    for each in data.notes:
        emit(Noted.of(each))
    training_images = TrainingImageCounter(run)
    settings = {
        "coverslip": __version__,
        "classifier": [fingerprint_of(classifier.path), classifier.card.model_dump(mode="json"), device, is_rescaled],
        "images": _fingerprint(data.records),
    }
    decisions: Counter[str] = Counter()
    shares = EstimatedShares(classifier.card)
    is_replaced, n_before = out.exists(), 0
    with prediction_table(out, layout, format, settings, resume=resume) as table:
        for row in table.saved_rows(data.records):
            decisions[row.decision] += 1
            if first[n_before] == n_before:  # an image that is listed again counts once
                shares.add(row)
            n_before += 1
        if n_before:
            emit(Noted.of(note("prediction-resumed", n_images=n_before)))
        remaining = replace(data, records=data.records[n_before:])
        hash_of: Callable[[int], str]
        if cluster is None:
            reading = HashedReading(remaining.records)
            hash_of, rows = (
                reading.hash_of,
                _predicted(classifier, remaining, training_images, batch_size, reading, emit),
            )
        else:
            with FileHashes() as file_hashes:  # before other computers decode the files
                hash_of = [*hash_files(remaining.records, file_hashes)].__getitem__
            options = PredictionOptions(
                batch_size, device, cluster.prevalence, is_rescaled=is_rescaled, is_hashed=training_images.is_known
            )
            pairs = predict_on_ray(
                cluster.address,
                run,
                classifier.card,
                remaining,
                options,
                trust_cluster=cluster.is_trusted,
                emit=emit,
            )
            rows = _counted(pairs, training_images)
        try:
            with closing(rows):
                for i, (record, row) in enumerate(zip(remaining.records, rows, strict=True)):
                    cells = {columns[name]: cell for name, cell in record.about}
                    cells |= {name: cell_of(n_before + i) for name, cell_of in more.items()}
                    table.write(row, cells | {CLASSIFIER_COLUMN: identity}, hash_of(i))
                    decisions[row.decision] += 1
                    if first[n_before + i] == n_before + i:
                        shares.add(row)
                    if row.decision == UNREADABLE and decisions[UNREADABLE] <= MAX_REASONS:
                        emit(Noted.of(unreadable_note(row)))
        except BaseException:
            if n_saved := table.save():
                emit(Noted.of(note("rows-saved", n_images=n_saved)))
            raise
    if cluster is None:
        classifier.save_engine()
    if is_replaced:
        emit(Noted.of(note("replaced", file_name=one_line(str(out)))))
    for closing_note in (training_images.note(), shares.note()):
        if closing_note is not None:
            emit(Noted.of(closing_note))
    return summary_of(out, classifier, decisions, shares, has_all_probabilities=not n_before or top_k is None)


def summary_of(
    out: Path,
    classifier: Classifier,
    decisions: Counter[str],
    shares: EstimatedShares,
    *,
    has_all_probabilities: bool = True,
) -> PredictionSummary:
    """Return the summary of a table.

    Args:
        out: the table.
        classifier: as used, at its prevalence.
        decisions: number of rows per decision.
        shares: of the rows.
        has_all_probabilities: whether `shares` knows the probabilities of all rows.
    """
    by_class = shares.by_class()
    if not has_all_probabilities:
        reason = message("rows-without-all-probabilities")
        by_class = dict.fromkeys(by_class, Metric(value=None, method=METHOD, reason=reason))
    assumed = dict(zip(classifier.classes, classifier.card.prior, strict=True))
    return PredictionSummary(out, most_frequent_first(decisions), by_class, assumed)


def unreadable_note(row: Prediction) -> Note:
    """Return the note on an unreadable image."""
    image = one_line(row.image_id)
    return note("unreadable-image", level="warning", image=image, reason=row.reason or "", path=row.path)


def _fingerprint(records: Sequence[ImageRecord]) -> str:
    """Return a hash of the images as listed, and of the cells of their tables. Files are not opened."""
    digest = hashlib.sha256()
    for record in records:
        fields = (record.image_id, name_as_text(str(record.path)), record.label, record.plan, record.about)
        digest.update(repr(fields).encode(errors="backslashreplace"))
        if record.in_memory is not None:
            digest.update(record.in_memory.array.tobytes())
    return digest.hexdigest()


def _predicted(
    classifier: Classifier,
    data: Dataset,
    training_images: TrainingImageCounter,
    batch_size: int,
    reading: HashedReading,
    emit: Emit,
) -> Generator[Prediction]:
    is_hashed = training_images.is_known
    with reading:
        pairs = classifier.predict_with_pixels(
            data.records, batch_size=batch_size, is_hashed=is_hashed, before_each=reading, emit=emit
        )
        with closing(pairs):
            yield from training_images.rows(pairs)


def _counted(pairs: Generator[Pair], training_images: TrainingImageCounter) -> Generator[Prediction]:
    with closing(pairs):
        yield from training_images.rows(pairs)


def unfinished_note(run: Run) -> Note | None:
    """Return the note on a classifier whose training has not ended, or None."""
    if not is_run(run.folder) or run.is_done:
        return None
    return note("unfinished-training", level="warning", remedies=(Resume(str(run.folder)),))
