"""Messages are data: they come back from JSON as they were, and each door words what to do."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

from coverslip.cli import main
from coverslip.cli._remedies import in_words
from coverslip.errors import BadRecipe, CoverslipError, LeakageFound
from coverslip.messages import (
    FAILURE_VARIABLE,
    AllowLeakage,
    ChooseOther,
    CleanCache,
    Evaluate,
    GroupBy,
    ImportWeights,
    Note,
    Remedy,
    Resume,
    Set,
    ShowModels,
    failure_of,
    note_of,
)

EACH: list[tuple[Remedy, str]] = [
    (Set("learning_rate", 0.0001), "Add --set learning_rate=0.0001."),
    (Set("channels", [0, 1]), 'Add --set "channels=[0, 1]".'),
    (Set("init", "scratch"), "Add --set init=scratch."),
    (AllowLeakage(), "To go on all the same, add --allow-leakage."),
    (GroupBy("Patient ID"), 'Add --group "Patient ID".'),
    (GroupBy(), "Add --group-pattern with a regular expression that finds the group in an image's path."),
    (Resume("runs/a"), "`coverslip train --resume runs/a` goes on with it."),
    (Evaluate("runs/a"), "`coverslip evaluate runs/a` measures what there is."),
    (ImportWeights("vgg16"), "`coverslip weights import FILE --model vgg16` imports a file of your own."),
    (ShowModels(), "`coverslip models` lists them."),
    (CleanCache("facts"), "`coverslip cache --clean --kind facts` does that."),
    (ChooseOther("output"), "Choose it with --out."),
]


def test_every_kind_of_remedy_is_worded_here() -> None:
    assert {type(remedy) for remedy, _ in EACH} == set(get_args(Remedy))


@pytest.mark.parametrize(("remedy", "words"), EACH)
def test_the_command_line_says_what_to_type(remedy: Remedy, words: str) -> None:
    assert in_words([remedy]) == words


def test_several_settings_are_one_option_after_the_other() -> None:
    remedies = [Set("augment.hue", 0), Set("augment.saturation", 0)]
    assert in_words(remedies) == "Add --set augment.hue=0 --set augment.saturation=0."


@pytest.mark.parametrize("remedy", [remedy for remedy, _ in EACH])
def test_notes_and_failures_come_back_from_json(remedy: Remedy) -> None:
    note = Note("a-code", "A text.", level="warning", values={"n": 3}, remedies=(remedy,))
    assert note_of(json.loads(json.dumps(asdict(note)))) == note
    failure = LeakageFound("It leaks", do="Mend it.", values={"n": 3}, remedies=(remedy,)).failure
    assert failure_of(json.loads(json.dumps(asdict(failure)))) == failure


def test_an_error_says_what_kind_it_is_also_after_it_was_told_by_another_process() -> None:
    error = BadRecipe("It is bad", do="Mend it.", faults=[("split.val", "too large")])
    again = CoverslipError.of(error.failure)
    assert (error.code, again.code, str(again)) == ("bad-recipe", "bad-recipe", str(error))
    assert again.values == {"faults": {"split.val": "too large"}}


def test_a_command_that_another_program_began_leaves_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That program words remedies itself: what is printed speaks of no options."""
    left = tmp_path / "failure.json"
    arguments = ["report", str(tmp_path / "no_run")]
    assert main(arguments) == 1
    assert not left.exists()
    monkeypatch.setenv(FAILURE_VARIABLE, str(left))
    assert main(arguments) == 1
    assert failure_of(json.loads(left.read_text())).code == "bad-run"
    assert "--" not in capsys.readouterr().err.splitlines()[-1]
