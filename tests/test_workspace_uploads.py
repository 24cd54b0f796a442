"""Uploads: files and archives that lead nowhere else, within limits, whole or not at all."""

import asyncio
import io
import os
import socket
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from browser import RunningApp
from drawing import save_cell, save_cells
from image_sets import API, App, workspace_in
from parameters import only_first
from small_workspace import once_before, until

from coverslip.app.server import create_app
from coverslip.errors import CoverslipError
from coverslip.files import safe_name
from coverslip.workspace.datasets import folders

ATTACKS = [
    "../out.png",
    "a/../../out.png",
    "/etc/out.png",
    "a//out.png",
    "./out.png",
    "a\\..\\out.png",
    "C:\\out.png",
    "C:/out.png",
    "nul\0.png",
    "two\nlines.png",
    "con.png",
    "AUX",
    "dot./a.png",
    "space /a.png",
    "x" * 256,
    "d/" * 30 + "a.png",
    "",
]


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


@pytest.fixture
def png(tmp_path: Path) -> bytes:
    return save_cell(tmp_path / "one.png", 1).read_bytes()


def begin(app: App, *, is_labeled: bool = True, **limits: int) -> str:
    if limits:
        return folders.start_upload(app.home, "limited", is_labeled=is_labeled, **limits).id
    return str(app.send("POST", "uploads", {"name": "Mine", "is_labeled": is_labeled})["id"])


def put(app: App, where: str, data: bytes) -> Any:
    answer = app.client.put(f"/api/v1/uploads/{where}", content=data)
    assert answer.status_code == 201, answer.text
    return answer.json()


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, data)
    return buffer.getvalue()


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.slow
def test_files_become_a_set_with_its_folders_as_classes(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", ("<script>", "Zelle α"), n=2)
    upload = begin(app)
    for path in sorted(cells.rglob("*.png")):
        name = quote(str(path.relative_to(cells)))
        uploaded = put(app, f"{upload}/files/{name}", path.read_bytes())
    assert (uploaded["n_files"], uploaded["has_folders"]) == (4, True)
    assert uploaded["n_bytes"] == sum(path.stat().st_size for path in cells.rglob("*.png"))
    dataset = app.wait(app.send("POST", f"uploads/{upload}/finish", {})["id"])
    assert (dataset["kind"], dataset["name"], dataset["n_images"], dataset["state"]) == ("upload", "Mine", 4, "ready")
    assert [source["contains"] for source in dataset["sources"]] == ["upload"]
    assert [each["name"] for each in dataset["classes"]] == ["<script>", "Zelle α"]
    assert app.refused("POST", f"uploads/{upload}/finish", {})["status"] == 409
    assert app.refused("DELETE", f"uploads/{upload}")["status"] == 409
    app.send("DELETE", f"datasets/{dataset['id']}")
    assert app.send("POST", f"datasets/{dataset['id']}/restore")["n_images"] == 4  # the copies stay for 30 days
    assert len(list(cells.rglob("*.png"))) == 4


@pytest.mark.slow
def test_a_table_among_the_files_gives_the_labels(app: App, png: bytes) -> None:
    upload = begin(app)
    put(app, f"{upload}/files/set/images/1.png", png)
    put(app, f"{upload}/files/set/images/2.png", png)
    put(app, f"{upload}/files/set/labels.csv", b"path,label\nimages/1.png,a\nimages/2.png,b\n")
    dataset = app.wait(app.send("POST", f"uploads/{upload}/finish", {})["id"])
    assert [each["name"] for each in dataset["classes"]] == ["a", "b"]


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "cells", "n"), [("x,y,width,height", "0,0,4,4", 2), ("area,mean", "3,4", 1)])
def test_a_table_of_boxes_among_unlabeled_files_gives_the_images(
    app: App, png: bytes, columns: str, cells: str, n: int
) -> None:
    upload = begin(app, is_labeled=False)
    put(app, f"{upload}/files/field.png", png)
    rows = f"field.png,{cells}\nfield.png,{cells.replace('0', '1', 1)}\n"
    put(app, f"{upload}/files/objects.csv", f"path,{columns}\n{rows}".encode())
    opened = app.wait(app.send("POST", f"uploads/{upload}/finish", {})["id"])
    assert opened["n_images"] == n


