"""A server with accounts: signing in, roles in projects, proxies, activity, and the queue that projects share."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from image_sets import in_lists
from small_workspace import API, Json, until, write_cells
from sqlalchemy import insert
from tables import downloaded, label_changes

from coverslip.app.clients import ROLES, client_of
from coverslip.app.guard import cookie_of
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.errors import Busy, CoverslipError, NotSignedIn, TooManyAttempts
from coverslip.server import folder, users
from coverslip.server.app import AccountsGate, Proxies, RunningServer, create_accounts_app, open_accounts_server
from coverslip.server.backups import BackupRuns, ServerManifest
from coverslip.server.folder import AccountServer, list_requests, open_account_server
from coverslip.server.projects import list_projects
from coverslip.workspace.jobs.queue import Turns
from coverslip.workspace.jobs.records import add_job, queued_ids
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import Paging, acting_as, now
from coverslip.workspace.store.workspace import open_workspace

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"  # noqa: S105 - of the tests


@pytest.fixture(scope="module", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """Hash passwords with the least cost: the tests sign in often."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, "_hashing", lambda: quick)
        yield


@dataclass(frozen=True)
class Served:
    """A server with accounts, and clients that are signed in."""

    server: AccountServer
    anonymous: TestClient

    def client(self, name: str) -> TestClient:
        """Return the client of a user, who is added if needed."""
        if name not in {user.name for user in users.list_users(self.server)}:
            users.add_user(self.server, name)
        user = users.find_user_by_name(self.server, name)
        _, secret = users.accept_invitation(self.server, users.invite(self.server, user.id), PASSWORD)
        cookie, _ = cookie_of({"type": "http", "headers": [], "server": ("testserver", 80)})
        client = TestClient(self.anonymous.app, cookies={cookie: secret})
        client.portal = self.anonymous.portal
        return client

    def project(self, admin: TestClient, name: str, **members: str) -> str:
        """Add a project with members; return its address."""
        answer = admin.post(f"{API}/projects", json={"name": name, "roots": [str(self.server.roots[0])]})
        assert answer.status_code == 200, answer.text
        project_id = answer.json()["project"]["id"]
        for user, role in members.items():
            user_id = users.find_user_by_name(self.server, user).id
            answer = admin.put(f"{API}/projects/{project_id}/members/{user_id}", json={"role": role})
            assert answer.status_code == 204, answer.text
        return f"/projects/{project_id}"


NO_PROXY = Proxies()


@contextmanager
def serving(folder: Path, proxies: Proxies = NO_PROXY, base: str = "") -> Iterator[Served]:
    (folder / "data").mkdir(exist_ok=True, parents=True)
    server = open_account_server(folder / "server", (folder / "data",))
    if not users.list_users(server):
        users.add_user(server, "maria", is_admin=True, has_proxy=proxies.user_header is not None)
    app = create_accounts_app(server, user_header=proxies.user_header)
    with TestClient(app) as running:
        anonymous = TestClient(AccountsGate(app, proxies, base))
        # One event loop, as in a server: a project that is added by a loop of its own would end with that loop.
        anonymous.portal = running.portal
        yield Served(server, anonymous)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("accounts")) as served:
        yield served


@pytest.fixture(scope="module")
def admin(served: Served) -> TestClient:
    return served.client("maria")


@contextmanager
def running_in_thread(running: RunningServer) -> Iterator[None]:
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.runner.started:
            time.sleep(0.05)
        yield
    finally:
        running.runner.should_exit = True
        thread.join(30)


def code_of(response: object) -> str:
    body: Json = response.json()  # type: ignore[attr-defined]
    return str(body["code"])


# What each role may do beyond reading. Everything else that is not a GET needs an editor.
OF_VIEWERS = {
    ("post", "/recipe/read"),
    ("post", "/recipe/write"),
    ("post", "/previews"),
    ("post", "/datasets/{dataset_id}/augmentation-preview"),
    ("post", "/classifiers/{classifier_id}/predict"),
}
OF_ANNOTATORS = {
    ("post", "/computations"),  # of what labeling uses
    ("put", "/lists/{list_id}/draw/rows/{row_id}"),
    ("post", "/changes/{change_id}/{action}"),
    ("post", "/datasets/{dataset_id}/changes"),
    ("put", "/lists/{list_id}/rows/{row_id}/correction"),
    ("post", "/jobs/{job_id}/{action}"),  # stop computations for pages
    ("post", "/datasets/{dataset_id}/objects"),  # as excluding objects
    ("delete", "/datasets/{dataset_id}/live"),
}
READS_FOLDERS_OF_THE_SERVER = {("get", "/folders")}
STREAMS = {"/events"}


def needed(method: str, path: str) -> str:
    if (method, path) in OF_VIEWERS:
        return "viewer"
    if (method, path) in OF_ANNOTATORS:
        return "annotator"
    return "viewer" if method == "get" and (method, path) not in READS_FOLDERS_OF_THE_SERVER else "editor"


