"""The folder of the workspace, its folders of images, its work in processes, and the lock of its server."""

import asyncio
import hashlib
import html
import importlib
import json
import os
import secrets
import shutil
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from coverslip.cache.stores import exclusive_lock
from coverslip.datasets.quality.findings import FINDINGS
from coverslip.errors import Conflict, CoverslipError
from coverslip.events import Emit, ignore
from coverslip.files import WORKSPACE_DATABASE, default_workspace_folder, write_json
from coverslip.images.decoding import Fields, read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.images.reading import Pixels
from coverslip.machine import file_systems, n_cores, network_file_system
from coverslip.messages import ChooseOther, text
from coverslip.processes import Json
from coverslip.workspace.store.database import SERVED, SERVER_LOCK
from coverslip.workspace.workers import WorkerPool

if TYPE_CHECKING:
    from sqlalchemy import Engine

T = TypeVar("T")
_COMPUTE_SECONDS = 600.0
_NICE = 5  # of computations for pages: requests of the server go first
_FEW_IMAGES = 500  # a thread computes everything for them as fast as it sends a request to a process


class Pulse:
    """Tells the queue of jobs and the streams of pages when something may have changed. Thread-safe.

    Every transaction that writes to the database beats, and so does each thread of the workspace when it starts and
    ends. While jobs run, which write files, the queue announces changes in short intervals. If none runs, nothing is
    announced between two changes.
    """

    def __init__(self) -> None:
        self.woken = threading.Event()  # for the queue
        self._lock = threading.Lock()
        self._followers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def beat(self) -> None:
        """Wake the queue and all followers."""
        self.woken.set()
        self.announce()

    def announce(self) -> None:
        """Wake all followers."""
        with self._lock:
            followers = list(self._followers)
        for loop, news in followers:
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(news.set)

    @contextmanager
    def followed(self) -> Iterator[asyncio.Event]:
        """Provide, within the block of a coroutine, an event that is set by each change."""
        follower = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._followers.add(follower)
        try:
            yield follower[1]
        finally:
            with self._lock:
                self._followers.remove(follower)


