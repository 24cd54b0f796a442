"""The main job through the command line, on synthetic images: inspect, train, evaluate, predict, report, demo."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drawing import write_cells
from parameters import only_first
from tables import rows_of
from trained import SMALL_NETWORK

from coverslip.cli import main
from coverslip.messages import text
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import verdict_as_json, verdict_of, verdict_of_run
from coverslip.runs.results import metrics_of_classifier
from coverslip.synthetic_cells import SampleSet, write_new_images, write_sample_images

SMALL = (f"model={SMALL_NETWORK}", "stage=instant", "image_size=64", "tta=1", "augment=none", "split.folds=0")
INSTANT = tuple(part for setting in SMALL for part in ("--set", setting))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    return write_sample_images(tmp_path_factory.mktemp("cells") / "cells", n_images=120)


@pytest.fixture(scope="module")
def run(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert main(["train", str(samples.folder), "--group-pattern", r"slide\d+", *INSTANT, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.exhaustive
def test_inspect_finds_the_planted_faults(samples: SampleSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(samples.folder), "--group-pattern", r"slide\d+", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["n_images"] == samples.n_images
    assert set(printed["classes"]) == set(samples.classes)
    assert printed["groups"]["n_groups"] == len(samples.slides)
    clusters = {finding["code"]: finding["images"] for finding in printed["findings"]}
    assert clusters["unreadable"] == [[path.relative_to(samples.folder).as_posix()] for path in samples.broken]
    assert len(clusters["duplicates"]) == len(samples.duplicates) - 1
    assert len(clusters["conflicting-labels"]) == 1


@pytest.mark.slow
@pytest.mark.exhaustive
def test_inspect_says_the_same_in_words(samples: SampleSet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(samples.folder), "--group-pattern", r"slide\d+"]) == 0
    out = capsys.readouterr().out
    n = len(samples.broken)
    assert (
        f"{samples.n_images} images ({n} unreadable), {len(samples.classes)} classes; {len(samples.slides)} gr" in out
    )
    assert samples.broken[0].name in out
    assert "What to do" in out


@pytest.mark.slow
def test_train_leaves_a_complete_run_and_no_slide_on_two_sides(run: Path) -> None:
    for name in ("recipe.yaml", "environment.json", "split.csv", "metrics.json", "predictions.csv", "report.html"):
        assert (run / name).is_file(), name
    sides: dict[str, set[str]] = {}
    for row in rows_of(run / "split.csv"):
        if row["split"] != "excluded":
            sides.setdefault(row["group"], set()).add(row["split"])
    assert all(len(parts) == 1 for parts in sides.values())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_recipe_of_a_run_keeps_its_groups_and_gives_the_same_split(
    samples: SampleSet, run: Path, tmp_path: Path
) -> None:
    second_run = tmp_path / "again"
    assert main(["train", str(samples.folder), "--recipe", str(run / "recipe.yaml"), "--out", str(second_run)]) == 0
    assert (second_run / "split.csv").read_bytes() == (run / "split.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_evaluate_prints_the_runs_own_numbers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("verdict") == verdict_as_json(verdict_of_run(read_run(run)))
    assert printed == json.loads((run / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_evaluate_on_other_images_is_kept_under_its_name(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample_images(tmp_path / "later", n_images=60, seed=5)
    arguments = ["evaluate", str(run), str(tmp_path / "later"), "--name", "later", "--group-pattern", r"slide\d+"]
    assert main([*arguments, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    metrics.pop("verdict")
    assert metrics == json.loads((run / "evaluations" / "later" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["n"] < 60, "the broken file and contradicting labels cannot be measured"


@pytest.mark.slow
def test_predict_gives_a_row_per_image_in_order_and_keeps_the_broken_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = write_new_images(tmp_path / "new", n_images=10)
    images = [str(path) for path in sorted((tmp_path / "new").glob("*.png"), reverse=True)]
    assert main(["predict", str(run), *images, "--out", str(tmp_path / "predictions.csv")]) == 0
    rows = rows_of(tmp_path / "predictions.csv")
    assert [Path(row["path"]).name for row in rows] == [Path(path).name for path in images]
    unreadable = [Path(row["path"]).name for row in rows if row["decision"] == "unreadable"]
    assert unreadable == [path.name for path in new.broken]
    assert "1 of 10 images cannot be read" in capsys.readouterr().err
    assert main(["predict", str(run), *images, "--out", str(tmp_path / "again.csv"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["file"] == str(tmp_path / "again.csv")
    assert (printed["decisions"]["unreadable"], sum(printed["decisions"].values())) == (1, 10)


@pytest.mark.slow
def test_predictions_do_not_depend_on_the_batch_size(run: Path, tmp_path: Path) -> None:
    write_new_images(tmp_path / "new", n_images=10)
    tables = []
    for size in ("1", "7"):
        assert (
            main(["predict", str(run), str(tmp_path / "new"), "--out", str(tmp_path / size), "--batch-size", size]) == 0
        )
        tables.append(rows_of(tmp_path / size))
    for table, other in zip(*tables, strict=True):
        assert table["predicted"] == other["predicted"]
        if table["probability"]:
            assert float(table["probability"]) == pytest.approx(float(other["probability"]), abs=1e-4)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_report_prints_where_it_is(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert Path(capsys.readouterr().out.strip()) == run / "report.html"
    assert (run / "report.html").is_file()


@pytest.mark.slow
def test_a_run_is_not_overwritten(samples: SampleSet, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "metrics.json").read_bytes()
    assert main(["train", str(samples.folder), *INSTANT, "--out", str(run)]) == 1
    assert capsys.readouterr().err.count("Error: ") == 1
    assert (run / "metrics.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to a single process on Windows")
@pytest.mark.new_interpreter
def test_ctrl_c_in_training_ends_with_130_and_says_how_to_resume(samples: SampleSet, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coverslip", "train", str(samples.folder), "--out", str(tmp_path / "run")]
    long = ("image_size=32", "epochs=500", "patience=null", "split.folds=0", "tta=1", "augment=none")
    settings = [part for setting in (f"model={SMALL_NETWORK}", *long) for part in ("--set", setting)]
    process = subprocess.Popen(
        [*command, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    history = tmp_path / "run" / "history.csv"
    deadline = time.monotonic() + 300
    while not (history.is_file() and rows_of(history)) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert str(tmp_path / "run") in out + err
    assert err.count("Training was stopped") == 1
    assert "Error" not in err
    assert json.loads((tmp_path / "run" / "status.json").read_text(encoding="utf-8"))["state"] == "stopped"


ENDING = """
import os, signal, sys


