"""Only the app's own pages, and programs of the person at this computer, get an answer."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from coverslip.app.guard import POLICY, Door, Guard
from coverslip.app.server import create_app, open_server
from coverslip.workspace.store.workspace import Workspace, make_token, open_workspace, token_hash

HOSTS = frozenset({"127.0.0.1:8765", "localhost:8765", "[::1]:8765"})
OWN = "http://127.0.0.1:8765"
FOREIGN = {
    "another site": "http://evil.example",
    "another site that looks like ours": "http://127.0.0.1:8765.evil.example",
    "another program's port": "http://127.0.0.1:8888",
    "another name of ours": "http://localhost:8765",
    "another scheme": "https://127.0.0.1:8765",
    "a sandboxed page": "null",
    "an empty one": "",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("guarded")
    return open_workspace(folder / "workspace", (folder,))


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(Guard(create_app(workspace), Door(HOSTS, 8765)), base_url=OWN) as client:
        yield client


@pytest.fixture(scope="module")
def token(workspace: Workspace) -> str:
    return make_token(workspace)


@pytest.fixture(scope="module")
def guarded(workspace: Workspace, token: str) -> Iterator[TestClient]:
    door = Door(HOSTS, 8765, token_hash(workspace))
    with TestClient(Guard(create_app(workspace), door), base_url=OWN) as client:
        yield client


@pytest.fixture
def outer(guarded: TestClient) -> TestClient:
    """A server that other computers can reach, and nobody has shown it the token yet."""
    guarded.cookies.clear()
    return guarded


@pytest.mark.slow
def test_each_way_of_the_document_to_present_the_token_is_accepted(outer: TestClient, token: str) -> None:
    path, bearer = "/api/v1/openapi.json", {"Authorization": f"Bearer {token}"}
    document = outer.get(path, headers=bearer).json()
    schemes = document["components"]["securitySchemes"]
    assert document["security"] == [{}, *({name: []} for name in schemes)]
    presented = {
        "token": {"Authorization": f"{schemes['token']['scheme']} {token}"},
        "cookie": {"Cookie": f"{schemes['cookie']['name']}={token}"},
    }
    assert set(presented) == set(schemes)
    assert {outer.get(path, headers=headers).status_code for headers in presented.values()} == {200}
    refused = outer.get(path)
    assert (refused.status_code, refused.json()["code"]) == (401, "missing-token")
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("host", [*sorted(HOSTS), "LOCALHOST:8765"])
def test_the_apps_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/system", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost.:8765", ""]
)
@pytest.mark.parametrize("path", ["/", "/api/v1/system", "/api/v1/events", "/assets/x.js"])
def test_a_name_that_was_made_to_point_here_is_refused(client: TestClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "wrong-host"


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pages_of_other_origins_are_refused(client: TestClient, method: str, origin: str) -> None:
    answer = client.request(method, "/api/v1/system", headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.slow
def test_the_apps_own_pages_may_ask(client: TestClient) -> None:
    headers = {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}
    assert client.get("/api/v1/system", headers=headers).status_code == 200
    assert client.post("/api/v1/system", headers=headers).status_code == 405, "let in, but there is no such thing"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_request_from_another_site_without_origin_is_refused(client: TestClient, method: str, site: str) -> None:
    """Pictures, frames and old forms send no Origin."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client.request(method, "/api/v1/system", headers=headers).status_code == 403


