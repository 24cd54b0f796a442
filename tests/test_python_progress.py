"""What a script sees while it waits: events as lines, progress on a terminal and in a notebook, silence elsewhere."""

import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from training_events import a_step, an_epoch

import coverslip as cs
from coverslip import events
from coverslip.events import (
    CheckpointSaved,
    ClassifierSelected,
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
    ValidationImagesChosen,
    WorkPlanned,
    show,
)
from coverslip.messages import message

EVENTS: list[Event] = [
    Progressed(stage="reading-images", done=4, total=8, per_second=2.0, seconds_left=2.0),
    Noted(text="Two images are equal.", level="warning"),
    RunStarted(run="runs/first", n_train=6, n_val=2, n_test=2, classes=("a", "b")),
    RunEnded(run="runs/first", state="failed", reason=message("job-ended-silently")),
    FoldStarted(fold=2, n_folds=5),
    FoldEnded(fold=2, n_folds=5, accuracy=0.9, macro_f1=None),
    StageStarted(stage="instant"),
    InstantClassifierFitted(seconds=4.0, val_accuracy=0.9, val_macro_f1=0.8),
    ValidationImagesChosen(image_ids=("a/1.png",), labels=(0,), classes=("a", "b")),
    a_step(1, 3),
    an_epoch(2, val_loss=None, val_accuracy=None, val_f1=None),
    CheckpointSaved(path="checkpoints/best.safetensors", epoch=2, is_best=True),
    ClassifierSelected(stage="finetune", epoch=2, checkpoint_selection="best"),
    WorkPlanned(
        sizes=(SetSizes(n_train=6, n_val=2, n_test=2, n_drawn=6, n_selecting=2),),
        n_reprocessed=(8,),
        n_epochs=3,
        has_instant=True,
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_prints_as_one_short_line(event: Event) -> None:
    line = str(event)
    assert 0 < len(line) < 120
    assert line.isprintable()
    assert "None" not in line
    assert type(event).__name__ not in line


def test_every_kind_of_event_has_a_line_of_its_own() -> None:
    assert {type(event).__name__ for event in EVENTS} == {kind.__name__ for kind in Event.__subclasses__()}
    assert str(EVENTS[0]) == "reading images: 4 of 8 images, 2 images/s, 2 s left"
    assert str(StageStarted(stage="instant", fold=3, is_pretraining=True)).startswith("Pretraining: Fold 3: ")


SHOWN = """
from coverslip.events import Noted, Progressed, StageStarted
from coverslip.events import show
show(StageStarted(stage="instant"))
show(Progressed(stage="reading-images", done=4, total=8))
show(Progressed(stage="reading-images", done=8, total=8))
show(Noted(text="Done."))
"""


def test_progress_is_shown_on_a_terminal() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SHOWN], stderr=theirs, check=True)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        text = os.read(terminal.fileno(), 100_000).decode()
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\r\n")]
    begun = str(StageStarted(stage="instant"))
    assert lines == [begun, f"100% |{'#' * 20}| reading images: 8 of 8 images", "Note: Done.", ""]
    assert f" 50% |{'#' * 10}{'-' * 10}| reading images: 4 of 8 images" in text


def test_nothing_is_shown_where_nobody_watches() -> None:
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


class Handle:
    """What IPython returns of an output that can be replaced."""

    def __init__(self, html: str) -> None:
        self.shown = [html]

    def update(self, html: str) -> None:
        self.shown.append(html)


def test_progress_is_shown_in_a_notebook_s_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, handles = SimpleNamespace(kernel=object(), execution_count=1), list[Handle]()

    def display(html: str, *, display_id: bool) -> Handle:
        assert display_id
        handles.append(Handle(html))
        return handles[-1]

    ipython: Any = ModuleType("IPython")  # Any: the library's own attributes
    ipython.get_ipython = lambda: shell
    ipython.display = ModuleType("IPython.display")
    ipython.display.HTML, ipython.display.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    monkeypatch.setattr(events, "_output", events._Output())
    show(Noted(text="1 < 2"))
    show(Progressed(stage="reading-images", done=4, total=8))
    show(StageStarted(stage="instant"))
    shell.execution_count = 2
    show(StageStarted(stage="instant"))
    assert [len(handle.shown) for handle in handles] == [3, 1]
    assert handles[0].shown[-1] == f"<pre>Note: 1 &lt; 2\n{StageStarted(stage='instant')}</pre>"


@pytest.mark.slow
def test_a_classifier_says_what_it_is(trained: cs.Run) -> None:
    classifier = cs.load_classifier(trained, "cpu")
    n_parameters = sum(parameter.numel() for parameter in classifier.network.parameters())
    assert repr(classifier).startswith(f"Classifier(timm/test_efficientnet, {n_parameters:,} parameters, 3 classes: ")
    assert "trained on 90 images of 9 groups" in repr(classifier)
