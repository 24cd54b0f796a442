"""What a study shows beside means: one dataset among several, epochs, what was tried."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from trained import GROUPS, SMALL_NETWORK, train_cells

from coverslip.cli import main
from coverslip.errors import BadRun
from coverslip.events import Event, Noted
from coverslip.images.preprocessing import Degradation, degraded
from coverslip.messages import message, text
from coverslip.models.networks import cost_of_model
from coverslip.runs.documents import rows_of_table, write_table
from coverslip.runs.folder import Run
from coverslip.studies.cells import cells_of, state_of
from coverslip.studies.comparing import StudyComparison
from coverslip.studies.plan import plan_of, save_plan
from coverslip.studies.report import metric_cell
from coverslip.studies.results import MetricMean, metric_mean
from coverslip.studies.settings import idle_first_steps, tried_choices
from coverslip.studies.study import plan_study, resume_study, study_comparison
from coverslip.studies.timing import cell_seconds
from coverslip.studies.variants import _by_class, read_latencies


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one dataset alone and with another, fine-tuned for an epoch."""
    place = tmp_path_factory.mktemp("details")
    labs = [str(write_cells(place / name, 36, seed=seed)) for seed, name in enumerate(("lab_a", "lab_b"))]
    grouped = {"group_pattern": GROUPS}
    plan = plan_of(
        {
            "datasets": [{"path": labs[0], **grouped}, {"path": labs, "name": "both", **grouped}],
            "models": [SMALL_NETWORK],
            "folds": 0,
            "recipe": {"image_size": 32, "tta": 1, "epochs": 1, "batch_size": 16},
        }
    )
    out = place / "out"
    train_cells(cells_of(plan, out))
    save_plan(plan, out / "study.yaml")
    resume_study(out)
    return place / "out"


@pytest.fixture(scope="module")
def compared(folder: Path) -> StudyComparison:
    return study_comparison(folder)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_dataset_alone_and_among_others_is_reported_by_class(folder: Path, compared: StudyComparison) -> None:
    assert {(row.dataset, row.merged) for row in compared.merged} == {("lab_a", "both")}
    assert [row.class_name for row in compared.merged] == ["large", "medium", "small", None]
    alone = Run(next(folder.glob("cells/lab_a_*_s0")))
    both = Run(next(folder.glob("cells/both_*_s0")))
    of_class = {row.class_name: row for row in compared.merged if row.class_name}
    for name, row in of_class.items():
        for metric in ("precision", "recall", "f1"):
            assert row.single[metric].value == alone.metrics.per_class[name].metrics[metric].value
        assert row.n_merged == sum(
            each.label == name and domain == "lab_a"
            for each in both.predictions
            for domain in [next(split_row.domain for split_row in both.split if split_row.image_id == each.image_id)]
        )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_class_alone_and_among_others_is_measured_over_all_splits(tmp_path: Path) -> None:
    labs = [str(write_cells(tmp_path / name, 36, seed=seed)) for seed, name in enumerate(("lab_a", "lab_b"))]
    plan = plan_of(
        {
            "datasets": [labs[0], {"path": labs, "name": "both"}],
            "models": [SMALL_NETWORK],
            "folds": 0,
            "repeats": 2,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant", "augment": "none", "split": {"test": 0.5}},
        }
    )
    out = tmp_path / "out"
    train_cells(cells_of(plan, out))
    save_plan(plan, out / "study.yaml")
    merged = {row.class_name: row for row in study_comparison(out).merged}
    predictions = [row for run in sorted(out.glob("cells/lab_a_*")) for row in Run(run).predictions]
    for name in ("large", "medium", "small"):
        of_class = [row for row in predictions if row.label == name]
        assert merged[name].n_single == len({row.image_id for row in of_class}) < len(of_class)
        recall = np.mean([row.predicted == name for row in of_class])
        assert merged[name].single["recall"].value == pytest.approx(recall)
    accuracy = merged[None].single["accuracy"]
    assert accuracy.value == pytest.approx(np.mean([row.predicted == row.label for row in predictions]))
    assert "over images (Student's t" in accuracy.method  # an image that both splits test is one unit


