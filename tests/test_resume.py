"""A training that is killed at any moment and resumed ends with the same bytes as one that was not."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parameters import only_first
from refusing import refusing
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRun, Conflict, CoverslipError, Stopped
from coverslip.events import (
    COMPUTING_FEATURES,
    EpochEnded,
    Event,
    InstantClassifierFitted,
    Noted,
    Progressed,
    RunEnded,
    StageStarted,
)
from coverslip.experiments.run_state import record_work
from coverslip.files import sha256_file
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.log import LogLine, LogReader, RunLog
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.status import Status, StatusFile
from coverslip.synthetic_cells import write_sample_images

SETTINGS = (f"model={SMALL_NETWORK}", "split.folds=0", "image_size=32", "tta=1", "epochs=3", "batch_size=16")
STAGES = ("instant", "finetune")
SAME = (
    "classifier/weights.safetensors",
    "classifier/classifier.json",
    "metrics.json",
    "predictions.csv",
    "split.csv",
    "validation.csv",
)
DELIVERED = "classifier/delivered_head.safetensors"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_images(tmp_path_factory.mktemp("cells") / "cells", n_images=60).folder


def options(*settings: str) -> list[str]:
    return ["--group-pattern", r"slide\d+", *(part for each in (*SETTINGS, *settings) for part in ("--set", each))]


@pytest.fixture(scope="module")
def finetuned(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training with `options()` that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("finetuned") / "whole"
    assert main(["train", str(cells), *options(), "--out", str(folder)]) == 0
    return Run(folder)


def start(arguments: list[str], cache: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "COVERSLIP_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-m", "coverslip", "train", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def n_events(run: Path) -> int:
    """The number of events of a run so far."""
    file = run / "events.jsonl"
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "n_kills"),
    [
        ("finetune", 1),  # its first stage is the instant one
        *(pytest.param(*more, marks=pytest.mark.exhaustive) for more in (("instant", 1), *((s, 4) for s in STAGES))),
    ],
)
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    cells: Path, finetuned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, n_kills: int
) -> None:
    settings = () if stage == "finetune" else (f"stage={stage}",)
    new = [str(cells), *options(*settings), "--out"]
    whole, cut = tmp_path / "whole" if settings else finetuned.folder, tmp_path / "cut"
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "one"))
    assert not settings or main(["train", *new, str(whole)]) == 0
    moments = random.Random(stage)
    arguments = [*new, str(cut)]
    for _ in range(n_kills):
        n_events_at_end = n_events(cut) + moments.uniform(0.1, 0.9) * max(0, n_events(whole) - n_events(cut))
        process = start(arguments, tmp_path / "two")
        while process.poll() is None and n_events(cut) <= n_events_at_end:
            time.sleep(0.01)
        process.kill()
        process.wait()
        if (cut / "recipe.yaml").exists():
            arguments = ["--resume", str(cut)]
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "two"))
    assert Run(cut).is_done or main(["train", *arguments]) == 0
    for name in SAME:
        assert sha256_file(cut / name) == sha256_file(whole / name), name
    assert (cut / DELIVERED).exists() == (whole / DELIVERED).exists() == Run(whole).is_fitted_on_test
    assert not Run(whole).is_fitted_on_test or sha256_file(cut / DELIVERED) == sha256_file(whole / DELIVERED)
    if stage == "finetune":
        assert history(cut) == history(whole)
    assert not list(cut.rglob("*.part"))


FINETUNING = Recipe(model=SMALL_NETWORK, split=SplitPlan(folds=0), image_size=32, tta=1, epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def whole_and_stopped(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """A training, and the same one stopped before its first epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    whole = train_without_report(cs.open_dataset(cells), FINETUNING, out=folder / "whole")
    run = Run(folder / "cut")

    def stop_before_the_first_epoch(event: Event) -> None:
        if isinstance(event, StageStarted) and event.stage == "finetune":
            run.stop_file.touch()

    with pytest.raises(Stopped):
        cs.train(cells, FINETUNING, out=run.folder, emit=stop_before_the_first_epoch)
    return whole, run


@pytest.mark.slow
@pytest.mark.parametrize("is_stored", [True, False])
def test_a_resumed_training_fits_the_instant_classifier_only_if_its_head_is_not_stored(
    whole_and_stopped: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    whole, stopped = whole_and_stopped
    run = Run(shutil.copytree(stopped.folder, tmp_path / "cut"))
    assert not run.checkpoint_file("last").exists()
    if not is_stored:
        run.checkpoint_file("instant").write_bytes(b"damaged")
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "empty"))
    events: list[Event] = []
    cs.resume(run, emit=events.append)
    assert len(events_of(run, InstantClassifierFitted)) == 1 + (not is_stored)
    begun = next(i for i, each in enumerate(events) if isinstance(each, StageStarted) and each.stage == "finetune")
    stages = {event.stage for event in events[:begun] if isinstance(event, Progressed)}
    assert (COMPUTING_FEATURES in stages) == (not is_stored)
    for name in SAME:
        assert sha256_file(run.folder / name) == sha256_file(whole.folder / name), name