def test_every_route_is_open_to_its_roles_only(served: Served, admin: TestClient) -> None:
    clients = {role: served.client(role) for role in ROLES}
    outsider = served.client("outsider")
    project = served.project(admin, "Roles", viewer="viewer", annotator="annotator", editor="editor")
    document = create_app(open_workspace(served.server.folder / "unused")).openapi()
    routes = [(method, path.removeprefix(API)) for path, methods in document["paths"].items() for method in methods]
    unknown = (OF_VIEWERS | OF_ANNOTATORS | READS_FOLDERS_OF_THE_SERVER) - set(routes)
    assert unknown == set()
    wrong = []
    for method, path in routes:
        address = f"{project}{API}{path}".replace("{row_id}", "0").replace("{", "").replace("}", "")
        statuses = {"nobody": served.anonymous.request(method, address).status_code}
        statuses["outsider"] = outsider.request(method, address).status_code
        expected = {"nobody": 401, "outsider": 404}
        for role, client in clients.items():
            is_allowed = ROLES.index(role) >= ROLES.index(needed(method, path))
            # The lowest of the allowed roles is enough. A stream would not end.
            if is_allowed and (role != needed(method, path) or path in STREAMS):
                continue
            status = client.request(method, address).status_code
            statuses[role] = status if status in (401, 403) else 200  # not found, not valid and so on: it was allowed
            expected[role] = 200 if is_allowed else 403
        if statuses != expected:
            wrong.append((method, path, statuses))
    assert wrong == []


OF_EVERYBODY = {("get", "/session"), ("post", "/session"), ("delete", "/session")}
OF_INVITED = {("get", "/invitations/{invitation}"), ("post", "/invitations/{invitation}")}
OF_USERS = {
    ("put", "/password"),
    ("get", "/script-keys"),
    ("post", "/script-keys"),
    ("delete", "/script-keys/{key_id}"),
    ("get", "/projects"),
}


