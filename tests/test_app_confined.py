"""The app reads and sends no file outside its folders, whatever classifiers, files and links say meanwhile."""

import codecs
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from fastapi.testclient import TestClient
from image_sets import API, App, workspace_in
from PIL import Image
from small_workspace import QUICK, new_workspace, open_images, trained_here, write_cells

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.errors import UnreadableImage
from coverslip.images.confining import open_below
from coverslip.images.decoding import read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.workspace.jobs.records import find_job

GOOD, SECRET = 40, 200  # gray levels
N_REQUESTS = 200  # by each of two threads; a fifth showed the outside before files were opened folder by folder


def saved(file: Path, level: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), level).save(file)
    return file


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


_EXCHANGE = """
import os, random, sys, time
path, real, secret = sys.argv[1:]
while True:
    if os.path.isfile(real):
        os.link(real, path + ".new")
        os.replace(path + ".new", path)
    else:
        os.unlink(path)
        os.rename(real, path)
    time.sleep(random.random() / 1000)
    if os.path.isdir(path):
        os.rename(path, real)
    os.symlink(secret, path + ".new")
    os.replace(path + ".new", path)
    time.sleep(random.random() / 1000)
"""


@contextmanager
def exchanged(path: Path, real: Path, secret: Path) -> Iterator[None]:
    """Meanwhile `path` is what lies at `real` and a link to `secret` in turn, a thousand times a second."""
    with subprocess.Popen([sys.executable, "-c", _EXCHANGE, str(path), str(real), str(secret)]) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere links are followed, or not exchanged in one step")
@pytest.mark.parametrize("what", ["file", pytest.param("folder", marks=pytest.mark.exhaustive)])
@pytest.mark.exhaustive
def test_a_link_that_is_exchanged_meanwhile_shows_nothing_from_outside(
    tmp_path: Path, outside: Path, what: str
) -> None:
    shown = saved(tmp_path / "cells" / "x" / "a.png", GOOD)
    real, secret = saved(tmp_path / "a.png", GOOD), saved(outside / "a.png", SECRET)
    path = shown if what == "file" else shown.parent
    app = App(workspace_in(tmp_path))
    with app.client:  # images are decoded by processes of their own, as in the app
        dataset = app.open(tmp_path / "cells", is_labeled=False)
        (row,) = app.rows(f"datasets/{dataset['id']}")
        address = f"{API}/lists/{dataset['id']}/rows/{row}/overview"
        levels: list[int | None] = []

        def ask(_: int) -> None:
            answer = app.client.get(address)
            assert answer.status_code in (200, 422), answer.text
            shows = answer.status_code == 200
            levels.append(int(np.asarray(Image.open(io.BytesIO(answer.content))).max()) if shows else None)

        if what == "folder":
            real, secret = tmp_path / "x", secret.parent
            path.rename(real)
            path.symlink_to(secret)
        with exchanged(path, real, secret), ThreadPoolExecutor(2) as threads:
            list(threads.map(ask, range(2 * N_REQUESTS)))
        assert len(levels) == 2 * N_REQUESTS
        assert levels.count(SECRET) == 0
        assert levels.count(GOOD) > 0


def test_a_folder_that_becomes_a_link_after_the_check_is_not_entered(tmp_path: Path, outside: Path) -> None:
    saved(tmp_path / "x" / "a.png", GOOD)
    saved(outside / "a.png", SECRET)
    with open_below(tmp_path / "x" / "a.png", (tmp_path.resolve(),)) as file:
        assert file.read(4) == b"\x89PNG"
    for path in (outside / "a.png", tmp_path / "x", tmp_path):
        with pytest.raises((UnreadableImage, IsADirectoryError)):
            open_below(path, (tmp_path.resolve(),))
    (tmp_path / "b.png").symlink_to(outside / "a.png")
    with pytest.raises(UnreadableImage):
        read_pixels(tmp_path / "b.png", within=(tmp_path.resolve(),))


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
def test_no_part_of_the_server_reads_an_image_outside(tmp_path: Path, outside: Path) -> None:
    """Reading and checking of a dataset check its paths once: a file may be exchanged for a link before it is read."""
    inside, secret = saved(tmp_path / "a.png", GOOD), saved(outside / "a.png", SECRET)
    with App(workspace_in(tmp_path)).client:
        assert read_pixels(inside).array.max() == GOOD
        with pytest.raises(UnreadableImage):
            read_pixels(secret)
    assert read_pixels(secret).array.max() == SECRET


def test_a_pipe_does_not_hold_its_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnreadableImage):
        open_below(tmp_path / "a.png", (tmp_path.resolve(),))