class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "coverslip.cli":
            exec("signal.raise_signal({number})")  # as where a dataclass is made


class Late:
    def __del__(self, kill=os.kill, own=os.getpid()):
        kill(own, {number})


sys.meta_path.insert(0, Interrupting())
{late}
from coverslip.__main__ import main

sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send Ctrl-C to itself on Windows")
@pytest.mark.parametrize(
    ("name", "late"), only_first(1, [("SIGINT", ""), ("SIGINT", "late = Late()"), ("SIGTERM", ""), ("SIGHUP", "")])
)
def test_a_signal_while_modules_are_imported_interrupts(tmp_path: Path, name: str, late: str) -> None:
    (tmp_path / "ending.py").write_text(ENDING.format(number=int(signal.Signals[name]), late=late))
    done = subprocess.run([sys.executable, "-m", "ending"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (130, 1), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.exhaustive)])
def test_the_demo_does_the_whole_job_and_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], times: int
) -> None:
    monkeypatch.setattr("coverslip.cli.demo.SETTINGS", [*SMALL, "split.folds=0"])
    monkeypatch.setattr("coverslip.cli.demo.N_IMAGES", 200)
    monkeypatch.setattr("coverslip.cli.demo.N_NEW_IMAGES", 28)
    folder = tmp_path / "demo"
    for k in range(times):
        assert main(["demo", "--out", str(folder)]) == 0
        out, err = capsys.readouterr()
        assert (text("command-demo-replaced", folder=folder) in err) == (k > 0)
        assert text("command-demo-synthetic") in out
        commands = [line.split()[2] for line in out.splitlines() if line.startswith("$ coverslip ")]
        assert commands == ["inspect", "train", "label-errors", "predict", "summarise"]
        for name in ("run/report.html", "proportions.html", "label_errors.csv"):
            assert (folder / name).is_file()
            assert str(folder / name) in out
    metrics = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert 0.3 < metrics["metrics"]["accuracy"]["value"] < 1.0
    slides = {Path(row["path"]).parent.name for row in rows_of(folder / "predictions.csv")}
    assert slides == {f"slide{number}" for number in range(61, 65)}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_refused_split_leaves_no_folder_and_an_allowed_one_has_a_warning_beside_its_headline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "test"):
        write_cells(tmp_path / "data" / part, 60, seed=1)  # the same pictures
    command = ["train", str(tmp_path / "data"), *INSTANT, "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert not (tmp_path / "run").exists()
    capsys.readouterr()
    assert main([*command, "--allow-leakage"]) == 0
    run = read_run(tmp_path / "run")
    verdict = verdict_of_run(run)
    assert (run.metrics.n_leaks, verdict.use, verdict.reasons[0].code) == (60, "unknown", "limit-leaks")
    assert capsys.readouterr().out.splitlines()[1] == verdict.headline
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert verdict.headline in capsys.readouterr().out
    of_file = verdict_of(metrics_of_classifier(run.run.folder))  # as of an exported classifier
    assert (of_file.use, of_file.reasons[0].code) == ("unknown", "limit-leaks")
