"""Prediction of new images into a table, on this computer or a Ray cluster, also as they appear in a folder."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from os.path import lexists
from pathlib import Path

from coverslip._version import __version__
from coverslip.cache.file_hashes import FileHashes, FileState, state_of
from coverslip.counts import most_frequent_first
from coverslip.datasets.content_hashes import hash_files
from coverslip.datasets.index.folders import list_images
from coverslip.datasets.index.in_memory import Axes
from coverslip.datasets.index.opening import ImageSource
from coverslip.datasets.index.records import UNREADABLE, Dataset, ImageRecord, first_positions
from coverslip.datasets.names import name_as_text, name_from_text, one_line
from coverslip.errors import BadDataset, BadRun, CoverslipError, Stopped
from coverslip.evaluation.results import Metric
from coverslip.events import Emit, Noted, Progressed, show
from coverslip.files import sha256_file, stated_paths
from coverslip.images.decoding import prepare_decoding
from coverslip.images.preprocessing import PreprocessedImage
from coverslip.images.reader import Channel, ReadPlan
from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.fields import with_objects_of_fields
from coverslip.inference.new_images import (
    EstimatedShares,
    Pair,
    note_on_pixels,
    note_on_thresholds,
    other_pixels,
    plans_of_training,
)
from coverslip.messages import Note, Resume, joined, message, note
from coverslip.notebooks import html_table
from coverslip.runs.classifier import fingerprint_of, identity_of, open_classifier
from coverslip.runs.folder import Run, is_run
from coverslip.runs.prediction_tables import (
    Format,
    HashedReading,
    PredictionColumns,
    check_output,
    growing_table,
    prediction_table,
    table_of_objects,
)
from coverslip.runs.predictions import (
    CLASSIFIER_COLUMN,
    FILE_COLUMN,
    FIRST_COLUMN,
    PIXELS_COLUMN,
    PLAN_COLUMN,
    REPEATS_COLUMN,
    STATE_COLUMN,
    Prediction,
    output_columns,
)
from coverslip.stopping import BY_SIGNAL, Stop, signals_stop


def _run_of(classifier: Run | Path | str) -> Run:
    """Return the run of a classifier, which may be packaged without it."""
    path = classifier.folder if isinstance(classifier, Run) else Path(classifier)
    return Run(path.parent if path.name == "classifier" else path)


_IS_TRAINING_IMAGE = "is-training-image"


class TrainingImageCounter:
    """Counts copies of training and validation images among predicted images, and adds a warning to their rows.

    Args:
        classifier: a run, or its packaged classifier. Without the run the training images are not known.
    """

    def __init__(self, classifier: Run | Path | str) -> None:
        run = _run_of(classifier)
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
        self._found = set[str]()  # their names

    @property
    def is_known(self) -> bool:
        """Whether the hashes of the training images are available."""
        return bool(self._hashes)

    def rows(self, predicted: Iterable[Pair]) -> Iterator[Prediction]:
        """Yield the rows of predicted images with their hashes, and count training images, each once."""
        for row, image in predicted:
            is_new = isinstance(image, PreprocessedImage) and image.pixel_hash in self._hashes
            if is_new:
                self._n += 1
                self._found.add(row.image_id)
            if is_new or (row.repeats in self._found):
                warnings = [message(_IS_TRAINING_IMAGE), *([] if row.warning is None else [row.warning])]
                yield replace(row, warning=joined(warnings))
            else:
                yield row

    def add_saved(self, row: Prediction) -> None:
        """Count the row of an earlier process."""
        self._n += f'"{_IS_TRAINING_IMAGE}"' in (row.warning_code or "")

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
    shares: dict[str, Metric]  # proportion of each class, as `summarise` shows it for one sample
    assumed: dict[str, float]  # proportion of each class that the probabilities assume: of training, or as stated

    def _repr_html_(self) -> str:
        """Return the number of images per decision, for notebooks."""
        return html_table(str(self.file), ("decision", "images"), list(self.decisions.items()))


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

    A classifier of objects finds the objects of whole fields as those of its training, and predicts them. Their table
    is `NAME_objects.csv` beside the predictions.

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
        BadDataset: the channels of an image have other names than in training; see `channels` of `open_dataset`.
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
    classifier = adjusted_classifier(classifier, prevalence, emit, rescale=rescale)
    data = with_objects_of_fields(
        classifier.card,
        classifier.open_images(sources, axes),
        classifier.card.preprocessing.plan,
        out=table_of_objects(Path(out)),
        emit=emit,
    )
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


def adjusted_classifier(
    classifier: Classifier, prevalence: Mapping[str, float] | None, emit: Emit, *, rescale: bool
) -> Classifier:
    """Return the classifier at stated proportions of classes, and with rescaling if requested."""
    if prevalence:
        if (unused_thresholds := note_on_thresholds(classifier.card)) is not None:
            emit(Noted.of(unused_thresholds))
        classifier = classifier.at_prevalence(prevalence)
    return classifier.with_rescaling() if rescale else classifier


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
    in_workspace: bool = False,
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
        in_workspace: add the columns that the workspace needs: which pixels were read, which rows list an image again,
            and the state of the files before they were read. State paths as `stated_paths`.

    Raises:
        CoverslipError: as `predict`.
    """
    identity = identity_of(classifier.path, classifier.card, is_rescaled=is_rescaled)
    first = first_positions(data.records).tolist()
    more: dict[str, Callable[[int], str]] = {}
    if any(record.pixels_read for record in data.records):
        more[PIXELS_COLUMN] = lambda k: data.records[k].pixels_read
    if first != list(range(len(first))):
        more[REPEATS_COLUMN] = lambda k: "" if first[k] == k else data.records[first[k]].image_id
    if in_workspace:
        more[PLAN_COLUMN] = lambda k: data.records[k].plan.as_json()
        more[FIRST_COLUMN] = lambda k: "" if first[k] == k else str(first[k])
    stated = stated_paths(out.parent) if in_workspace else str
    columns = output_columns(record.columns for record in data.records)
    of_files = (FILE_COLUMN, STATE_COLUMN) if in_workspace else (FILE_COLUMN,)
    layout = PredictionColumns(classifier.classes, top_k, (*columns.values(), *more, *of_files, CLASSIFIER_COLUMN))
    for each in data.notes:
        emit(Noted.of(each))
    _note_other_pixels(run, classifier, (record.plan for record in data.records), emit)
    if classifier.card.ood is None:
        emit(Noted.of(note("unfamiliar-not-known", decides_all=not classifier.card.uncertain_below)))
    training_images = TrainingImageCounter(run)
    settings = {
        "coverslip": __version__,
        "classifier": [fingerprint_of(classifier.path), classifier.card.model_dump(mode="json"), device, is_rescaled],
        "images": _fingerprint(data.records, stated),
    }
    decisions: Counter[str] = Counter()
    shares = _estimated_shares(run, classifier)
    is_replaced, n_before = out.exists(), 0
    with prediction_table(out, layout, format, settings, resume=resume) as table:
        for row in table.saved_rows(data.records):
            decisions[row.decision] += 1
            if first[n_before] == n_before:  # an image that is listed again counts once
                shares.add(row)
                training_images.add_saved(row)
            n_before += 1
        if n_before:
            emit(Noted.of(note("prediction-resumed", n_images=n_before)))
        remaining = replace(data, records=data.records[n_before:])
        hash_of: Callable[[int], str]
        state_of: Callable[[int], str] = lambda _: ""  # noqa: E731
        if cluster is None:
            reading = HashedReading(remaining.records)
            hash_of, state_of = reading.hash_of, reading.state_of
            rows = _predicted(classifier, remaining, training_images, batch_size, reading, emit)
        else:
            from coverslip.inference.ray_prediction import PredictionOptions, predict_on_ray

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
                    cells |= {FILE_COLUMN: hash_of(i), STATE_COLUMN: state_of(i), CLASSIFIER_COLUMN: identity}
                    path = name_as_text(stated(str(record.path))) if in_workspace else row.path
                    table.write(replace(row, path=path), cells, hash_of(i))
                    decisions[row.decision] += 1
                    if first[n_before + i] == n_before + i:
                        shares.add(row)
                    if row.decision == UNREADABLE and decisions[UNREADABLE] <= MAX_REASONS:
                        emit(Noted.of(unreadable_note(row)))
        except BaseException:
            if n_saved := table.save():
                emit(Noted.of(note("rows-saved", n_images=n_saved)))
            raise
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
        by_class = dict.fromkeys(by_class, Metric(value=None, reason=reason))
    assumed = dict(zip(classifier.classes, classifier.card.prior, strict=True))
    return PredictionSummary(out, most_frequent_first(decisions), by_class, assumed)


