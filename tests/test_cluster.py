"""Joining a Ray cluster: trust, addresses where none answers, and who can reach a new one."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec

import pytest

from coverslip.errors import ClusterUnreachable, UntrustedCluster
from coverslip.events import Event
from coverslip.messages import TrustCluster
from coverslip.runtime import cluster
from coverslip.runtime.cluster import join_cluster

HAS_RAY = find_spec("ray") is not None


@pytest.fixture(autouse=True)
def _no_settings_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where something listens that never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield "{}:{}".format(*listener.getsockname())


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "127.0.0.1:1", "ray"])
def test_a_cluster_without_a_token_is_joined_only_where_the_user_says_so(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    events: list[Event] = []
    with pytest.raises(UntrustedCluster) as caught:
        join_cluster(address, is_trusted=False, emit=events.append)
    assert caught.value.remedies == (TrustCluster(),)
    assert events == []
    with pytest.raises(ClusterUnreachable):
        join_cluster(address, is_trusted=True, emit=events.append)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(ClusterUnreachable):
        join_cluster(address, is_trusted=False, emit=events.append)


@pytest.mark.parametrize("address", ["auto", "nonsense", "ray://host", "http://127.0.0.1:1", "ray://host:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterUnreachable):
        join_cluster(address, is_trusted=True, emit=[].append)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ray://{}", "{}", "ray"])
def test_an_address_where_nothing_answers_is_an_error_in_time(
    silent: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", silent)
    monkeypatch.setattr(cluster, "_TIMEOUT_S", 1.0)
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable):
        join_cluster(form.format(silent), is_trusted=True, emit=[].append)
    assert time.monotonic() - began < 9


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_host_that_drops_packets_is_an_error_in_time() -> None:
    """A full queue of connections: the system drops the next ones, as a firewall does."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listener:
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        began = time.monotonic()
        with pytest.raises(ClusterUnreachable):
            join_cluster("ray://{}:{}".format(*listener.getsockname()), is_trusted=True, emit=[].append)
        assert time.monotonic() - began < 20
        for each in waiting:
            each.close()


NEW_CLUSTER = """
import os, psutil
from coverslip.runtime.cluster import ClusterExecutor

def token() -> bytes:
    return os.environ["RAY_AUTH_TOKEN"].encode()

for _ in range(2):  # a program may begin several, one after the other
    executor = ClusterExecutor("ray", token, cores=1, is_trusted=False, emit=print)
    assert len(executor.run(())) == 64
    assert "RAY_AUTH_TOKEN" not in os.environ
    own = psutil.Process()
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for process in (own, *own.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 4
    assert set(listening) == {"127.0.0.1"}, listening
    executor.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="the extra 'cluster' is not installed: pip install coverslip[cluster]")
@pytest.mark.exhaustive
def test_a_new_cluster_is_this_computer_s_alone() -> None:
    done = subprocess.run([sys.executable, "-c", NEW_CLUSTER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
