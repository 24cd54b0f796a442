"""The cache stays within its bound, loses nothing that is in use, and can be seen and cleaned."""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import refusing

from coverslip.cache.arrays import ArrayStore
from coverslip.cache.stores import (
    Kind,
    RecordStore,
    Store,
    claim_store,
    clean,
    configured_limit,
    is_in_use,
    limit_bytes,
    list_stores,
    remove_stores_of,
    store_content,
    trim,
)
from coverslip.cli import main
from coverslip.cli._show import size_in_words
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.pixels import PREPROCESSED
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import CoverslipError
from coverslip.messages import add_entries, text

DAY = 86_400
OTHER = Kind("arrays")
SMALL = Kind("small", bound_bytes=250_000)
TOYS = Kind("toys")
FILE_TOYS = Kind("file-toys")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COVERSLIP_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"


def fill(number: int, *, days_ago: float = 0, kind: Kind = PREPROCESSED) -> Path:
    """A store of about 100 kB whose one record holds its number."""
    with ArrayStore(kind, {"number": number}, (100, 1000), "uint8") as store:
        if store.positions(["image"])[0] < 0:
            store.add(["image"], np.full((1, 100, 1000), number, np.uint8))
    last_used = time.time() - days_ago * DAY
    if store.folder.exists():
        os.utime(store.folder / "used.lock", (last_used, last_used))
    return store.folder


def total_size() -> int:
    return sum(store.n_bytes for store in list_stores())


# The bound


def test_stores_used_least_recently_go_first_and_the_rest_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [fill(number, days_ago=10 - number) for number in range(5)]
    fill(0)  # used again: now the most recent
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "400kB")
    trim()
    assert [folder.exists() for folder in folders] == [True, False, False, True, True]
    assert 300_000 < total_size() <= 400_000


def test_opening_and_closing_a_store_keep_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "0.35 MB")
    for number in range(6):
        fill(number, days_ago=10 - number)
        assert total_size() <= 350_000
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "150KB")
    with ArrayStore(PREPROCESSED, {"number": 5}, (100, 1000), "uint8") as store:  # making room before it is filled
        assert total_size() <= 150_000
        assert store.read(store.positions(["image"]))[0, 0, 0] == 5, "the one just opened is the last to go"


def test_a_store_in_use_stays_even_over_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "50kB")
    with ArrayStore(PREPROCESSED, {}, (100, 1000), "uint8") as store:
        store.add(["image"], np.full((1, 100, 1000), 7, np.uint8))
        other = fill(1)
        assert not other.exists()
        assert store.read(store.positions(["image"])).min() == 7
        assert store.folder.exists()
    assert not store.folder.exists(), "too large for the bound by itself, it goes when nobody uses it"


def test_without_a_setting_the_bound_is_20_gb_or_a_quarter_of_the_free_disk(cache: Path) -> None:
    import shutil

    free = shutil.disk_usage(cache.parent).free
    assert limit_bytes(0) == pytest.approx(min(20e9, free / 4), rel=0.05)
    assert limit_bytes(10**15) == 20 * 10**9, "what the cache holds counts as free"


