"""Fast starts of coverslip's programs in tests, on Linux: forks of a process that has imported the libraries.

A new interpreter imports for three to five seconds before `coverslip train` or `coverslip app` begins, and the tests
start hundreds of them. `use_fork_server` replaces `subprocess.Popen` in the process of the tests: commands of the form
`python -m coverslip…` are forked from a server that has imported everything once, also if a program that was started
this way starts them. They are separate processes with the usual interface. All other commands are started as usual, and
so are these where a fork could differ: with other variables of the interpreter or of native libraries, or with options
of `Popen` that the server does not know.

On other systems, and in tests with the marker `new_interpreter`, all programs are new interpreters: to fork after the
system's libraries are loaded is unsafe on macOS.
"""

import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

# Tests find this one by its command line; the others limit the memory and the number of open files of their process.
_NEW_INTERPRETERS = (
    "coverslip.images.decoding_worker",
    "coverslip.models.weights.files",
    "coverslip.models.weights.hdf5",
)
# Libraries and interpreters read these once.
_READ_AT_START = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONWARNINGS")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_OPTIONS = {"stdin", "stdout", "stderr", "cwd", "env", "start_new_session", "creationflags", "text", "encoding"}

_real_popen = subprocess.Popen


class _Server:
    """Where the server listens, and how its process started."""

    address = ""
    process: "subprocess.Popen[bytes] | None" = None
    environment: Mapping[str, str] = {}
    starting = threading.Lock()