def compute_pool(max_wait_s: float) -> WorkerPool:
    """Return a pool for what pages show of all images of a dataset. Threads would delay all other requests.

    Args:
        max_wait_s: how long a request waits for a free process before its thread computes.
    """
    most_processes = max(1, n_cores() // 2)
    return WorkerPool((), most_seconds=_COMPUTE_SECONDS, most_processes=most_processes, max_wait_s=max_wait_s)


@dataclass(frozen=True, slots=True)
class _Work:
    thread: threading.Thread
    must_end: threading.Event


class Background:
    """Threads by name. They can be killed at any time, so their work must be restartable.

    Args:
        on_change: called after the start and the end of each.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change, self._lock = on_change, threading.Lock()
        self._works: dict[str, _Work] = {}
        self._held, self._n_started = Counter[str](), Counter[str]()

    def start(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """Run `work` in a thread, unless a thread of that name is running. Its argument is set when it must end."""
        with self._lock:
            if self._is_running(name) or self._held[name]:
                return
            event = threading.Event()
            thread = threading.Thread(target=self._run, args=(name, work, event), name=name, daemon=True)
            self._works[name] = _Work(thread, event)
            self._n_started[name] += 1
            thread.start()
        self._on_change()

    def _run(self, name: str, work: Callable[[threading.Event], None], must_end: threading.Event) -> None:
        try:
            work(must_end)
        except Exception:
            if not must_end.is_set():  # else the workspace may have been moved or deleted
                raise
        finally:
            with self._lock:
                if name in self._works and self._works[name].must_end is must_end:
                    del self._works[name]
            self._on_change()

    def is_running(self, name: str) -> bool:
        """Return whether a thread of that name is running."""
        with self._lock:
            return self._is_running(name)

    def n_started(self, name: str) -> int:
        """Return how many threads of that name have been started."""
        with self._lock:
            return self._n_started[name]

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Stop the thread of that name, wait for its end, and prevent new ones during the block."""
        with self._lock:
            self._held[name] += 1
            work = self._works.pop(name, None)
        try:
            if work is not None:
                work.must_end.set()
                work.thread.join()
            yield
        finally:
            with self._lock:
                self._held[name] -= 1

    def wait_all(self) -> None:
        """Wait for the end of all threads, including those that start meanwhile."""
        while True:
            with self._lock:
                works = [work for work in self._works.values() if work.thread.is_alive()]
            if not works:
                return
            for work in works:
                work.thread.join()

    def end_all(self, within_s: float) -> None:
        """Stop all threads, and wait up to `within_s` seconds for their end."""
        until = time.monotonic() + within_s
        with self._lock:
            works = list(self._works.values())
            self._works.clear()
        for work in works:
            work.must_end.set()
        for work in works:
            work.thread.join(max(0.0, until - time.monotonic()))

    def _is_running(self, name: str) -> bool:
        return name in self._works and self._works[name].thread.is_alive()


class MissingSources:
    """The missing sources of each dataset, as the last reader found them. Thread-safe.

    Args:
        on_change: called after each change.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change, self._lock = on_change, threading.Lock()
        self._paths: dict[str, list[str]] = {}
        self._n_changes = Counter[str]()

    def record(self, dataset_id: str, paths: list[str]) -> None:
        """Record the sources of a dataset that are missing now."""
        with self._lock:
            is_changed = self._paths.get(dataset_id, []) != paths
            self._paths[dataset_id] = paths
            self._n_changes[dataset_id] += is_changed
        if is_changed:
            self._on_change()

    def n_changes(self, dataset_id: str) -> int:
        """Return how often the missing sources of a dataset have changed."""
        with self._lock:
            return self._n_changes[dataset_id]


@dataclass(frozen=True)
class Workspace:
    """The folder of the app. Only one server may use it at a time."""

    folder: Path  # absolute
    roots: tuple[Path, ...]  # absolute; images may be opened below these
    pool: WorkerPool | None = field(default=None, compare=False, repr=False)  # of `compute_pool`
    pulse: Pulse = field(default_factory=Pulse, compare=False, repr=False)

    @cached_property
    def background(self) -> Background:
        """Its threads."""
        return Background(self.pulse.beat)

    @cached_property
    def missing_sources(self) -> MissingSources:
        """The missing sources of its datasets."""
        return MissingSources(self.pulse.beat)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Workspace":  # Any: JSON values
        """Return the workspace that `as_json` describes."""
        return cls(Path(data["folder"]), tuple(map(Path, data["roots"])))

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Return the workspace as JSON, for pipes to other processes."""
        return {"folder": str(self.folder), "roots": [str(root) for root in self.roots]}

    def compute(self, function: Callable[..., T], read: Callable[[Any], T], dataset_id: str, **arguments: Any) -> T:
        """Return `function(self, dataset_id=dataset_id, **arguments)`, in a process of the pool, if there is one.

        The caller computes if the dataset is small, or if all processes stay busy for `max_wait_s` of the pool.

        Args:
            function: a function of a module.
            read: returns the result from its JSON.
            dataset_id: the dataset.
            arguments: JSON values (Any: of any type).
        """
        arguments["dataset_id"] = dataset_id
        if self.pool is not None and self._n_images(dataset_id) > _FEW_IMAGES:
            with suppress(CoverslipError):  # this thread raises the same error, of its class
                result = self.pool.call(
                    compute_in_worker,
                    function=f"{function.__module__}:{function.__name__}",
                    workspace=json.dumps(self.as_json()),
                    arguments=arguments,
                    finders=list(FINDINGS),
                )
                if result is not None:
                    return read(result["of"])
        return function(self, **arguments)

    def _n_images(self, dataset_id: str) -> int:
        from sqlalchemy import func, select

        from coverslip.workspace.store.tables import images

        with self.engine.connect() as connection:
            query = select(func.count()).select_from(images).where(images.c.dataset_id == dataset_id)
            n: int = connection.execute(query).scalar_one()
            return n

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def jobs(self) -> Path:
        """The folders of jobs that compute a result on request."""
        return self.folder / "jobs"

    @property
    def studies(self) -> Path:
        return self.folder / "studies"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def snapshots(self) -> Path:
        return self.folder / "snapshots"

    @property
    def objects(self) -> Path:
        """The tables of objects in fields of view, in a folder for each dataset of fields."""
        return self.folder / "objects"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def trash(self) -> Path:
        return self.folder / "trash"

    @property
    def downloads(self) -> Path:
        """The folder of temporary files for downloads."""
        return self.folder / "downloads"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "app.log"

    @property
    def database_file(self) -> Path:
        return self.folder / WORKSPACE_DATABASE

    @cached_property
    def engine(self) -> "Engine":
        """The database, opened on first use."""
        from coverslip.workspace.store.database import open_database

        return open_database(self.database_file, on_write=self.pulse.beat)

    def upgrade_database(self, emit: Emit) -> None:
        """Bring the database to the version of this coverslip, which takes tens of seconds for a million images.

        Args:
            emit: receives a note and progress events, if the database has an earlier version.

        Raises:
            CoverslipError: it is damaged, empty or of another version, or cannot be used.
        """
        from coverslip.workspace.store.database import open_database

        open_database(self.database_file, emit=emit).dispose()

    def check_database(self, emit: Emit = ignore) -> None:
        """Upgrade the database if needed, and read it as a whole. A server does so before it starts.

        Args:
            emit: as of `upgrade_database`.

        Raises:
            CoverslipError: it is damaged, empty or of another version, or cannot be used.
        """
        from coverslip.workspace.store.database import check_pages

        self.upgrade_database(emit)
        check_pages(self.database_file)

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders in which files may be read."""
        return (*self.roots, self.folder)

    def allowed(self, path: str | Path) -> Path:
        """Return the real path of `path`, which must exist in the readable folders. Links out of them are refused.

        Raises:
            CoverslipError: it is outside these folders or does not exist.
        """
        try:
            real = Path(path).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise CoverslipError("missing-path", file=Path(str(path).replace("\0", ""))) from error
        if not any(real.is_relative_to(root) for root in self.readable):
            roots = ", ".join(str(root) for root in self.roots)
            raise CoverslipError("outside-roots", file=real, remedies=(ChooseOther("root"),), roots=roots)
        return real

    def owned(self, path: Path) -> Path:
        """Return a path that may be written, moved or removed, because its folder is in the workspace.

        Raises:
            Conflict: it is elsewhere after links to its folder are resolved, for example in a workspace that this one
                was copied from.
        """
        real = Path(os.path.realpath(path.parent), path.name)
        if path.name == ".." or self.folder not in real.parents:
            raise Conflict("outside-workspace", file=real, workspace=str(self.folder))
        return path

    def remove(self, path: Path) -> None:
        """Remove a file, a link or a folder as far as possible; raises as `owned`."""
        if self.owned(path).is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()

    def may_read(self, path: Path) -> bool:
        """Return whether the file exists in the readable folders after links are resolved."""
        try:
            self.allowed(path)
        except CoverslipError:
            return False
        return True

    def allowed_image(self, path: Path, plan: ReadPlan) -> tuple[Path, ReadPlan]:
        """Return the real path of an image, and its plan with the real paths of further channels.

        Raises:
            CoverslipError: one of its files is outside the readable folders or does not exist.
        """
        file, *other_files = map(self.allowed, plan.files(path))
        return file, plan.model_copy(update={"other_files": tuple(map(str, other_files))}) if other_files else plan

    def read_image(self, path: Path, plan: ReadPlan, fields: Fields | None = None) -> Pixels:
        """Return the pixels of an image in the readable folders. The file that is read is the file that was checked.

        Raises:
            CoverslipError: one of its files is outside the readable folders, does not exist or cannot be read.
        """
        return read_pixels(*self.allowed_image(path, plan), fields=fields, within=self.readable)


def open_workspace(folder: Path | None = None, roots: tuple[Path, ...] = ()) -> Workspace:
    """Open the workspace at `folder`, and create it if needed. Without roots, the home folder may be read.

    Raises:
        CoverslipError: the workspace cannot be created, or a root does not exist.
    """
    path = (folder or default_workspace_folder()).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)  # images of patients are private
    except OSError as error:
        raise CoverslipError(
            "workspace-not-created", file=path, remedies=(ChooseOther("workspace"),), reason=error.strerror
        ) from error
    real = tuple(root.expanduser().resolve() for root in roots) or (Path.home().resolve(),)
    if missing := next((root for root in real if not root.is_dir()), None):
        raise CoverslipError("missing-root", file=missing, remedies=(ChooseOther("root"),))
    return Workspace(path.resolve(), real)


def compute_in_worker(*, function: str, workspace: str, arguments: Json, finders: list[str]) -> Json | None:
    """Return what `Workspace.compute` requests: the result of a function, `MODULE:FUNCTION`, of a workspace.

    There is none if a program registered finders in the server only.

    Raises:
        CoverslipError: the function raises it.
    """
    from pydantic_core import to_jsonable_python

    from coverslip.workspace.store.database import waiting_briefly

    _lower_priority()
    if finders != list(FINDINGS):
        return None
    module, _, name = function.partition(":")
    compute, opened = getattr(importlib.import_module(module), name), _opened(workspace)
    engine = opened.engine
    try:
        with waiting_briefly():
            return {"of": to_jsonable_python(compute(opened, **arguments))}
    finally:
        engine.dispose()  # so that the file can be removed with its project


@lru_cache(maxsize=64)
def _opened(workspace: str) -> Workspace:
    return Workspace.from_json(json.loads(workspace))


@lru_cache(maxsize=1)
def _lower_priority() -> None:
    if sys.platform != "win32":
        os.nice(_NICE)


# The lock that allows one server for a workspace, and the token for other computers.

_FORMAT_VERSION = 1
_REDIRECT_SECONDS = 60.0  # a browser on a busy computer starts slowly


@contextmanager
def only_server(folder: Path) -> Iterator[None]:
    """Lock a folder, such as that of a workspace, against other servers: two would start each queued training twice.

    The operating system releases the lock even after a process is killed.

    Raises:
        CoverslipError: another server, whose address the message contains, uses it; or it cannot be written to.
    """
    file = folder / SERVER_LOCK
    with ExitStack() as stack:
        try:
            stack.enter_context(closing(exclusive_lock(file, wait_s=0)))
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, OSError) or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                reason = error.strerror if isinstance(error, OSError) else error
                raise CoverslipError(
                    "workspace-not-locked", file=file, remedies=(ChooseOther("workspace"),), reason=str(reason)
                ) from error
            address = _recorded_address(folder)
            raise CoverslipError(
                "workspace-open-elsewhere",
                file=folder,
                remedies=(ChooseOther("workspace"),),
                has_address=address is not None,
                address=address or "",
            ) from error
        SERVED.add(folder)
        stack.callback(SERVED.discard, folder)
        yield


def refuse_network_drive(folder: Path) -> None:
    """Raise CoverslipError if a folder is on a network drive, where SQLite's log does not keep two computers apart."""
    if file_system := network_file_system(str(folder.resolve()), file_systems()):
        raise CoverslipError(
            "workspace-on-network-drive", file=folder, remedies=(ChooseOther("workspace"),), file_system=file_system
        )


def record_address(folder: Path, address: str) -> None:
    """Record the address of the server, for the error message of other servers."""
    write_json(_address_file(folder), {"format_version": _FORMAT_VERSION, "address": address, "pid": os.getpid()})


def _recorded_address(folder: Path) -> str | None:
    try:
        return str(json.loads(_address_file(folder).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_token(workspace: Workspace) -> str:
    """Create a token; earlier ones become invalid. The workspace stores its hash only, so it is shown once."""
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    write_json(_token_file(workspace), {"format_version": _FORMAT_VERSION, "sha256": digest})
    _token_file(workspace).chmod(0o600)
    return token


def token_hash(workspace: Workspace) -> str | None:
    """Return the hex SHA-256 of the latest token; None if there is none."""
    try:
        return str(json.loads(_token_file(workspace).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def redirect_file(workspace: Workspace, address: str) -> Iterator[Path]:
    """Write a page that redirects to an address with a token. Only this user can read it. It is removed after a while.

    All users of a computer can see the arguments of programs, so the browser gets the name of this file. It is in the
    workspace, because sandboxed browsers read neither temporary nor hidden folders.
    """
    file = workspace.folder / "open.html"
    file.unlink(missing_ok=True)  # from a killed server
    escaped = html.escape(address)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as page:
        page.write(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
            f'<meta http-equiv="refresh" content="0;url={escaped}"><title>coverslip</title></head>'
            f'<body><a href="{escaped}">{text("open-coverslip")}</a></body></html>'
        )
    timer = threading.Timer(_REDIRECT_SECONDS, _remove, [file])
    timer.daemon = True
    timer.start()
    try:
        yield file
    finally:
        timer.cancel()
        _remove(file)


def _remove(file: Path) -> None:
    with suppress(OSError):  # Windows keeps open files; the next server removes it
        file.unlink(missing_ok=True)


def _token_file(workspace: Workspace) -> Path:
    return workspace.folder / "token.json"


def _address_file(folder: Path) -> Path:
    return folder / "server.json"
