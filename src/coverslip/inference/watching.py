"""Prediction of the images that appear in a folder, each once, until a stop is requested.

The rows of the table are the only state: after a restart, images that have a row are not predicted again.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from os.path import lexists
from pathlib import Path

from coverslip.cache import FileState, state_of
from coverslip.datasets import UNREADABLE, ImageRecord, list_images, name_as_text, name_from_text
from coverslip.errors import BadDataset, CoverslipError, Stopped
from coverslip.events import Emit, Noted, Progressed
from coverslip.files import sha256_file
from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.new_images import EstimatedShares, note_on_thresholds
from coverslip.inference.predicting import MAX_REASONS, PredictionSummary, summary_of, unreadable_note
from coverslip.messages import note
from coverslip.progress import show
from coverslip.runs import (
    CLASSIFIER_COLUMN,
    FILE_COLUMN,
    Format,
    Prediction,
    PredictionColumns,
    Run,
    check_output,
    growing_table,
    identity_of,
)
from coverslip.stopping import BY_SIGNAL, Stop, signals_stop

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
        quiet_seconds: how long a file must be unchanged.
        emit: receives progress and notes.
        stop: ends the work; by default Ctrl-C.

    Returns:
        The summary of all rows of the table, with those of earlier processes.

    Raises:
        BadDataset: the folder does not exist.
        CoverslipError: the format is Parquet; the classifier reads several files per image; the table has rows of
            another classifier or other columns.
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
    if prevalence:
        if (unused_thresholds := note_on_thresholds(classifier.card)) is not None:
            emit(Noted.of(unused_thresholds))
        classifier = classifier.at_prevalence(prevalence)
    if rescale:
        classifier = classifier.with_rescaling()
    layout = PredictionColumns(classifier.classes, top_k, (FILE_COLUMN, CLASSIFIER_COLUMN))
    identity = identity_of(classifier.path, classifier.card, is_rescaled=rescale)
    decisions, shares = Counter[str](), EstimatedShares(classifier.card)
    with signals_stop(), growing_table(out, layout, format) as table:
        images = _Images(folder, quiet_seconds)
        for row, about in table.all_rows():
            if about[CLASSIFIER_COLUMN] != identity:
                raise CoverslipError("rows-of-other-classifier", file=out)
            images.add_predicted(row.path, about[FILE_COLUMN])
            decisions[row.decision] += 1
            shares.add(row)
        emit(Noted.of(note("watching", folder=str(folder), n_images=images.n_predicted)))
        for complete in _until_stopped(images, batch_size, stop):
            for row, digest in _predicted(classifier, images, complete, batch_size, stop):
                table.write(row, {FILE_COLUMN: digest, CLASSIFIER_COLUMN: identity})
                images.add_predicted(row.path, digest)
                decisions[row.decision] += 1
                shares.add(row)
                if row.decision == UNREADABLE and decisions[UNREADABLE] <= MAX_REASONS:
                    emit(Noted.of(unreadable_note(row)))
            table.save()
            classifier.save_engine()
            emit(Progressed(stage="watching", done=images.n_predicted, total=images.n_predicted + images.n_pending))
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


def _predicted(
    classifier: Classifier, images: _Images, complete: Iterable[tuple[str, ...]], batch_size: int, stop: Stop
) -> Iterator[tuple[Prediction, str]]:
    """Yield the rows of images that are unchanged after their prediction, with the hashes of the files."""
    plan = classifier.card.preprocessing.plan.of_whole_image
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
        with closing(classifier.predict_with_pixels(records, batch_size=batch_size, stop=stop)) as rows:
            for record, digest, (row, _) in zip(records, digests, rows, strict=True):
                is_incomplete = row.decision == UNREADABLE and images.wait_longer(record.path)
                if images.is_unchanged(record.path) and not is_incomplete:
                    yield row, digest
    except Stopped:
        return
