"""The delivered classifier is fitted on all images, and every number of a run is of the tested one beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from refusing import refusing
from trained import GROUPS, INSTANT, MadeOnce

import coverslip as cs
from coverslip.datasets.pixels import DecodedPixels
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadClassifier
from coverslip.evaluation.calibration import apply_temperature
from coverslip.events import Event, InstantClassifierFitted, Noted, ignore
from coverslip.experiments.one_split import _is_sufficient, _without_large_folds
from coverslip.experiments.rethreshold import thresholds_of
from coverslip.files import sha256_file
from coverslip.inference.explain.explaining import explain, explanation_of
from coverslip.inference.predicting import TrainingImageCounter
from coverslip.messages import text
from coverslip.pipeline import train_without_report
from coverslip.reports.metric_rows import uncalibrated
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run
from coverslip.runs.classifier import fingerprint_of, open_classifier
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.images import unchanged_images
from coverslip.runs.recipe import FromRun
from coverslip.training.heads import HeadFitter
from coverslip.training.instant import initial_classifier
from coverslip.workspace.trainings.results import _measurement

Changed = Callable[[str], Run]


@pytest.fixture(scope="module")
def tested_run(made_once: MadeOnce, own_cache: None, cells: Path) -> Run:
    """The training of `trained` without a fit on all images."""

    def train(folder: Path) -> None:
        recipe = INSTANT.model_copy(update={"refit_all": False})
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=folder / "first")

    return Run(made_once("tested only", train) / "first")


@pytest.fixture
def runs(trained: Run, tested_run: Run, tmp_path: Path) -> tuple[Run, Run]:
    """Copies of the training with and without a fit on all images, which the test may change."""
    folders = (tmp_path / "with", tmp_path / "without")
    return tuple(Run(shutil.copytree(run.folder, to)) for run, to in zip((trained, tested_run), folders, strict=True))  # type: ignore[return-value]


def metrics_of(run: Run) -> dict[str, object]:
    return {name: metric.value for name, metric in run.metrics.metrics.items()}


def test_all_numbers_of_a_run_are_those_without_the_fit_on_all(trained: Run, tested_run: Run) -> None:
    for name in (
        "metrics.json",
        "predictions.csv",
        "validation.csv",
        "split.csv",
        "learning_curve.json",
        "logits/test.npy",
        "logits/validation.npy",
        "classifier/weights.safetensors",
        "classifier/ood.safetensors",
    ):
        assert sha256_file(trained.folder / name) == sha256_file(tested_run.folder / name), name
    assert trained.card is not None
    assert trained.card.of_tested() == tested_run.card
    assert trained.card.operating_points == tested_run.card.operating_points
    assert trained.card.set_floors == tested_run.card.set_floors
    assert (trained.is_fitted_on_test, tested_run.is_fitted_on_test) == (True, False)


def test_the_delivered_classifier_is_the_linear_probe_of_all_images(trained: Run) -> None:
    """Known answer: the fit is repeated from the pixels."""
    record, card = trained.training.refit_on_all, trained.card
    n_of = {part: sum(row.split == part for row in trained.split) for part in ("train", "val", "test")}
    assert (record.n_images, card.trained_on.n_images) == (sum(n_of.values()),) * 2
    assert card.tested.n_images == n_of["train"] + n_of["val"]
    assert card.temperature == record.temperature
    data = unchanged_images(trained)
    scan = scan_images(data)
    split_of = {row.image_id: row.split for row in trained.split}
    positions = [i for part in n_of for i, record_ in enumerate(data.records) if split_of[record_.image_id] == part]
    delivered = cs.load_classifier(trained, "cpu")
    pixels = DecodedPixels(data, scan, card.preprocessing)(positions)
    outputs = delivered.predict_pixels(pixels)
    label = np.array([card.classes.index(data.records[i].label) for i in positions])
    fitter = HeadFitter(len(card.classes), trained.recipe, RunContext(trained.folder))
    head = fitter._fit(outputs.features, label, outputs.features, label, [record.shrinkage])
    np.testing.assert_allclose(outputs.logits, head.logits(outputs.features), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(outputs.probabilities, apply_temperature(outputs.logits, record.temperature), atol=1e-6)


def test_evaluating_the_own_test_set_gives_its_metrics(runs: tuple[Run, Run]) -> None:
    for run in runs:
        before = metrics_of(run)
        assert metrics_of(cs.evaluate(run, device="cpu", emit=ignore)) == before


def test_decisions_are_made_for_the_tested_classifier(runs: tuple[Run, Run]) -> None:
    decided = [cs.decide(run, "sensitivity" if len(run.card.classes) == 2 else "roc", emit=ignore) for run in runs]
    first, second = ((metrics_of(run), run.card.operating_points, run.training.calibration) for run in decided)
    assert first == second
    back = cs.decide(runs[0], "highest", emit=ignore)
    assert metrics_of(back) == metrics_of(Run(runs[1].folder)) or back.card.operating_points is None
    assert back.is_fitted_on_test
    assert thresholds_of(runs[0]) == thresholds_of(runs[1])


def test_label_errors_do_not_depend_on_it(runs: tuple[Run, Run]) -> None:
    first, second = (cs.label_errors(run, device="cpu", emit=ignore) for run in runs)
    assert first.images == second.images


def test_a_training_begins_with_the_tested_classifier(trained: Run, tested_run: Run) -> None:
    for with_all, without in ((trained.folder, tested_run.folder), (trained.classifier_folder, tested_run.folder)):
        first, second = (
            initial_classifier(FromRun(run=str(run)), trained.card.classes).packed for run in (with_all, without)
        )
        assert first.card == second.card
        for name, tensor in second.read_weights().items():
            np.testing.assert_array_equal(first.read_weights()[name], tensor)


@pytest.mark.exhaustive
def test_checks_of_heat_maps_are_of_the_tested_classifier(runs: tuple[Run, Run], cells: Path, tmp_path: Path) -> None:
    image = next(cells.rglob("*.png"))
    for run in runs:
        explain(run, [image], out=tmp_path / f"maps {run.folder.name}", n_nearest=0, device="cpu", emit=ignore)
    first, second = (Run(run.folder).map_checks for run in runs)
    assert first == second


@pytest.mark.exhaustive
def test_a_test_image_is_explained_as_its_prediction(trained: Run, tested_run: Run, cells: Path) -> None:
    image = cs.open_dataset([next(cells.rglob("*.png"))], labeled=False)
    pictures = [
        explanation_of(run, image, tested=tested, n_nearest=0, device="cpu")
        for run, tested in ((trained, True), (tested_run, False), (trained, False))
    ]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_new_images_are_predicted_by_the_delivered_classifier(trained: Run, tested_run: Run, cells: Path) -> None:
    images = [row.path for row in trained.predictions]
    paths = [cells / path for path in images]
    tested = cs.load_classifier(trained, "cpu", tested=True).predict_proba(paths, emit=ignore)
    np.testing.assert_allclose(
        tested, cs.load_classifier(tested_run, "cpu").predict_proba(paths, emit=ignore), atol=1e-6
    )
    delivered = cs.load_classifier(trained, "cpu").predict_proba(paths, emit=ignore)
    assert np.abs(delivered - tested).max() > 1e-3
    assert fingerprint_of(trained) != fingerprint_of(tested_run) == fingerprint_of(trained, tested=True)


def test_test_images_count_as_images_of_the_training(
    trained: Run, tested_run: Run, cells: Path, tmp_path: Path
) -> None:
    n_test = sum(row.split == "test" for row in trained.split)
    n_others = len(trained.split) - n_test
    for run, n in ((trained, len(trained.split)), (tested_run, n_others)):
        counter = TrainingImageCounter(run)
        assert len(counter._hashes) == len({*run.training_hashes.train, *run.training_hashes.val}) + (n - n_others)
    run_copy = Run(shutil.copytree(trained.folder, tmp_path / "copy"))
    notes: list[object] = []
    evaluation = cs.evaluate(run_copy, cells, name="same", device="cpu", emit=notes.append)
    assert evaluation.evaluated_images.n_used_in_training == len(trained.split)
    assert "seen-in-training" in {event.code for event in notes if isinstance(event, Noted)}


def test_a_packed_classifier_has_both(trained: Run, tmp_path: Path) -> None:
    file = cs.export(trained, to="zip", out=tmp_path / "packed.coverslip")
    for tested in (True, False):
        first, second = (open_classifier(path, tested=tested) for path in (file, trained.classifier_folder))
        assert first.card == second.card
        np.testing.assert_array_equal(first.read_head()["head.weight"], second.read_head()["head.weight"])
    assert not np.array_equal(
        open_classifier(file).read_head()["head.weight"], open_classifier(file, tested=True).read_head()["head.weight"]
    )


def test_a_head_of_another_network_is_refused(own_run: Run) -> None:
    from safetensors.numpy import save_file

    head = {"head.weight": np.zeros((3, 7), np.float32), "head.bias": np.zeros(3, np.float32)}
    save_file(head, own_run.classifier_folder / "delivered_head.safetensors")
    with refusing(BadClassifier, "delivered-head-mismatch"):
        open_classifier(own_run.folder / "classifier").read_head()


def test_the_tested_and_the_delivered_classifier_are_named(trained: Run, tested_run: Run) -> None:
    n_images, n_tested = trained.card.trained_on.n_images, trained.card.tested.n_images
    words = text("delivered-classifier", n_images=n_images, n_tested=n_tested)
    for file in ("report.html", "model_card.md"):
        content = (trained.folder / file).read_text(encoding="utf-8")
        assert words in content, file
    assert ReportedRun(tested_run).delivered_words == ""


def test_the_page_of_results_says_that_the_metrics_are_of_the_tested_classifier(trained: Run, tested_run: Run) -> None:
    for run in (trained, tested_run):
        reported = ReportedRun(run)
        words = _measurement(reported)["words"]
        assert words[1:] == ([reported.delivered_words] if run is trained else [])
        without = text("report-groups-not-in-training", is_tested_only=True)
        assert (without in words[0]) == (run is trained)


def test_studies_have_it_off() -> None:
    from coverslip.studies.presets import PRESETS, preset_recipe

    for name in PRESETS:
        assert preset_recipe(name, ["init=imagenet"]).refit_all is False


def test_an_image_that_changes_during_the_training_leaves_the_tested_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "file"))  # not usable, so that images are read again
    folder, notes = write_cells(tmp_path / "cells", 60, seed=7), dict[str, Noted]()  # without features in the cache

    def change(event: Event) -> None:
        if isinstance(event, Noted):
            notes[event.code] = event
        if isinstance(event, InstantClassifierFitted):
            run = Run(tmp_path / "run")
            path = folder / next(row.path for row in run.split if row.split == "test")
            path.write_bytes(path.read_bytes()[:100])

    data = cs.open_dataset(folder, group_pattern=GROUPS)
    run = train_without_report(data, INSTANT, out=tmp_path / "run", emit=change)
    assert run.is_done
    assert not run.is_fitted_on_test
    assert "tested-classifier-delivered" in notes
    assert [row.decision for row in run.predictions].count("unreadable") == 1


def test_folds_of_many_images_do_not_set_the_temperature() -> None:
    fold_index = np.repeat([-1, 0, 1, 2, 3], [10, 45, 20, 15, 10])
    remaining = _without_large_folds(fold_index)
    assert np.unique(remaining, return_counts=True)[1].tolist() == [55, 20, 15, 10]


def test_few_held_out_images_or_those_of_one_class_do_not_set_the_temperature() -> None:
    label = np.repeat([0, 1], 50)
    assert _is_sufficient(np.arange(100) % 2 == 0, label)
    assert not _is_sufficient(np.arange(100) % 3 == 0, label)
    assert not _is_sufficient(label == 0, label)


def test_probabilities_before_calibration_are_those_of_the_evaluated_classifier(
    runs: tuple[Run, Run], tmp_path: Path
) -> None:
    run, other = runs[0], write_cells(tmp_path / "other", 30, seed=11)
    evaluation = cs.evaluate(run.folder, cs.open_dataset(other, group_pattern=GROUPS), name="other")
    assert run.card is not None
    assert run.tested_card is not None
    assert run.card.temperature != run.tested_card.temperature
    for reported, card in ((read_evaluation(evaluation.folder), run.card), (read_run(run.folder), run.tested_card)):
        assert reported.tested is not None
        before = uncalibrated(reported)
        assert before is not None
        np.testing.assert_allclose(
            apply_temperature(np.log(np.maximum(before, 1e-300)), card.temperature),
            reported.tested.probability,
            atol=1e-4,
        )