def _estimated_shares(run: Run | Path | str, classifier: Classifier) -> EstimatedShares:
    is_adapted = classifier.card.prior != open_classifier(classifier.path).card.prior
    return EstimatedShares(classifier.card, _run_of(run), is_adapted=is_adapted)


def unreadable_note(row: Prediction) -> Note:
    """Return the note on an unreadable image."""
    image = one_line(row.image_id)
    return note("unreadable-image", level="warning", image=image, reason=row.reason or "", path=row.path)


def _fingerprint(records: Sequence[ImageRecord], stated: Callable[[str], str]) -> str:
    """Return a hash of the images as listed, with stated paths, and of the cells of their tables.

    Files are not opened.
    """
    digest = hashlib.sha256()
    for record in records:
        path = name_as_text(stated(str(record.path)))
        fields = (record.image_id, path, record.label, record.plan, record.about)
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


def _note_other_pixels(run: Run | Path | str, classifier: Classifier, plans: Iterable[ReadPlan], emit: Emit) -> None:
    """Emit a note if images are read with other planes, for example, than in training."""
    trained = plans_of_training(_run_of(run), classifier.card)
    differences = other_pixels(plans, trained, classifier.card.preprocessing.channel_names)
    if (pixel_note := note_on_pixels(differences)) is not None:
        emit(Noted.of(pixel_note))