def test_every_route_of_accounts_is_open_to_its_users_only(served: Served, admin: TestClient) -> None:
    user = served.client("somebody")
    document = served.anonymous.get(f"{API}/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            route = (method, path.removeprefix(API))
            if route in OF_EVERYBODY | OF_INVITED:
                continue
            address = path.replace("{", "").replace("}", "")
            assert served.anonymous.request(method, address).status_code == 401, route
            is_admin_only = route not in OF_USERS
            assert (user.request(method, address).status_code == 403) == is_admin_only, route
            assert admin.request(method, address).status_code not in (401, 403), route


def test_nothing_of_another_project_can_be_reached(served: Served, admin: TestClient) -> None:
    both = served.client("both")
    first = served.project(admin, "First", both="editor")
    second = served.project(admin, "Second", both="editor")
    cells = write_cells(served.server.roots[0] / "cells")
    body = {"sources": [{"path": str(cells)}], "is_labeled": True}
    answer = both.post(f"{first}{API}/datasets", json=body)
    assert answer.status_code == 201, answer.text
    dataset = answer.headers["Location"]
    assert dataset.startswith(f"{first}{API}/datasets/")
    assert both.get(dataset).status_code == 200
    assert both.get(dataset.replace(first, second)).status_code == 404
    assert both.get(f"{second}{API}/datasets").json()["total"] == 0
    members_of_neither = served.client("neither")
    assert code_of(members_of_neither.get(dataset)) == "no-such-project"
    assert members_of_neither.get(f"{API}/projects").json()["total"] == 0
    assert {each["project"]["name"] for each in both.get(f"{API}/projects").json()["items"]} == {"First", "Second"}


def test_labels_and_undo_belong_to_the_user_who_signed_in(served: Served, admin: TestClient) -> None:
    ann, bob, eve = served.client("ann"), served.client("bob"), served.client("eve")
    project = served.project(admin, "Labels", ann="annotator", bob="annotator", eve="editor")
    cells = write_cells(served.server.roots[0] / "labeled")
    eve.post(f"{project}{API}/datasets", json={"sources": [{"path": str(cells)}], "is_labeled": True})
    (dataset,) = eve.get(f"{project}{API}/datasets").json()["items"]
    address = f"{project}{API}/datasets/{dataset['id']}"
    deadline = time.monotonic() + 60
    while eve.get(address).json()["state"] == "reading" and time.monotonic() < deadline:
        time.sleep(0.1)
    image = eve.get(f"{in_lists(address)}/rows").json()["items"][0]["image_id"]
    body = {"images": [image], "label": "new"}
    change = ann.post(f"{address}/changes", json=body, headers={"X-Author": "bob"}).json()["change"]
    (made,) = label_changes(eve, address)
    assert made["made_by"] == "ann"
    at = f"{project}{API}/changes/{change}"
    assert code_of(bob.post(f"{at}/undo")) == "change-of-other-user"
    assert ann.post(f"{at}/undo").status_code == 200
    assert code_of(bob.post(f"{at}/redo")) == "change-of-other-user"
    assert eve.post(f"{at}/redo").status_code == 200


def test_an_invitation_sets_a_password_once(served: Served, admin: TestClient) -> None:
    made = admin.post(f"{API}/users", json={"name": "Invited"}).json()
    assert made["user"]["name"] == "invited"
    address = f"{API}/invitations/{made['path'].rsplit('/', 1)[1]}"
    client = TestClient(served.anonymous.app)
    assert client.get(address).json() == {"name": "invited"}
    assert code_of(client.post(address, json={"password": "short"})) == "password-length"
    assert client.post(address, json={"password": PASSWORD}).status_code == 200
    assert client.get(f"{API}/session").json()["user"]["name"] == "invited"
    assert code_of(client.post(address, json={"password": "another password"})) == "invitation-not-valid"
    earlier = admin.post(f"{API}/users/{made['user']['id']}/invitation").json()["path"]
    admin.post(f"{API}/users/{made['user']['id']}/invitation")
    assert client.get(f"{API}/invitations/{earlier.rsplit('/', 1)[1]}").status_code == 404
    assert client.delete(f"{API}/session").status_code == 204
    assert client.get(f"{API}/session").json()["user"] is None
    assert client.post(f"{API}/session", json={"name": "INVITED", "password": PASSWORD}).status_code == 200
    cookie = client.post(f"{API}/session", json={"name": "invited", "password": PASSWORD}).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert PASSWORD not in (served.server.folder / "accounts.sqlite").read_bytes().decode("latin-1")


def test_a_new_password_ends_other_sessions_and_a_blocked_user_may_do_nothing(
    served: Served, admin: TestClient
) -> None:
    first = served.client("changing")
    key = first.post(f"{API}/script-keys", json={"name": "night"}).json()
    second = TestClient(served.anonymous.app)
    second.post(f"{API}/session", json={"name": "changing", "password": PASSWORD})
    wrong = {"current": "not the password", "new": "a new password"}
    assert code_of(second.put(f"{API}/password", json=wrong)) == "wrong-name-or-password"
    assert second.put(f"{API}/password", json={"current": PASSWORD, "new": "a new password"}).status_code == 204
    assert first.get(f"{API}/session").json()["user"] is None
    assert second.get(f"{API}/session").json()["user"]["name"] == "changing"
    script = TestClient(served.anonymous.app, headers={"Authorization": f"Bearer {key['secret']}"})
    assert script.get(f"{API}/projects").status_code == 200
    assert code_of(script.post(f"{API}/script-keys", json={"name": "child"})) == "script-may-not"
    user_id = users.find_user_by_name(served.server, "changing").id
    assert admin.patch(f"{API}/users/{user_id}", json={"is_active": False}).json()["is_active"] is False
    for client in (first, second, script):
        assert client.get(f"{API}/projects").status_code == 401
    with pytest.raises(NotSignedIn):
        users.sign_in(served.server, "changing", "a new password")
    admin.patch(f"{API}/users/{user_id}", json={"is_active": True})
    assert second.post(f"{API}/session", json={"name": "changing", "password": "a new password"}).status_code == 200
    assert script.get(f"{API}/projects").status_code == 401  # keys are not restored


def test_a_key_of_a_script_can_be_removed_by_its_user_only(served: Served) -> None:
    owner, other = served.client("owner"), served.client("other")
    key = owner.post(f"{API}/script-keys", json={"name": "count"}).json()["key"]
    assert [each["name"] for each in owner.get(f"{API}/script-keys").json()["items"]] == ["count"]
    assert other.get(f"{API}/script-keys").json()["total"] == 0
    assert code_of(other.delete(f"{API}/script-keys/{key['id']}")) == "no-such-script-key"
    assert owner.delete(f"{API}/script-keys/{key['id']}").status_code == 204
    assert owner.get(f"{API}/script-keys").json()["total"] == 0


def test_the_last_administrator_cannot_be_lost(served: Served, admin: TestClient) -> None:
    user_id = users.find_user_by_name(served.server, "maria").id
    for answer in (
        admin.patch(f"{API}/users/{user_id}", json={"is_admin": False}),
        admin.patch(f"{API}/users/{user_id}", json={"is_active": False}),
        admin.delete(f"{API}/users/{user_id}"),
    ):
        assert code_of(answer) == "last-administrator"
    assert admin.get(f"{API}/session").json()["user"]["is_admin"] is True


def test_names_of_accounts_are_unique_and_plain(served: Served, admin: TestClient) -> None:
    assert code_of(admin.post(f"{API}/users", json={"name": "MARIA"})) == "user-name-used"
    for name in ("", "two words", "a/b", "a\nb", "x" * 65):
        assert admin.post(f"{API}/users", json={"name": name}).status_code == 422


@pytest.mark.usefixtures("admin")
def test_many_wrong_passwords_must_wait(served: Served) -> None:
    served.client("guessed")
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            users.sign_in(served.server, "guessed", "a wrong password")
    with pytest.raises(TooManyAttempts) as refused:
        users.sign_in(served.server, "guessed", PASSWORD)
    assert 0 < refused.value.parameters["seconds"] <= 15
    users.sign_in(served.server, "guessed", PASSWORD, client="10.0.0.1")  # other clients need not wait
    users.sign_in(served.server, "maria", PASSWORD)  # nor other names
    body = {"name": "guessed", "password": "a wrong password"}
    answers = [served.anonymous.post(f"{API}/session", json=body) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def wrong_attempts(attempts: users._Attempts, names: Iterable[str], client: str) -> list[type[Exception] | None]:
    """Try a wrong password for each name; return what was raised."""
    errors: list[type[Exception] | None] = []
    for name in names:
        try:
            with attempts.of(name, client):
                raise NotSignedIn("wrong-name-or-password")
        except CoverslipError as error:
            errors.append(type(error))
    return errors


def test_many_wrong_names_clear_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users._Attempts, "MOST_KEYS", 600)
    attempts = users._Attempts()
    assert wrong_attempts(attempts, ["guessed"] * 6, "10.0.0.1") == [NotSignedIn] * 5 + [TooManyAttempts]
    for k in range(4):  # more keys than fit, but for the latest
        wrong_attempts(attempts, (f"{k}-{n}" for n in range(65)), f"10.0.1.{k}")
    assert wrong_attempts(attempts, ["guessed"], "10.0.0.1") == [TooManyAttempts]
    for k in range(4):
        wrong_attempts(attempts, (f"{k}-{n}" for n in range(65, 100)), f"10.0.1.{k}")
    assert wrong_attempts(attempts, ["guessed"], "10.0.0.1") == [NotSignedIn]  # the oldest are forgotten
    assert len(attempts._gates) <= 600


def test_a_client_that_tries_many_names_must_wait_and_others_need_not() -> None:
    now = 1000.0
    attempts = users._Attempts(lambda: now)
    errors = wrong_attempts(attempts, map(str, range(110)), "10.0.0.1")
    assert errors == [NotSignedIn] * 100 + [TooManyAttempts] * 10
    with attempts.of("maria", "10.0.0.2"):
        pass
    with pytest.raises(TooManyAttempts) as refused, attempts.of("maria", "10.0.0.1"):
        pass
    assert refused.value.parameters["seconds"] == 1


def test_wrong_attempts_keep_nobody_at_the_same_address_from_signing_in() -> None:
    now = 1000.0
    attempts = users._Attempts(lambda: now)
    wrong_attempts(attempts, map(str, range(100)), "10.0.0.1")
    for k in range(100, 110):  # each wrong attempt would renew a wait for all
        now += 15
        assert wrong_attempts(attempts, [str(k)], "10.0.0.1") == [NotSignedIn]
        with attempts.of("maria", "10.0.0.1"):
            pass


def test_an_attempt_whose_password_was_not_checked_is_not_counted() -> None:
    attempts = users._Attempts()
    wrong_attempts(attempts, ["maria"] * 3, "10.0.0.1")
    for _ in range(120):
        with pytest.raises(Busy), attempts.of("maria", "10.0.0.1"):
            raise Busy("many-sign-ins")
    assert wrong_attempts(attempts, ["maria"] * 3, "10.0.0.1") == [NotSignedIn] * 2 + [TooManyAttempts]


def test_who_signs_in_does_not_clear_the_wrong_attempts_of_the_client_with_other_names() -> None:
    attempts = users._Attempts()
    errors: list[type[Exception] | None] = []
    for k in range(51):
        errors += wrong_attempts(attempts, (f"{k}a", f"{k}b"), "10.0.0.1")
        if len(errors) < 100:
            with attempts.of("maria", "10.0.0.1"):
                pass
    assert errors == [NotSignedIn] * 100 + [TooManyAttempts] * 2


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::1", "2001:db8:0:1::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_network_of_ipv6_are_one_client(address: str, client: str) -> None:
    assert client_of(address) == client


def test_a_removed_project_can_be_restored_with_its_content(served: Served, admin: TestClient) -> None:
    user = served.client("member")
    project = served.project(admin, "Removed", member="editor")
    assert user.post(f"{project}{API}/samples").status_code == 201
    project_id = project.rsplit("/", 1)[1]
    assert admin.delete(f"{API}/projects/{project_id}").status_code == 204
    assert user.get(f"{project}{API}/datasets").status_code == 404
    assert admin.get(f"{project}{API}/datasets").status_code == 404
    assert user.get(f"{API}/projects").json()["total"] == 0
    assert admin.post(f"{API}/projects/{project_id}/restore").status_code == 200
    assert user.get(f"{project}{API}/datasets").json()["total"] == 2


def test_a_project_reads_only_below_its_roots(served: Served, admin: TestClient, tmp_path: Path) -> None:
    body = {"name": "Outside", "roots": [str(tmp_path)]}
    assert code_of(admin.post(f"{API}/projects", json=body)) == "outside-roots"
    answer = admin.post(f"{API}/projects", json={"name": "Uploads only"}).json()
    address = f"/projects/{answer['project']['id']}{API}"
    assert admin.get(f"{address}/folders").json()["folders"] == []
    source = {"sources": [{"path": str(served.server.roots[0])}], "is_labeled": False}
    assert code_of(admin.post(f"{address}/datasets", json=source)) == "outside-roots"


def test_a_full_project_refuses_what_makes_it_larger(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        admin = served.client("maria")
        project = admin.post(f"{API}/projects", json={"name": "Small", "max_bytes": 2**20}).json()["project"]
        address = f"/projects/{project['id']}{API}"
        apps = served.anonymous.app._projects  # type: ignore[attr-defined]  # measured once a minute
        apps._sizes[project["id"]] = 2**20
        assert code_of(admin.post(f"{address}/samples")) == "project-full"
        assert admin.get(f"{address}/datasets").status_code == 200
        assert admin.post(f"{address}/jobs/none/stop").status_code == 404  # what makes it smaller is allowed
        body = {"name": "Larger", "max_bytes": 2**30}
        assert admin.put(f"{API}/projects/{project['id']}", json=body).json()["project"]["name"] == "Larger"
        assert admin.post(f"{address}/samples").status_code == 201


def test_accounts_and_projects_survive_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        admin, user = served.client("maria"), served.client("ben")
        project = served.project(admin, "Kept", ben="viewer")
        assert user.get(f"{project}{API}/session").json()["role"] == "viewer"
        cookies = dict(user.cookies)
    with serving(tmp_path) as served:
        user = TestClient(served.anonymous.app, cookies=cookies)
        session = user.get(f"{project}{API}/session").json()
        assert session == {"user": "ben", "is_admin": False, "project": "Kept", "role": "viewer"}


def test_activity_names_users_and_hides_invitations(served: Served, admin: TestClient) -> None:
    made = admin.post(f"{API}/users", json={"name": "recorded"}).json()
    secret = made["path"].rsplit("/", 1)[1]
    client = TestClient(served.anonymous.app)
    client.post(f"{API}/invitations/{secret}", json={"password": PASSWORD})
    client.post(f"{API}/session", json={"name": "recorded", "password": "a wrong password"})
    items = admin.get(f"{API}/activity", params={"limit": 3}).json()["items"]
    recorded = [(each["user"], each["method"], each["path"], each["status"]) for each in items]
    assert recorded == [
        ("recorded", "POST", f"{API}/session", 401),
        ("recorded", "POST", f"{API}/invitations/", 200),
        ("maria", "POST", f"{API}/users", 200),
    ]
    table = downloaded(admin.get(f"{API}/download/activity")).splitlines()
    assert table[0] == "time,user,project_id,method,path,status,address,object,before,after"
    assert len(table) == admin.get(f"{API}/activity").json()["total"] + 1
    assert secret not in "\n".join(table)


def test_activity_records_roles_rights_and_labels_before_and_after(served: Served, admin: TestClient) -> None:
    changing = served.client("changing")
    project = served.project(admin, "Changes", changing="viewer")
    user_id = users.find_user_by_name(served.server, "changing").id
    member = f"{API}{project}/members/{user_id}"
    assert admin.put(member, json={"role": "editor"}).status_code == 204
    cells = write_cells(served.server.roots[0] / "changes")
    dataset = changing.post(f"{project}{API}/datasets", json={"sources": [{"path": str(cells)}]}).headers["Location"]
    until(lambda: changing.get(dataset).json()["state"] == "ready")
    digest = changing.get(f"{in_lists(dataset)}/row-ids").headers["Rows-Digest"]
    n_listed = changing.get(dataset).json()["n_images"]
    selected = {"filters": {}, "n_listed": n_listed, "digest": digest}
    for change in (
        {"label": "lymphocyte"},
        {"is_confirmed": True},
        {"is_excluded": True},
        {"label": None},
        {"is_kept": False},
    ):
        assert changing.post(f"{dataset}/changes", json=selected | change).status_code == 200
    assert admin.patch(f"{API}/users/{user_id}", json={"is_active": False}).status_code == 200
    assert admin.delete(member).status_code == 204
    assert admin.patch(f"{API}/users/missing", json={"is_active": False}).status_code == 404
    items = admin.get(f"{API}/activity", params={"limit": 11}).json()["items"]
    assert [tuple(each[name] for name in ("object", "before", "after")) for each in items] == [
        ("", "", ""),
        ("changing", "editor", ""),
        ("changing", "user", "user, blocked"),
        ("is_kept", "", "False"),
        ("label", "", ""),
        ("is_excluded", "", "True"),
        ("is_confirmed", "", "True"),
        ("label", "", "lymphocyte"),
        ("", "", ""),
        ("changing", "viewer", "editor"),
        ("changing", "", "viewer"),
    ]


def test_an_administrator_backs_up_the_server_while_it_runs_and_stops_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    server = open_account_server(tmp_path / "server", (tmp_path / "data",))
    users.add_user(server, "maria", is_admin=True)
    app = create_accounts_app(server, backups=tmp_path / "backups")
    with TestClient(app), TestClient(AccountsGate(app, NO_PROXY)) as anonymous:
        served = Served(server, anonymous)
        admin = served.client("maria")
        served.project(admin, "Saved")
        assert admin.get(f"{API}/backups").json()["items"] == []
        answer = admin.post(f"{API}/backups")
        assert answer.status_code == 202, answer.text
        state = until(lambda: (now := admin.get(f"{API}/backups").json())["progress"] is None and now)
        assert state["error"] is None
        (backup,) = state["items"]
        assert backup["n_projects"] == 1
        projects_of_backup = ServerManifest.read(tmp_path / "backups" / backup["name"] / "server.json").projects
        assert projects_of_backup.keys() == {project.id for project in list_projects(server)}
        (project,) = list_projects(server)
        uploads = server.projects / project.id / "uploads"
        uploads.mkdir(exist_ok=True)
        for number in range(1000):
            with (uploads / f"{number}.txt").open("wb") as file:
                file.truncate(10**8)  # takes no space on the disk
        until(lambda: time.strftime("%Y-%m-%d-%H%M%S") > backup["name"])  # the name of a backup is its time
        assert admin.post(f"{API}/backups").json()["progress"]
        until(lambda: admin.get(f"{API}/backups").json()["progress"]["total"])
        assert admin.post(f"{API}/backups").json()["code"] == "backup-in-progress"
        stopped = admin.post(f"{API}/backups/stop").json()
        assert (stopped["progress"], stopped["error"], stopped["items"]) == (None, None, state["items"])
        assert [each.name for each in (tmp_path / "backups").iterdir()] == [backup["name"]]
        (tmp_path / "backups").rename(tmp_path / "moved")
        (tmp_path / "backups").write_text("not a folder")
        assert admin.post(f"{API}/backups").status_code == 202
        state = until(lambda: (now := admin.get(f"{API}/backups").json())["progress"] is None and now)
        assert Path(state["error"]["file"]).parent == tmp_path / "backups"
    with serving(tmp_path / "other") as without:
        answer = without.client("maria").post(f"{API}/backups")
        assert (answer.status_code, code_of(answer)) == (404, "no-backup-folder")


def test_only_the_unfinished_part_of_the_own_job_is_removed(tmp_path: Path) -> None:
    server = open_account_server(tmp_path / "server")
    users.add_user(server, "maria", is_admin=True)
    backups = tmp_path / "backups"
    of_other = backups / ".2026-11-29.0a1b2c3d.part"  # `coverslip backup` is writing it to the same folder
    of_other.mkdir(parents=True)
    runs = BackupRuns(server, backups)
    runs.open()
    runs.stop()
    assert of_other.is_dir()
    runs.start()
    until(lambda: runs.state().progress is None)
    (backup,) = runs.state().items
    runs.close()
    left = backups / f".{backup.name}.0a1b2c3d.part"  # as a server that is killed leaves it
    left.mkdir()
    again = BackupRuns(server, backups)
    again.open()
    again.close()
    assert sorted(each.name for each in backups.iterdir()) == [of_other.name, backup.name]


def test_old_activity_is_deleted_on_request(tmp_path: Path) -> None:
    server = open_account_server(tmp_path / "server")
    users.add_user(server, "maria", is_admin=True)
    old, new = "2020-01-01T00:00:00.000+00:00", now()
    row = {
        "user": "",
        "method": "POST",
        "path": "",
        "status": 200,
        "address": "",
        "object": "",
        "before": "",
        "after": "",
    }
    with write_transaction(server.engine) as connection:
        connection.execute(insert(folder.activity), [{**row, "time": time} for time in (old, new)])

    def times() -> list[str]:
        return [each.time for each in list_requests(server, Paging(offset=0, limit=10)).items]

    with TestClient(create_accounts_app(server)):
        assert times() == [new, old]
    with TestClient(create_accounts_app(server, activity_days=30)):
        until(lambda: times() == [new])


def test_the_name_of_a_removed_account_stays_taken_until_it_is_restored(served: Served, admin: TestClient) -> None:
    gone = served.client("gone")
    project = served.project(admin, "Left", gone="editor")
    user_id = users.find_user_by_name(served.server, "gone").id
    assert admin.delete(f"{API}/users/{user_id}").status_code == 204
    assert gone.get(f"{project}{API}/session").status_code == 401
    answer = admin.post(f"{API}/users", json={"name": "Gone"})
    assert (answer.status_code, code_of(answer)) == (409, "user-name-removed")
    assert users.user_of_proxy(served.server, "gone") is None
    for refused in (
        admin.patch(f"{API}/users/{user_id}", json={"is_active": True}),
        admin.post(f"{API}/users/{user_id}/invitation"),
        admin.put(f"{API}{project}/members/{user_id}", json={"role": "viewer"}),
    ):
        assert (refused.status_code, code_of(refused)) == (404, "no-such-user")
    (listed,) = [each for each in admin.get(f"{API}/users").json()["items"] if each["name"] == "gone"]
    assert (listed["is_removed"], listed["is_active"], listed["has_password"]) == (True, False, False)
    restored = admin.post(f"{API}/users/{user_id}/restore").json()
    assert (restored["id"], restored["is_removed"], restored["is_active"]) == (user_id, False, True)
    assert admin.post(f"{API}/users/{user_id}/restore").status_code == 404
    back = served.client("gone")
    assert back.get(f"{API}/projects").json()["total"] == 0


def test_pages_without_a_session_lead_to_signing_in_and_back(served: Served, admin: TestClient) -> None:
    project = served.project(admin, "Linked")
    answer = served.anonymous.get(f"{project}/", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sign-in?to={project[1:]}/")
    outsider = served.client("outside")
    assert outsider.get(f"{project}/", follow_redirects=False).headers["Location"] == "/"
    assert admin.get(project, follow_redirects=False).headers["Location"] == f"{project}/"
    page = admin.get(f"{project}/runs/1").text
    if "<base" in page:  # the pages are built
        assert f'<base href="{project}/" data-mode="app"' in page


PROXY = Proxies(("10.1.0.0/16",), "X-Remote-User")


def from_address(served: Served, address: str, name: str) -> TestClient:
    async def gate(scope: Json, receive: object, send: object) -> None:
        await served.anonymous.app({**scope, "coverslip.peer": address}, receive, send)  # type: ignore[operator]

    return TestClient(gate, headers={"X-Remote-User": name})  # type: ignore[arg-type]


def test_a_user_header_counts_only_from_the_proxy(tmp_path: Path) -> None:
    with serving(tmp_path, PROXY) as served:
        session = f"{API}/session"
        assert from_address(served, "10.1.2.3", "maria").get(session).json()["user"]["is_admin"] is True
        assert from_address(served, "10.2.0.1", "maria").get(session).json()["user"] is None
        new = from_address(served, "10.1.2.3", "Newcomer")
        assert new.get(session).json()["user"]["name"] == "newcomer"
        assert new.get(f"{API}/projects").json()["total"] == 0
        assert from_address(served, "10.1.2.3", "two words").get(session).json()["user"] is None
        twice = from_address(served, "10.1.2.3", "maria").get(session, headers=[("X-Remote-User", "maria")] * 2)
        assert twice.json()["user"] is None


def test_a_user_of_the_proxy_reaches_own_projects_only(tmp_path: Path) -> None:
    with serving(tmp_path, PROXY) as served:
        admin, guest = from_address(served, "10.1.2.3", "maria"), from_address(served, "10.1.2.3", "guest")
        guest_id = guest.get(f"{API}/session").json()["user"]["id"]
        ids = [admin.post(f"{API}/projects", json={"name": name}).json()["project"]["id"] for name in ("One", "Two")]
        answer = admin.put(f"{API}/projects/{ids[0]}/members/{guest_id}", json={"role": "viewer"})
        assert answer.status_code == 204, answer.text
        statuses = [guest.get(f"/projects/{each}{API}/datasets").status_code for each in ids]
        assert statuses == [200, 404]
        assert guest.post(f"/projects/{ids[0]}{API}/samples").status_code == 403


def test_nobody_signs_in_in_two_ways(tmp_path: Path) -> None:
    with serving(tmp_path, PROXY) as served:
        served.client("local")  # has a password
        session = f"{API}/session"
        assert from_address(served, "10.1.2.3", "local").get(session).json()["user"] is None
        admin = from_address(served, "10.1.2.3", "maria")
        of_proxy = admin.post(f"{API}/users", json={"name": "remote"}).json()
        assert of_proxy["path"] is None
        answer = admin.post(f"{API}/users/{of_proxy['user']['id']}/invitation")
        assert code_of(answer) == "user-has-proxy"


def test_a_server_below_a_path_answers_there_only(tmp_path: Path) -> None:
    with serving(tmp_path, base="/lab/cells") as served:
        assert served.anonymous.get(f"/lab/cells{API}/session").status_code == 200
        answer = served.anonymous.get("/", follow_redirects=False)
        assert answer.headers["Location"] == "/lab/cells/"
        admin = served.client("maria")
        project = admin.post(f"/lab/cells{API}/projects", json={"name": "One"}).json()["project"]["id"]
        made = admin.post(f"/lab/cells/projects/{project}{API}/samples")
        assert made.headers["Location"].startswith(f"/lab/cells/projects/{project}{API}/")
        assert admin.get(made.headers["Location"]).status_code == 200


def test_a_proxy_with_https_and_a_path_reaches_the_server(tmp_path: Path) -> None:
    """The whole stack, with the headers that a browser and a proxy send."""
    server = open_account_server(tmp_path / "server")
    proxies, https = Proxies(("127.0.0.1",)), {"X-Forwarded-Proto": "https", "Host": "lab.example.org"}
    options = {"port": 0, "names": ["lab.example.org"], "proxies": proxies, "base": "/cells", "admin": "maria"}
    with open_accounts_server(server, **options) as running, running_in_thread(running):
        assert running.invitation is not None
        base = running.address.rstrip("/")
        with httpx.Client(headers=https, timeout=30) as client:
            body = {"password": PASSWORD}
            address = f"{base}{API}/invitations/{running.invitation.rsplit('/', 1)[1]}"
            other = {"Origin": "https://elsewhere.example.org"}
            assert client.post(address, json=body, headers=other).json()["code"] == "wrong-origin"
            plain = {"Origin": "http://lab.example.org"}
            assert client.post(address, json=body, headers=plain).json()["code"] == "wrong-origin"
            made = client.post(address, json=body, headers={"Origin": "https://lab.example.org"})
            assert made.status_code == 200, made.text
            assert {"Secure", "Path=/cells/"} <= set(made.headers["set-cookie"].split("; "))
            wrong = client.get(f"{base}{API}/session", headers={"Host": "elsewhere.example.org"})
            assert wrong.json()["code"] == "wrong-host"
            assert client.get(f"{base}{API}/session").headers["Cache-Control"] == "no-store"
    with open_accounts_server(server, **{**options, "admin": "maria"}) as running:
        assert running.invitation is None  # there is a password
    with open_accounts_server(server, **options, resets_password=True) as running:
        assert running.invitation is not None


def test_a_stream_ends_when_the_user_leaves_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coverslip.server.app._CHECK_SECONDS", 0.0)
    server = open_account_server(tmp_path / "server")
    with open_accounts_server(server, port=0, admin="maria") as running, running_in_thread(running):
        base = running.address.rstrip("/")
        user, _ = users.accept_invitation(server, users.invite(server, users.add_user(server, "ben").id), PASSWORD)
        assert running.invitation is not None
        with httpx.Client(base_url=base, timeout=60) as admin, httpx.Client(base_url=base, timeout=60) as ben:
            admin.post(f"{API}/invitations/{running.invitation.rsplit('/', 1)[1]}", json={"password": PASSWORD})
            ben.post(f"{API}/session", json={"name": "ben", "password": PASSWORD})
            project = admin.post(f"{API}/projects", json={"name": "Streamed"}).json()["project"]["id"]
            member = f"{API}/projects/{project}/members/{user.id}"
            admin.put(member, json={"role": "viewer"})
            with ben.stream("GET", f"/projects/{project}{API}/events") as stream:
                assert stream.status_code == 200
                chunks = stream.iter_raw()
                next(chunks)
                admin.delete(member)
                admin.post(f"/projects/{project}{API}/samples")  # sends a change
                for _ in chunks:  # it ends
                    pass
            assert ben.get(f"/projects/{project}{API}/events").status_code == 404


def test_a_user_with_many_streams_is_refused_another_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coverslip.app.streams.MOST_STREAMS_OF_USER", 2)
    server = open_account_server(tmp_path / "server")
    with (
        open_accounts_server(server, port=0, admin="maria") as running,
        running_in_thread(running),
        ExitStack() as stack,
    ):
        assert running.invitation is not None
        base, secret = running.address.rstrip("/"), running.invitation.rsplit("/", 1)[1]
        admin = stack.enter_context(httpx.Client(base_url=base, timeout=60))
        ben = stack.enter_context(httpx.Client(base_url=base, timeout=60))
        admin.post(f"{API}/invitations/{secret}", json={"password": PASSWORD})
        user = users.add_user(server, "ben")
        ben.post(f"{API}/invitations/{users.invite(server, user.id)}", json={"password": PASSWORD})
        events = []
        for name in ("first", "second"):  # the streams of all projects count
            project = admin.post(f"{API}/projects", json={"name": name}).json()["project"]["id"]
            admin.put(f"{API}/projects/{project}/members/{user.id}", json={"role": "viewer"})
            events.append(f"/projects/{project}{API}/events")

        opened = [stack.enter_context(ben.stream("GET", address)) for address in events]
        assert [stream.status_code for stream in opened] == [200, 200]
        refused = ben.get(events[0])
        assert (refused.status_code, code_of(refused), refused.headers["Retry-After"]) == (
            429,
            "too-many-streams",
            "10",
        )
        assert ben.get(f"/projects/{project}{API}/datasets").status_code == 200
        assert stack.enter_context(admin.stream("GET", events[0])).status_code == 200
        opened[0].close()
        until(lambda: stack.enter_context(ben.stream("GET", events[0])).status_code == 200)


def test_roots_outside_those_of_the_server_are_not_served_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        admin = served.client("maria")
        project = served.project(admin, "Rooted")
    (tmp_path / "data").rename(tmp_path / "moved")
    with serving(tmp_path) as served:
        admin = served.client("maria")
        assert admin.get(f"{project}{API}/datasets").status_code == 200
    (tmp_path / "data").rmdir()
    (tmp_path / "data").write_bytes(b"")
    server = open_account_server(tmp_path / "server")
    app = create_accounts_app(server)
    with TestClient(app), TestClient(AccountsGate(app, NO_PROXY)) as anonymous:
        admin = Served(server, anonymous).client("maria")
        (shown,) = admin.get(f"{API}/projects").json()["items"]
        assert shown["is_served"] is False
        assert admin.get(f"{project}{API}/datasets").status_code == 404


def test_an_annotator_stops_a_computation_of_a_page_but_no_training(served: Served, admin: TestClient) -> None:
    annotator, editor = served.client("annotator"), served.client("editor")
    project = served.project(admin, "Stopping", annotator="annotator", editor="editor")
    (folder,) = (served.server.folder / "projects").glob(f"{project.rpartition('/')[2]}*")
    workspace = open_workspace(folder, served.server.roots)
    row = {"name": "n", "dataset_name": "d", "command": ["-c", ""], "state": "started", "queued": None}
    for job_id, more in (("map", {"kind": "dataset-map", "key": "k"}), ("run", {"kind": "train", "key": None})):
        add_job(workspace, id=job_id, folder=str(folder / job_id), choices={"link": "/"}, **row, **more)
    assert code_of(annotator.post(f"{project}{API}/jobs/run/stop")) == "role-too-low"
    for client, job_id in ((annotator, "map"), (editor, "run")):
        assert code_of(client.post(f"{project}{API}/jobs/{job_id}/stop")) == "job-ended"
    workspace.engine.dispose()


@given(
    waiting=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=12),
)
def test_projects_take_turns_and_one_job_runs_at_a_time(waiting: list[tuple[str, int]]) -> None:
    turns = Turns()
    for name in "abc":
        turns.enter(name)
    n_waiting = {name: sum(n for other, n in waiting if other == name) for name in "abc"}
    order = []
    while any(n_waiting.values()):
        for name, n in n_waiting.items():
            turns.report(name, busy=(), waiting=("train",) if n else ())
        takers = [name for name in "abc" if turns.take(name, "train")]
        assert len(takers) == 1
        order.append(takers[0])
        n_waiting[takers[0]] -= 1
    for start in range(len(order)):
        remaining = set(order[start:])
        assert len(set(order[start : start + len(remaining)])) == len(remaining)
    assert set(order) == {name for name, n in waiting if n}


def test_some_projects_compute_for_their_pages_at_a_time_and_each_for_one_page() -> None:
    turns = Turns()
    for name in "abc":
        turns.enter(name)
        turns.report(name, busy=(), waiting=("explanation",))
    assert [turns.take(name, "explanation", most=2) for name in "aabc"] == [True, False, True, False]
    turns.report("a", busy=(), waiting=())
    assert turns.take("c", "explanation", most=2)


def test_users_take_turns_in_the_queue_of_a_project(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "workspace", (tmp_path,))
    common = {"kind": "train", "name": "", "dataset_name": "", "folder": "", "command": [], "choices": {}}
    for number, name in enumerate(["ann", "ann", "ann", "ben"]):
        with acting_as(name):
            add_job(workspace, id=str(number), queued=float(number), **common)
    assert queued_ids(workspace, "trainings") == ["0", "3", "1", "2"]
    with acting_as("ann"):
        add_job(workspace, id="earlier", **{**common, "state": "ended", "queued": None, "launched": 1.0})
    assert queued_ids(workspace, "trainings") == ["3", "0", "1", "2"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([], "--admin"),
        (["--admin", "maria", "--user-header", "X-User"], "--user-header"),
        (["--admin", "maria", "--proxy", "nowhere"], "--proxy"),
        (["--admin", "maria", "--job-memory", "much"], "--job-memory"),
        (["--admin", "maria", "--job-memory", "0GB"], "--job-memory"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["server", str(tmp_path / "server"), *options]) == 2
    assert named in capsys.readouterr().err


def test_a_project_that_is_served_cannot_be_opened_by_another_server(served: Served, admin: TestClient) -> None:
    from coverslip.workspace.store.workspace import only_server

    served.project(admin, "Locked")
    project = next(each for each in list_projects(served.server) if each.name == "Locked")
    with pytest.raises(CoverslipError) as refused, only_server(served.server.projects / project.id):
        pass
    assert refused.value.code == "workspace-open-elsewhere"
