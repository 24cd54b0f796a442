"""Files of trainings, evaluations and studies for download."""

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

from coverslip.errors import Conflict
from coverslip.images import open_below
from coverslip.runs import export_classifier
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.workspace import Workspace

_CHUNK = 1024 * 1024
_COMPRESSED_SUFFIXES = frozenset({".safetensors", ".png", ".npy", ".pt", ".zip"})
_LOCAL = frozenset({"checkpoints", "exports"})  # for resuming in place, and with downloads of their own
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same run gives the same bytes


JobFile = Literal["report", "model-card", "predictions", "recipe", "confusion-matrix", "results"]


def file_of_job(job: Job, name: JobFile) -> Path:
    """Return a file of a training, an evaluation or a study.

    Raises:
        Conflict: the job has not written it yet.
    """
    files = {
        "report": job.run.report_file,
        "model-card": job.run.model_card_file,
        "predictions": job.run.predictions_file,
        "recipe": job.run.recipe_file,
        "confusion-matrix": job.run.confusion_file,
        "results": job.folder / "results.csv",
    }
    return _existing(files[name])


def figure_of_job(job: Job, name: str) -> Path:
    """Return a file of a figure in the report of a job; raises as `file_of_job`."""
    return _existing(job.run.figures_folder / name)


def _existing(file: Path) -> Path:
    if file.is_file():
        return file
    raise Conflict("no-run-file-yet", name=file.name)


def classifier_of(workspace: Workspace, run_id: str) -> tuple[str, IO[bytes]]:
    """Return the name of a run's classifier file, and the file open for reading.

    Raises:
        NotFound: there is no such run.
        Conflict: it has no classifier yet.
        BadClassifier: the classifier is damaged.
    """
    job = find_job(workspace, run_id, "train")
    if not job.run.has_classifier:
        raise Conflict("no-classifier-yet")
    workspace.downloads.mkdir(exist_ok=True)
    # The file is removed as soon as it is open; on systems that keep open files, at the next start of the app.
    with tempfile.TemporaryDirectory(dir=workspace.downloads, ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "classifier.coverslip"
        export_classifier(job.folder, file)
        return f"{job.folder.name}.coverslip", file.open("rb")


def file_chunks(file: IO[bytes], mark: bytes = b"") -> Iterator[bytes]:
    """Yield a mark, if there is one, and the bytes of an open file in chunks, then close it."""
    with file:
        if mark:
            yield mark
        while chunk := file.read(_CHUNK):
            yield chunk


def disposition(name: str) -> str:
    """Return the header that makes a browser save the response as a file."""
    quoted = quote(name)
    return f'attachment; filename="{name}"' if quoted == name else f"attachment; filename*=UTF-8''{quoted}"


def zipped_run(workspace: Workspace, run_id: str) -> tuple[str, Iterator[bytes]]:
    """Return the name of a zip of the run's folder, and its bytes, as they are produced.

    Raises:
        NotFound: there is no such run.
        Conflict: the run has not started.
    """
    folder = find_job(workspace, run_id, "train").folder
    if not folder.is_dir():
        raise Conflict("no-run-folder-yet")
    return f"{folder.name}.zip", zipped(folder, folder.name)


def zipped(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the bytes of a zip of a folder, which is called `name` there."""
    pipe, roots = _Pipe(), (folder.resolve(),)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    with zipfile.ZipFile(pipe, "w", allowZip64=True) as archive:  # type: ignore[call-overload]  # only written to
        for file in files:
            if file.suffix == ".part" or not _LOCAL.isdisjoint(file.relative_to(folder).parts):
                continue
            entry = zipfile.ZipInfo(f"{name}/{file.relative_to(folder).as_posix()}", _FIXED_TIME)
            compression = zipfile.ZIP_STORED if file.suffix in _COMPRESSED_SUFFIXES else zipfile.ZIP_DEFLATED
            entry.compress_type, entry.create_system, entry.external_attr = compression, 3, 0o100644 << 16
            with open_below(file, roots) as source, archive.open(entry, "w", force_zip64=True) as target:
                yield from _copied(source, target, pipe)
    yield pipe.take()


def _copied(source: IO[bytes], target: IO[bytes], pipe: "_Pipe") -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        if data := pipe.take():
            yield data


class _Pipe:
    """The target of a zip: it buffers bytes until they are file_chunks."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data
