"""Files appear whole or not at all, and cells survive the tables they are written to."""

import csv
import io
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing

from coverslip.errors import CoverslipError
from coverslip.files import (
    ReadyCell,
    atomic_write,
    csv_text,
    plain_cell,
    remove_file,
    safe_cell,
    sha256_json,
    write_json,
    write_link,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def fail_halfway() -> None:
        with atomic_write(file) as part:
            part.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("knows_links", [True, False])
def test_two_files_of_the_same_are_replaced_one_by_one(
    tmp_path: Path, knows_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("no links on this disk")

    if not knows_links:
        monkeypatch.setattr(os, "link", refused)
    best, last = tmp_path / "best", tmp_path / "last"
    write_text(best, "epoch 1")
    write_link(last, best)
    assert last.read_text() == "epoch 1"
    assert last.samefile(best) == knows_links
    write_text(last, "epoch 2")
    assert best.read_text() == "epoch 1"
    write_link(last, best)
    assert last.read_text() == "epoch 1"
    assert sorted(tmp_path.iterdir()) == [best, last]


def test_numbers_that_json_does_not_know_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with refusing(CoverslipError, "file-not-written"):
        write_text(tmp_path / "file" / "a.txt", "text")


@pytest.mark.slow
@given(st.lists(st.lists(st.text() | st.text("a\r\n\",'=", max_size=4), min_size=2, max_size=3), max_size=4))
def test_rows_come_back_from_csv_whatever_their_cells_hold(rows: list[list[str]]) -> None:
    read = csv.reader(io.StringIO(csv_text(rows), newline=""))
    assert [[plain_cell(cell) for cell in row] for row in read] == rows


def test_lines_of_csv_end_in_a_line_feed_and_names_may_hold_a_carriage_return() -> None:
    assert csv_text([["a\r=cmd.png", 1, "b"]]) == '"a\r=cmd.png",1,b\n'


def test_texts_of_csv_are_no_formulas_and_numbers_are_written_as_they_are() -> None:
    assert csv_text([["=1+1", ReadyCell("-0.50"), -1.5, None]]) == "'=1+1,-0.50,-1.5,\n"
    assert csv_text([["-0.159479", "-2e-05", "-1", "-1+1", "-1\n"]]) == "-0.159479,-2e-05,-1,'-1+1,\"'-1\n\"\n"


@given(st.text() | st.text("'-=+@\t\r\nx\uff1d", max_size=5))
def test_any_text_comes_back_from_a_cell_and_none_is_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")) or float(cell.replace(",", ".")) <= 0
    assert plain_cell(cell) == text


@given(st.dictionaries(st.text(), st.integers()))
def test_the_hash_of_an_object_does_not_depend_on_the_order_of_its_keys(value: dict[str, int]) -> None:
    assert sha256_json(value) == sha256_json(json.loads(json.dumps(dict(reversed(value.items())))))


def test_what_killed_writers_left_is_removed_at_the_next_writing_and_what_is_written_now_stays(tmp_path: Path) -> None:
    abandoned, written_now, of_users = (
        tmp_path / name for name in (".a[1].csv.0123abc0.part", ".a[1].csv.0123abc1.part", "b.part")
    )
    for part in (abandoned, written_now, of_users):
        part.touch()
    for part in (abandoned, of_users):
        os.utime(part, (time.time() - 90_000,) * 2)
    write_text(tmp_path / "a[1].csv", "whole")
    assert sorted(tmp_path.iterdir()) == sorted((written_now, of_users, tmp_path / "a[1].csv"))


def test_what_cannot_be_removed_is_reported_as_such(tmp_path: Path) -> None:
    """Removing fails on a read-only disk, and here for a folder in the file's place."""
    (tmp_path / "finish").mkdir()
    with pytest.raises(CoverslipError):
        remove_file(tmp_path / "finish")
    remove_file(tmp_path / "other")
