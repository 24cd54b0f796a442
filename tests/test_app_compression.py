"""Responses to other computers are compressed, those to this computer are not."""

import gzip
import re
import socket
import urllib.request
from collections.abc import Callable

import psutil
import pytest
from browser import RunningApp
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import Response

from coverslip.app.server import Compression, create_app
from coverslip.workspace.store.workspace import open_workspace

OTHER_COMPUTER = "192.0.2.7"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("app")
    return create_app(open_workspace(folder, (folder,)))


@pytest.mark.parametrize(
    "peer, encoding",
    [(OTHER_COMPUTER, "gzip"), ("2001:db8::7", "gzip"), ("127.0.0.1", None), ("127.0.1.1", None), ("::1", None)],
)
def test_responses_to_other_computers_are_compressed(app: FastAPI, peer: str, encoding: str | None) -> None:
    response = TestClient(app, client=(peer, 50_000)).get("/api/v1/openapi.json")
    assert response.headers.get("content-encoding") == encoding
    assert response.json()["info"]["title"] == "coverslip"


@pytest.mark.parametrize(
    "media_type, encoding",
    [
        ("application/json", "gzip"),
        ("application/problem+json", "gzip"),
        ("text/csv; charset=utf-8", "gzip"),
        ("text/javascript", "gzip"),
        ("image/svg+xml", "gzip"),
        ("text/event-stream", None),
        ("image/png", None),
        ("image/jpeg", None),
        ("image/webp", None),
        ("application/zip", None),
        ("font/woff2", None),
    ],
)
def test_event_streams_and_compressed_formats_stay_as_they_are(media_type: str, encoding: str | None) -> None:
    response = TestClient(
        Compression(Response(b"0" * 5_000, media_type=media_type)), client=(OTHER_COMPUTER, 50_000)
    ).get("/")
    assert response.headers.get("content-encoding") == encoding
    assert response.content == b"0" * 5_000


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_server_compresses_for_another_address_alone(other_app: Callable[..., RunningApp]) -> None:
    app = other_app(options=("--host", "0.0.0.0"))
    token = re.search(r"\?token=(\S+)", app.printed)
    port = app.address.rstrip("/").rpartition(":")[2]
    assert token
    networks = psutil.net_if_addrs().values()
    addresses = [each.address for network in networks for each in network if each.family == socket.AF_INET]
    if all(address.startswith("127.") for address in addresses):
        pytest.skip("this computer has no network")
    for address in addresses:  # a connection to an own address comes from that address
        request = urllib.request.Request(
            f"http://{address}:{port}/api/v1/openapi.json",
            headers={"Authorization": f"Bearer {token[1]}", "Accept-Encoding": "gzip"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            body, encoding = response.read(), response.headers["Content-Encoding"]
        assert encoding == (None if address.startswith("127.") else "gzip"), address
        assert (gzip.decompress(body) if encoding else body).startswith(b'{"openapi"')