def test_a_stack_goes_on_in_files_beside_it_but_not_behind_a_link_that_leads_out(tmp_path: Path, outside: Path) -> None:
    """OME-TIFF names the further files of a stack; here the second plane."""
    first, second = tmp_path / "a.tif", tmp_path / "b.tif"
    pixels = np.full((2, 8, 8), GOOD, np.uint16)
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{own}">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="8" SizeY="8" SizeC="1" '
        'SizeZ="2" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData IFD="0" FirstZ="0" PlaneCount="1"><UUID FileName="a.tif">urn:uuid:1</UUID></TiffData>'
        '<TiffData IFD="0" FirstZ="1" PlaneCount="1"><UUID FileName="b.tif">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    tifffile.imwrite(first, pixels[0], description=text.format(own=1), metadata=None)
    tifffile.imwrite(second, pixels[1], description=text.format(own=2), metadata=None)
    plan, roots = ReadPlan(z=1), (tmp_path.resolve(),)
    assert (read_pixels(first, plan, within=roots).array == GOOD).all()
    tifffile.imwrite(
        outside / "b.tif", np.full((8, 8), SECRET, np.uint16), description=text.format(own=2), metadata=None
    )
    second.unlink()
    second.symlink_to(outside / "b.tif")
    assert (read_pixels(first, plan).array == SECRET).all(), "the attack works where nothing is confined"
    with suppress(UnreadableImage):
        assert SECRET not in read_pixels(first, plan, within=roots).array


@pytest.mark.exhaustive
@pytest.mark.slow
def test_downloads_of_a_run_do_not_follow_links_that_lead_out(tmp_path: Path, outside: Path) -> None:
    home = new_workspace(tmp_path)
    cells = open_images(home, write_cells(tmp_path / "cells"), group_pattern=r"slide\d+")
    run = find_job(home, trained_here(home, cells, QUICK, with_report=True)).run
    (outside / "secret").write_text("secret")
    with TestClient(create_app(home)) as client:
        job = client.get(f"{API}/runs").json()["items"][0]["id"]
        figure = next(run.figures_folder.glob("*.svg")).name
        paths = {
            f"{API}/jobs/{job}/report": run.report_file,
            f"{API}/jobs/{job}/figures/{figure}": run.figures_folder / figure,
            f"{API}/jobs/{job}/download/predictions": run.predictions_file,
        }
        for path, file in paths.items():
            answer = client.get(path, headers={"Accept-Encoding": "identity"})
            assert answer.content.removeprefix(codecs.BOM_UTF8) == file.read_bytes()
            assert answer.headers["content-length"] == str(len(answer.content))
            file.unlink()
            file.symlink_to(outside / "secret")
            assert client.get(path).status_code == 422
        with zipfile.ZipFile(io.BytesIO(client.get(f"{API}/jobs/{job}/download/run").content)) as archive:
            assert not any(archive.read(name) == b"secret" for name in archive.namelist())


# A stranger's classifier, and a file that is called a table


@pytest.mark.slow
def test_one_image_is_classified_and_no_file_that_it_or_the_classifier_names(
    tmp_path: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = new_workspace(tmp_path)
    cells = write_cells(tmp_path / "cells")
    run = find_job(home, trained_here(home, open_images(home, cells, group_pattern=r"slide\d+"), QUICK)).run
    image, secret = next(cells.rglob("*.png")), saved(outside / "secret.png", SECRET)
    file = cs.export(run.folder, out=tmp_path / "crafted.coverslip")
    _change_card(file, lambda card: card["preprocessing"]["plan"].update(other_files=[str(secret)]))
    assert main(["predict", str(file), str(image), "--out", str(tmp_path / "out.csv")]) == 1
    assert str(file) in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    with TestClient(create_app(home)) as client:
        answer = client.post(f"{API}/classifiers", content=file.read_bytes())
        assert (answer.status_code, answer.json()["kind"]) == (422, "bad-classifier")
        job = client.get(f"{API}/classifiers").json()["items"][0]["id"]
        path = f"{API}/classifiers/{job}/predict"
        table = ("new.csv", f"path\n{secret}\n".encode())
        answer = client.post(path, files=[("files", image.open("rb")), ("files", table)])
        assert answer.status_code == 200
        decisions = [each["decision"] for each in answer.json()["predictions"]]
        assert (decisions[0] != "unreadable", decisions[1]) == (True, "unreadable")
        card = run.folder / "classifier" / "classifier.json"
        text = json.loads(card.read_text())
        text["preprocessing"]["plan"]["other_files"] = [str(secret)]
        card.write_text(json.dumps(text))
        answer = client.post(path, files={"files": image.open("rb")})
        assert (answer.status_code, answer.json()["kind"]) == (422, "bad-classifier")


def _change_card(file: Path, change: Callable[[dict], object]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    card = json.loads(entries["classifier.json"])
    change(card)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (entries | {"classifier.json": json.dumps(card).encode()}).items():
            archive.writestr(name, data)