def unfinished_note(run: Run) -> Note | None:
    """Return the note on a classifier whose training has not ended, or None.

    Raises:
        BadRun: the adaptation of the classifier was interrupted before its labels chose or checked it.
    """
    if not is_run(run.folder) or run.is_done:
        return None
    if run.adaptation is not None:
        raise BadRun("adapt-interrupted", file=run.folder)
    return note("unfinished-training", level="warning", remedies=(Resume(str(run.folder)),))


# Prediction of the images that appear in a folder, each once, until a stop is requested.
#
# The rows of the table are the only state: after a restart, images that have a row are not predicted again.

_SECONDS_BETWEEN_LISTINGS = 0.5
_LISTING_SHARE = 0.2  # of the time, for large folders
_UNREADABLE_FACTOR = 10  # an unreadable file must be unchanged for this many times longer
_SECONDS_BETWEEN_STOP_CHECKS = 0.1


def watch(
    run: Run | Path | str,
    folder: Path | str,
    *,
    out: Path | str,
    format: Format = "csv",  # noqa: A002  as of `predict`
    top_k: int | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    prevalence: Mapping[str, float] | None = None,
    rescale: bool = False,
    channels: Sequence[Channel] | None = None,
    quiet_seconds: float = 2.0,
    emit: Emit = show,
    stop: Stop = BY_SIGNAL,
) -> PredictionSummary:
    """Predict each image in a folder and its subfolders once, and each one that appears later, until a stop request.

    A file is complete if it has not changed for `quiet_seconds`; an unreadable file needs ten times as long. A file
    that changes after its prediction is not predicted again, nor is one that was renamed. The table has two further
    columns: `file_sha256`, by which renamed files are found, and `classifier`. If the table exists, it is continued.

    Args:
        run: as of `predict`.
        folder: the folder, also if it contains no images yet.
        out: the table, to which rows are appended.
        format: `csv` or `jsonl`.
        top_k: as of `predict`.
        batch_size: as of `predict`.
        device: as of `predict`.
        prevalence: as of `predict`.
        rescale: as of `predict`.
        channels: numbers from 0, or names in the files, of the channels to read, in this order. None: those of the
            training.
        quiet_seconds: how long a file must be unchanged.
        emit: receives progress and notes.
        stop: ends the work; by default Ctrl-C.

    Returns:
        The summary of all rows of the table, with those of earlier processes.

    Raises:
        BadDataset: the folder does not exist, or the channels of an image have other names than in training.
        CoverslipError: the format is Parquet; the classifier reads several files per image; an image is a whole
            field, and the classifier is one of objects; the table has rows of another classifier or other columns.
        Conflict: another process writes this table.

    Examples:
        >>> cs.watch("runs/first", "microscope/", out="watched.csv")  # doctest: +SKIP
    """
    out, folder = Path(out), Path(folder).absolute()
    if format == "parquet":
        raise CoverslipError("parquet-not-growable")
    check_output(out, format)
    if not folder.is_dir():
        raise BadDataset("no-folder-to-watch", file=folder)
    classifier = load_classifier(run, device)
    if classifier.card.preprocessing.plan.channel_files:
        raise CoverslipError("watched-channel-files")
    classifier = adjusted_classifier(classifier, prevalence, emit, rescale=rescale)
    plan = classifier.card.preprocessing.plan
    if channels is not None:
        plan = plan.model_copy(update={"channels": tuple(channels)})
    _note_other_pixels(run, classifier, [plan], emit)
    more = {PIXELS_COLUMN: plan.pixels_read} if plan.pixels_read else {}
    layout = PredictionColumns(classifier.classes, top_k, (*more, FILE_COLUMN, CLASSIFIER_COLUMN))
    identity = identity_of(classifier.path, classifier.card, is_rescaled=rescale)
    decisions, shares = Counter[str](), _estimated_shares(run, classifier)
    training_images = TrainingImageCounter(run)
    with signals_stop(), growing_table(out, layout, format) as table:
        images = _Images(folder, quiet_seconds)
        for row, about in table.all_rows():
            if about[CLASSIFIER_COLUMN] != identity:
                raise CoverslipError("rows-of-other-classifier", file=out)
            images.add_predicted(row.path, about[FILE_COLUMN])
            decisions[row.decision] += 1
            shares.add(row)
            training_images.add_saved(row)
        emit(Noted.of(note("watching", folder=str(folder), n_images=images.n_predicted)))
        for complete in _until_stopped(images, batch_size, stop):
            predicted = _predict_unchanged(classifier, plan, images, complete, batch_size, stop, training_images)
            for row, digest in predicted:
                table.write(row, {**more, FILE_COLUMN: digest, CLASSIFIER_COLUMN: identity})
                images.add_predicted(row.path, digest)
                decisions[row.decision] += 1
                shares.add(row)
                if row.decision == UNREADABLE and decisions[UNREADABLE] <= MAX_REASONS:
                    emit(Noted.of(unreadable_note(row)))
            table.save()
            emit(Progressed(stage="watching", done=images.n_predicted, total=images.n_predicted + images.n_pending))
        if (used := training_images.note()) is not None:
            emit(Noted.of(used))
    return summary_of(out, classifier, decisions, shares, has_all_probabilities=top_k is None)