@pytest.mark.parametrize(
    ("text", "size"),
    [("5GB", 5 * 10**9), ("500 mb", 5 * 10**8), ("1.5T", 15 * 10**11), ("0", 0), ("1024", 1024), (" ", None)],
)
def test_a_limit_is_a_number_with_a_unit(text: str, size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", text)
    assert configured_limit() == size


@pytest.mark.parametrize("text", ["much", "-5GB", "5 GiB", "1e9", "5,5GB", "nan"])
def test_a_limit_that_is_no_size_is_said_before_any_work(
    text: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", text)
    with refusing(CoverslipError, "cache-limit-no-size", variable="COVERSLIP_CACHE_LIMIT", value=text):
        ArrayStore(PREPROCESSED, {}, (4,), "uint8")
    assert not cache.exists()


@given(st.integers(0, 10**14))
def test_sizes_in_words_are_right_to_three_digits(n_bytes: int) -> None:
    number, unit = size_in_words(n_bytes).split()
    factor = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert float(number) * factor == pytest.approx(n_bytes, rel=0.005)
    assert float(number) < 1000


def test_a_kind_keeps_its_own_smaller_bound() -> None:
    for number in range(4):
        fill(number, kind=SMALL, days_ago=4 - number)
    others = [fill(number, days_ago=100) for number in range(3)]
    assert sum(store.n_bytes for store in list_stores() if store.kind == SMALL) <= 250_000
    assert sum(store.kind == SMALL for store in list_stores()) == 2
    assert all(folder.exists() for folder in others), "it is not made up for by others"


def test_entries_about_one_thing_can_be_removed() -> None:
    for kind, name in ((TOYS, "set1"), (FILE_TOYS, "set1-v2"), (TOYS, "set12"), (TOYS, "set2")):
        with claim_store(kind, name) as claim:
            (claim.folder / "a").touch()
        claim.release()
    with claim_store(TOYS, "set1-used") as used:
        pass
    remove_stores_of("set1")
    assert sorted(store.folder.name for store in list_stores()) == ["set1-used", "set12", "set2"]
    used.release()


def test_where_nothing_can_be_kept_records_are_none_and_the_reason_is_reported_once(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    reasons: list[Exception] = []
    with RecordStore(TOYS, "box", on_failure=reasons.append) as store:
        store.keep({"a": b"1"})
        assert store.find(["a"]) == {}
    assert len(reasons) == 1


def test_damaged_records_are_recomputed() -> None:
    with RecordStore(TOYS, "box") as store:
        store.keep({str(n): b"%d" % n for n in range(1200)})
        assert store.find(["1199", "none", "7"]) == {"1199": b"1199", "7": b"7"}
    (TOYS.folder / "box" / "records.sqlite").write_bytes(b"this is no database" * 100)
    with RecordStore(TOYS, "box") as store:
        assert store.find(["7"]) == {}
        store.keep({"7": b"seven"})
    with RecordStore(TOYS, "box") as store:
        assert store.find(["7"]) == {"7": b"seven"}


def test_a_record_whose_bytes_or_key_changed_is_as_good_as_missing() -> None:
    with RecordStore(TOYS, "box") as store:
        store.keep({"a": b"1234", "b": b"5678", "c": b"90"})
    with closing(sqlite3.connect(TOYS.folder / "box" / "records.sqlite")) as connection, connection:
        ((value,),) = connection.execute("SELECT value FROM records WHERE key = 'a'").fetchall()
        connection.execute("UPDATE records SET value = ? WHERE key = 'a'", (value[:-1] + b"5",))
        connection.execute("UPDATE records SET key = 'd' WHERE key = 'b'")
    with RecordStore(TOYS, "box") as store:
        assert store.find("abcd") == {"c": b"90"}


def test_a_kind_that_no_code_uses_is_still_listed_limited_and_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    with claim_store(FILE_TOYS, "box") as claim:
        (claim.folder / "a").write_bytes(b"x" * 1000)
    claim.release()
    FILE_TOYS.folder.rename(FILE_TOYS.folder.with_name("unknown"))
    (store,) = list_stores()
    assert (store.kind.name, store.kind.title) == ("unknown", text("cache-kind-unknown"))
    assert store_content(store).n_records == 1
    fill(1)
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "50kB")
    trim()
    assert list_stores() == []
    RecordStore(Kind("unknown"), "box").close()
    (store,) = list_stores()
    assert (clean([store]), list_stores()) == ([store], [])


# Several processes


def hold(cache: str, connection: Connection) -> None:
    os.environ["COVERSLIP_CACHE"] = cache
    with ArrayStore(PREPROCESSED, {"number": 1}, (100, 1000), "uint8"):
        connection.send("open")
        connection.poll(120)


@contextmanager
def held_by_another_process(cache: Path) -> Iterator[multiprocessing.process.BaseProcess]:
    """Another process that has store 1 open."""
    context = multiprocessing.get_context("spawn")
    ours, child = context.Pipe()
    process = context.Process(target=hold, args=(str(cache), child))
    process.start()
    child.close()
    try:
        assert ours.recv() == "open"
        yield process
    finally:
        ours.close()
        process.join()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_store_that_another_process_has_open_is_not_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, idle = fill(1, days_ago=9), fill(2)
    with held_by_another_process(cache):
        monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "0")
        trim()
        assert held.exists()
        assert not idle.exists()
        (store,) = list_stores()
        assert is_in_use(store)
        assert clean([store]) == []
    trim()
    assert not held.exists()


@pytest.mark.slow
def test_a_killed_process_holds_nothing(cache: Path) -> None:
    folder = fill(1)
    with held_by_another_process(cache) as process:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert [store.folder for store in clean(list_stores())] == [folder]
        assert not folder.exists()


def test_facts_are_not_removed_during_a_scan_and_can_be_afterwards(tmp_path: Path) -> None:
    (tmp_path / "cells" / "a").mkdir(parents=True)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "cells" / "a" / "1.png")
    removed: list[Store] = []
    scan_images(open_dataset(tmp_path / "cells"), emit=lambda event: removed.extend(clean(list_stores())))
    assert removed == []
    stores = clean(list_stores())
    assert {store.kind.name for store in stores} == {"facts", "file-hashes"}
    assert not any(store.folder.exists() for store in stores)