def test_an_uploaded_table_of_points_is_read_with_the_columns_and_the_crop_size_that_were_chosen(
    app: App, png: bytes
) -> None:
    upload = begin(app)
    assert app.get(f"uploads/{upload}/table") is None
    put(app, f"{upload}/files/field.png", png)
    put(app, f"{upload}/files/points.csv", b"image,x,y,stage\nfield.png,3,3,a\nfield.png,5,5,b\nfield.png,4,4,b\n")
    table = app.get(f"uploads/{upload}/table")
    assert table["name"] == "points.csv"
    preview = app.send("POST", "previews", {"kind": "table", "path": table["path"]})
    assert preview["layout"] == "point"
    reading = {"columns": {"label": "stage"}, "crop_size": 6}
    dataset = app.wait(app.send("POST", f"uploads/{upload}/finish", {"is_labeled": True, "table": reading})["id"])
    assert {each["name"]: each["n"] for each in dataset["classes"]} == {"a": 1, "b": 2}
    sizes = [(each["width"], each["height"]) for each in app.get(f"lists/{dataset['id']}/rows")["items"]]
    assert sizes == [(6, 6)] * 3


def test_a_table_whose_labels_are_not_known_by_name_is_offered_unless_folders_are_the_classes(
    app: App, png: bytes
) -> None:
    upload = begin(app)
    put(app, f"{upload}/files/a/1.png", png)
    put(app, f"{upload}/files/cells.csv", b"filename,cell_type\na/1.png,x\nb/1.png,y\n")
    table = app.get(f"uploads/{upload}/table")
    assert table["name"] == "cells.csv"
    assert "label" not in app.send("POST", "previews", {"kind": "table", "path": table["path"]})["mapping"]
    put(app, f"{upload}/files/b/1.png", png)
    assert app.get(f"uploads/{upload}/table") is None


def test_a_table_with_labels_can_be_ignored(app: App, png: bytes) -> None:
    upload = begin(app)
    for name in ("a/1.png", "b/1.png"):
        put(app, f"{upload}/files/{name}", png)
    put(app, f"{upload}/files/labels.csv", b"path,label\na/1.png,x\nb/1.png,y\n")
    dataset = app.wait(app.send("POST", f"uploads/{upload}/finish", {"ignores_table": True})["id"])
    assert [each["name"] for each in dataset["classes"]] == ["a", "b"]


def test_files_that_make_no_set_stay_and_can_be_finished_otherwise(app: App, png: bytes) -> None:
    upload = begin(app)
    put(app, f"{upload}/files/1.png", png)
    assert app.refused("POST", f"uploads/{upload}/finish", {})["code"] == "no-class-folders"
    finished = app.send("POST", f"uploads/{upload}/finish", {"is_labeled": False})
    assert finished["n_images"] == 1


@pytest.mark.parametrize("name", ATTACKS)
def test_a_name_that_leads_outside_is_refused(name: str) -> None:
    with pytest.raises(CoverslipError):
        safe_name(name)


@pytest.mark.slow
def test_attacks_by_name_write_nothing(app: App, tmp_path: Path, png: bytes) -> None:
    upload = begin(app)
    before = everything_below(tmp_path)
    for name in ATTACKS[:-1]:
        escaped = quote(name, safe="").replace(".", "%2E")
        answer = app.client.put(f"/api/v1/uploads/{upload}/files/{escaped}", content=png)
        assert answer.status_code in (404, 422), name
    assert everything_below(tmp_path) == before