def test_a_link_from_another_site_opens_the_page_but_sends_no_form(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/api/v1/system", headers=headers).status_code == 200
    assert client.post("/api/v1/system", headers=headers).status_code == 403
    assert client.get("/api/v1/system", headers={**headers, "Sec-Fetch-Dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_programs_and_the_address_bar_are_let_in(client: TestClient, site: str | None) -> None:
    headers = {"Sec-Fetch-Site": site} if site else {}
    assert client.post("/api/v1/system", headers=headers).status_code == 405


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN)
def test_event_streams_and_websockets_of_other_origins_are_refused(client: TestClient, origin: str) -> None:
    headers = {"Origin": origin}
    stream = client.get("/api/v1/events", headers={**headers, "Accept": "text/event-stream"})
    assert stream.status_code == 403
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/api/v1/live", headers=headers):
        pass
    assert refused.value.code == 1008


def test_a_websocket_for_another_name_is_refused(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/api/v1/live", headers={"Host": "evil.example"}),
    ):
        pass
    assert refused.value.code == 1008


# Away from loopback


@pytest.mark.parametrize(
    "path", ["/", "/runs/x", "/assets/x.js", "/api/v1/system", "/api/v1/docs", "/?token=", "/?token=x"]
)
def test_nothing_is_shown_without_the_token(outer: TestClient, path: str) -> None:
    answer = outer.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers
    assert "token" in answer.text


@pytest.mark.parametrize("sent", ["Bearer wrong", "Bearer ", "Basic {token}", "{token}", "Bearer {token}x"])
def test_a_wrong_token_is_refused(outer: TestClient, token: str, sent: str) -> None:
    headers = {"Authorization": sent.format(token=token)}
    assert outer.get("/api/v1/system", headers=headers).status_code == 401


def test_a_program_sends_the_token_as_bearer(outer: TestClient, token: str) -> None:
    assert outer.get("/api/v1/system", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_address_with_the_token_sets_a_cookie_that_pages_cannot_read(outer: TestClient, token: str) -> None:
    answer = outer.get(f"/runs/a b?token={token}&tab=images&x=%3Cscript%3E", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"coverslip-8765={token};")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
    assert 'content="0;url=/runs/a%20b?tab=images&amp;x=%3Cscript%3E"' in answer.text
    assert token not in answer.text
    assert outer.get("/api/v1/system").status_code == 200, "the client sends the cookie from now on"
    assert outer.get("/api/v1/system", headers={"Origin": "http://evil.example"}).status_code == 403
    assert outer.get("/api/v1/system", headers={"Host": "evil.example:8765"}).status_code == 421


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "///evil.example"])
def test_the_address_with_the_token_leads_nowhere_else(outer: TestClient, token: str, path: str) -> None:
    answer = outer.get(f"{OWN}{path}?token={token}", headers={"Accept": "text/html"})
    assert re.search(r'content="0;url=/evil\.example', answer.text)


def test_a_cookie_of_a_server_on_another_port_is_not_this_ones(outer: TestClient, token: str) -> None:
    headers = {"Cookie": f"coverslip-8766={token}; xcoverslip-8765={token}"}
    assert outer.get("/api/v1/system", headers=headers).status_code == 401


def test_the_token_is_not_exchanged_for_another_name_or_origin(outer: TestClient, token: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert "set-cookie" not in outer.get(f"/?token={token}", headers=headers).headers


def test_a_websocket_without_the_token_is_refused(outer: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, outer.websocket_connect("/api/v1/live"):
        pass
    assert refused.value.code == 1008


def test_only_the_tokens_hash_is_kept_and_a_new_one_ends_it(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path, (tmp_path,))
    first = make_token(workspace)
    stored = "".join(file.read_text() for file in workspace.folder.glob("*.json"))
    assert first not in stored
    assert Door(HOSTS, 1, token_hash(workspace)).accepts(first)
    second = make_token(workspace)
    assert not Door(HOSTS, 1, token_hash(workspace)).accepts(first)
    assert Door(HOSTS, 1, token_hash(workspace)).accepts(second)
    assert (workspace.folder / "token.json").stat().st_mode & 0o077 == 0


# Headers


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/api/v1/system", 200),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/system", 405),
        ("GET", "/api/v1/folders?path=/nowhere", 422),
        ("GET", "/assets/nothing.js", 404),
        ("POST", "/", 405),
    ],
)
def test_every_answer_carries_the_policy(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    check_headers(answer.headers)
    assert answer.headers["content-security-policy"] == POLICY
    if path.startswith("/api/"):
        assert answer.headers["cache-control"] == "no-store"


def test_responses_are_sent_without_delay(tmp_path: Path) -> None:
    """asyncio sets TCP_NODELAY only on a socket that names its protocol; without it, a response takes 40 ms more."""
    with open_server(open_workspace(tmp_path), port=0) as server:
        server.socket.listen()
        with socket.create_connection(("127.0.0.1", server.port)), server.socket.accept()[0] as accepted:
            assert accepted.proto == socket.IPPROTO_TCP


def test_refusals_and_pages_carry_the_policy_too(client: TestClient, outer: TestClient, token: str) -> None:
    check_headers(client.get("/").headers)
    check_headers(client.get("/", headers={"Host": "evil.example"}).headers)
    check_headers(client.get("/", headers={"Origin": "null"}).headers)
    check_headers(outer.get("/").headers)
    check_headers(outer.get(f"/?token={token}").headers)
    docs = client.get("/api/v1/docs").headers
    check_headers(docs)
    assert "script-src 'self';" in docs["content-security-policy"], "styles may be written into it, scripts may not"


def check_headers(headers: object) -> None:
    values = dict(headers)  # type: ignore[call-overload]
    assert values["x-content-type-options"] == "nosniff"
    assert values["referrer-policy"] == "no-referrer"
    assert values["cross-origin-opener-policy"] == "same-origin"
    assert values["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in values["content-security-policy"]
    assert "frame-ancestors 'none'" in values["content-security-policy"]
