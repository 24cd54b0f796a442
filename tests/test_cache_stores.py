"""The cache of arrays: what went in comes out, whoever else writes at the same time."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing

from coverslip.cache.arrays import ArrayStore
from coverslip.datasets.pixels import PREPROCESSED
from coverslip.errors import CoverslipError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path))
    return tmp_path


def numbered(n: int) -> np.ndarray:
    """A record that its number can be read from."""
    return np.full((4, 4), n, np.uint16)


@pytest.mark.usefixtures("cache")
def test_what_goes_in_comes_out_in_any_order_and_after_reopening() -> None:
    with ArrayStore(PREPROCESSED, {"size": 4}, (4, 4), "uint16") as store:
        store.add(["a", "b", "c"], np.stack([numbered(1), numbered(2), numbered(3)]))
    with ArrayStore(PREPROCESSED, {"size": 4}, (4, 4), "uint16") as store:
        places = store.positions(["c", "a", "missing", "c"])
        assert places[2] == -1
        assert store.read(places[[0, 1, 3]])[:, 0, 0].tolist() == [3, 1, 3]


@pytest.mark.usefixtures("cache")
def test_the_first_record_of_a_digest_stays() -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        store.add(["a"], numbered(1)[None])
        store.add(["a"], numbered(9)[None])
        assert store.read(store.positions(["a"]))[0, 0, 0] == 1


@pytest.mark.usefixtures("cache")
def test_other_choices_are_another_store() -> None:
    with ArrayStore(PREPROCESSED, {"size": 4}, (4, 4), "uint16") as store:
        store.add(["a"], numbered(1)[None])
        with ArrayStore(PREPROCESSED, {"size": 5}, (4, 4), "uint16") as other:
            assert other.positions(["a"]).tolist() == [-1]


@pytest.mark.usefixtures("cache")
def test_a_record_of_another_shape_or_depth_is_refused() -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store, pytest.raises(ValueError, match="do not fit"):
        store.add(["a"], numbered(1)[None].astype(np.uint8))


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 60_000), max_size=20), max_size=8))
def test_any_sequence_of_additions_reads_back(
    tmp_path_factory: pytest.TempPathFactory, additions: list[list[int]]
) -> None:
    os.environ["COVERSLIP_CACHE"] = str(tmp_path_factory.mktemp("any"))
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        for numbers in additions:
            records = np.stack([numbered(n) for n in numbers]) if numbers else np.empty((0, 4, 4), np.uint16)
            store.add([str(n) for n in numbers], records)
        every = [n for numbers in additions for n in numbers]
        assert store.read(store.positions([str(n) for n in every]))[:, 0, 0].tolist() == every


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("is_opening", [True, False], ids=["while it is opened", "while it is read"])
def test_records_that_another_adds_meanwhile_are_not_taken_for_damaged(
    monkeypatch: pytest.MonkeyPatch, is_opening: bool
) -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as other:
        opened = None if is_opening else ArrayStore(PREPROCESSED, {}, (4, 4), "uint16")
        size_of, adding = os.fstat, threading.Thread(target=other.add, args=(["a"], numbered(1)[None]))

        def size_just_before_the_addition(file: int) -> os.stat_result:
            size = size_of(file)
            if adding.ident is None:
                adding.start()
                adding.join(0.5)  # it may have to wait
            return size

        monkeypatch.setattr(os, "fstat", size_just_before_the_addition)
        with opened or ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
            store.positions(["a"])
            adding.join()
            assert store.read(store.positions(["a"]))[0, 0, 0] == 1


def write_forever(cache: str, offset: int) -> None:
    os.environ["COVERSLIP_CACHE"] = cache
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        for start in range(offset, 60_000, 50):
            store.add(
                [str(n) for n in range(start, start + 50)], np.stack([numbered(n) for n in range(start, start + 50)])
            )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_killed_writer_beside_another_leaves_only_whole_and_right_records(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_forever, args=(str(cache), offset)) for offset in (0, 25)]
    for writer in writers:
        writer.start()
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        deadline = time.monotonic() + 60
        # 10 comes from the first writer only; either has added more than 200 records once 300 is there.
        while (store.positions(["10", "300"]) < 0).any() and time.monotonic() < deadline:
            time.sleep(0.05)
        for writer in writers:
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
        names = [str(n) for n in range(60_000)]
        places = store.positions(names)
        written = np.flatnonzero(places >= 0)
        assert len(written) > 200
        records = store.read(places[written])
        assert (records == written[:, None, None]).all()
        store.add(["after"], numbered(7)[None])  # and it goes on working
        assert store.read(store.positions(["after"]))[0, 0, 0] == 7


def test_a_cut_or_deleted_file_is_noticed_and_filled_again(cache: Path) -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        store.add(["a", "b"], np.stack([numbered(1), numbered(2)]))
    (file,) = cache.rglob("records.bin")
    file.write_bytes(file.read_bytes()[:40])  # all of a, some of b
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        assert (store.positions(["a", "b"]) >= 0).tolist() == [True, False]
        store.add(["b", "c"], np.stack([numbered(2), numbered(3)]))
        assert store.read(store.positions(["a", "b", "c"]))[:, 0, 0].tolist() == [1, 2, 3]


def test_a_damaged_index_is_rebuilt(cache: Path) -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        store.add(["a"], numbered(1)[None])
    (index,) = cache.rglob("index.sqlite")
    index.write_bytes(b"this is no database" * 100)
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        assert store.positions(["a"]).tolist() == [-1]
        store.add(["a"], numbered(1)[None])


def test_a_damaged_record_is_as_good_as_missing(cache: Path) -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        store.add(["a", "b"], np.stack([numbered(1), numbered(2)]))
    (file,) = cache.rglob("records.bin")
    data = bytearray(file.read_bytes())
    data[5] ^= 1
    file.write_bytes(data)
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        assert (store.positions(["a", "b"]) >= 0).tolist() == [False, True]
        store.add(["a"], numbered(1)[None])
        assert store.read(store.positions(["a", "b"]))[:, 0, 0].tolist() == [1, 2]


def test_records_that_changed_places_are_as_good_as_missing(cache: Path) -> None:
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        store.add(["a", "b"], np.stack([numbered(1), numbered(2)]))
    (index,) = cache.rglob("index.sqlite")
    with closing(sqlite3.connect(index)) as connection, connection:
        connection.execute("UPDATE records SET place = 1 - place")
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16") as store:
        assert store.positions(["a", "b"]).tolist() == [-1, -1]


def test_where_the_cache_cannot_be_written_to_a_temporary_folder_takes_its_place(cache: Path) -> None:
    (cache / "pixels").write_text("a file where the folder should be")
    reasons: list[Exception] = []
    with ArrayStore(PREPROCESSED, {}, (4, 4), "uint16", reasons.append) as store:
        store.add(["a"], numbered(1)[None])
        assert store.read(store.positions(["a"]))[0, 0, 0] == 1
        folder = store.folder
        assert folder.is_dir()
    assert not folder.exists()
    assert len(reasons) == 1


@pytest.mark.skipif(
    not Path("/proc/self/mountinfo").exists() or os.geteuid() != 0, reason="needs root to mount a tmpfs"
)
def test_a_full_disk_is_one_clear_error_and_earlier_records_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        monkeypatch.setenv("COVERSLIP_CACHE", str(disk))
        with ArrayStore(PREPROCESSED, {}, (100, 100), "uint16") as store:
            store.add(["a"], np.ones((1, 100, 100), np.uint16))
            with refusing(CoverslipError, "cache-not-written"):
                store.add([str(n) for n in range(50)], np.ones((50, 100, 100), np.uint16))
            assert store.read(store.positions(["a"])).min() == 1
            assert (store.positions(["0", "49"]) == -1).all()
    finally:
        subprocess.run(["umount", str(disk)], check=False)
