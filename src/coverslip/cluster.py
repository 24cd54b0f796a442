"""Joining a Ray cluster, what its computers have, and work for them.

Ray places tasks and begins those again whose computer is lost; there is no scheduler of ours. Ray's own protocol
unpickles what a cluster sends: whoever controls a computer of it can run any code here.
"""

import functools
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coverslip.errors import ClusterUnreachable, CoverslipError, UntrustedCluster, require_extra
from coverslip.events import Emit, Noted
from coverslip.machine import n_cores
from coverslip.messages import TrustCluster, note, text

_SECONDS = 10.0
# What a client of HTTP/2, which Ray speaks, begins with; the second is an empty frame of settings.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HEADER_BYTES = 9
_SETTINGS = 4  # the kind of frame that every server answers with, in the fourth byte
_TLS_ALERT = 0x15  # the first byte of what a server answers that expects TLS


def check_reachable(address: str) -> None:
    """Check that something that may be Ray listens at `ray://HOST:PORT` or `HOST:PORT`, and answers.

    Raises:
        ClusterUnreachable: it is no such address, or nothing answers there in time.
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
    """Return the first bytes that a server sends; fewer if it closes the connection before."""
    deadline = time.monotonic() + _SECONDS
    with socket.create_connection((host, port), timeout=_SECONDS / 2) as connection:
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


ROOTS_VARIABLE = "COVERSLIP_ROOTS"  # of a computer: where folders lie that are called otherwise here


def place_here(path: str) -> str:
    """Return where a file or folder lies on this computer.

    `/data=/mnt/data;…` in the variable says that files below /data on other computers are below /mnt/data on this one.
    """
    for pair in filter(None, os.environ.get(ROOTS_VARIABLE, "").split(";")):
        original, _, local = pair.partition("=")
        if Path(path).is_relative_to(original):
            return str(Path(local) / Path(path).relative_to(original))
    return path


_TRIES = 3  # of a task whose computer is lost
_LOOPBACK = "127.0.0.1"


def joined_cluster(address: str, *, is_trusted: bool, emit: Emit) -> Any:  # Any: Ray's own module
    """Return Ray, as part of a cluster.

    Args:
        address: `ray` for the cluster that the environment variable `RAY_ADDRESS` names; where it names none, for a new
            one of this computer alone. Else `ray://HOST:PORT` or `HOST:PORT`.
        is_trusted: whether the user trusts all computers of a cluster that does not ask for a token.
        emit: receives a warning about the computers of an existing cluster before it is joined.

    Raises:
        CoverslipError: no cluster answers at the address, or it is neither trusted nor protected by a token.
        ExtraNotInstalled: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
    existing = _existing_cluster(address)
    if existing is not None:
        _check_trust(existing, is_trusted)
        check_reachable(existing)
    require_extra("cluster", "Work on a Ray cluster")
    if existing is None:
        return _begin_cluster()
    emit(Noted.of(note("joining-cluster", level="warning", address=existing)))
    import ray

    _connect(ray, existing, address=existing)
    return ray


def _existing_cluster(address: str) -> str | None:
    """Return the address of the cluster to join; None: a new one is begun."""
    named = os.environ.get("RAY_ADDRESS", "") if address == "ray" else address
    return None if address == "ray" and named in ("", "local") else named


def _check_trust(address: str, is_trusted: bool) -> None:
    if is_trusted or os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        return
    raise UntrustedCluster("cluster-not-trusted", remedies=(TrustCluster(),), address=address)


def _begin_cluster() -> Any:  # Any: Ray's own module
    """Begin a cluster that listens to this computer alone, and to those alone who have a token of this process."""
    with _environment(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=_own_token(),  # Ray's own would lie in a file that every user of the computer can read
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # by which Ray listens on the loopback interface on Linux too
    ):
        ray = _ray_of_this_computer()
        options = {"num_cpus": n_cores(), "include_dashboard": False, "_node_ip_address": _LOOPBACK}
        _connect(ray, text("ray-of-this-computer"), address="local", **options)
    if ray.util.get_node_ip_address() != _LOOPBACK:
        ray.shutdown()
        raise CoverslipError("ray-cluster-open", version=ray.__version__)
    return ray


@functools.cache
def _ray_of_this_computer() -> Any:  # Any: Ray's own module
    """Ray, imported with the variables that it reads then."""
    if "ray" in sys.modules:
        raise CoverslipError("ray-imported-before")
    import ray

    return ray


@functools.cache
def _own_token() -> str:
    """Return one for all clusters that this process begins: Ray reads it once."""
    return secrets.token_hex(32)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Variables for the processes that are begun meanwhile."""
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


def _connect(ray: Any, name: str, **options: Any) -> None:  # Any: Ray's own module; each option its own
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
    except Exception as error:  # Ray raises plain ones too
        reason = str(error).strip().splitlines()[0]
        raise CoverslipError("ray-not-connected", name=name, reason=reason) from error


def computers_of(ray: Any) -> list[dict[str, float]]:  # Any: Ray's own module
    """Return what Ray may use of each computer that is there: `CPU`, `GPU` where it has some, and more."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def task_of(ray: Any, work: Callable[..., bytes], *, cores: int, gpus: int) -> Any:  # Any: Ray's
    """Work to be done on any computer with so much free; begun again where that computer is lost.

    It gives bytes, which whoever takes them checks as those of a stranger.
    """
    spread = {"max_retries": _TRIES, "scheduling_strategy": "SPREAD"}
    return ray.remote(work).options(num_cpus=cores, num_gpus=gpus, **spread)


def last_words(error: Exception) -> str:
    """Return what Ray says of an error, without the traces above it."""
    return str(error).strip().splitlines()[-1]
