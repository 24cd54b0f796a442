"""Studies: plans, their trainings in processes of their own, tables and comparisons."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from drawing import write_cells
from trained import GROUPS, SMALL_NETWORK

from coverslip.cli import main
from coverslip.cli.study import _show_comparison as show_comparison
from coverslip.errors import BadRecipe, BadRun
from coverslip.events import Event, Noted
from coverslip.experiments.preparation import apply_recipe
from coverslip.messages import ChooseOther, Resume, text
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import as_yaml
from coverslip.runs.status import StatusFile
from coverslip.runtime.executors import ProgramExecutor
from coverslip.stopping import Deadline
from coverslip.studies.cells import Cell, cells_of, open_images, state_of
from coverslip.studies.comparing import compare_study, usual_verdict, verdict
from coverslip.studies.plan import StudyPlan, load_plan
from coverslip.studies.report import is_instant, write_study_report
from coverslip.studies.results import ResultRow
from coverslip.studies.running import CellRunner
from coverslip.studies.study import plan_study, resume_study, run_study

SMALL = {"image_size": 32, "tta": 1, "stage": "instant"}


def write_plan(folder: Path, **plan: Any) -> Path:  # Any: as YAML takes it
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.yaml").write_text(as_yaml({"datasets": ["cells"], "models": [SMALL_NETWORK], **plan}))
    return folder / "plan.yaml"


def refused(tmp_path: Path, **plan: Any) -> BadRecipe:  # Any: as YAML takes it
    with pytest.raises(BadRecipe) as caught:
        plan_study(write_plan(tmp_path, **plan), tmp_path / "out")
    return caught.value


# Plans


@pytest.mark.parametrize(
    "options",
    [["other"], ["--group", "slide"], ["--group-pattern", "x"], ["--arms", "A"], ["--small"], ["--all-tables"]],
)
def test_options_of_presets_are_refused_beside_a_plan(tmp_path: Path, options: list[str]) -> None:
    """Ignored, they would not protect against leakage: results would be split by image although a group was named."""
    out = tmp_path / "out"
    assert main(["study", "run", str(write_plan(tmp_path)), *options, "--out", str(out), "--dry-run"]) == 2
    assert not out.exists()


def test_options_of_a_preset_are_refused_without_its_name() -> None:
    assert main(["study", "preset", "--group", "slide"]) == 2


def test_every_combination_is_one_training_on_the_splits_of_its_repeat(tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path,
        datasets=["cells", {"path": ["lab_a", "lab_b"], "name": "both", "group": "patient"}],
        models=["efficientnet_lite0", {"name": "small", "recipe": {"model": "mobilenet_v2", "epochs": 3}}],
        regimes=["imagenet", "scratch"],
        folds=3,
        repeats=2,
        seeds=[5, 6],
        train_per_class=[10, None],
        recipe={"epochs": 7, "split": {"val": 0.1}},
    )
    cells = plan_study(plan, tmp_path / "out")
    assert len(cells) == 2 * 2 * 2 * 2 * 2 * 2
    assert len({cell.run.folder for cell in cells}) == len(cells)
    first = cells[0]
    assert first.dataset.path == (str(tmp_path / "cells"),)  # from the plan's folder
    assert (first.recipe.split.folds, first.recipe.split.val, first.recipe.epochs) == (3, 0.1, 7)
    assert {(cell.recipe.seed, cell.recipe.split.seed) for cell in cells} == {(5, 0), (6, 0), (5, 1), (6, 1)}
    small = [cell for cell in cells if cell.model == "small"]
    assert {(cell.recipe.model, cell.recipe.epochs) for cell in small} == {("mobilenet_v2", 3)}
    assert {cell.recipe.group for cell in cells if cell.dataset.name == "both"} == {"patient"}
    assert {cell.recipe.init for cell in cells if cell.regime == "scratch"} == {"scratch"}
    assert {(cell.repeat, cell.seed) for cell in cells[:16]} == {(1, 5)}  # one whole repeat before the next


def test_a_pretraining_is_done_once_for_all_that_start_from_it(tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path,
        datasets=["cells", "others"],
        regimes=["imagenet", {"name": "two steps", "two_step": "first", "recipe": {"epochs": 2, "group": "slide"}}],
        recipe=SMALL,
    )
    cells = plan_study(plan, tmp_path / "out")
    before = [cell for cell in cells if cell.is_pretraining]
    assert [(cell.dataset.path, cell.recipe.epochs, cell.recipe.group) for cell in before] == [
        ((str(tmp_path / "first"),), 2, "slide")
    ]
    other_size = {"path": "large", "recipe": {"image_size": 64}}
    plan = write_plan(
        tmp_path, datasets=["cells", other_size], regimes=[{"two_step": "first"}], recipe=SMALL, repeats=2
    )
    assert sum(cell.is_pretraining for cell in plan_study(plan, tmp_path / "out")) == 2
    after = [cell for cell in cells if cell.starts_from is not None]
    assert [cell.starts_from for cell in after] == [before[0].run] * 2
    assert all(cells.index(before[0]) < cells.index(cell) for cell in after)


ARMS = [{"name": "by image", "ignores_groups": True, "compared_with": "by group"}, {"name": "by group"}]


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"group": "slide"}},
        {"datasets": [{"path": "cells", "recipe": {"group": "slide"}}]},
        {"datasets": [{"path": "cells", "group": "slide"}]},
        {"models": [{"name": SMALL_NETWORK, "recipe": {"group": "slide"}}]},
        {"regimes": [{"name": "plain", "recipe": {"group": "slide"}}]},
        {"datasets": [{"name": "both", "parts": ["a", {"path": "b", "recipe": {"group": "slide"}}]}]},
        {"datasets": [{"name": "both", "parts": ["a", "b"], "recipe": {"group": "slide"}}]},
    ],
)
def test_an_arm_that_ignores_groups_has_none_from_any_key_of_the_plan(tmp_path: Path, change: dict[str, Any]) -> None:
    def groups(cell: Cell) -> set[str | None]:
        return {cell.recipe.group, *(part.recipe.get("group") for part in cell.dataset.parts)} - {None}

    cells = plan_study(write_plan(tmp_path, arms=ARMS, **change), tmp_path / "out")
    assert {cell.dataset.arm: groups(cell) for cell in cells} == {"by image": {"none"}, "by group": {"slide"}}


def test_an_arm_that_ignores_groups_has_none_in_its_pretraining(tmp_path: Path) -> None:
    first = {"name": "two-step", "two_step": "others", "recipe": {"group": "slide"}}
    cells = plan_study(write_plan(tmp_path, arms=ARMS, regimes=[first]), tmp_path / "out")
    assert {cell.recipe.group for cell in cells if cell.is_pretraining} == {"none", "slide"}
    by_image = next(cell for cell in cells if cell.dataset.arm == "by image")
    assert by_image.starts_from is not None
    assert {cell.run.folder: cell.recipe.group for cell in cells}[by_image.starts_from.folder] == "none"


def test_an_arm_that_ignores_groups_ignores_a_column_that_always_states_them(tmp_path: Path) -> None:
    images = sorted(write_cells(tmp_path / "cells", 12).rglob("*.png"))
    lines = [f"{file.relative_to(tmp_path).as_posix()},{file.parent.name},{k % 3}" for k, file in enumerate(images)]
    (tmp_path / "images.csv").write_text("\n".join(["path,label,group", *lines]), encoding="utf-8")
    datasets = ["images.csv", {"name": "both", "parts": ["images.csv", "images.csv"]}]
    plan = write_plan(tmp_path, datasets=datasets, arms=ARMS)
    for cell in plan_study(plan, tmp_path / "out"):
        data, recipe = apply_recipe(open_images(cell), cell.recipe)
        assert data.has_groups == (cell.dataset.arm == "by group")
        assert recipe.group == (None if data.has_groups or cell.dataset.parts else "none")


def test_a_plan_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe) as refusal:
        run_study(tmp_path / "nope.yaml", out=tmp_path / "out")
    assert (refusal.value.code, refusal.value.file) == ("no-such-plan", tmp_path / "nope.yaml")


def test_a_plan_that_is_not_valid_is_said_with_the_key(tmp_path: Path) -> None:
    for change, fault in (
        ({"model": ["resnet18"]}, text("plan-misspelled-key", key="model", suggestion="models")),
        ({"models": [SMALL_NETWORK, SMALL_NETWORK]}, text("plan-repeated-names", names=SMALL_NETWORK)),
        ({"baseline": "x"}, text("plan-unknown-baseline", baseline="x", variants=SMALL_NETWORK)),
        ({"regimes": ["imagenette"]}, text("plan-unknown-regime", regimes="scratch, imagenet, frozen")),
        ({"primary_metric": "f1score"}, "metric"),
    ):
        error = refused(tmp_path, **change)
        assert error.code == "invalid-plan"
        assert fault in error.parameters["plan_faults"]
    error = refused(tmp_path, regimes=["imagenet", {"name": "plain transfer", "recipe": {"epoch": 3}}])
    assert (error.code, list(dict(error.faults))) == ("study-training-error", ["epoch"])
    assert "plain transfer" in error.parameters["training"]
    assert "epochs" in refused(tmp_path, recipe={"epoch": 3}).what
    assert refused(tmp_path, datasets=["a/one set", "b/one-set"]).code == "study-name-collision"
    with pytest.raises(BadRun) as refusal:
        resume_study(tmp_path)
    assert refusal.value.code == "no-study"


# Comparing


def rows(model: str, values: list[float], n: int = 20) -> list[ResultRow]:
    return [
        ResultRow(
            dataset="cells", model=model, regime="imagenet", train_per_class=None, repeat=1, fold=k, seed=0,
            n_train=80, n_untested=80, n_test=n, primary=value, metrics={"macro_f1": value}, state="done",
            run=f"{model} {k}",
        )
        for k, value in enumerate(values, start=1)
    ]  # fmt: skip


def test_differences_are_of_the_splits_that_both_were_measured_on() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b", "c"), folds=5)  # type: ignore[arg-type]  # as YAML has it
    a, b, c = [0.8, 0.82, 0.79, 0.81, 0.8], [0.9, 0.93, 0.88, 0.91, 0.9], [0.81, 0.8, 0.8, 0.82, 0.8]
    compared = compare_study(plan, [*rows("a", a), *rows("b", b[:4]), *rows("c", c)])
    (part,) = compared.datasets
    assert [row.name for row in part.scores] == ["b", "c", "a"]
    better, alike = part.differences
    assert (better.name, better.difference.n_splits, better.difference.mean) == ("b", 4, pytest.approx(0.1))
    assert verdict(better, part) == "better"
    assert verdict(alike, part).startswith("not statistically significant; a difference of this size needs about")
    assert better.p_holm == pytest.approx(2 * better.difference.p)
    assert usual_verdict(better) == "significant by paired t and bootstrap"
    assert usual_verdict(alike) == "not significant"


def test_a_difference_without_spread_is_not_equality() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b", "c"), folds=3)  # type: ignore[arg-type]  # as YAML has it
    results = [*rows("a", [0.4, 0.5, 0.6]), *rows("b", [0.5, 0.6, 0.7]), *rows("c", [0.4, 0.5, 0.6])]
    part = compare_study(plan, results).datasets[0]
    verdicts = {difference.name: verdict(difference, part) for difference in part.differences}
    assert verdicts["c"] == "equal on every split"
    assert "equal" not in verdicts["b"]


def test_a_difference_that_is_shown_as_0_has_no_size_that_more_images_would_show() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b"), folds=4)  # type: ignore[arg-type]  # as YAML has it
    results = [*rows("a", [0.8, 0.81, 0.79, 0.8]), *rows("b", [0.81, 0.8, 0.8, 0.7901])]
    part = compare_study(plan, results).datasets[0]
    (difference,) = part.differences
    assert difference.units_to_show is not None
    assert verdict(difference, part) == "not statistically significant"


def test_no_difference_is_larger_than_the_metric_allows() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b"), folds=2)  # type: ignore[arg-type]  # as YAML has it
    part = compare_study(plan, [*rows("a", [0.05, 0.04, 0.0]), *rows("b", [0.95, 0.99, 1.0])]).datasets[0]
    (difference,) = part.differences
    assert (difference.difference.low or 0) > 0.7
    assert difference.difference.high == 1


def test_images_that_a_cap_excludes_are_shared_by_splits_too() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b"), folds=5)  # type: ignore[arg-type]  # as YAML has it
    results = [*rows("a", [0.8, 0.82, 0.79, 0.81, 0.8]), *rows("b", [0.84, 0.83, 0.84, 0.84, 0.83])]
    (whole,) = compare_study(plan, results).datasets[0].differences
    (capped,) = compare_study(plan, [replace(row, n_train=20) for row in results]).datasets[0].differences
    assert capped.difference == whole.difference


def test_copies_before_the_split_are_no_further_images() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a",), folds=5)  # type: ignore[arg-type]  # as YAML has it
    folds = [replace(row, run="a") for row in rows("a", [0.8, 0.82, 0.79, 0.81, 0.8])]
    assert compare_study(plan, folds).datasets[0].n_units == 100
    assert compare_study(plan, [replace(row, copies=4) for row in folds]).datasets[0].n_units == 20
    single = [replace(row, fold=None, copies=4) for row in rows("a", [0.8])]
    assert compare_study(plan, single).datasets[0].n_units == 20


def test_what_publications_would_call_a_difference_stands_beside_and_is_said_to_be_none_here() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b"), folds=5)  # type: ignore[arg-type]  # as YAML has it
    compared = compare_study(plan, [*rows("a", [0.8] * 5), *rows("b", [0.82, 0.85, 0.79, 0.84, 0.83])])
    (difference,) = compared.datasets[0].differences
    assert not difference.is_shown
    assert difference.usual_finds == ("bootstrap",)
    assert usual_verdict(difference) == "significant by bootstrap; not by the corrected test"


def test_existing_groups_are_not_requested() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b"), folds=3)  # type: ignore[arg-type]  # as YAML has it
    (part,) = compare_study(plan, [*rows("a", [0.8, 0.8, 0.8]), *rows("b", [0.84, 0.88, 0.9])]).datasets
    (difference,) = part.differences
    assert difference.units_to_show is not None
    assert part.n_units is not None
    assert not difference.is_shown
    assert difference.units_to_show <= part.n_units
    assert verdict(difference, part) == "not statistically significant; more splits could change this"


def test_lower_is_better_where_the_metric_says_so() -> None:
    plan = StudyPlan(datasets=("cells",), models=("a", "b"), primary_metric="log_loss")  # type: ignore[arg-type]
    compared = compare_study(plan, [*rows("a", [0.5, 0.52, 0.49]), *rows("b", [0.3, 0.31, 0.28])])
    assert [row.name for row in compared.datasets[0].scores] == ["b", "a"]
    assert verdict(compared.datasets[0].differences[0], compared.datasets[0]) == "better"


# Running


@pytest.mark.parametrize(
    "change",
    [
        {"models": ["no_such_network"]},
        {"datasets": ["no_such_folder"]},
        {"datasets": [{"path": "cells/table.csv", "group": "no_such_column"}]},
        {"regimes": ["imagenet", {"name": "gone", "run": "no_such_run"}]},
    ],
)
def test_what_a_plan_names_must_exist_before_anything_is_trained(tmp_path: Path, change: dict[str, Any]) -> None:
    cells = write_cells(tmp_path / "cells", 6)
    files = [file.relative_to(cells).as_posix() for file in sorted(cells.rglob("*.png"))]
    (cells / "table.csv").write_text("\n".join(["path,label", *(f"{file},{file[:5]}" for file in files)]))
    plan = write_plan(tmp_path, recipe=SMALL, **change)
    out = tmp_path / "out"
    assert main(["study", "run", str(plan), "--out", str(out), "--dry-run"]) == 1
    assert main(["study", "run", str(plan), "--out", str(out)]) == 1
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_study_runs_to_its_end_and_one_that_fails_holds_no_other(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 60)
    plan = write_plan(
        tmp_path,
        datasets=[{"path": "cells", "group_pattern": GROUPS}],
        regimes=["imagenet", {"name": "gone", "recipe": {"positive_class": "none"}}],
        recipe={**SMALL, "split": {"train_per_class": 2}},
        folds=2,
    )
    events: list[Event] = []
    compared = run_study(plan, out=tmp_path / "out", emit=events.append)
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(row["regime"], row["fold"], row["state"]) for row in table] == [
        ("imagenet", "1", "done"), ("imagenet", "2", "done"), ("gone", "", "failed"),
    ]  # fmt: skip
    assert [(failed.name, failed.reason) for failed in compared.failures] == [
        (Path(table[2]["run"]).name, table[2]["error"])
    ]
    assert "Failed trainings" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for row in table[:2]:
        assert int(row["n_train"]) == 6  # two of each of three classes
        assert int(row["n_untested"]) + int(row["n_test"]) == 60
    run = tmp_path / "out" / table[0]["run"]
    metrics = json.loads((run / "folds" / "1" / "metrics.json").read_text(encoding="utf-8"))
    assert float(table[0]["macro_f1"]) == pytest.approx(metrics["metrics"]["macro_f1"]["value"], rel=1e-5)
    assert any(isinstance(event, Noted) and event.code == "cell-failed" for event in events)
    assert compared.datasets[0].scores[0].n_splits == 2
    assert is_instant(compared)
    assert "not statistically significant" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    written = {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()}
    assert main(["study", "resume", str(tmp_path / "out")]) == 1  # one failed again
    assert {file: file.stat().st_mtime_ns for file in written} == written  # what is done is left alone
    with pytest.raises(BadRun) as refusal:
        run_study(plan, out=tmp_path / "out")
    assert refusal.value.code == "study-folder-not-empty"
    assert refusal.value.remedies == (ChooseOther("output"), Resume(str(tmp_path / "out"), of="study"))


def test_a_resumed_study_begins_no_training_that_takes_longer_than_its_budget(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 30)
    cells = cells_of(load_plan(write_plan(tmp_path, seeds=[0, 1], folds=0, recipe=SMALL)), tmp_path / "out")
    done = cells[0].run
    done.folder.mkdir(parents=True)
    StatusFile(done.status_file).write("done")
    end = datetime.fromisoformat(done.status.began) + timedelta(seconds=100)  # type: ignore[union-attr]  # it is written
    done.status.model_copy(update={"heartbeat": end.isoformat()}).write(done.status_file)  # type: ignore[union-attr]
    events: list[Event] = []
    CellRunner(
        cells=cells,
        folder=tmp_path / "out",
        executor=ProgramExecutor(1),
        train=lambda *_: pytest.fail("it does not fit"),
        threads=1,
        status=StatusFile(tmp_path / "out" / "status.json"),
        after_each=lambda: None,
        emit=events.append,
        deadline=Deadline.within(50.0),
    ).run()
    assert [(event.code, event.parameters) for event in events if isinstance(event, Noted)] == [
        ("study-budget", {"n_trainings": 1})
    ]


@pytest.mark.slow
def test_a_budget_that_is_too_short_for_the_first_training_is_said_before_it_starts(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 30)
    plan = write_plan(tmp_path, seeds=[0, 1], folds=0, recipe=SMALL)
    events: list[Event] = []
    run_study(plan, out=tmp_path / "out", budget=0.1, emit=events.append)
    codes = [event.code for event in events if isinstance(event, Noted)]
    assert codes == ["study-budget-exceeded", "cell-begun", "study-budget"]
    assert [state_of(cell).state for cell in plan_study(plan, tmp_path / "out")] == ["done", "not begun"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_training_whose_features_were_in_the_cache_has_no_time(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 60, seed=73)
    plan = write_plan(tmp_path, datasets=[{"path": "cells", "group_pattern": GROUPS}], seeds=[0, 1], recipe=SMALL)
    compared = run_study(plan, out=tmp_path / "out")
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as file:
        times = [(row["seed"], row["train_seconds"]) for row in csv.DictReader(file)]
    computed = [float(seconds) for seed, seconds in times if seed == "0" and seconds]
    assert computed
    assert {seconds for seed, seconds in times if seed == "1"} == {""}
    assert compared.datasets[0].scores[0].train_seconds == pytest.approx(sum(computed) / len(computed), rel=1e-5)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.new_interpreter
def test_a_study_that_is_stopped_or_killed_resumes_with_nothing_redone(tmp_path: Path, how: signal.Signals) -> None:
    write_cells(tmp_path / "cells", 60)
    plan = write_plan(tmp_path, seeds=[0, 1, 2], folds=0, recipe=SMALL, threads=1)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "coverslip", "study"]
    child = subprocess.Popen([*command, "run", str(plan), "--out", str(out)], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(out.glob("cells/*_s0/metrics.json")):
        assert time.monotonic() < until
        time.sleep(0.1)
    os.kill(child.pid, how)
    _, stderr = child.communicate(timeout=120)
    if how is signal.SIGINT:
        assert child.returncode == 130, stderr
        assert "study resume" in stderr
    done = {file: file.stat().st_mtime_ns for file in out.glob("cells/*/metrics.json")}
    assert main(["study", "resume", str(out)]) == 0
    assert len(list(out.glob("cells/*/metrics.json"))) == 3
    assert {file: file.stat().st_mtime_ns for file in done} == done


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of file sizes")
@pytest.mark.new_interpreter
@pytest.mark.exhaustive
def test_a_training_whose_files_the_disk_does_not_take_fails_and_is_trained_when_it_does(tmp_path: Path) -> None:
    import resource

    write_cells(tmp_path / "cells", 60)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "coverslip", "study"]
    plan = write_plan(tmp_path, regimes=["scratch"], folds=0, recipe={**SMALL, "stage": "finetune", "epochs": 1})
    whole = resource.RLIM_INFINITY
    child = subprocess.Popen([*command, "run", str(plan), "--out", str(out)], stderr=subprocess.PIPE, text=True)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (1_000_000, whole))  # less than the network takes
    _, stderr = child.communicate(timeout=240)
    assert child.returncode == 1, stderr
    (cell,) = plan_study(out / "study.yaml", out)
    assert state_of(cell).state == "failed"
    assert not cell.run.is_done
    assert list(out.rglob("*.part")) == []
    assert main(["study", "resume", str(out)]) == 0
    assert state_of(cell).state == "done"


def test_the_seed_of_the_split_is_that_of_the_training_unless_it_has_its_own() -> None:
    assert Recipe(seed=3).split_seed == 3
    assert Recipe(seed=3, split={"seed": 0}).split_seed == 0  # type: ignore[arg-type]  # as YAML has it


# The report


def on(dataset: str, n: int | None, results: list[ResultRow]) -> list[ResultRow]:
    return [replace(row, dataset=dataset, train_per_class=n) for row in results]


def test_all_datasets_together_have_ranks_and_their_critical_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = StudyPlan(datasets=("one", "two"), models=("a", "b", "c"))  # type: ignore[arg-type]  # as YAML has it
    results = [
        row
        for dataset, values in {"one": (0.9, 0.8, 0.7), "two": (0.8, 0.9, 0.7)}.items()
        for model, value in zip("abc", values, strict=True)
        for row in on(dataset, None, rows(model, [value, value + 0.02]))
    ]
    compared = compare_study(plan, results)
    (overall,) = compared.overall
    assert {row.name: row.mean_rank for row in overall.scores} == {"a": 1.5, "b": 1.5, "c": 3}
    assert overall.critical_difference == pytest.approx(2.343 * (3 * 4 / (6 * 2)) ** 0.5, abs=1e-3)  # Demsar, table 5
    show_comparison(compared, tmp_path, as_json=False)
    shown = capsys.readouterr().out
    lines = [[word for word in line.split() if not word.startswith("(")] for line in shown.splitlines()]
    assert ["a", "0.910", "few", "splits)", "0.810", "few", "splits)", "0.860", "few", "splits)", "1.50"] in lines
    assert "mean rank below 2.34" in shown


@pytest.mark.slow
def test_the_report_draws_what_there_are_numbers_for(tmp_path: Path) -> None:
    plan = StudyPlan.model_validate({"datasets": ["one", "two"], "models": ["a", "b"], "train_per_class": [10, 100]})
    sized = {"a": 1_000_000, "b": 4_000_000}
    results = [
        replace(row, parameters=sized[row.model], gmacs=sized[row.model] / 1e6)
        for dataset in ("one", "two")
        for n, less in ((10, 0.2), (100, 0.0))
        for model, values in {"a": [0.8, 0.85, 0.82], "b": [0.9, 0.88, 0.93]}.items()
        for row in on(dataset, n, rows(model, [value - less for value in values]))
    ]
    write_study_report(compare_study(plan, results), tmp_path / "report.html")
    drawn = {file.stem for file in (tmp_path / "figures").glob("*.svg")}
    assert (
        drawn
        == {"forest", "pareto", "sizes-1", "sizes-2"}
        == {file.stem for file in (tmp_path / "figures").glob("*.csv")}
    )
    with (tmp_path / "figures" / "forest.csv").open(newline="", encoding="utf-8") as file:
        (mean,) = [row for row in csv.DictReader(file) if row["dataset"] == "mean of 2 datasets"]
    assert float(mean["difference"]) == pytest.approx(0.08)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(drawn)
    assert "Results</h2>" in page
    assert "<h1>b and a on one and two</h1>" in page
    of_publication = plan.model_copy(update={"published": ("aimic",)})
    write_study_report(compare_study(of_publication, results), tmp_path / "aimic" / "report.html")
    page = (tmp_path / "aimic" / "report.html").read_text(encoding="utf-8")
    assert "<h1>AIMIC (2022): b and a on one and two</h1>" in page
    assert "<title>study aimic: AIMIC (2022) ·" in page
    with (tmp_path / "aimic" / "figures" / "bars.csv").open(newline="", encoding="utf-8") as file:
        bars = {(row["panel"], row["network"]): float(row["value"]) for row in csv.DictReader(file)}
    assert len(bars) == 2 * 2 * 2
    assert max(bars.values()) == pytest.approx((0.9 + 0.88 + 0.93) / 3)
    assert (tmp_path / "aimic" / "figures" / "bars-mean-1.svg").is_file()


def test_gains_of_two_step_transfer_are_drawn_by_the_parameters_of_networks(tmp_path: Path) -> None:
    regimes = {"imagenet": 0.0, "two-step": 0.05}
    plan = StudyPlan.model_validate(
        {
            "datasets": ["one"],
            "models": ["a", "b"],
            "regimes": [{"name": name} for name in regimes],
            "baseline": "imagenet",
            "published": ["two-step"],
        }
    )
    results = [
        replace(row, dataset="one", regime=regime, parameters=n)
        for regime, gain in regimes.items()
        for model, n in (("a", 1_000_000), ("b", 4_000_000))
        for row in rows(model, [value + gain for value in (0.8, 0.85, 0.82)])
    ]
    write_study_report(compare_study(plan, results), tmp_path / "report.html")
    with (tmp_path / "figures" / "gains-1.csv").open(newline="", encoding="utf-8") as file:
        gains = {row["network"]: row for row in csv.DictReader(file)}
    millions = {name: float(row["parameters_millions"]) for name, row in gains.items()}
    assert millions == {"a, two-step": 1, "b, two-step": 4}
    assert float(gains["a, two-step"]["difference"]) == pytest.approx(0.05)
