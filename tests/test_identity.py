"""Images are recognized by the bytes of their files, whatever names, sizes and times say."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from image_sets import API, App, in_lists, workspace_in
from refusing import refusing
from small_workspace import until
from tifffile import imwrite

from coverslip.cache.file_hashes import FileHashes, is_on_local
from coverslip.datasets.content_hashes import SharedReads, find_hashes, hash_files
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadRun
from coverslip.events import ignore
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import PixelFacts, image_facts
from coverslip.machine import network_file_system
from coverslip.runs.folder import Run
from coverslip.runs.images import UnchangedImages, write_content_hashes

HOUR_NS = 3600 * 10**9


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six images of two classes, with equal sizes and times."""
    random = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for k in range(3):
            write(tmp_path / "images" / label / f"{k}.tif", random.integers(0, 255, (9, 9), np.uint8))
    return tmp_path / "images"


def write(file: Path, pixels: np.ndarray) -> None:
    imwrite(file, pixels, metadata=None, datetime=False, software=False)
    set_time(file)


def set_time(file: Path) -> None:
    os.utime(file, (1.7e9, 1.7e9))


def record_hashes(data: Dataset) -> None:
    """Record the hashes of files as if they had last been changed an hour ago."""
    with FileHashes(clock=lambda: time.time_ns() + HOUR_NS) as hashes:
        list(hash_files(data.records, hashes))


def hashes_by_state(data: Dataset) -> list[str | None]:
    with FileHashes() as hashes:
        return [None if digest is None else digest.hex() for digest in find_hashes(data.records, hashes)]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def change_in_place(folder: Path) -> None:
    content = bytearray((folder / "a/0.tif").read_bytes())
    content[-1] ^= 255
    with (folder / "a/0.tif").open("r+b") as file:
        file.write(content)


def exchange(folder: Path) -> None:
    for k in range(3):
        (folder / f"a/{k}.tif").rename(folder / "exchanged")
        (folder / f"b/{k}.tif").rename(folder / f"a/{k}.tif")
        (folder / "exchanged").rename(folder / f"b/{k}.tif")


def exchange_folders(folder: Path) -> None:
    (folder / "a").rename(folder / "exchanged")
    (folder / "b").rename(folder / "a")
    (folder / "exchanged").rename(folder / "b")


def copy_with_times(folder: Path) -> None:
    shutil.copy2(folder / "b/0.tif", folder / "a/0.tif")


def restore_backup(folder: Path) -> None:
    change_in_place(folder)
    set_time(folder / "a/0.tif")
    record_hashes(open_dataset(folder))
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / "backup", folder)


def move(folder: Path) -> None:
    (folder / "a/0.tif").rename(folder / "b/moved.tif")


def replace_by_hard_link(folder: Path) -> None:
    (folder / "a/0.tif").unlink()
    os.link(folder / "b/0.tif", folder / "a/0.tif")


def change_through_hard_link(folder: Path) -> None:
    os.link(folder / "a/0.tif", folder.parent / "link.tif")
    (folder.parent / "link.tif").write_bytes((folder / "b/2.tif").read_bytes())


def replace_by_symbolic_link(folder: Path) -> None:
    (folder / "a/0.tif").unlink()
    (folder / "a/0.tif").symlink_to(folder / "b/0.tif")


def change_target_of_symbolic_link(folder: Path) -> None:
    replace_by_symbolic_link(folder)
    record_hashes(open_dataset(folder))
    (folder / "b/0.tif").write_bytes((folder / "b/1.tif").read_bytes())


CHANGES = [
    change_in_place,
    exchange,
    exchange_folders,
    copy_with_times,
    restore_backup,
    move,
    replace_by_hard_link,
    change_through_hard_link,
    replace_by_symbolic_link,
    change_target_of_symbolic_link,
]


