"""One trained run that all tests share which only ask something of a run, and copies of it for those that change it."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from drawing import write_cells

import coverslip as cs
from coverslip.errors import WeightsUnavailable
from coverslip.models import check_weights, model_info
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe, SplitPlan, augment_named
from coverslip.studies.cells import Cell

SMALL_NETWORK = "timm/test_efficientnet"  # timm's own network for tests, 0.4 million parameters
# Without augmented copies, from which it would learn to make no mistake on these cells.
INSTANT = Recipe(
    model=SMALL_NETWORK, stage="instant", image_size=48, tta=1, split=SplitPlan(folds=0), augment=augment_named("none")
)
GROUPS = r"slide\d+"

MadeOnce = Callable[[str, Callable[[Path], object]], Path]


def import_small_network(folder: Path) -> None:
    """Random weights for `SMALL_NETWORK` that pass for pretrained ones."""
    import safetensors.torch
    import torch

    from coverslip.models._libraries import import_timm
    from coverslip.models.importing import import_weights

    timm = import_timm()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = timm.create_model(SMALL_NETWORK.removeprefix("timm/"))
    file = folder / "small.safetensors"
    safetensors.torch.save_file(network.state_dict(), file)
    os.environ["COVERSLIP_WEIGHTS"] = str(folder)
    import_weights(file, SMALL_NETWORK)
    file.unlink()


def train_cells(cells: Iterable[Cell]) -> None:
    """Do the trainings of a study in this process, which has imported what they need; the study finds them done.

    They have no reports, whose figures take most of the time of a small training.
    """
    for cell in cells:
        data = cs.open_dataset(list(cell.dataset.path), group_pattern=cell.dataset.group_pattern)
        train_without_report(data, cell.recipe, out=cell.run.folder)


def can_have_weights(model: str) -> bool:
    """Whether pretrained weights are on this computer, or can be fetched."""
    try:
        check_weights(model_info(model))
    except WeightsUnavailable:
        return False
    return True


@pytest.fixture(scope="session")
def cells(made_once: MadeOnce) -> Path:
    """90 cells of three sizes in class folders, from nine slides. Nobody may change them."""
    return made_once("cells", write_cells)


@pytest.fixture(scope="session")
def trained(made_once: MadeOnce, own_cache: None) -> Run:
    """The instant classifier of `cells`, by slide, on one split, with its report. Nobody may change it."""
    cells = made_once("cells", write_cells)  # a module may have other `cells` of its own

    def train(folder: Path) -> None:
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), INSTANT, out=folder / "first")

    return Run(made_once("trained", train) / "first")


@pytest.fixture(scope="session")
def study_report(made_once: MadeOnce) -> Path:
    """The report of the written study `five networks`, with its figures beside it. Nobody may change it."""

    def write(folder: Path) -> None:
        from synthetic_runs import written_study

        from coverslip.studies.report import write_study_report

        (folder / "five networks").mkdir()
        write_study_report(written_study(), folder / "five networks" / "report.html")

    return made_once("study report", write) / "five networks" / "report.html"


@pytest.fixture
def own_run(trained: Run, tmp_path: Path) -> Run:
    """A copy of `trained` that the test may change."""
    return Run(shutil.copytree(trained.folder, tmp_path / "own run" / trained.folder.name))