def test_an_interval_of_few_images_without_groups_needs_images(trained: Run, tmp_path: Path) -> None:
    """The images are units of the interval, because several splits test them."""
    for number in (1, 2):
        shutil.copytree(trained.folder, tmp_path / str(number))
    few = {
        row.image_id
        for name in trained.predictions.classes
        for row in [r for r in trained.predictions if r.label == name][:2]
    }
    for number in (1, 2):
        file = tmp_path / str(number) / "predictions.csv"
        rows = [row for row in rows_of_table(file) if row["image_id"] in few]
        write_table(file, tuple(rows[0]), rows)
        split = tmp_path / str(number) / "split.csv"
        rows = [{**row, "group": ""} for row in rows_of_table(split)]
        write_table(split, tuple(rows[0]), rows)
    of_class = _by_class([Run(tmp_path / "1"), Run(tmp_path / "2")], None)
    reasons = {metrics["recall"].reason.code for name, (_, metrics) in of_class.items() if name is not None}
    assert reasons == {"interval-needs-images"}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_metrics_of_training_and_validation_are_those_of_the_selected_epoch(
    folder: Path, compared: StudyComparison
) -> None:
    run = Run(next(folder.glob("cells/lab_a_*_s0")))
    assert run.training is not None
    selected = [row for row in run.history if row.epoch == run.training.selected_epoch and row.epoch]
    fits = [fit for fit in compared.fits if fit.dataset == "lab_a"]
    assert len(fits) == len(selected)  # none if the instant classifier was kept
    for fit, row in zip(fits, selected, strict=True):
        assert fit.training["macro_precision"] == (row.train_precision, None)
        assert fit.validation["accuracy"] == (row.val_accuracy, None)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_confusions_and_costs_are_those_of_the_trained_network(folder: Path, compared: StudyComparison) -> None:
    run = Run(next(folder.glob("cells/lab_a_*_s0")))
    (matrix,) = [each for each in compared.confusions if each.dataset == "lab_a"]
    assert matrix.counts == tuple(map(tuple, run.metrics.confusion_matrix))
    (score,) = compared.datasets[0].scores
    cost = cost_of_model(SMALL_NETWORK, n_classes=3, head="multi_layer", image_size=32)
    assert (score.parameters, score.gmacs) == (cost.parameters, cost.macs / 1e9)
    assert score.metrics["accuracy"].low == run.metrics["accuracy"].low  # a single split: over its images


@pytest.mark.exhaustive
@pytest.mark.slow
def test_epochs_and_what_was_tried_are_kept(folder: Path, compared: StudyComparison) -> None:
    assert [(curve.dataset, curve.epochs) for curve in compared.curves] == [("lab_a", (0, 1)), ("both", (0, 1))]
    run = Run(next(folder.glob("cells/lab_a_*_s0")))
    assert compared.curves[0].val_accuracy == tuple(row.val_accuracy for row in run.history)
    (first, _) = compared.tried
    assert (first.n_trained, first.epochs_run) == (1, (1, 1))
    assert run.training is not None
    assert run.training.instant is not None
    assert first.shrinkages == (run.training.instant.shrinkage,)
    page = (folder / "report.html").read_text(encoding="utf-8")
    for title in ("Single and merged datasets", "Training curves", "Settings"):
        assert title in page
    assert (folder / "figures" / "epochs-1.svg").is_file()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_dry_run_shows_how_long_trainings_take(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "run", str(folder / "study.yaml"), "--out", str(folder), "--dry-run", "--json"]) == 0
    alone, both = json.loads(capsys.readouterr().out)["cells"]
    assert (alone["state"], both["state"]) == ("done", "done")
    assert 0 < alone["seconds"] < 600
    cells = plan_study(folder / "study.yaml", folder)
    gone = [replace(cells[0], dataset=cells[0].dataset.model_copy(update={"path": ("nowhere",)}))]
    assert cell_seconds(gone) == {cells[0].name: None}