@contextmanager
def use_fork_server(*, is_needed: bool) -> Iterator[None]:
    """Fork coverslip's programs from a server, which ends with the block. Needs a process with one core.

    With several, the libraries start threads when they are imported.

    Args:
        is_needed: start the server now; False: with the first program.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) > 1:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        _Server.address, _Server.environment = str(Path(folder) / "socket"), dict(os.environ)
        subprocess.Popen = Popen  # type: ignore[misc]
        if is_needed:
            _start_server()
        try:
            yield
        finally:
            subprocess.Popen = _real_popen  # type: ignore[misc]
            if _Server.process is not None:
                _Server.process.communicate()  # closes its stdin


@contextmanager
def new_interpreters() -> Iterator[None]:
    """Start all programs as new interpreters, as users do."""
    current, subprocess.Popen = subprocess.Popen, _real_popen  # type: ignore[misc]
    try:
        yield
    finally:
        subprocess.Popen = current  # type: ignore[misc]


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """`subprocess.Popen`, or a `Fork` if the command is a program of coverslip."""

    def __new__(cls, args: Any, *more: Any, **options: Any) -> Any:  # Any: as for `subprocess.Popen`
        if not more and (arguments := _module_and_arguments(args)) and _is_equal_by_fork(options):
            return Fork(args, arguments, **options)
        return super().__new__(cls)


def _module_and_arguments(command: Any) -> list[str] | None:
    if not isinstance(command, (list, tuple)) or len(command) < 3 or command[0] != sys.executable:
        return None
    start = 2 if command[1] == "-P" else 1
    flag, module, *arguments = map(str, command[start:]) if len(command) > start + 1 else ("", "")
    is_ours = flag == "-m" and module.partition(".")[0] == "coverslip" and module not in _NEW_INTERPRETERS
    return [module, *arguments] if is_ours else None


def _is_equal_by_fork(options: Mapping[str, Any]) -> bool:
    if {name for name, value in options.items() if value not in (None, False)} - _OPTIONS:
        return False
    environment = options.get("env") or os.environ
    return all(environment.get(name) == _Server.environment.get(name) for name in _READ_AT_START) and all(
        environment.get(name, "1") == "1" for name in _THREADS
    )


class Fork:
    """A program that the server forked, with the interface of `subprocess.Popen`."""

    def __init__(
        self,
        args: Any,
        arguments: list[str],
        *,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        cwd: Any = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
        text: bool | None = None,
        encoding: str | None = None,
        **_: Any,
    ) -> None:
        self.args, self.returncode = args, None
        self._lock = threading.Lock()
        mine: list[int] = []  # to be closed after the start
        ours: list[int | None] = []

        def end_of(stream: Any, fd: int) -> int:
            """Return the file descriptor for the program; note the end of a pipe for us."""
            ours.append(None)
            if stream is None:
                return fd
            if stream == subprocess.PIPE:
                reading, writing = os.pipe()
                theirs, ours[-1] = (reading, writing) if fd == 0 else (writing, reading)
                mine.append(theirs)
                return theirs
            if stream == subprocess.DEVNULL:
                mine.append(os.open(os.devnull, os.O_RDWR))
                return mine[-1]
            return stream if isinstance(stream, int) else int(stream.fileno())

        try:
            fds = [end_of(stdin, 0), end_of(stdout, 1)]
            fds.append(fds[1] if stderr == subprocess.STDOUT else end_of(stderr, 2))
            request = {
                "arguments": arguments,
                "cwd": str(Path.cwd() if cwd is None else cwd),
                "is_safe_path": "-P" in args[1:2],
                "environment": dict(os.environ if env is None else env),
                "session": None if start_new_session else os.getpgid(0),
            }
            self._connection = _connect()
            body = json.dumps(request).encode()
            socket.send_fds(self._connection, [len(body).to_bytes(8, "big")], fds)
            self._connection.sendall(body)
            answer = self._connection.recv(4)
            if len(answer) < 4:
                raise OSError("the server that forks programs has ended")
            self.pid = int.from_bytes(answer, "big")
        finally:
            for fd in mine:
                os.close(fd)
        ours += [None] * (3 - len(ours))
        kind = {"encoding": encoding} if text or encoding else {}
        self.stdin, self.stdout, self.stderr = (
            None if fd is None else os.fdopen(fd, mode if kind else f"{mode}b", **kind)  # type: ignore[call-overload]
            for fd, mode in zip(ours, "wrr", strict=True)
        )

    def poll(self) -> int | None:
        if self._lock.acquire(blocking=False):  # else another thread waits for the end
            try:
                self._receive_code(0)
            finally:
                self._lock.release()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        with self._lock:
            if (code := self._receive_code(timeout)) is None:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            return code

    def _receive_code(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            answer = self._connection.recv(4)
            self._connection.close()
            # Without an answer, the server has ended. Its programs continue, and nobody knows how they end.
            self.returncode = int.from_bytes(answer, "big", signed=True) if answer else 255
        return self.returncode

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002  as in `Popen`
        until = None if timeout is None else time.monotonic() + timeout
        outputs: dict[str, Any] = {"stdout": None, "stderr": None}

        def read(name: str, stream: IO[Any]) -> None:
            with suppress(ValueError):  # closed meanwhile
                outputs[name] = stream.read()

        threads = [
            threading.Thread(target=read, args=(name, stream), daemon=True)
            for name in outputs
            if (stream := getattr(self, name)) is not None
        ]
        for thread in threads:
            thread.start()
        if self.stdin is not None:
            with suppress(BrokenPipeError):
                if input:
                    self.stdin.write(input)
                self.stdin.close()
        for thread in threads:
            thread.join(None if until is None else max(0, until - time.monotonic()))
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if until is None else max(0, until - time.monotonic()))
        return outputs["stdout"], outputs["stderr"]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Fork":
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self.wait()


def _connect() -> socket.socket:
    """Return a connection to the server; start the server if it has not been started."""
    with _Server.starting:
        if not Path(_Server.address).exists():
            _start_server()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(_Server.address)
    return connection


def _start_server() -> None:
    """Start the server and wait until it has imported the libraries: the app expects that processes start at once."""
    command, environment = [sys.executable, __file__, _Server.address], dict(_Server.environment)
    _Server.process = _real_popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert _Server.process.stdout is not None
    assert _Server.process.stdout.readline() == b"ready\n"


def _import_libraries() -> None:
    import importlib
    import pkgutil

    import coverslip

    for module in pkgutil.walk_packages(coverslip.__path__, "coverslip."):
        if not module.name.endswith(("__main__", ".sklearn")):  # pandas begins a thread
            with suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(module.name)
    from coverslip.models._libraries import import_timm

    import_timm()
    for name in ("matplotlib.figure", "onnxruntime", "PIL.Image", "scipy.optimize", "scipy.stats", "tifffile"):
        with suppress(ImportError):
            importlib.import_module(name)


def _serve(address: str) -> dict[str, Any] | None:
    """Answer requests until stdin ends. Return None then; in a forked process, return its request."""
    import gc

    gc.disable()
    _import_libraries()
    gc.collect()
    gc.freeze()
    gc.enable()
    if (n := len(list(Path("/proc/self/task").iterdir()))) > 1:
        raise SystemExit(f"{n} threads: what they hold is lost in a fork")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: for the tests
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    ready.register(sys.stdin, selectors.EVENT_READ)
    os.write(1, b"ready\n")
    while True:
        for key, _ in ready.select():
            if key.fileobj is sys.stdin:
                return None
            if key.fileobj is listener:
                request = _fork(listener, ready)
                if request is not None:
                    return request
            else:
                _report_end(key, ready)


def _fork(listener: socket.socket, ready: selectors.BaseSelector) -> dict[str, Any] | None:
    """Fork a process for the next request. Return the request there, and None in the server."""
    connection, _ = listener.accept()
    length, fds, *_rest = socket.recv_fds(connection, 8, 3)
    body = b""
    while len(body) < int.from_bytes(length, "big"):
        body += connection.recv(1 << 20)
    request = json.loads(body)
    pid = os.fork()
    if pid:
        end = os.pidfd_open(pid)
        ready.register(end, selectors.EVENT_READ, (pid, connection))
        for fd in fds:
            os.close(fd)
        return None
    if request["session"] is None:
        os.setsid()
    else:
        with suppress(OSError):  # a group of another session
            os.setpgid(0, request["session"])
    connection.sendall(os.getpid().to_bytes(4, "big"))
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
    # What the server holds must not be closed later: its numbers then belong to files of the program.
    for key in ready.get_map().values():
        if key.data is not None:
            key.data[1].detach()
    connection_fd, listener_fd = connection.detach(), listener.detach()
    ready.close()
    os.closerange(3, max(*fds, connection_fd, listener_fd, 64) + 256)
    return dict(request)


def _report_end(key: selectors.SelectorKey, ready: selectors.BaseSelector) -> None:
    pid, connection = key.data
    ready.unregister(key.fileobj)
    os.close(key.fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):  # the program that started it has ended
        connection.sendall(code.to_bytes(4, "big", signed=True))
    connection.close()


def _become(request: dict[str, Any]) -> None:
    """Be `python -m MODULE ARGUMENTS`, as requested."""
    module, *arguments = request["arguments"]
    for number in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.chdir(request["cwd"])
    _Server.address, _Server.environment = sys.orig_argv[-1], dict(os.environ)
    os.environ.clear()
    os.environ.update(request["environment"])
    if not request["is_safe_path"]:
        sys.path.insert(0, request["cwd"])
    sys.argv = ["", *arguments]
    is_unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(fd, mode, closefd=False, **options)  # type: ignore[call-overload]
        for fd, mode, options in (
            (0, "r", {}),
            (1, "w", {}),
            (2, "w", {"buffering": 1, "errors": "backslashreplace"}),
        )
    )
    sys.stdout.reconfigure(write_through=is_unbuffered)  # type: ignore[union-attr]
    # Programs that this one starts are forked, too.
    sys.modules["programs"] = sys.modules["__main__"]
    subprocess.Popen = Popen  # type: ignore[misc]
    warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)  # the server imported it
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    request = _serve(sys.argv[1])
    if request is not None:
        _become(request)
