"""Check that a Ray cluster answers at an address before Ray connects, which waits for minutes if none does."""

import socket
import time
from urllib.parse import urlsplit

from coverslip.errors import ClusterUnreachable
from coverslip.messages import text

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
