"""What results state about the split of a run: leakage that was allowed, duplicates, and choices by test images."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic_runs import write_run

import coverslip as cs
from coverslip.datasets.quality.findings import Finding
from coverslip.experiments.evaluating import write_results
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run
from coverslip.reports.sections.images import IMAGES
from coverslip.reports.sections.methods import methods
from coverslip.reports.sections.results import UNFAMILIAR
from coverslip.reports.verdict import verdict_of_run
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Predictions
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.recipe_keys import phrases, save_recipe
from coverslip.runs.results import write_inspection
from coverslip.runs.split import write_split

BY_TEST_IMAGES = Recipe(checkpoint_selection_set="test")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("split"), ("a", "b"), n_test=60)


def changed(written: Path, folder: Path, recipe: Recipe, **environment: Any) -> ReportedRun:
    """Return a copy of the run with another recipe and environment, whose metrics were written by coverslip."""
    run = Run(shutil.copytree(written, folder))
    save_recipe(recipe, run.recipe_file)
    run.environment.model_copy(update=environment).write(run.environment_file)
    run = Run(folder)
    write_results(run, run.predictions, replace(run.metrics, protocol=recipe.protocol_keys))
    return read_run(folder)


def codes_of(run: ReportedRun) -> set[str]:
    return {reason.code for reason in verdict_of_run(run).reasons}


def test_leakage_that_was_allowed_for_a_recipe_key_is_not_one_of_the_split(written: Path, tmp_path: Path) -> None:
    run = changed(written, tmp_path / "run", BY_TEST_IMAGES, allow_leakage=True)
    assert not run.is_split_leaky
    assert run.metrics.n_leaks is None
    assert text("methods-kept-together", has_groups=True, case="sets", has_validation=True) in methods(run)[0]
    assert "limit-protocol" in codes_of(run)
    assert "limit-leakage-allowed" not in codes_of(run)


def test_a_predefined_split_with_allowed_leakage_may_divide_groups_and_duplicates(
    written: Path, tmp_path: Path
) -> None:
    sets = ("train", "val", "test")
    plain = changed(written, tmp_path / "plain", Recipe(), allow_leakage=False, predefined_sets=sets)
    run = changed(written, tmp_path / "run", Recipe(), allow_leakage=True, predefined_sets=sets)
    assert (plain.is_split_leaky, run.is_split_leaky) == (False, True)
    assert (plain.metrics.n_leaks, run.metrics.n_leaks) == (None, 0)
    assert text("methods-kept-together", has_groups=True, case="leaky", has_validation=True) in methods(run)[0]
    assert "limit-leakage-allowed" in codes_of(run)
    duplicates = text("finding-duplicates", n_images=2, n_clusters=1)
    claims = [{reason.claim for reason in verdict_of_run(each).reasons} for each in (plain, run)]
    assert [duplicates in of_run for of_run in claims] == [True, False]  # its text says that both are in one set


def test_no_result_says_that_no_choice_was_based_on_test_images_that_selected_the_epoch(
    written: Path, tmp_path: Path
) -> None:
    usual = changed(written, tmp_path / "usual", Recipe(), allow_leakage=False)
    run = changed(written, tmp_path / "run", BY_TEST_IMAGES, allow_leakage=True)
    for each, split in ((usual, "test-once"), (run, "test")):
        assert each.split_words == text("report-split", split=split, name="test", n_relabeled=0)


def test_methods_do_not_name_validation_images_that_there_were_none_of(written: Path, tmp_path: Path) -> None:
    run = changed(written, tmp_path / "run", Recipe(split=SplitPlan(val=0)))
    run.run.split_file.unlink()
    write_split(run.run.split_file, [row for row in run.run.split if row.split != "val"])
    run = read_run(run.run.folder)
    assert not run.has_validation
    words = text("methods-calibrated", has_validation=False, has_folds=False, temperature="1.83")
    assert words in methods(run)[2]


def test_methods_state_the_rule_by_which_the_instant_classifier_would_have_been_kept(
    written: Path, tmp_path: Path
) -> None:
    metric = phrases(Recipe())["primary_metric"]
    for k, (recipe, is_by_two_errors) in enumerate(
        [(Recipe(), True), (Recipe(epochs=3), False), (Recipe(head_init="random"), False)]
    ):
        words = text("methods-last-epoch-unless-better", metric=metric, is_by_two_errors=is_by_two_errors)
        assert f"{words} (" in methods(changed(written, tmp_path / str(k), recipe))[1]


def test_flow_and_methods_agree_on_near_duplicates_that_the_split_divides(written: Path, tmp_path: Path) -> None:
    run = Run(shutil.copytree(written, tmp_path / "run"))
    names = [row.image_id for row in run.split if row.split != "excluded"][:4]
    for n_together in (2, 1):
        parameters = {"n_clusters_together": n_together, "n_clusters": 2, "n_images": 4}
        finding = Finding(
            code="near-duplicates",
            severity="advice",
            title="",
            text="",
            do="",
            images=((names[0], names[1]), (names[2], names[3])),
            **parameters,
        )
        inspection = read_run(written).run.inspection
        assert inspection is not None
        update = {"findings": (finding,), "are_copies_known": True}
        write_inspection(run.inspection_file, inspection.model_copy(update=update))
        reported = read_run(run.folder)
        words = text("report-duplicates", n_images=4, may_be_divided=n_together < 2)
        assert words in next(iter(IMAGES.blocks(reported))).words  # type: ignore[union-attr]
        together = "all" if n_together == 2 else "some"
        parameters = {"n_clusters": 2, "n_images": 4, "n_together": n_together}
        assert text("methods-near-duplicates", together=together, has_folds=False, **parameters) in methods(reported)[0]


def test_images_without_a_label_are_not_counted_as_measured_unfamiliar_images(written: Path, tmp_path: Path) -> None:
    run = Run(shutil.copytree(written, tmp_path / "run"))
    rows = [replace(row, ood_score=0.2, decision=row.label) for row in run.predictions]
    for k in range(3):
        rows[k] = replace(rows[k], ood_score=2.0, decision="unfamiliar", label=None if k else rows[k].label)
    Predictions(rows, run.metrics.classes).write_csv(run.predictions_file)
    words = UNFAMILIAR.blocks(read_run(run.folder))[0].words  # type: ignore[index, union-attr]
    assert words[0] == text("report-unfamiliar", n_unfamiliar=1, n_images=len(rows) - 2)


@pytest.mark.slow
def test_an_evaluation_on_images_of_the_training_does_not_say_that_they_are_others(
    own_run: Run, cells: Path, tmp_path: Path
) -> None:
    assert own_run.is_fitted_on_test
    seen = read_evaluation(cs.evaluate(own_run, cells, name="same").folder)
    assert not seen.is_unseen
    n_images = own_run.card.trained_on.n_images if own_run.card else 0
    assert seen.delivered_words == text("report-delivered-classifier", n_images=n_images, is_unseen=False)
