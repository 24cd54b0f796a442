"""Call a function on the computers of a Ray cluster, for the trainings of studies and the batches of predictions.

Ray schedules the calls and repeats those of lost computers. The protocol of Ray unpickles data from the cluster:
everyone who controls one of its computers can run any code here.
"""

import functools
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coverslip.errors import ClusterUnreachable, CoverslipError, UntrustedCluster, require_extra
from coverslip.events import Emit, Noted
from coverslip.machine import n_cores
from coverslip.messages import TrustCluster, note, text
from coverslip.runtime.executors import Executor
from coverslip.stopping import work_stopped

_TIMEOUT_S = 10.0
# The first bytes of a client of HTTP/2, the protocol of Ray: the preface and an empty settings frame.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HEADER_BYTES = 9
_SETTINGS = 4  # the type of the first frame of every server, in the fourth byte
_TLS_ALERT = 0x15  # the first byte of the answer of a server that requires TLS


def check_reachable(address: str) -> None:
    """Check that a server that can be Ray answers at `ray://HOST:PORT` or `HOST:PORT`.

    Raises:
        ClusterUnreachable: the address is invalid, or there is no valid answer in time.
    """
    host, port = _host_and_port(address)
    try:
        answer = _answer(host, port)
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from error
    if answer[:1] != bytes([_TLS_ALERT]) and answer[3:4] != bytes([_SETTINGS]):
        raise _unreachable(address, text("no-ray-cluster" if answer else "cluster-closed-connection"))


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("", "ray") or not parts.hostname or port is None:
        raise ClusterUnreachable("cluster-address-invalid", address=address)
    return parts.hostname, port


def _answer(host: str, port: int) -> bytes:
    """Return the first bytes from a server; fewer if it closes the connection."""
    deadline = time.monotonic() + _TIMEOUT_S
    with socket.create_connection((host, port), timeout=_TIMEOUT_S / 2) as connection:
        connection.sendall(_GREETING)
        answer = b""
        while len(answer) < _HEADER_BYTES:
            connection.settimeout(max(deadline - time.monotonic(), 0.01))
            data = connection.recv(_HEADER_BYTES - len(answer))
            if not data:
                break
            answer += data
    return answer


def _unreachable(address: str, reason: str) -> ClusterUnreachable:
    return ClusterUnreachable("cluster-unreachable", address=address, reason=reason)


ROOTS_VARIABLE = "COVERSLIP_ROOTS"  # environment variable of a computer: the local paths of folders


def local_path(path: str) -> str:
    """Return the path of a file or folder on this computer.

    The value `/data=/mnt/data;…` of the variable means that files in /data on other computers are in /mnt/data on this
    computer.
    """
    for pair in filter(None, os.environ.get(ROOTS_VARIABLE, "").split(";")):
        original, _, local = pair.partition("=")
        if Path(path).is_relative_to(original):
            return str(Path(local) / Path(path).relative_to(original))
    return path


_MAX_RETRIES = 3  # of a task whose computer is lost
_LOOPBACK = "127.0.0.1"


def join_cluster(address: str, *, is_trusted: bool, emit: Emit) -> Any:  # Any: the module `ray`
    """Join a cluster, and return the module `ray`.

    Args:
        address: `ray` for the cluster in the environment variable `RAY_ADDRESS` or, without it, for a new cluster of
            this computer only. Otherwise `ray://HOST:PORT` or `HOST:PORT`.
        is_trusted: whether the user trusts all computers of a cluster that requires no token.
        emit: receives a warning before an existing cluster is joined.

    Raises:
        CoverslipError: no cluster answers at the address, or it is neither trusted nor protected by a token.
        ExtraNotInstalled: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
    existing = _existing_cluster(address)
    if existing is not None:
        _check_trust(existing, is_trusted)
        check_reachable(existing)
    require_extra("cluster")
    if existing is None:
        return _start_cluster()
    emit(Noted.of(note("joining-cluster", level="warning", address=existing)))
    import ray

    _connect(ray, existing, address=existing)
    return ray


def _existing_cluster(address: str) -> str | None:
    """Return the address of the cluster to join; None: start a new one."""
    named = os.environ.get("RAY_ADDRESS", "") if address == "ray" else address
    return None if address == "ray" and named in ("", "local") else named


def _check_trust(address: str, is_trusted: bool) -> None:
    if is_trusted or os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        return
    raise UntrustedCluster("cluster-not-trusted", remedies=(TrustCluster(),), address=address)


def _start_cluster() -> Any:  # Any: the module `ray`
    """Start a cluster that accepts connections from this computer only, with a token of this process."""
    with _environment(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=_token(),  # the default token of Ray is in a file that all users of the computer can read
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # makes Ray listen on the loopback interface on Linux too
    ):
        ray = _import_ray()
        options = {"num_cpus": n_cores(), "include_dashboard": False, "_node_ip_address": _LOOPBACK}
        _connect(ray, text("ray-of-this-computer"), address="local", **options)
    if ray.util.get_node_ip_address() != _LOOPBACK:
        ray.shutdown()
        raise CoverslipError("ray-cluster-open", version=ray.__version__)
    return ray


@functools.cache
def _import_ray() -> Any:  # Any: the module `ray`
    """Import Ray, which reads environment variables on import."""
    if "ray" in sys.modules:
        raise CoverslipError("ray-imported-before")
    import ray

    return ray


@functools.cache
def _token() -> str:
    """Return the token of all clusters that this process starts; Ray reads it once."""
    return secrets.token_hex(32)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables during the block, for processes that are started in it."""
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _connect(ray: Any, name: str, **options: Any) -> None:  # Any: the module `ray`; options of any type
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
    except Exception as error:  # Ray raises plain exceptions too
        reason = str(error).strip().splitlines()[0]
        raise CoverslipError("ray-not-connected", name=name, reason=reason) from error