@pytest.mark.slow
def test_a_first_step_that_changed_nothing_is_said(trained: Run, tmp_path: Path) -> None:
    """Where the instant classifier was kept, the network is the one that the first step began with."""
    plan = plan_of(
        {"datasets": ["cells"], "models": [SMALL_NETWORK], "regimes": [{"name": "two", "two_step": "other"}]}
    )
    first, second = plan_study(plan, tmp_path)
    assert first.is_pretraining
    done = replace(first, run=trained)
    (sentence,) = idle_first_steps([done, second])
    assert sentence == message("idle-pretraining", regime="two", model=SMALL_NETWORK, seed="0")
    assert idle_first_steps([first, replace(second, run=trained)]) == []


@pytest.mark.slow
def test_settings_that_differ_are_keys_with_short_values(trained: Run, tmp_path: Path) -> None:
    attention = {"model": "mobilevit_mn", "model_options": {"dsc": True, "mv2_attention": "se"}}
    plan = plan_of(
        {
            "datasets": ["cells"],
            "models": [SMALL_NETWORK, {"name": "attention", "recipe": attention}],
            "regimes": ["scratch", {"name": "two", "two_step": "other"}],
        }
    )
    cells = plan_study(plan, tmp_path)
    rows = tried_choices(plan, [replace(cell, run=trained) for cell in cells if not cell.is_pretraining])
    settings = {row.name: row.settings for row in rows}
    first = next(cell for cell in cells if cell.is_pretraining and cell.model == SMALL_NETWORK)
    assert settings[f"{SMALL_NETWORK}, scratch"] == f"model = {SMALL_NETWORK}, init = scratch"
    assert settings[f"{SMALL_NETWORK}, two"] == f"model = {SMALL_NETWORK}, init.run = {first.run.folder.name}"
    assert "model_options.dsc = true, model_options.mv2_attention = se" in settings["attention, scratch"]


@pytest.mark.slow
def test_settings_name_the_batches_that_memory_reduced(trained: Run, tmp_path: Path) -> None:
    size = trained.recipe.batch_size
    plan = plan_of({"datasets": ["cells"], "models": [SMALL_NETWORK], "recipe": {"batch_size": 2 * size}})
    (row,) = tried_choices(plan, [replace(cell, run=trained) for cell in plan_study(plan, tmp_path)])
    assert row.settings == text("smaller-batches-in-trainings", sizes=str(size), n_trainings=row.n_trained)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "n_done"),
    [
        ("recipe.yaml", 2),
        ("classifier/classifier.json", 2),
        ("metrics.json", 2),
        ("status.json", 1),
        ("predictions.csv", 2),
    ],
)
def test_a_damaged_file_is_the_fault_of_its_training_alone(
    trained: Run, tmp_path: Path, file: str, n_done: int
) -> None:
    """The other trainings of the study are still compared, shown and resumed."""
    plan = plan_of({"datasets": ["cells"], "models": [SMALL_NETWORK, {"name": "other", "recipe": {}}], "folds": 0})
    save_plan(plan, tmp_path / "study.yaml")
    cells = plan_study(plan, tmp_path)
    for cell in cells:
        shutil.copytree(trained.folder, cell.run.folder)
    (cells[0].run.folder / file).write_text("epochs: [")
    compared = study_comparison(tmp_path)
    is_table = file == "predictions.csv"  # only figures lack the training, and no retry is offered
    (damaged,) = compared.unreadable if is_table else compared.failures
    assert len(compared.failures) + len(compared.unreadable) == 1
    assert damaged.name == cells[0].name
    assert file.partition("/")[0] in damaged.reason
    scores = {row.name: row for row in compared.datasets[0].scores}
    assert (scores[SMALL_NETWORK].mean is None) is not is_table
    assert scores["other"].mean == trained.metrics[plan.primary_metric].value
    assert [state_of(cell).state for cell in plan_study(plan, tmp_path)].count("done") == n_done


def test_changes_of_an_image_are_what_they_say() -> None:
    image = np.zeros((33, 33, 3), np.uint8)
    image[12:21, 12:21] = 200
    blurred = degraded(image, Degradation(blur=2))
    assert blurred.max() < 200
    assert blurred.mean() == pytest.approx(image.mean(), rel=0.01)
    for factor in (0.5, 2):
        scaled = degraded(image, Degradation(scale=factor))
        assert scaled.shape == image.shape
        assert (scaled[..., 0] > 100).sum() == pytest.approx(81 * factor**2, rel=0.25)
        assert scaled[16, 16, 0] > 150  # about the middle