@dataclass
class _Pending:
    """A file without a row."""

    state: FileState
    since: float  # when this state was first seen
    quiet_seconds: float  # how long it must be unchanged


@dataclass
class _Images:
    """The images of a folder: with a row, or pending."""

    folder: Path
    quiet_seconds: float
    _predicted: set[str] = field(default_factory=set)  # paths with a row, or the new paths of renamed files
    _paths_of_digest: dict[str, list[str]] = field(default_factory=dict)  # of these
    _pending: dict[Path, _Pending] = field(default_factory=dict)

    @property
    def n_predicted(self) -> int:
        return len(self._predicted)

    @property
    def n_pending(self) -> int:
        return len(self._pending)

    def add_predicted(self, path: str, digest: str) -> None:
        self._predicted.add(path)
        self._paths_of_digest.setdefault(digest, []).append(path)
        self._pending.pop(Path(name_from_text(path)), None)

    def complete(self) -> list[tuple[str, ...]]:
        """List the folder, and return the complete images without a row, relative to it."""
        listed, complete = set[Path](), []
        for parts in list_images(self.folder).images:
            path = self.folder.joinpath(*parts)
            if name_as_text(str(path)) in self._predicted:
                continue
            state, now = _state_of(path), time.monotonic()
            if state is None:
                continue
            listed.add(path)
            pending = self._pending.get(path)
            if pending is None or pending.state != state:
                self._pending[path] = _Pending(state, now, self.quiet_seconds)
            elif now - pending.since >= pending.quiet_seconds:
                complete.append(parts)
        self._pending = {path: pending for path, pending in self._pending.items() if path in listed}
        return complete

    def is_unchanged(self, path: Path) -> bool:
        """Return whether a complete file is still the same."""
        return path in self._pending and self._pending[path].state == _state_of(path)

    def is_renamed(self, path: Path, digest: str) -> bool:
        """Return whether a file is one with a row that had another name, and if so, remember its new name."""
        for old in self._paths_of_digest.get(digest, ()):
            if not lexists(name_from_text(old)):
                self._paths_of_digest[digest].remove(old)
                self.add_predicted(name_as_text(str(path)), digest)
                return True
        return False

    def wait_longer(self, path: Path) -> bool:
        """Wait longer for an unreadable file, which may be incomplete; return False if it has waited already."""
        pending, longer = self._pending[path], _UNREADABLE_FACTOR * self.quiet_seconds
        is_new = pending.quiet_seconds < longer
        pending.quiet_seconds = longer
        return is_new


