"""What progress looks like on a terminal and in a log."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from coverslip.cli import progress
from coverslip.cli.progress import bars_of, epoch_row, shown_progress
from coverslip.events import (
    ClassifierSelected,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    InstantClassifierFitted,
    Noted,
    Progressed,
    RunEnded,
    RunStarted,
    SetSizes,
    StageStarted,
    StepEnded,
    WorkPlanned,
)
from coverslip.messages import duration, text
from coverslip.runs.progress import LoggedProgress, fold_event
from coverslip.runs.training import EARLY_DIP


def epoch(number: int = 3, *, val_f1: float = 0.954) -> EpochEnded:
    return EpochEnded(
        epoch=number,
        n_epochs=12,
        seconds=41.2,
        learning_rate=1e-3,
        train_loss=0.412,
        train_accuracy=0.871,
        train_precision=0.872,
        train_recall=0.873,
        train_f1=0.874,
        val_loss=0.512,
        val_accuracy=0.951,
        val_precision=0.952,
        val_recall=0.953,
        val_f1=val_f1,
        is_best=True,
        seconds_left=300.0,
    )


def start() -> EpochEnded:
    """Epoch 0: the network before its first step."""
    nothing = dict.fromkeys(f"train_{name}" for name in ("loss", "accuracy", "precision", "recall", "f1"))
    return replace(epoch(0), learning_rate=0.0, seconds_left=None, **nothing)


def a_training() -> list[Event]:
    steps = [
        StepEnded(
            epoch=1,
            n_epochs=12,
            step=i,
            n_steps=9,
            loss=1.0,
            images_per_second=30.0,
        )
        for i in range(1, 10)
    ]
    return [
        *(
            Progressed(stage="reading-images", done=i, total=50, per_second=100.0, seconds_left=1.0)
            for i in range(1, 51)
        ),
        Noted(text="[odd] names stay as they are", level="warning"),
        RunStarted(run="runs/first", n_train=288, n_val=96, n_test=96, classes=("a", "b")),
        StageStarted(stage="instant"),
        InstantClassifierFitted(seconds=12.0, val_accuracy=0.9, val_macro_f1=0.89),
        StageStarted(stage="finetune", n_epochs=12),
        start(),
        *steps,
        epoch(1),
        RunEnded(run="runs/first", state="done"),
    ]


def shown(events: list[Event], *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    with shown_progress(console) as emit:
        for event in events:
            emit(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_log_gets_a_few_plain_lines() -> None:
    printed = shown(a_training(), terminal=False)
    assert printed.count("reading images") == 1
    assert "\x1b" not in printed
    assert "Warning: [odd] names stay as they are" in printed
    assert "288 training images" in printed
    assert text("progress-epoch-header") in printed
    assert len(printed.splitlines()) < 12


def test_the_head_of_the_table_of_epochs_waits_for_an_epoch() -> None:
    events = a_training()
    n_before = events.index(start())
    assert text("progress-epoch-header") not in shown(events[:n_before], terminal=False)
    assert shown(events, terminal=False).count(text("progress-epoch-header")) == 1


def test_a_log_says_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    lines = shown(a_training(), terminal=False).splitlines()
    assert len(lines) == len(set(lines))
    assert any(line.startswith("epoch 1 of 12, step 3 of 9: ") for line in lines)


def test_the_dip_is_explained_once_and_the_selected_epoch_is_reported_at_the_end() -> None:
    begun = StageStarted(stage="finetune", n_epochs=12, checkpoint_selection="last")
    selected = ClassifierSelected(stage="finetune", epoch=12, checkpoint_selection="last")
    dips = [epoch(k, val_f1=0.4) for k in (1, 2, 3)]
    lines = shown([begun, start(), *dips, selected], terminal=False).splitlines()
    assert sum(EARLY_DIP in line for line in lines) == 1
    assert lines.count(text("progress-selected", epoch=12, selection="last")) == 1
    assert EARLY_DIP not in shown([begun, start(), *(replace(dip, val_f1=0.96) for dip in dips)], terminal=False)


def test_two_steps_are_numbered() -> None:
    images = RunStarted(run="a", n_train=288, n_val=96, n_test=96, classes=("a", "b"))
    lines = shown([replace(images, is_pretraining=True), images], terminal=False).splitlines()
    assert [line.split(":")[0] for line in lines] == ["Step 1 of 2, pretraining", "Step 2 of 2, your images"]


def test_a_terminal_shows_the_same_lines_and_bars() -> None:
    printed = shown(a_training(), terminal=True)
    for line in shown(a_training(), terminal=False).splitlines():
        assert line.strip() in printed
    assert "\x1b[?25l" in printed, "the cursor is hidden while bars move"
    assert "\x1b[?25h" in printed, "and comes back"


def test_the_time_left_beside_a_bar_passes_without_events() -> None:
    event = Progressed(stage="reading-images", done=20, total=50, per_second=10.0, seconds_left=3.0)
    (bar,) = bars_of(fold_event(LoggedProgress(), event, 100.0))
    assert text("progress-time-left", time="3 s") in bar.beside(100.0)
    assert text("progress-time-left", time="2 s") in bar.beside(101.0)
    assert bar.beside(104.0) == text("progress-per-second", n="10", unit=event.unit_name)


def test_bars_are_what_goes_on() -> None:
    def bars(*events: Event) -> dict[str, tuple[int, int]]:
        progress = LoggedProgress()
        for event in events:
            progress = fold_event(progress, event, 100.0)
        return {bar.name: (bar.done, bar.total) for bar in bars_of(progress)}

    training = a_training()
    assert bars(*training[:20]) == {"reading images": (20, 50)}
    assert bars(*training[:54]) == {}
    assert bars(*training[:59]) == {"epoch 1 of 12": (3, 9)}
    assert bars(*training[:66]) == {}
    plan = WorkPlanned(
        sizes=(SetSizes(n_train=288, n_val=96, n_test=96, n_drawn=288, n_selecting=96),),
        n_reprocessed=(480,),
        n_epochs=12,
        has_instant=True,
    )
    assert list(bars(plan, *training[:59])) == ["epoch 1 of 12", "whole training"]
    fold = FoldEnded(fold=1, n_folds=5, accuracy=0.9, macro_f1=0.9)
    of_first = [replace(event, fold=1) for event in training[53:66]]
    assert list(bars(plan, FoldStarted(fold=1, n_folds=5), *of_first)) == ["fold 1 of 5"]
    assert list(bars(plan, FoldStarted(fold=1, n_folds=5), *of_first, fold)) == ["all folds"]
    assert list(bars(replace(plan, is_pretraining=True), plan, *of_two_steps(training[53:66]))) == ["step 1 of 2"]


def of_two_steps(events: list[Event]) -> list[Event]:
    return [replace(event, is_pretraining=True) for event in events]


def test_an_epochs_row_has_both_sides_under_their_headings() -> None:
    row = epoch_row(epoch())
    values = [0.412, 0.512, 0.871, 0.951, 0.872, 0.952, 0.873, 0.953, 0.874, 0.954]
    columns = text("progress-epoch-header").splitlines()[1]
    positions = [i for i in range(len(columns)) if columns.startswith(("train", "val"), i)]
    for position, value in zip(positions, values, strict=True):
        assert row[position : position + 5] == f"{value:.3f}"
    assert "41 s" in row
    assert len(row) <= 80
    assert "1.0e-03" in row


def test_epoch_0_has_no_training_side() -> None:
    first, second = epoch_row(start()), epoch_row(epoch())
    assert len(first) == len(second)
    assert first.split()[:4] == ["0", "0", "-", "0.512"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_no_order_of_progress_breaks_the_bars(moves: list[tuple[str, int, int]]) -> None:
    shown([Progressed(stage=stage, done=done, total=total) for stage, done, total in moves], terminal=True)


@pytest.mark.slow
def test_a_reader_that_has_gone_ends_nothing() -> None:
    code = (
        "from coverslip.cli._show import notes_console; from coverslip.cli.progress import shown_progress\n"
        "from coverslip.events import Noted\n"
        "with shown_progress(notes_console()) as emit:\n"
        "    for i in range(20): emit(Noted(text=str(i)))\n"
        "print('went on')"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=writing, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stdout) == (0, "went on\n")
