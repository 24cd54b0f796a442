"""The parts of the main job, used one by one as a researcher would."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.errors import Stopped
from coverslip.evaluation.calibration import apply_temperature
from coverslip.events import ignore
from coverslip.experiments.one_split import train_one_split
from coverslip.experiments.preparation import apply_recipe
from coverslip.experiments.run_state import begin_run
from coverslip.experiments.training_run import run_training
from coverslip.messages import Resume
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.stopping import Stop

QUICK = Recipe(model=SMALL_NETWORK, stage="instant", image_size=48, tta=1, split=SplitPlan(folds=0))


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("cells"), 24, classes=("small", "large"))


@pytest.fixture(scope="module")
def measured(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One split, trained and measured without a report."""
    data, recipe = apply_recipe(cs.open_dataset(cells), QUICK)
    run = Run(tmp_path_factory.mktemp("one") / "run")
    begin_run(run.folder, data, recipe, "cpu", allow_leakage=False)
    evaluation = train_one_split(data, recipe, RunContext(run.folder, with_report=False))
    assert evaluation == Run(run.folder).metrics
    return Run(run.folder)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_one_split_is_trained_and_measured_without_a_report(measured: Run) -> None:
    assert measured.metrics["accuracy"].value is not None
    assert measured.has_classifier
    assert not measured.report_file.exists()


@pytest.mark.slow
def test_logits_are_kept_unrounded_and_give_the_probabilities(measured: Run) -> None:
    training = measured.training
    assert training is not None
    for logits, table in (
        (measured.test_logits, measured.predictions),
        (measured.validation_logits, measured.validation),
    ):
        shown = np.array([row.probabilities for row in table])
        unrounded = apply_temperature(logits, training.calibration.temperature)
        np.testing.assert_allclose(unrounded, shown, atol=5.1e-7)  # the table has six digits
        assert logits.shape == (len(table), 2)


def test_a_context_can_be_passed_to_another_process(tmp_path: Path) -> None:
    context = RunContext(tmp_path / "run", "cpu", ignore, Stop(tmp_path / "run" / "stop"))
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301  written in the same line


@pytest.mark.slow
def test_a_stop_that_was_requested_ends_the_work_while_images_are_read(cells: Path, tmp_path: Path) -> None:
    data, recipe = apply_recipe(cs.open_dataset(cells), QUICK.model_copy(update={"seed": 1}))
    run = Run(tmp_path / "run")
    environment = begin_run(run.folder, data, recipe, "cpu", allow_leakage=False)
    run.stop_file.touch()
    with pytest.raises(Stopped) as refused:
        run_training(data, recipe, environment, RunContext(run.folder, stop=Stop(run.stop_file)))
    assert refused.value.code == "training-stopped-early"
    status = run.status
    assert status is not None
    assert status.state == "stopped"
    assert status.failure is not None
    assert (status.failure.kind, status.failure.remedies) == ("stopped", (Resume(str(run.folder)),))
