"""`coverslip compare` and `cs.compare`: what differed, and each run against the first on the same images."""

import json
from pathlib import Path

import pytest
from trained import GROUPS, INSTANT, MadeOnce

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRun, CoverslipError
from coverslip.runs import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def larger(made_once: MadeOnce, cells: Path, own_cache: None) -> Run:
    """As `trained`, on larger images; nobody may change it."""

    def train(folder: Path) -> None:
        recipe = INSTANT.model_copy(update={"image_size": 64})
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=folder / "larger")

    return Run(made_once("trained larger", train) / "larger")


def test_two_runs_on_one_split_differ_in_a_key_and_by_an_interval(trained: Run, larger: Run) -> None:
    found = cs.compare([trained, larger])
    assert [(row.what, row.name, row.values) for row in found.differing] == [("recipe", "image_size", ["48", "64"])]
    pair = found.pairs[0]
    assert (pair.n, pair.n_only_first, pair.n_only_second) == (trained.metrics.n, 0, 0)
    assert pair.n_groups == trained.metrics.n_groups
    rows = {row.name: row for row in pair.numbers[0].differences}
    assert rows["accuracy"].first == trained.metrics["accuracy"].value
    assert rows["accuracy"].second == larger.metrics["accuracy"].value
    assert rows["log_loss"].value == pytest.approx(
        (larger.metrics["log_loss"].value or 0) - (trained.metrics["log_loss"].value or 0), abs=1e-4
    )
    assert "larger minus first" in found._repr_html_()


def test_the_command_says_it_in_words_and_as_json(
    trained: Run, larger: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(trained.folder), str(larger.folder)]) == 0
    text = capsys.readouterr().out
    assert "Input size" in text or "mage size" in text
    assert "McNemar" in text
    assert main(["compare", str(trained.folder), str(larger.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"a", "b", "metric", "difference", "mcnemar_p", "n"} <= set(told["pairs"][0])
    assert told["pairs"][0]["difference"]["level"] == 0.95


def test_what_cannot_be_compared_is_said(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(CoverslipError, match="Two runs"):
        cs.compare([trained])
    with pytest.raises(CoverslipError, match="twice"):
        cs.compare([trained, trained])
    with pytest.raises(BadRun):
        cs.compare([trained, tmp_path])
