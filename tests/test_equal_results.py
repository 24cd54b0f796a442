"""Numbers of a run are equal wherever they are read: metrics.json, results.json, report, command line and page."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from rich.console import Console
from synthetic_runs import BLOOD, rendered, write_run

from coverslip.cli._show import show_result
from coverslip.evaluation.table import METRICS
from coverslip.reports.page import write_report
from coverslip.reports.reported import read_run
from coverslip.workspace.trainings.results import Results, _results

Json = dict[str, Any]  # Any: JSON
RUNS: dict[str, Json] = {
    "two classes": {"classes": ("a", "b"), "n_test": 60, "skill": 2.0},
    "few groups": {"classes": ("a", "b", "c"), "n_test": 40, "n_groups": 15, "skill": 1.0},
    "eight classes": {"classes": BLOOD, "has_subgroups": True},
    "no groups": {"classes": ("a", "b"), "n_test": 30, "n_groups": 0},
    "many classes": {"classes": [f"kind {k}" for k in range(32)], "n_test": 300},
}
QUICK = ("few groups", "two classes")
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.exhaustive) for name in RUNS]


def cells_of(sections: list[Json]) -> Iterator[Json]:
    """Yield the cells of all tables."""
    for section in sections:
        for block in section["blocks"]:
            if block["kind"] == "text":
                yield from (cell for row in (*block["rows"], *block["totals"]) for cell in row)


def block_of(sections: list[Json], name: str, kind: str) -> Json:
    """Return the last block of a kind in a section, which is that with all classes."""
    (section,) = (section for section in sections if section["name"] == name)
    blocks: list[Json] = [block for block in section["blocks"] if block["kind"] == kind]
    return blocks[-1]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_all_doors_give_equal_numbers(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path, finetuned=False, **RUNS[case])
    page = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", write_report(folder).read_text(encoding="utf-8"))).split())
    sections = json.loads((folder / "results.json").read_text(encoding="utf-8"))["sections"]
    answer = json.loads(TypeAdapter(Results).dump_json(_results(read_run(folder))))
    assert answer["sections"] == rendered(sections)
    assert answer["metrics"] == json.loads((folder / "metrics.json").read_text(encoding="utf-8"))

    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    of_run = {**metrics["metrics"]}
    for row in block_of(sections, "numbers", "metrics")["metrics"]:
        assert [row[end] for end in ("value", "low", "high")] == [
            of_run[row["name"]].get(end) for end in ("value", "low", "high")
        ]
        assert row["title"] == METRICS[row["name"]].title
    per_class = block_of(sections, "per_class", "text")
    names = ("precision", "recall", "specificity", "npv", "f1", "auroc", "average_precision")
    for row, (label, of_class) in zip(per_class["rows"], metrics["per_class"].items(), strict=True):
        assert row[0]["text"].endswith(label)
        assert row[1]["value"] == of_class["n"]
        for name, cell in zip(names, row[2:], strict=False):
            values = [of_class[name].get(end) for end in ("value", "low", "high", "n_correct", "n_images")]
            assert [cell[end] for end in ("value", "low", "high", "n_correct", "n_images")] == values

    for cell in cells_of(sections):
        assert " ".join(f"{cell['text']} {cell['below']}".split()) in re.sub(r" [a-z] (?=\d)", " ", page), cell
    monkeypatch.setenv("COLUMNS", "400")
    show_result(Console(width=400), read_run(folder), all_classes=True)
    printed = capsys.readouterr().out
    for cell in cells_of([section for section in sections if section["name"] in ("two_classes", "per_class")]):
        assert cell["text"] in printed
        assert cell["below"] in printed