@pytest.mark.parametrize("change", CHANGES)
def test_facts_are_those_of_the_bytes_in_the_file_now(folder: Path, change: Callable[[Path], None]) -> None:
    shutil.copytree(folder, folder.parent / "backup")
    data = open_dataset(folder)
    scan_images(data)
    record_hashes(data)
    n_known = len({sha256(file) for file in folder.rglob("*.tif")})
    change(folder)
    for file in folder.rglob("*.tif"):
        set_time(file)
    data = open_dataset(folder)
    decoded: list[int] = []
    for hashes in (hashes_by_state(data), scan_images(data, on_pixels=lambda i, *_: decoded.append(i)).content_hashes):
        for record, digest in zip(data.records, hashes, strict=True):
            assert digest in (None, sha256(record.path))
    scan = scan_images(data)
    assert scan.facts == tuple(image_facts(read_pixels(record.path)) for record in data.records)
    n_new = len({sha256(file) for file in folder.rglob("*.tif")} | {sha256(file) for file in backup(folder)}) - n_known
    assert len(decoded) == n_new  # no image whose bytes were scanned before


def backup(folder: Path) -> list[Path]:
    return [*(folder.parent / "backup").rglob("*.tif")]


def is_local(data: Dataset) -> bool:
    """Whether the tests run on a file system whose state is trusted."""
    record_hashes(data)
    return any(hashes_by_state(data))


def test_unchanged_files_on_a_local_disk_are_not_read(folder: Path) -> None:
    data = open_dataset(folder)
    if not is_local(data):
        pytest.skip("the state of files is not trusted here")
    assert hashes_by_state(data) == [sha256(record.path) for record in data.records]


def test_the_state_of_a_file_that_was_just_changed_is_not_recorded(folder: Path) -> None:
    data = open_dataset(folder)
    with FileHashes() as hashes:
        assert [*hash_files(data.records, hashes)] == [sha256(record.path) for record in data.records]
    assert hashes_by_state(data) == [None] * 6


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        *((name, True) for name in ("ext4", "xfs", "apfs", "btrfs")),
        *((name, False) for name in ("nfs4", "cifs", "fuse.sshfs", "overlay", "9p", "exfat", "new")),
    ],
)
def test_only_local_file_systems_that_keep_the_state_are_trusted(tmp_path: Path, type_: str, expected: bool) -> None:
    device = tmp_path.stat().st_dev
    mounts = {"/": "nfs" if expected else "ext4", str(tmp_path): type_}
    assert is_on_local(str(tmp_path / "a/b.tif"), device, mounts) is expected
    assert not is_on_local(str(tmp_path / "a/b.tif"), device, {})
    is_other_device_trusted = type_ in ("apfs", "btrfs")  # else another mount is in place
    assert is_on_local(str(tmp_path / "a/b.tif"), device + 1, mounts) is is_other_device_trusted


def test_network_drives_are_recognized(tmp_path: Path) -> None:
    inner = str(tmp_path / "a" / "b")
    for type_, expected in {"nfs4": "nfs4", "cifs": "cifs", "lustre": "lustre", "ext4": None, "overlay": None}.items():
        assert (
            network_file_system(inner, {"/": "nfs" if expected is None else "ext4", str(tmp_path): type_}) == expected
        )
    assert network_file_system(inner, {"/": "ext4", inner: "nfs"}) == "nfs"
    assert network_file_system(inner, {}) is None


def test_the_app_shows_the_files_as_they_are_when_it_reads_a_dataset_again(tmp_path: Path, folder: Path) -> None:
    app = App(workspace_in(tmp_path))
    where = f"datasets/{app.open(folder)['id']}"
    record_hashes(open_dataset(folder))

    def shown() -> list[tuple[str, bytes]]:
        rows = app.get(f"{in_lists(where)}/rows")["items"]
        sheets = ({"rows": each["row_id"], "side": 128} for each in rows)
        pictures = [app.client.get(f"{API}/{in_lists(where)}/sheet", params=sheet).content for sheet in sheets]
        return [(each["version"], picture) for each, picture in zip(rows, pictures, strict=True)]

    def refresh() -> None:
        app.send("POST", f"{where}/refresh")
        until(lambda: app.get(where)["state"] == "ready")

    before = shown()
    refresh()
    assert shown() == before  # pictures of equal bytes are not drawn again
    exchange(folder)
    for file in folder.rglob("*.tif"):
        set_time(file)
    refresh()
    assert shown() == before[3:] + before[:3]