@pytest.mark.slow
@pytest.mark.parametrize("n_folds", only_first(1, [0, 2]))
def test_a_training_that_is_killed_in_fine_tuning_does_not_fit_its_instant_classifier_again(
    cells: Path, finetuned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_folds: int
) -> None:
    settings = (f"split.folds={n_folds}",) if n_folds else ()
    new = [str(cells), *options(*settings), "--out"]
    whole, cut = Run(tmp_path / "whole") if settings else finetuned, Run(tmp_path / "cut")
    assert not settings or main(["train", *new, str(whole.folder)]) == 0
    finetuned = cut.fold(1) if n_folds else cut  # in which it is killed
    process = start([*new, str(cut.folder)], tmp_path / "other cache")
    while process.poll() is None and not events_of(finetuned, EpochEnded):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not cut.is_done
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "empty"))
    assert main(["train", "--resume", str(cut.folder)]) == 0
    assert len(events_of(finetuned, InstantClassifierFitted)) == 1
    stages = [each.values["stage"] for each in events_of(finetuned, StageStarted)]
    assert stages == ["instant", "finetune", "finetune"]
    for name in SAME:
        if (whole.folder / name).exists():
            assert sha256_file(cut.folder / name) == sha256_file(whole.folder / name), name


def events_of(run: Run, kind: type[Event]) -> list[LogLine]:
    return [line for line in LogReader(run.events_file).new_lines() if line.event == kind.__name__]


def status_of(folder: Path) -> Status:
    status = Run(folder).status
    assert status is not None
    return status


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_stopped_run_says_how_to_resume_and_resumes(cells: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    process = start([str(cells), *settings, "--set", "epochs=40", "--out", str(run)], tmp_path / "cache")
    deadline = time.monotonic() + 120
    while not (run / "checkpoints" / "last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status_of(run).is_alive
    with pytest.raises(Conflict):
        cs.resume(run)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "stopped"
    assert status["failure"]["remedies"][0] == {"kind": "resume", "run": str(run), "of": "run"}
    assert not status_of(run).is_alive
    before = len(history(run)) - 1  # epoch 0 is the start
    epochs: list[int] = []

    def stop_soon(event: object) -> None:
        if isinstance(event, EpochEnded):
            epochs.append(event.epoch)
            (run / "stop").touch()

    with pytest.raises(cs.CoverslipError):
        cs.resume(run, emit=stop_soon)
    assert epochs == [before + 1]


def test_a_run_whose_end_cannot_be_written_down_has_failed(tmp_path: Path) -> None:
    events: list[Event] = []
    context = RunContext(tmp_path, emit=events.append)

    def work() -> None:
        with record_work(context):
            (tmp_path / "status.json").unlink()
            (tmp_path / "status.json").mkdir()

    with refusing(CoverslipError, "file-not-written"):
        work()
    assert [event.state for event in events if isinstance(event, RunEnded)] == ["failed"]


@pytest.mark.slow
def test_what_cannot_be_resumed_says_why(own_run: Run, tmp_path: Path) -> None:
    run = own_run.folder
    with pytest.raises(BadRun) as refused:
        cs.resume(run)
    assert refused.value.code == "run-is-finished"
    with pytest.raises(BadRun) as refused:
        cs.resume(tmp_path)
    assert refused.value.code == "not-a-run"
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "failed"}))
    environment = json.loads((run / "environment.json").read_text())
    environment["data"][0]["fingerprint"] = "of other images"
    (run / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(BadRun) as refused:
        cs.resume(run)
    assert refused.value.code == "run-images-changed"


def test_a_torn_last_line_of_the_log_is_ended_and_numbers_go_on(tmp_path: Path) -> None:
    with RunLog(Run(tmp_path), StatusFile(tmp_path / "status.json")) as log:
        log(Noted(text="one"))
        log(Noted(text="two"))
    file = tmp_path / "events.jsonl"
    file.write_bytes(file.read_bytes() + b'{"n": 3, "time": 17')
    with RunLog(Run(tmp_path), StatusFile(tmp_path / "status.json")) as log:
        log(Noted(text="four"))
    lines = file.read_text().splitlines()
    assert [json.loads(line).get("n") for i, line in enumerate(lines) if i != 2] == [1, 2, 4]


def test_another_process_with_the_same_number_is_not_the_run(tmp_path: Path) -> None:
    StatusFile(tmp_path / "status.json").write("running")
    status = status_of(tmp_path)
    assert status.is_alive
    assert not status.model_copy(update={"process_started": status.process_started - 100}).is_alive
    assert not status.model_copy(update={"state": "done"}).is_alive


def test_setting_the_clock_makes_no_process_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    file = StatusFile(tmp_path / "status.json")
    file.write("running")
    started = psutil.boot_time()  # it moves with the clock
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: started + 3600)
    assert status_of(tmp_path).is_alive


_SIGNALED = """
import signal, sys
from coverslip.stopping import BY_SIGNAL, signals_stop
number, is_ignored = int(sys.argv[1]), sys.argv[2] == "ignored"
usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
signal.signal(number, signal.SIG_IGN if is_ignored else usual)
states = []
with signals_stop():
    for _ in range(2):
        try:
            signal.raise_signal(number)
            states.append(BY_SIGNAL.is_requested())
        except KeyboardInterrupt:
            states.append("interrupted")
print(*states, BY_SIGNAL.is_requested())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize(
    ("name", "state", "code"),
    only_first(
        1,
        [
            ("SIGINT", "default", "True interrupted False"),
            ("SIGTERM", "default", "True interrupted False"),
            ("SIGHUP", "default", "True interrupted False"),
            ("SIGINT", "ignored", "False False False"),  # as of `&` in a script
            ("SIGHUP", "ignored", "False False False"),  # as of `nohup`
        ],
    ),
)
def test_the_first_signal_asks_for_an_end_and_the_second_interrupts(name: str, state: str, code: str) -> None:
    command = [sys.executable, "-c", _SIGNALED, str(int(signal.Signals[name])), state]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == code