class ClusterExecutor(Executor[tuple[Any, ...], Any, object]):  # Any: arguments of a function; Ray's references
    """Runs calls of a function on the computers of a cluster. A task is a tuple of arguments.

    Results must be validated as untrusted data.
    """

    def __init__(
        self,
        address: str,
        function: Callable[..., bytes],
        *,
        cores: int | None = None,
        with_gpus: bool = True,
        is_trusted: bool,
        emit: Emit,
    ) -> None:
        """Join the cluster.

        Args:
            address, is_trusted, emit: as of `join_cluster`.
            function: it is called with the arguments of each task.
            cores: of each call; None: a whole computer, or its share for each GPU.
            with_gpus: whether each call has a GPU if the cluster has any.

        Raises:
            CoverslipError: as `join_cluster`, or no computer is large enough.
        """
        self._ray = join_cluster(address, is_trusted=is_trusted, emit=emit)
        computers = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        try:
            n_parallel, cores, gpus = call_resources(computers, cores, with_gpus=with_gpus)
        except CoverslipError:
            self.close()
            raise
        super().__init__(n_parallel)
        resources = {"num_cpus": cores, "num_gpus": gpus}
        self._function = self._ray.remote(function).options(
            max_retries=_MAX_RETRIES, scheduling_strategy="SPREAD", **resources
        )

    def shared(self, value: Any) -> Any:  # Any: a value, and Ray's reference to it
        """Return a reference to a value, which is sent to each computer once, as an argument of several calls."""
        return self._ray.put(value)

    def _start(self, task: tuple[Any, ...]) -> Any:  # Any: as above
        return self._function.remote(*task)

    def _result(self, handle: Any) -> object:  # Any: as above
        try:
            result: object = self._ray.get(handle)
            return result
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            if self.is_stopped:
                raise work_stopped() from error
            # Without the traceback in the text of Ray's errors.
            reason = str(error).strip().splitlines()[-1].rstrip(".")
            raise CoverslipError("cluster-failed", reason=reason) from error

    def _cancel(self, handle: Any) -> None:  # Any: as above
        self._ray.cancel(handle)

    def close(self) -> None:
        """Leave the cluster. A cluster that was started by `join_cluster` ends."""
        self._ray.shutdown()


def call_resources(
    computers: Sequence[Mapping[str, float]], cores: int | None, *, with_gpus: bool
) -> tuple[int, int, int]:
    """Return the number of parallel calls, and the cores and GPUs of each.

    Args:
        computers: the resources of each: `CPU`, `GPU` if it has any, and others.
        cores, with_gpus: as of `ClusterExecutor`.

    Raises:
        CoverslipError: no computer is large enough.
    """
    with_gpu = [computer for computer in computers if with_gpus and computer.get("GPU", 0) >= 1]
    free = [(int(each.get("CPU", 0)), int(each["GPU"]) if with_gpu else 1) for each in with_gpu or computers]
    if cores is None:  # the smallest computer, or its share for a GPU
        cores = min((n_cores // n_gpus for n_cores, n_gpus in free if n_cores), default=1) or 1
    n_parallel = sum(min(n_cores // cores, n_gpus) if with_gpu else n_cores // cores for n_cores, n_gpus in free)
    if not n_parallel:
        raise CoverslipError("no-computer-for-task", cores=cores, has_gpus=bool(with_gpu))
    return n_parallel, cores, int(bool(with_gpu))