def test_a_damaged_file_of_latencies_is_one_clear_error(tmp_path: Path) -> None:
    for content in ("{", '{"format_version": 1}', '{"format_version": 1, "latencies": [{"dataset": 3}]}'):
        (tmp_path / "latency.json").write_text(content)
        with pytest.raises(BadRun) as refusal:
            read_latencies(tmp_path)
        assert refusal.value.code == "damaged-measurements"
    (tmp_path / "latency.json").write_text(json.dumps({"latencies": []}))
    assert read_latencies(tmp_path) == ()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_interrupted_measurement_of_prediction_times_continues(folder: Path) -> None:
    study_comparison(folder, bench=True)
    first, second = read_latencies(folder)
    content = json.loads((folder / "latency.json").read_text(encoding="utf-8"))
    marked = {**content["latencies"][0], "latency": {**content["latencies"][0]["latency"], "n_many": 123}}
    (folder / "latency.json").write_text(json.dumps({"latencies": [marked], "is_complete": False}), encoding="utf-8")
    study_comparison(folder, bench=True)
    continued = read_latencies(folder)
    assert [(each.dataset, each.model) for each in continued] == [
        (first.dataset, first.model),
        (second.dataset, second.model),
    ]
    assert continued[0].latency.n_many == 123  # measured before the interruption
    study_comparison(folder, bench=True)
    assert read_latencies(folder)[0].latency.n_many != 123  # a complete measurement is repeated


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_earlier_prediction_time_is_not_shown_if_it_cannot_be_measured_again(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, study := tmp_path / "study")
    study_comparison(study, bench=True)
    for cell in plan_study(study / "study.yaml", study):
        (cell.run.classifier_folder / "classifier.json").unlink()
    events: list[Event] = []
    assert study_comparison(study, bench=True, emit=events.append).latencies == ()
    assert [event.code for event in events if isinstance(event, Noted)] == ["no-latency"] * 2


@pytest.mark.exhaustive
@pytest.mark.slow
def test_heat_maps_of_test_images_are_drawn_and_kept(folder: Path) -> None:
    drawn = study_comparison(folder, distances=True, explain=True)
    assert drawn.distances == ()  # there is no first step
    assert [(each.dataset, each.model) for each in drawn.heat_maps] == [
        ("lab_a", SMALL_NETWORK),
        ("both", SMALL_NETWORK),
    ]
    for each in drawn.heat_maps:
        assert [row.verdict in ("passed", "failed") for row in each.maps] == [True]
        assert len(each.pictures) == 3  # one of each class
        assert all((folder / picture).is_file() for picture in each.pictures)
    assert study_comparison(folder).heat_maps == drawn.heat_maps
    assert (folder / "report.html").read_text(encoding="utf-8").count("data:image/png;base64,") == 6


def test_a_metric_of_fewer_splits_than_its_row_says_so_and_two_splits_have_no_interval() -> None:
    score = MetricMean(mean=0.0, sd=None, low=-0.36, high=0.36, n=1)
    assert metric_cell(score, "mcc", 1).interval
    cell = metric_cell(score, "mcc", 2)
    assert cell.value.endswith("n = 1")
    assert cell.below == text("study-few-splits")
    mean = metric_mean([0.9769, 0.9771], "micro_auroc", test_to_train=1, n_units=40)
    assert (mean.low, metric_cell(mean, "micro_auroc", 2).below) == (None, text("study-few-splits"))
    wide = metric_mean([0.1, 0.5, 0.9], "accuracy", test_to_train=1, n_units=40)
    assert (wide.low, metric_cell(wide, "accuracy", 3).below) == (None, text("study-few-splits"))
    assert metric_mean([0.7, 0.72, 0.74], "accuracy", test_to_train=0.25, n_units=40).low is not None
    equal = MetricMean(mean=0.183, sd=0.0, low=None, high=None, n=2)
    assert metric_cell(equal, "accuracy", 2).counts == text("study-equal-splits")
    error = MetricMean(mean=0.02, sd=0.01, low=-0.06, high=0.09, n=5)
    assert metric_cell(error, "ece_excess", 5).value.startswith("≤")