@pytest.mark.slow
def test_a_file_is_not_put_behind_a_link(app: App, tmp_path: Path, png: bytes) -> None:
    upload = begin(app)
    (tmp_path / "target").mkdir()
    (app.home.uploads / upload / "files" / "a").symlink_to(tmp_path / "target")
    problem = app.refused("PUT", f"uploads/{upload}/files/a/1.png", content=png)
    assert problem["status"] == 422
    assert everything_below(tmp_path / "target") == []


def test_a_file_sent_again_replaces_the_first(app: App, png: bytes) -> None:
    upload = begin(app)
    put(app, f"{upload}/files/a/1.png", png)
    uploaded = put(app, f"{upload}/files/a/1.png", png + b"more")
    assert (uploaded["n_files"], uploaded["n_bytes"]) == (1, len(png) + 4)
    assert app.refused("PUT", f"uploads/{upload}/files/a", content=png)["status"] == 422  # a folder already
    assert app.refused("PUT", f"uploads/{upload}/files/a/1.png/b.png", content=png)["status"] == 422


def test_limits_hold_while_bytes_come_in(app: App, tmp_path: Path) -> None:
    upload = begin(app, max_files=2, max_bytes=3_000_000)
    folder = app.home.uploads / upload
    assert app.refused("PUT", f"uploads/{upload}/files/declared.png", content=bytes(3_000_001))["status"] == 413

    def endless() -> Any:
        for _ in range(50):
            yield bytes(100_000)

    assert app.refused("PUT", f"uploads/{upload}/files/streamed.png", content=endless())["status"] == 413
    assert everything_below(folder) == ["files"]
    put(app, f"{upload}/files/1.png", b"1")
    put(app, f"{upload}/files/2.png", b"2")
    assert app.refused("PUT", f"uploads/{upload}/files/3.png", content=b"3")["status"] == 413
    put(app, f"{upload}/files/2.png", b"again")
    assert everything_below(folder) == ["files", "files/1.png", "files/2.png"]


@pytest.mark.slow
def test_an_archive_is_unpacked(app: App, png: bytes) -> None:
    upload = begin(app)
    data = zipped({"set/a/1.png": png, "set/b/2.png": png, "__MACOSX/set/._1.png": b"x", "set/.DS_Store": b"x"})
    assert put(app, f"{upload}/archive", data)["n_files"] == 2
    dataset = app.wait(app.send("POST", f"uploads/{upload}/finish", {})["id"])
    assert [(each["name"], each["n"]) for each in dataset["classes"]] == [("a", 1), ("b", 1)]


@pytest.mark.slow
@pytest.mark.parametrize("folders_too", [False, True])
@pytest.mark.parametrize("kind", ["flag", "backslash", "dot"])
def test_names_in_archives_of_windows_and_macos_are_read(app: App, png: bytes, kind: str, folders_too: bool) -> None:
    prefix = "./" if kind == "dot" else ""
    folder_names = [prefix, f"{prefix}set/", f"{prefix}set/Gr\u00f6\u00dfe/"] if folders_too else []
    entries = dict.fromkeys(filter(None, folder_names), b"") | {
        f"{prefix}set/{c}/1.png": png for c in ("Gr\u00f6\u00dfe", "b")
    }
    if kind == "backslash":
        entries = {name.replace("/", "\\"): content for name, content in entries.items()}
    data = bytearray(zipped(entries))
    if kind == "flag":  # says no longer that names are in UTF-8
        for signature, flag in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
            at = -1
            while (at := data.find(signature, at + 1)) >= 0:
                data[at + flag] &= ~8
    upload = begin(app)
    assert put(app, f"{upload}/archive", bytes(data))["n_files"] == 2
    dataset = app.wait(app.send("POST", f"uploads/{upload}/finish", {})["id"])
    assert {each["name"]: each["n"] for each in dataset["classes"]} == {"Gr\u00f6\u00dfe": 1, "b": 1}


def test_an_archive_with_a_name_in_an_older_encoding_is_read_as_before(app: App, tmp_path: Path, png: bytes) -> None:
    name = "Gr\u00f6\u00dfe"
    data = zipped({"Gr@@e/1.png": png}).replace(b"Gr@@e", name.encode("cp437"))
    upload = begin(app)
    assert put(app, f"{upload}/archive", data)["n_files"] == 1
    (folder,) = {path.name for path in tmp_path.rglob("*") if path.name.startswith("Gr")}
    assert folder == name


