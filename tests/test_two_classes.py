"""A training of two classes whose threshold is set by a wish: folder, words and numbers follow it."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from refusing import refusing
from tables import json_of, rows_of
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.cli import main
from coverslip.cli.runs import shown_choices
from coverslip.datasets.index.classes import ClassPlan
from coverslip.errors import BadRecipe, BadRun
from coverslip.evaluation.decisions import threshold_numbers
from coverslip.events import Event, Noted
from coverslip.experiments.rethreshold import ThresholdChoice, thresholds_of
from coverslip.messages import text
from coverslip.reports.metric_rows import metrics
from coverslip.reports.reported import ReportedRun, decision_images, number, percent, read_evaluation, read_run
from coverslip.reports.sections.classes import threshold_words
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe, SplitPlan

_OTHER_THRESHOLD = "limit-threshold-not-measured"
TWO_CLASSES = ClassPlan(merge={"not small": ["large", "medium"]})


@pytest.fixture(scope="module")
def run_with_target(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = INSTANT.model_copy(update={"classes": TWO_CLASSES, "decide_by": "sensitivity", "target": 0.8})
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    return cs.train(data, recipe, out=tmp_path_factory.mktemp("runs") / "target")


def words_below_headline(run: ReportedRun) -> str:
    return " ".join(lead(run, verdict_of_run(run)))


@pytest.mark.slow
def test_the_threshold_comes_from_validation_images_and_every_number_follows_it(run_with_target: Run) -> None:
    card, validation = (
        json_of(run_with_target.classifier_folder / "classifier.json"),
        rows_of(run_with_target.validation_file),
    )
    assert card["classes"] == ["not small", "small"]
    threshold = card["operating_points"][1]
    is_found = [float(row["p:small"]) >= threshold for row in validation if row["label"] == "small"]
    assert np.mean(is_found) >= 0.8
    for row in rows_of(run_with_target.predictions_file):
        assert row["predicted"] == ("small" if float(row["p:small"]) >= threshold else "not small")
    metrics = json_of(run_with_target.metrics_file)
    assert metrics["positive_class"] == "small"
    assert (
        run_with_target.metrics.two_classes["sensitivity"]
        == run_with_target.metrics.per_class["small"].metrics["recall"]
    )
    n_learnt = sum(row.split in ("train", "val") for row in run_with_target.split)
    card = run_with_target.model_card_file.read_text(encoding="utf-8")
    assert f"**Images of the training and validation set** {n_learnt} images" in card
    page = run_with_target.report_file.read_text(encoding="utf-8")
    assert "“small” is the positive class" in page
    assert f"at least {threshold:.3g}, chosen for a target sensitivity of 80.0% on validation images" in page


@pytest.mark.parametrize(("n_positive", "largest_step"), [(1000, 0.051), (12, 1 / 12 + 1e-9)])
def test_the_thresholds_that_are_listed_reach_the_usual_targets(n_positive: int, largest_step: float) -> None:
    generator = np.random.default_rng(0)
    is_positive = np.arange(2 * n_positive) < n_positive
    score = 1 / (1 + np.exp(-generator.normal(np.where(is_positive, 1.0, -1.0))))
    numbers = threshold_numbers(score, is_positive, in_use=0.5)
    listed = shown_choices([ThresholdChoice(**asdict(each), uncertain_below=0.0) for each in numbers], 0.5)
    assert 0.5 in [each.threshold for each in listed]
    shown = [each for each in listed if each.threshold != 0.5]
    sensitivities = [each.sensitivity for each in shown]
    assert sensitivities[0] == 1
    assert sensitivities == sorted(set(sensitivities), reverse=True)
    assert len(shown) <= 12
    frequent = [each for each in sensitivities if each >= 0.8]
    assert max(-np.diff(frequent)) <= largest_step
    for target in (0.8, 0.9, 0.95, 0.975, 0.99):
        least = min(each.sensitivity for each in numbers if each.sensitivity >= target)
        assert least in sensitivities


@pytest.mark.exhaustive
@pytest.mark.slow
def test_after_folds_the_threshold_is_said_to_come_from_held_out_predictions(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = SplitPlan(folds=3)
    recipe = INSTANT.model_copy(update={"classes": TWO_CLASSES, "decide_by": "sensitivity", "split": split})
    run = cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=tmp_path / "run")
    thresholds = thresholds_of(run)
    assert thresholds is not None
    assert thresholds.calibrated_on == "held-out training images"
    assert thresholds.n_positive + thresholds.n_negative == len(run.predictions)
    page = run.report_file.read_text(encoding="utf-8")
    assert f"on {decision_images(thresholds.calibrated_on)}." in page
    assert main(["decide", str(run.folder)]) == 0
    assert f"On {decision_images(thresholds.calibrated_on)} (" in capsys.readouterr().out
    (limit,) = (each for each in verdict_of_run(read_run(run.folder)).reasons if each.code == _OTHER_THRESHOLD)
    in_use = next(each for each in thresholds.choices if each.threshold == thresholds.threshold)
    assert limit.claim == text(
        _OTHER_THRESHOLD,
        has_point=True,
        label="small",
        threshold=f"{in_use.threshold:.3g}",
        sensitivity=percent(in_use.sensitivity),
        specificity=percent(in_use.specificity),
    )
    cs.decide(run.folder, "threshold", threshold=0.25)
    assert _OTHER_THRESHOLD not in {each.code for each in verdict_of_run(read_run(run.folder)).reasons}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_decision_changed_later_is_that_of_a_training_with_it(
    run_with_target: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(shutil.copytree(run_with_target.folder, tmp_path / run_with_target.folder.name))
    weights = (run.classifier_folder / "weights.safetensors").read_bytes()
    cs.decide(run.folder)
    assert json_of(run.classifier_folder / "classifier.json")["operating_points"] is None
    for row in rows_of(run.predictions_file):
        assert row["predicted"] == max(("small", "not small"), key=lambda name: float(row[f"p:{name}"]))
    decided = cs.decide(run.folder, "sensitivity", target=0.8)
    unchanged = ("recipe.yaml", "training.json", "classifier/classifier.json", "metrics.json")
    for name in (*unchanged, "predictions.csv", "validation.csv"):
        assert (run.folder / name).read_bytes() == (run_with_target.folder / name).read_bytes(), name
    assert (run.classifier_folder / "weights.safetensors").read_bytes() == weights
    assert "Test metrics were computed 3 times." in decided.report_file.read_text(encoding="utf-8")
    thresholds = thresholds_of(decided)
    assert thresholds is not None
    assert (thresholds.positive, thresholds.negative) == ("small", "not small")
    highest = max(each.least_sensitivity for each in thresholds.choices)
    reached = [each for each in thresholds.choices if each.least_sensitivity >= min(0.8, highest) - 1e-9]
    assert reached[0].threshold == pytest.approx(thresholds.threshold)
    assert main(["decide", str(run.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["thresholds"]["positive"] == "small"
    assert main(["decide", str(run.folder), "--sensitivity", "0.8"]) == 0
    calibration = decided.training.calibration  # type: ignore[union-attr]  # it is done
    point = calibration.operating_points[decided.metrics.classes.index("small")]  # type: ignore[index]  # of two classes
    of_test = decided.metrics.two_classes["sensitivity"]
    printed = capsys.readouterr().out
    assert f"a sensitivity of {percent(point.sensitivity)} and a specificity of {percent(point.specificity)}" in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("Sensitivity  "))
    assert number(of_test.value, of_test.digits) in line
    with pytest.raises(BadRecipe, match="target"):
        cs.decide(run.folder, "sensitivity", target=2)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_threshold_set_by_hand_is_not_said_to_be_a_target(
    run_with_target: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(shutil.copytree(run_with_target.folder, tmp_path / run_with_target.folder.name))
    before = thresholds_of(run)
    assert before is not None
    assert "chosen for a target" in run.report_file.read_text(encoding="utf-8")
    assert "before testing" in words_below_headline(read_run(run.folder))
    choice = before.choices[-1]
    decided = cs.decide(run.folder, "threshold", threshold=choice.threshold)
    after = thresholds_of(decided)
    assert after is not None
    assert after.decide_by == "threshold"
    assert after.threshold == pytest.approx(choice.threshold)
    assert f"from a probability of {after.threshold:.3g} on, set by hand" in words_below_headline(
        read_run(decided.folder)
    )
    page = decided.report_file.read_text(encoding="utf-8")
    assert page.count("set by hand") == 4  # below the headline, the threshold in two sections, and the methods
    assert "chosen for a target" not in page
    back = thresholds_of(cs.decide(run.folder))
    assert back is not None
    assert (back.decide_by, back.threshold) == ("highest", 0.5)
    assert main(["decide", str(run.folder), "--threshold", "0.25"]) == 0
    assert "was chosen on" not in capsys.readouterr().out
    now = read_run(run.folder)
    assert "limit-decision-after-test" in {reason.code for reason in verdict_of_run(now).reasons}
    assert "before testing" not in words_below_headline(now)
    (intercept,) = (each for each in metrics(now.metrics) if each.name == "calibration_intercept")
    assert now.classes[1] in intercept.meaning
    assert decision_images(now.calibration.calibrated_on) in threshold_words(now).partition("set by hand.")[2]
    probability = [float(row["p:small"]) for row in rows_of(run.predictions_file)]
    called = [row["predicted"] == "small" for row in rows_of(run.predictions_file)]
    assert called == [value >= 0.25 for value in probability]
    assert main(["decide", str(run.folder), "--threshold", "25"]) == 2


@pytest.mark.slow
@pytest.mark.exhaustive
def test_each_threshold_says_below_which_probability_predictions_would_be_uncertain(
    run_with_target: Run, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(run_with_target.folder, tmp_path / run_with_target.folder.name))
    thresholds = thresholds_of(run)
    assert thresholds is not None
    assert thresholds.uncertain_below == json_of(run.classifier_folder / "classifier.json")["uncertain_below"]
    for choice in (thresholds.choices[0], thresholds.choices[-1]):
        decided = cs.decide(run.folder, "sensitivity", target=choice.least_sensitivity)
        assert decided.card is not None
        assert decided.card.uncertain_below == pytest.approx(choice.uncertain_below)


def test_a_target_for_three_classes_is_refused_before_any_image_is_read(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe) as refused:
        cs.train(cells, Recipe(decide_by="sensitivity"), out=tmp_path / "run")
    assert refused.value.code == "needs-two-classes"
    assert not (tmp_path / "run").exists()


def evaluated_on_others(run_with_target: Run, tmp_path: Path) -> tuple[Run, Path]:
    """A copy of the run by the default decision, evaluated on other images; and these."""
    run = Run(shutil.copytree(run_with_target.folder, tmp_path / run_with_target.folder.name))
    cs.decide(run.folder)
    others = write_cells(tmp_path / "others", 54, seed=9)
    cs.evaluate(run.folder, others, name="others")
    return run, others


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_evaluation_on_other_images_follows_the_decision(run_with_target: Run, tmp_path: Path) -> None:
    run, others = evaluated_on_others(run_with_target, tmp_path)
    cs.decide(run.folder, "sensitivity", target=0.8)
    decided = run.evaluation("others")
    threshold = json_of(run.classifier_folder / "classifier.json")["operating_points"][1]
    assert f"at least {threshold:.3g}" in decided.report_file.read_text(encoding="utf-8")
    for row in rows_of(decided.predictions_file):
        assert row["predicted"] == ("small" if float(row["p:small"]) >= threshold else "not small")
    files = (decided.predictions_file, decided.metrics_file, decided.confusion_file, decided.environment_file)
    contents = [file.read_bytes() for file in files]
    cs.evaluate(run.folder, others, name="others")
    assert [file.read_bytes() for file in files] == contents


@pytest.mark.slow
@pytest.mark.exhaustive
def test_an_evaluation_whose_images_are_gone_states_the_threshold_of_its_numbers(
    run_with_target: Run, tmp_path: Path
) -> None:
    run, others = evaluated_on_others(run_with_target, tmp_path)
    before = run.evaluation("others").metrics_file.read_bytes()
    others.rename(tmp_path / "away")
    events: list[Event] = []
    cs.decide(run.folder, "sensitivity", target=0.8, emit=events.append)
    evaluation = read_evaluation(run.evaluation("others").folder)
    assert evaluation.measured.metrics_file.read_bytes() == before
    assert evaluation.earlier_thresholds == (0.5, 0.5)
    assert "at least 0.5." in threshold_words(evaluation)
    (note,) = (event for event in events if isinstance(event, Noted) and event.code == "evaluations-decided-before")
    assert note.parameters["names"] == ["others"]
    (tmp_path / "away").rename(others)
    cs.decide(run.folder, "sensitivity", target=0.7)
    assert read_evaluation(run.evaluation("others").folder).earlier_thresholds is None


def test_a_target_without_a_threshold_above_chance_changes_nothing(run_with_target: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(run_with_target.folder, tmp_path / "run"))
    run.write_logits("validation", -run.validation_logits)  # worse than chance
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    for aim in ("sensitivity", "specificity"):
        with refusing(BadRun, "decide-no-threshold"):
            cs.decide(run.folder, aim, target=0.8)
    assert {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()} == before


@pytest.mark.slow
def test_stated_class_proportions_replace_the_threshold_with_a_note(
    run_with_target: Run, cells: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    out = tmp_path / "predictions.csv"
    cs.predict(run_with_target.folder, cells, out=out, device="cpu", prevalence={"small": 0.02}, emit=events.append)
    (note,) = (event for event in events if isinstance(event, Noted) and event.code == "thresholds-set-aside")
    assert set(note.parameters["thresholds"]) == {"small", "not small"}
    for row in rows_of(out):
        assert row["predicted"] in row["prediction_set"].strip("{}").split("; ")


@pytest.mark.exhaustive
def test_earlier_targets_that_a_decision_replaces_are_named(own_run: Run) -> None:
    events: list[Event] = []
    cs.decide(own_run, "roc", emit=events.append)
    assert _replaced(events) == []
    cs.decide(own_run, error_rate=0.2, emit=events.append)
    assert _replaced(events) == ["thresholds by ROC"]
    cs.decide(own_run, "roc", emit=events.append)
    assert _replaced(events) == ["thresholds by ROC", "target error rate of 0.2"]


def _replaced(events: list[Event]) -> list[str]:
    notes = [event for event in events if isinstance(event, Noted) and event.code == "decision-replaced"]
    return [target for note in notes for target in note.parameters["replaced"]]
