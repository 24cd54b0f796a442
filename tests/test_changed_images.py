"""Images whose files changed while a training was stopped: it is not resumed on other pixels than it began with."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from drawing import write_cells
from parameters import only_first
from PIL import Image
from trained import GROUPS, INSTANT, SMALL_NETWORK, train_cells

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRun, Stopped
from coverslip.events import Event, FoldStarted, RunStarted
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Pretraining, Recipe, SplitPlan
from coverslip.runs.recipe_keys import as_yaml
from coverslip.studies.study import plan_study, resume_study

pytestmark = pytest.mark.slow

Moment = Callable[[Event], bool]
BEGUN: Moment = lambda event: isinstance(event, RunStarted)  # noqa: E731
SECOND_FOLD: Moment = lambda event: isinstance(event, FoldStarted) and event.fold == 2  # noqa: E731
FOLDS = INSTANT.model_copy(update={"split": SplitPlan(folds=3)})


def uncompressed_cells(folder: Path, *, seed: int = 0) -> Path:
    """Cells in files of which all have the same size."""
    for file in write_cells(folder, 60, side=32, seed=seed).rglob("*.png"):
        Image.open(file).save(file.with_suffix(".bmp"))
        file.unlink()
    return folder


def change_pixels(file: Path) -> bytes:
    """Give a file other pixels and leave its size and its time of change as they are; what it held before."""
    before, status = file.read_bytes(), file.stat()
    file.write_bytes(before[:-300] + bytes(255 - value for value in before[-300:]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    return before


def stopped_at(moment: Moment, cells: Path, recipe: Recipe, run: Run) -> None:
    """A training that was stopped at an event."""

    def stop(event: Event) -> None:
        if moment(event):
            run.stop_file.touch()

    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=run.folder, emit=stop)


def all_files(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.rglob("*") if file.is_file()}


def assert_refused(run: Run, changed: set[str]) -> None:
    """Resuming names the files, ends with 1, and writes nothing."""
    before = all_files(run.folder)
    with pytest.raises(BadRun) as refusal:
        cs.resume(run)
    assert (refusal.value.parameters["n_images"], set(refusal.value.parameters["examples"])) == (len(changed), changed)
    assert main(["train", "--resume", str(run.folder)]) == 1
    assert all_files(run.folder) == before


@pytest.mark.parametrize(
    ("recipe", "moment"), only_first(1, [(INSTANT, BEGUN), (FOLDS, SECOND_FOLD)]), ids=["one split", "folds"]
)
def test_a_training_is_not_resumed_on_changed_images_of_any_part(
    tmp_path: Path, recipe: Recipe, moment: Moment
) -> None:
    cells, run = uncompressed_cells(tmp_path / "cells"), Run(tmp_path / "run")
    stopped_at(moment, cells, recipe, run)
    parts = {row.split: row.image_id for row in run.split}  # one image of each
    assert "test" in parts
    before = {image_id: change_pixels(cells / image_id) for image_id in parts.values()}
    assert_refused(run, set(before))
    for image_id, content in before.items():
        (cells / image_id).write_bytes(content)  # restored, with another time of change
    assert cs.resume(run).is_done
    change_pixels(cells / parts["test"])
    with pytest.raises(BadRun) as refused:
        cs.resume(run)
    assert refused.value.code == "run-is-finished"


@pytest.mark.exhaustive
def test_a_training_is_not_resumed_on_changed_images_of_its_first_step(tmp_path: Path) -> None:
    cells, others = uncompressed_cells(tmp_path / "cells"), uncompressed_cells(tmp_path / "others", seed=7)
    recipe = INSTANT.model_copy(update={"init": Pretraining(train_on=str(others))})
    run = Run(tmp_path / "run")
    stopped_at(BEGUN, cells, recipe, run)
    assert not run.pretraining.is_done
    changed = run.pretraining.split[0].image_id
    before = change_pixels(others / changed)
    assert_refused(run, {changed})
    (others / changed).write_bytes(before)
    assert cs.resume(run).is_done


@pytest.mark.exhaustive
def test_a_study_is_not_resumed_on_changed_images_also_of_trainings_that_are_done(tmp_path: Path) -> None:
    cells, out = uncompressed_cells(tmp_path / "cells"), tmp_path / "out"
    settings = {"image_size": 32, "tta": 1, "stage": "instant"}
    plan = {"datasets": ["cells"], "models": [SMALL_NETWORK], "folds": 0, "seeds": [0, 1], "recipe": settings}
    (tmp_path / "plan.yaml").write_text(as_yaml(plan))
    assert main(["study", "run", str(tmp_path / "plan.yaml"), "--out", str(out), "--budget", "1s"]) == 0
    planned = plan_study(out / "study.yaml", out)
    done = [cell for cell in planned if cell.run.is_done]
    if not done:
        train_cells(planned[:1])
        done = planned[:1]
    assert len(done) < len(planned)
    changed = done[0].run.split[0].image_id
    before, content = all_files(out), change_pixels(cells / changed)
    with pytest.raises(BadRun) as refusal:
        resume_study(out)
    assert refusal.value.parameters["examples"] == [changed]
    assert main(["study", "resume", str(out)]) == 1
    assert all_files(out) == before
    (cells / changed).write_bytes(content)
    assert main(["study", "resume", str(out)]) == 0
    change_pixels(cells / changed)
    assert main(["study", "resume", str(out)]) == 0  # nothing is left to be trained