@pytest.mark.parametrize(
    "name", [*ATTACKS[:4], *ATTACKS[5:10], "..\\out.png", ".", "a\\..\\..\\b.png", "a/../../../../../../tmp/out.png"]
)
def test_an_archive_with_one_entry_that_leads_outside_is_not_unpacked(
    app: App, tmp_path: Path, png: bytes, name: str
) -> None:
    upload = begin(app)
    before = everything_below(tmp_path)
    problem = app.refused("PUT", f"uploads/{upload}/archive", content=zipped({"a/1.png": png, name: png}))
    assert problem["status"] == 422
    assert everything_below(tmp_path) == before


@pytest.mark.slow
def test_links_bombs_and_damaged_archives_are_refused(
    app: App, tmp_path: Path, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_LIMITS", replace(folders._LIMITS, min_ratio_bytes=1_000_000))
    upload = begin(app, max_bytes=4_000_000, max_files=20)
    before = everything_below(tmp_path)
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo("a/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    whole = zipped({"a/1.png": png, "a/2.png": png})
    lying = bytearray(zipped({"a/1.png": bytes(10_000)}))
    at = lying.index(b"PK\x01\x02") + 24
    lying[at : at + 4] = (10).to_bytes(4, "little")  # says it is small
    for data, status in [
        (link.getvalue(), 422),
        (zipped({"a/zeros.png": bytes(1_500_000)}), 422),
        (zipped({f"a/{k}.png": os.urandom(1_500_000) for k in range(3)}), 413),
        (zipped({f"a/{k}.png": b"" for k in range(21)}), 413),
        (whole[:-40], 422),
        (whole.replace(png[40:60], bytes(20), 1), 422),
        (bytes(lying), 422),
        (zipped({}), 422),
        (b"no zip file", 422),
        (b"", 422),
    ]:
        assert app.refused("PUT", f"uploads/{upload}/archive", content=data)["status"] == status
        assert everything_below(tmp_path) == before
    put(app, f"{upload}/archive", whole)
    assert app.refused("PUT", f"uploads/{upload}/archive", content=whole)["code"] == "upload-archive-name-taken"


@pytest.mark.slow
def test_an_upload_that_is_finished_twice_at_once_becomes_one_set(app: App, png: bytes) -> None:
    upload = begin(app, is_labeled=False)
    put(app, f"{upload}/files/a.png", png)

    def finish(_: int) -> int:
        return app.client.post(f"/api/v1/uploads/{upload}/finish", json={}).status_code

    with ThreadPoolExecutor(4) as four:
        assert sorted(four.map(finish, range(4))) == [201, 409, 409, 409]
    assert app.get("datasets")["total"] == 1


@pytest.mark.slow
def test_an_upload_that_is_removed_while_it_is_finished_is_a_whole_dataset_or_gone(app: App, png: bytes) -> None:
    for _ in range(8):
        upload = begin(app, is_labeled=False)
        for k in range(20):
            put(app, f"{upload}/files/{k}.png", png)
        with ThreadPoolExecutor(2) as two:
            finished = two.submit(app.client.post, f"/api/v1/uploads/{upload}/finish", json={})
            removed = two.submit(app.client.delete, f"/api/v1/uploads/{upload}")
        statuses = finished.result().status_code, removed.result().status_code
        assert statuses in [(201, 409), (404, 204)]
        assert (app.home.uploads / upload).exists() == (statuses[0] == 201)


def test_the_removal_of_an_upload_does_not_wait_for_another(app: App, png: bytes) -> None:
    upload, canceled = begin(app, is_labeled=False), begin(app)
    put(app, f"{upload}/files/a.png", png)
    with ThreadPoolExecutor(1) as thread:

        def cancel() -> None:
            thread.submit(folders.remove_upload, app.home, canceled).result(timeout=20)

        with once_before(app.home, "SELECT uploads", cancel):
            folders.finish_upload(app.home, upload)
    assert app.client.get(f"/api/v1/uploads/{canceled}").status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("where", ["files/a/1.png", "archive"])
def test_an_upload_that_is_broken_off_leaves_nothing_and_is_no_fault(app: App, where: str) -> None:
    upload = begin(app)
    path = f"{API}/uploads/{upload}/{where}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"1000")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    messages = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with ThreadPoolExecutor(1) as pool:  # where browsers are tested, a loop runs in the main thread
        pool.submit(asyncio.run, create_app(app.home)(scope, receive, send)).result()  # type: ignore[arg-type]
    assert app.get(f"uploads/{upload}")["n_files"] == 0
    assert everything_below(app.home.uploads / upload / "files") == []


@pytest.mark.slow
@pytest.mark.parametrize("where", ["files/a/1.png", "archive"])
@pytest.mark.parametrize(
    "sent",
    only_first(
        2,
        [
            b"Content-Length: 5000000\r\n\r\n" + bytes(3_000_000),
            b"Transfer-Encoding: chunked\r\n\r\n200000\r\n" + bytes(0x200000) + b"\r\n",
            b"Content-Length: -1\r\n\r\nhalf",
            b"Content-Length: 4\r\nContent-Length: 9\r\n\r\nhalf",
            b"Content-Length: 99999999999999999999\r\n\r\nhalf",
        ],
    ),
    ids=["cut", "cut chunks", "negative", "two lengths", "too long"],
)
def test_a_connection_that_ends_early_or_lies_about_its_length_leaves_no_file(
    app_server: RunningApp, where: str, sent: bytes
) -> None:
    upload = app_server.send("uploads", {"name": "Mine", "is_labeled": True})["id"]
    folder = app_server.workspace / "uploads" / upload
    place = urlsplit(app_server.address)
    assert place.hostname
    assert place.port
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        head = f"PUT {API}/uploads/{upload}/{where} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        connection.sendall(head.encode() + sent)
        if len(sent) > 10**6:
            until(lambda: len(everything_below(folder)) > 1)
    until(lambda: everything_below(folder) == ["files"])
    assert app_server.get(f"uploads/{upload}")["n_files"] == 0


@pytest.mark.slow
def test_a_file_that_is_sent_several_times_at_once_is_one_whole_file(app_server: RunningApp) -> None:
    upload = app_server.send("uploads", {"name": "Mine", "is_labeled": True})["id"]
    bodies = [os.urandom(2_000_000 + k) for k in range(4)]
    with ThreadPoolExecutor(4) as four:
        list(four.map(lambda body: app_server.send(f"uploads/{upload}/files/a/1.png", body, "PUT"), bodies))
    folder = app_server.workspace / "uploads" / upload
    assert everything_below(folder) == ["files", "files/a", "files/a/1.png"]
    content = (folder / "files" / "a" / "1.png").read_bytes()
    assert content in bodies
    assert app_server.get(f"uploads/{upload}")["n_bytes"] == len(content)


def test_an_upload_is_dropped(app: App, png: bytes) -> None:
    upload = begin(app)
    put(app, f"{upload}/files/1.png", png)
    app.send("DELETE", f"uploads/{upload}")
    assert not (app.home.uploads / upload).exists()
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/finish")]:
        assert app.refused(method, f"uploads/{upload}{path}", {} if path else None)["status"] == 404
    assert app.refused("PUT", f"uploads/{upload}/files/1.png", content=png)["status"] == 404


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, pytest.param(10_000, marks=pytest.mark.exhaustive)])
def test_many_files_are_taken(app: App, png: bytes, n: int) -> None:
    upload = begin(app)
    for k in range(n):
        answer = put(app, f"{upload}/files/class{k % 3}/{k}.png", png)
    assert answer["n_files"] == n
    assert app.send("POST", f"uploads/{upload}/finish", {})["n_images"] == n
