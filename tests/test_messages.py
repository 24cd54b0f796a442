"""Messages are data: they come back from JSON as they were, and each door words what to do."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

from coverslip.cli import main
from coverslip.cli._options import with_remedies
from coverslip.errors import BadRecipe, CoverslipError, LeakageFound
from coverslip.evaluation.results import Metric
from coverslip.images.reading import BEYOND_EDGE
from coverslip.messages import (
    FAILURE_VARIABLE,
    AllowLeakage,
    ChooseOther,
    CleanCache,
    Evaluate,
    Finish,
    GroupBy,
    ImportWeights,
    JoinGroups,
    MapColumn,
    Message,
    Note,
    Remedy,
    Rescale,
    RestoreBackup,
    Resume,
    Set,
    ShowModels,
    TrustCluster,
    failure_of,
    in_language,
    joined,
    message,
    message_of,
    note,
    note_of,
    text,
)

EACH: list[tuple[Remedy, str]] = [
    (Set("learning_rate", 0.0001), "--set learning_rate=0.0001"),
    (Set("channels", [0, 1]), '--set "channels=[0, 1]"'),
    (Set("classes.by_domain", True), "--set classes.by_domain=true"),
    (Set("init", "scratch"), "--set init=scratch"),
    (AllowLeakage(), "--allow-leakage"),
    (GroupBy("Patient ID"), '--group "Patient ID"'),
    (GroupBy(), "--group-pattern PATTERN"),
    (GroupBy(pattern=r"(?:^|/)([^_]+)_"), '--group-pattern "(?:^|/)([^_]+)_"'),
    (JoinGroups({"P1": ["P1", "p1"]}), ""),  # the command line lists the names to correct
    (MapColumn("label"), "--columns label=COLUMN"),
    (Set("crop_size", 72), "--crop-size 72"),
    (Resume("runs/a"), "`coverslip train --resume runs/a`"),
    (Resume("studies/a", of="study"), "`coverslip study resume studies/a`"),
    (Evaluate("runs/a"), "`coverslip evaluate runs/a`"),
    (Finish("runs/a"), "`coverslip train --finish runs/a`"),
    (ImportWeights("vgg16"), "`coverslip weights import FILE --model vgg16`"),
    (ShowModels(), "`coverslip models`"),
    (CleanCache("facts"), "`coverslip cache --clean --kind facts`"),
    (ChooseOther("output"), "--out"),
    (Rescale(), "--rescale"),
    (RestoreBackup("b.zip"), "`coverslip restore b.zip --workspace NEW_FOLDER`"),
    (RestoreBackup("b", of="server"), "`coverslip restore b --server NEW_FOLDER`"),
    (TrustCluster(), "--trust-cluster"),
]


def test_every_kind_of_remedy_is_tried_here() -> None:
    assert {type(remedy) for remedy, _ in EACH} == set(get_args(Remedy))


@pytest.mark.parametrize(("remedy", "typed"), EACH)
def test_the_command_line_says_what_to_type(remedy: Remedy, typed: str) -> None:
    assert with_remedies("Do that.", [remedy]) == (f"Do that ({typed})." if typed else "Do that.")


def test_several_settings_go_together_and_other_ways_are_alternatives() -> None:
    remedies = [Set("augment.hue", 0), Set("augment.saturation", 0), AllowLeakage()]
    assert with_remedies("Do that.", remedies) == (
        "Do that (--set augment.hue=0 --set augment.saturation=0 or --allow-leakage)."
    )


def test_only_options_of_the_running_command_are_suggested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, plan = tmp_path / "table.csv", tmp_path / "plan.yaml"
    table.write_text("path,kind\na.png,x\n")
    plan.write_text(f"datasets: ['{table}']\nmodels: [mobilenet_v2]\n")
    assert main(["inspect", str(table)]) == 1
    assert "--columns" in capsys.readouterr().err
    assert main(["study", "run", str(plan), "--out", str(tmp_path / "out"), "--dry-run"]) == 1
    assert "--columns" not in capsys.readouterr().err


@pytest.mark.parametrize("remedy", [remedy for remedy, _ in EACH])
def test_notes_and_failures_come_back_from_json(remedy: Remedy) -> None:
    note = Note("a-code", "A text.", level="warning", parameters={"n": 3}, remedies=(remedy,))
    assert note_of(json.loads(json.dumps(asdict(note)))) == note
    failure = LeakageFound("all-rows-excluded", n=3, remedies=(remedy,)).failure
    assert failure_of(json.loads(json.dumps(asdict(failure)))) == failure


def test_an_error_has_its_kind_also_after_it_was_sent_by_another_process() -> None:
    error = BadRecipe("all-rows-excluded", faults=[("split.val", "too large")])
    restored = CoverslipError.of(error.failure)
    assert (error.kind, restored.kind, restored.code, str(restored)) == (
        "bad-recipe",
        "bad-recipe",
        error.code,
        str(error),
    )
    assert restored.parameters == {"faults": {"split.val": "too large"}}


def test_a_command_that_another_program_began_leaves_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That program words remedies itself: what is printed speaks of no options."""
    left = tmp_path / "failure.json"
    assert main(["models", "no_such_network"]) == 1
    assert "(`coverslip models`)" in capsys.readouterr().err
    assert not left.exists()
    monkeypatch.setenv(FAILURE_VARIABLE, str(left))
    assert main(["models", "no_such_network"]) == 1
    assert "`coverslip models`" not in capsys.readouterr().err
    failure = failure_of(json.loads(left.read_text()))
    assert (failure.kind, failure.code, failure.remedies) == ("unknown-model", "no-such-model", (ShowModels(),))


def test_a_message_is_stored_as_data_and_rendered_in_the_language_of_the_reader() -> None:
    inner = message("tiff-page-missing", page=3)
    damaged = message("image-damaged", reason=inner)
    both = joined([damaged, BEYOND_EDGE])
    assert both is not None
    assert inner in damaged
    assert BEYOND_EDGE in both
    assert BEYOND_EDGE not in damaged
    for stored in (damaged, both):
        assert message_of(stored.as_json()) == message_of(json.loads(stored.as_json())) == stored
        assert hash(message_of(stored.as_json())) == hash(stored)
    with in_language("de"):
        assert str(damaged) == text("image-damaged", reason=text("tiff-page-missing", page=3)) != damaged.english
        assert note("unreadable-image", image="a", reason=damaged).text == f"a: {damaged}"


def test_a_message_of_another_version_is_shown_as_it_is() -> None:
    unknown = Message("no-such-code", {"n": 3})
    assert str(unknown) == unknown.as_json()
    assert str(Message("few-validation-images")) == Message("few-validation-images").as_json()


@pytest.mark.parametrize("stored", ['{"code": ', '{"code": 3}', {"code": "a"}, {"code": "a", "parameters": 3}, 3, None])
def test_what_is_no_message_is_refused(stored: object) -> None:
    with pytest.raises(ValueError, match=r"message|JSON|line 1"):
        message_of(stored)


def test_a_message_is_data_in_files_and_text_in_responses() -> None:
    adapter, metric = TypeAdapter(Metric), Metric(value=None, reason=message("class-without-images"))
    assert json.loads(adapter.dump_json(metric))["reason"] == text("class-without-images")
    assert adapter.validate_json(adapter.dump_json(metric, round_trip=True)) == metric