def test_a_folder_has_the_hash_of_the_names_and_hashes_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "c.zarr/0/1").mkdir(parents=True)
    (tmp_path / "c.zarr/zarr.json").write_text("{}")
    (tmp_path / "c.zarr/0/1/2").write_bytes(b"chunk")
    with FileHashes(clock=lambda: time.time_ns() + HOUR_NS) as hashes:
        seen = set()
        for change in (
            lambda: None,
            lambda: (tmp_path / "c.zarr/0/1/2").write_bytes(b"CHUNK"),
            lambda: (tmp_path / "c.zarr/0/1/2").rename(tmp_path / "c.zarr/0/1/3"),
            lambda: (tmp_path / "c.zarr/0/1/4").write_bytes(b""),
        ):
            change()
            identity = hashes.read([tmp_path / "c.zarr"])
            assert identity is not None
            assert identity.is_current()
            hashes.save()
            assert hashes.find([[tmp_path / "c.zarr"]]) in ([identity.sha256], [None])
            seen.add(identity.sha256)
    assert len(seen) == 4
    assert identity is not None
    (tmp_path / "c.zarr/0/1/5").write_bytes(b"")
    assert not identity.is_current()


def test_a_run_is_not_resumed_with_other_bytes(tmp_path: Path, folder: Path) -> None:
    data, run = open_dataset(folder), Run(tmp_path / "run")
    write_content_hashes(run, data, scan_images(data))
    UnchangedImages().check(run, data, emit=ignore)
    record_hashes(data)
    exchange(folder)
    for file in folder.rglob("*.tif"):
        set_time(file)
    with refusing(BadRun, "changed-image-files") as refused:
        UnchangedImages().check(run, open_dataset(folder), emit=ignore)
    assert refused.value.parameters["n_images"] == 6


def test_facts_of_an_image_that_continues_in_other_files_are_not_stored(tmp_path: Path) -> None:
    planes = "".join(
        f'<TiffData FirstC="{k}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{k}</UUID></TiffData>'
        for k, name in enumerate(("one.ome.tif", "two.ome.tif"))
    )
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="9" SizeY="9" SizeZ="1" '
        f'SizeC="2" SizeT="1"><Channel ID="Channel:0:0"/><Channel ID="Channel:0:1"/>{planes}</Pixels></Image></OME>'
    )
    imwrite(tmp_path / "one.ome.tif", np.full((9, 9), 1, np.uint8), metadata=None, description=description)
    (tmp_path / "t.csv").write_text("path,label\none.ome.tif,a\n")
    for value in (1, 2):
        imwrite(tmp_path / "two.ome.tif", np.full((9, 9), value, np.uint8), metadata=None)
        (facts,) = scan_images(open_dataset(tmp_path / "t.csv")).facts
        assert isinstance(facts, PixelFacts)
        assert facts.high == (1.0, float(value))


def test_a_file_of_several_images_is_read_once(folder: Path) -> None:
    table = folder / "t.csv"
    table.write_text("path,label,x,y,width,height\na/0.tif,a,0,0,4,4\na/0.tif,b,4,4,4,4\nb/0.tif,b,0,0,4,4\n")
    with FileHashes() as hashes:
        read = SharedReads(hashes)
        first, second, other = map(read, open_dataset(table).records)
    assert first is second
    assert other is not first


def test_facts_of_pixels_that_changed_after_their_file_was_hashed_are_not_stored(folder: Path) -> None:
    data = open_dataset(folder)
    other = image_facts(read_pixels(folder / "b/1.tif"))

    def change(i: int, *_: object) -> None:
        if data.records[i].path == folder / "a/0.tif":
            (folder / "a/0.tif").write_bytes((folder / "b/1.tif").read_bytes())

    original = (folder / "a/0.tif").read_bytes()
    scan_images(data, on_pixels=change)
    assert scan_images(data).facts[0] == other
    (folder / "a/0.tif").write_bytes(original)
    facts = scan_images(data).facts[0]
    assert isinstance(facts, PixelFacts)
    assert facts.pixel_hash != other.pixel_hash