def _state_of(path: Path) -> FileState | None:
    """Return the state of a file; None if there is no such file, or it is empty."""
    state = state_of(path)
    return state if state is not None and state.n_bytes else None


def _until_stopped(images: _Images, batch_size: int, stop: Stop) -> Iterator[Sequence[tuple[str, ...]]]:
    """Yield batches of complete images until a stop is requested."""
    while not stop.is_requested():
        started = time.monotonic()
        complete = images.complete()
        seconds = time.monotonic() - started
        for i in range(0, len(complete), batch_size):
            if stop.is_requested():
                return
            yield complete[i : i + batch_size]
        if not complete:
            _sleep(max(_SECONDS_BETWEEN_LISTINGS, seconds / _LISTING_SHARE), stop)


def _sleep(seconds: float, stop: Stop) -> None:
    until = time.monotonic() + seconds
    while not stop.is_requested() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _SECONDS_BETWEEN_STOP_CHECKS))


def _predict_unchanged(
    classifier: Classifier,
    plan: ReadPlan,
    images: _Images,
    complete: Iterable[tuple[str, ...]],
    batch_size: int,
    stop: Stop,
    training_images: TrainingImageCounter,
) -> Iterator[tuple[Prediction, str]]:
    """Yield the rows of images that are unchanged after their prediction, with the hashes of the files."""
    plan = plan.of_whole_image
    records, digests = list[ImageRecord](), list[str]()
    for parts in complete:
        path = images.folder.joinpath(*parts)
        try:
            digest = sha256_file(path)
        except OSError:
            digest = ""  # the row says why it cannot be read
        if digest and images.is_renamed(path, digest):
            continue
        records.append(ImageRecord(name_as_text("/".join(parts)), path, None, None, "", None, plan))
        digests.append(digest)
    if not records:
        return
    try:
        is_hashed = training_images.is_known
        pairs = classifier.predict_with_pixels(records, batch_size=batch_size, is_hashed=is_hashed, stop=stop)
        with closing(pairs):
            for record, digest, row in zip(records, digests, training_images.rows(pairs), strict=True):
                if row.reason is not None and row.reason.code == "image-is-whole-field":
                    raise CoverslipError("watched-fields", file=record.path)
                is_incomplete = row.decision == UNREADABLE and images.wait_longer(record.path)
                if images.is_unchanged(record.path) and not is_incomplete:
                    yield row, digest
    except Stopped:
        return