def fill_repeatedly(cache: str) -> None:
    """Ends with an error where anything read is not what was written."""
    os.environ["COVERSLIP_CACHE"] = cache
    for turn in range(40):
        with ArrayStore(PREPROCESSED, {"number": turn % 2}, (4, 4), "uint16") as store:
            names = [str(n) for n in range(turn, turn + 30)]
            missing = [name for name, place in zip(names, store.positions(names), strict=True) if place < 0]
            if missing:
                store.add(missing, np.stack([np.full((4, 4), int(name), np.uint16) for name in missing]))
            positions = store.read(store.positions(names))
            assert (positions == np.arange(turn, turn + 30, dtype=np.uint16)[:, None, None]).all()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_cleaning_while_two_processes_fill_ends_with_right_records(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    fillers = [context.Process(target=fill_repeatedly, args=(str(cache),)) for _ in range(2)]
    for filler in fillers:
        filler.start()
    n_removed = 0
    while any(filler.is_alive() for filler in fillers):
        n_removed += len(clean(list_stores()))
        time.sleep(0.01)
    for filler in fillers:
        filler.join()
    assert [filler.exitcode for filler in fillers] == [0, 0]
    assert n_removed > 0
    assert list(cache.rglob(".removed-*")) == []


def test_what_a_killed_cleaner_left_is_swept_away(cache: Path) -> None:
    fill(1)
    half = cache / "pixels" / ".removed-0123"
    half.mkdir()
    (half / "records.bin").write_bytes(b"x" * 1000)
    trim()
    assert not half.exists()


@pytest.mark.parametrize("is_begun", [False, True], ids=["text", "a database with another header"])
def test_a_damaged_lock_file_stops_nobody(cache: Path, is_begun: bool) -> None:
    folder = fill(1)
    content = b"this is no database" * 100
    if is_begun:
        with closing(sqlite3.connect(cache / "database")) as connection:
            connection.execute("CREATE TABLE any_table (any_column)")
        content = (cache / "database").read_bytes()
        content = content[:28] + bytes.fromhex("ffaa1107") + content[32:]  # so many pages
        (cache / "database").unlink()
    for lock in (folder / "used.lock", cache / "cache.lock"):
        lock.write_bytes(content)
    assert fill(1) == folder
    assert [store.folder for store in clean(list_stores())] == [folder]


def test_only_what_is_ours_is_ever_removed(cache: Path) -> None:
    thesis = cache / "pixels" / "thesis" / "thesis.docx"
    thesis.parent.mkdir(parents=True)
    thesis.write_bytes(b"years of work")
    fill(1)
    clean(list_stores())
    assert thesis.read_bytes() == b"years of work"


# The command


def test_the_command_shows_place_size_limit_and_a_row_per_store(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "5GB")
    assert main(["cache"]) == 0
    assert text("command-cache-empty") in capsys.readouterr().out
    fill(1)
    with ArrayStore(OTHER, {}, (12,), "float32") as store:
        store.add(["a", "b"], np.zeros((2, 12), np.float32))
        assert main(["cache"]) == 0
    printed = capsys.readouterr().out
    assert str(cache) in printed
    assert "5 GB" in printed
    rows = {line.split()[0]: line for line in printed.splitlines() if line.startswith(("pixels", "arrays"))}
    assert "100 x 1000 uint8" in rows["pixels"]
    assert "in use" in rows["arrays"]
    assert "in use" not in rows["pixels"]


def test_json_shows_the_same_and_what_was_removed(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = fill(1, days_ago=40), fill(2, days_ago=3)
    others = fill(3, days_ago=40, kind=OTHER)
    assert main(["cache", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert listing["stores"][0]["folder"] == str(new)
    assert listing["size_bytes"] == sum(store["size_bytes"] for store in listing["stores"]) > 300_000
    assert {store["n_records"] for store in listing["stores"]} == {1}
    assert main(["cache", "--clean", "--kind", "pixels", "--older-than", "30", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["removed"] == [str(old)]
    assert 100_000 < printed["freed_bytes"] < 200_000
    assert [folder.exists() for folder in (old, new, others)] == [False, True, True]


def test_cleaning_says_what_was_freed_and_what_is_still_used(capsys: pytest.CaptureFixture[str]) -> None:
    fill(1)
    with ArrayStore(OTHER, {}, (12,), "float32"):
        assert main(["cache", "--clean"]) == 0
    freed, in_use = capsys.readouterr().out.splitlines()
    assert freed.startswith("Freed ")
    assert freed.endswith("(1 removed)")
    assert in_use == text("command-cache-in-use", size="12.4 kB")


@pytest.mark.slow
def test_a_kind_that_is_added_is_shown_bounded_and_cleaned_like_the_rest(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_entries("cache-kind-toys = toys of a test")
    with RecordStore(TOYS, "box") as store:
        store.keep({"a": b"x" * 1000, "b": b"y"})
    fill(1)
    assert main(["cache"]) == 0
    assert "toys of a test" in capsys.readouterr().out
    listed = "import sys; from coverslip.cli import main; sys.exit(main(sys.argv[1:]))"  # knows nothing of toys
    source = str(Path(__file__).resolve().parent.parent / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-c", listed, "cache", "--json"], env=environment, capture_output=True, check=True, text=True
    )
    toys = {row["kind"]: row for row in json.loads(done.stdout)["stores"]}["toys"]
    assert (toys["title"], toys["n_records"]) == (text("cache-kind-unknown"), 2)
    assert main(["cache", "--clean", "--kind", "toys"]) == 0
    assert [store.kind.name for store in list_stores()] == ["pixels"]


def test_a_kind_that_nothing_is_kept_of_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    fill(1)
    assert main(["cache", "--clean", "--kind", "pixles"]) == 2
    stderr = capsys.readouterr().err
    assert "'pixles'" in stderr
    assert "pixels" in stderr
    assert total_size()


def test_a_damaged_store_is_shown_so_and_can_be_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill(1)
    (folder / "index.sqlite").write_bytes(b"this is no database" * 100)
    assert main(["cache"]) == 0
    assert "damaged" in capsys.readouterr().out
    assert main(["cache", "--clean"]) == 0
    assert not folder.exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_store_that_is_written_to_is_not_called_damaged() -> None:
    folder = fill(1)
    with sqlite3.connect(folder / "index.sqlite", isolation_level=None) as busy:
        busy.execute("BEGIN EXCLUSIVE")
        (store,) = list_stores()
        content = store_content(store)
        assert (content.n_records, content.is_damaged) == (None, False)


@pytest.mark.parametrize("option", [["--kind", "pixels"], ["--older-than", "3"]])
def test_options_for_cleaning_alone_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", *option]) == 2
    assert "--clean" in capsys.readouterr().err
