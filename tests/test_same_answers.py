"""The comparison of `benchmarks/same_answers.py`: what counts as equal, and how differences are described."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
STEP = "list images"
IMAGES = [
    {"image_id": f"small/{k}.png", "label": ("small", "large")[k % 2], "version": f"0123456789{k:02}", "n": k}
    for k in range(6)
]
ANSWER: dict[str, Any] = {
    "id": "0a1b2c3d4e",
    "created": "2026-11-20T09:12:44.120+00:00",
    "seconds_left": 12.5,
    "folder": "/scratch/one/runs/0a1b2c3d4e",
    "text": "The training took 3.2 s.",
    "items": IMAGES,
}
LATER: dict[str, Any] = json.loads(
    json.dumps(ANSWER)
    .replace("0a1b2c3d4e", "ffffffffff")
    .replace("2026-11-20T09:12", "2026-11-21T10:20")
    .replace("12.5", "1.75")
    .replace("/scratch/one", "/scratch/another")
    .replace("3.2 s", "14 s")
    .replace("0123456789", "9876543210")
)


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def recorded(answer: Mapping[str, Any], folder: str, counters: Mapping[str, int], memory: int = 300) -> dict[str, Any]:
    """What a run writes, with one step."""
    from _answers import Names, flat

    names = Names({folder: "folder"})
    values = dict(flat(answer, names, STEP))
    steps = {"answers": values, "counters": dict(counters), "memory_mib": {"python -m coverslip train": memory}}
    return {"failures": []} | {kind: {"app": {STEP: of_step}} for kind, of_step in steps.items()}


def lines_of(
    after: Mapping[str, Any],
    capsys: pytest.CaptureFixture[str],
    *,
    counters: Mapping[str, int] | None = None,
    memory: int = 300,
    renames: Mapping[str, str] | None = None,
) -> list[str]:
    """The lines about the differences of `ANSWER` and a later answer."""
    from same_answers import compared

    selects = {"SQL.workspace.sqlite.SELECT images": 1}
    before = recorded(ANSWER, "/scratch/one", selects)
    other = recorded(after, "/scratch/another", selects if counters is None else counters, memory)
    code = compared(before, other, renames or {})
    *lines, total = capsys.readouterr().out.strip().splitlines()
    assert (code, total.startswith("Equal: 1 steps")) == ((1, False) if lines else (0, True))
    return lines


def changed() -> dict[str, Any]:
    return copy.deepcopy(LATER)


def test_identifiers_times_and_folders_are_no_differences(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(LATER, capsys) == []


def test_a_differing_value_is_listed_with_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    after = changed()
    after["items"][3]["label"] = "small"
    assert lines_of(after, capsys) == [f"app | {STEP} | items[small/3.png].label: large -> small"]


def test_another_identifier_of_the_same_object_is_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    after = changed() | {"folder": "/scratch/another/runs/eeeeeeeeee"}
    (line,) = lines_of(after, capsys)
    assert line.startswith(f"app | {STEP} | folder: <folder>/runs/<id of {STEP}: id> -> <folder>/runs/<id of")


def test_missing_and_new_paths_are_differences(capsys: pytest.CaptureFixture[str]) -> None:
    after = changed() | {"n_labeled": 4}
    del after["text"]
    assert lines_of(after, capsys) == [
        f"app | {STEP} | text: only before: The training took <duration>.",
        f"app | {STEP} | n_labeled: only after: 4",
    ]


def test_a_declared_new_name_is_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    after = changed()
    for image in after["items"]:
        image["class"] = image.pop("label")
    (gone, new) = lines_of(after, capsys)
    assert "items[…].label: 6 values only before" in gone
    assert "items[…].class: 6 values only after" in new
    assert lines_of(after, capsys, renames={r"(items\[.*\])\.label$": r"\1.class"}) == []
    after["items"][0]["class"] = "other"
    (line,) = lines_of(after, capsys, renames={r"(items\[.*\])\.label$": r"\1.class"})
    assert line.endswith("items[small/0.png].class: small -> other")


def test_the_order_of_rows_is_one_difference_and_a_row_more_does_not_shift_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    after = changed()
    after["items"][1:3] = after["items"][2:0:-1]
    (line,) = lines_of(after, capsys)
    assert "items.order: another order of the same 6, from 1 on: small/1.png -> small/2.png" in line
    after = changed()
    after["items"].insert(0, {**after["items"][0], "image_id": "small/new.png", "version": "abcdefabcdef"})
    lines = lines_of(after, capsys)
    assert len(lines) == 3
    assert f"app | {STEP} | items.length: 6 -> 7" in lines
    assert any(line.startswith(f"app | {STEP} | items[small/new.png]: only after: ") for line in lines)
    assert all("small/new.png" in line or "length" in line for line in lines)


def test_counters_are_exact_and_memory_has_a_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = lines_of(LATER, capsys, counters={"SQL.workspace.sqlite.SELECT images": 7})
    assert line == f"app | {STEP} | SQL.workspace.sqlite.SELECT images: 1 -> 7"
    assert lines_of(LATER, capsys, memory=330) == []
    (line,) = lines_of(LATER, capsys, memory=500)
    assert "peak memory of python -m coverslip train: 300 -> 500 MiB" in line


def test_tables_are_compared_by_row_and_by_their_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    from _answers import Names, content_of, differences, flat

    def values(text: str) -> dict[str, Any]:
        names = Names({})
        return dict(flat(content_of(text.encode(), "text/csv; charset=utf-8", names), names, STEP))

    table = "image_id,predicted\na.png,small\nb.png,large\n"
    assert list(differences(values(table), values(table))) == []
    lines = list(differences(values(table), values(table.replace("b.png,large", "b.png,small"))))
    assert [line.partition(":")[0] for line in lines] == ["rows[b.png].predicted", "sha256 of the bytes"]
    (line,) = differences(values(table), values(table.replace("\n", "\r\n")))
    assert line.startswith("sha256 of the bytes: ")
