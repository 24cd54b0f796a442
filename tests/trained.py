"""One trained run that all tests share which only ask something of a run, and copies of it for those that change it.

A fine-tuned study is shared by tests that run it elsewhere.
"""

import csv
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from drawing import write_cells

import coverslip as cs
from coverslip.errors import WeightsUnavailable
from coverslip.models import check_weights, model_info
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe, SplitPlan, augment_named
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.study import run_study

SMALL_NETWORK = "timm/test_efficientnet"  # timm's own network for tests, 0.4 million parameters
OTHER_SMALL_NETWORK = "timm/test_resnet"  # 0.5 million parameters
# Without augmented copies, from which it would learn to make no mistake on these cells.
INSTANT = Recipe(
    model=SMALL_NETWORK, stage="instant", image_size=48, tta=1, split=SplitPlan(folds=0), augment=augment_named("none")
)
GROUPS = r"slide\d+"

MadeOnce = Callable[[str, Callable[[Path], object]], Path]


def import_small_networks(folder: Path) -> None:
    """Random weights for both small networks that pass for pretrained ones."""
    import safetensors.torch
    import torch

    from coverslip.models._libraries import import_timm
    from coverslip.models.importing import import_weights

    timm = import_timm()
    os.environ["COVERSLIP_WEIGHTS"] = str(folder)
    file = folder / "small.safetensors"
    for name in (SMALL_NETWORK, OTHER_SMALL_NETWORK):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            network = timm.create_model(name.removeprefix("timm/"))
        safetensors.torch.save_file(network.state_dict(), file)
        import_weights(file, name)
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
def finetuned_study(made_once: MadeOnce, own_cache: None) -> Path:
    """A study of two networks with pretrained and random weights, on this computer. Nobody may change it.

    After one epoch, the last checkpoint of a training is also the best one.
    """

    def run(folder: Path) -> None:
        plan = StudyPlan.model_validate(
            {
                "datasets": [{"path": str(write_cells(folder / "cells", 30, side=32)), "group_pattern": GROUPS}],
                "models": [SMALL_NETWORK, OTHER_SMALL_NETWORK],
                "regimes": ["imagenet", "scratch"],
                "folds": 2,
                "threads": 1,
                "recipe": {"stage": "finetune", "epochs": 1, "image_size": 32, "tta": 1, "augment": "none"},
            }
        )
        run_study(plan, out=folder / "study")

    return made_once("finetuned study", run) / "study"


def results_without_times(study: Path) -> list[dict[str, str]]:
    """Return the rows of `results.csv` without the column of times."""
    with (study / "results.csv").open(encoding="utf-8", newline="") as file:
        return [{name: value for name, value in row.items() if name != "train_seconds"} for row in csv.DictReader(file)]


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


SIDE_OF_FIELD = 160
CLASSES_OF_OBJECTS = ("disc", "ring")
N_FIELDS = 12


def draw_objects(rng: np.random.Generator, n_rows: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return a 16-bit field with rows of discs (odd numbers) and rings (even numbers), and its label image."""
    side = 52 * n_rows + 4
    rows, columns = np.mgrid[:side, :side]
    labels, pixels = np.zeros((side, side), np.uint16), rng.normal(2000, 60, (side, side))
    for k in range(n_rows**2):
        y, x = 28 + 52 * (k // n_rows) + rng.integers(-4, 5), 28 + 52 * (k % n_rows) + rng.integers(-4, 5)
        near = slice(y - 15, y + 16), slice(x - 15, x + 16)
        distance = np.hypot(rows[near] - y, columns[near] - x)
        labels[near][distance < 14] = k + 1
        pixels[near][(distance < 14) & ((distance > 8) | (k % 2 == 0))] += 3000
    return pixels.clip(0, 65_535).astype(np.uint16), labels


def draw_fields(folder: Path) -> None:
    """Fields with discs and rings, their masks, and a table with the class of each object."""
    rng = np.random.default_rng(0)
    for name in ("fields", "masks"):
        (folder / name).mkdir()
    for number in range(N_FIELDS):
        pixels, labels = draw_objects(rng, 3)
        tifffile.imwrite(folder / "fields" / f"f{number:02}.tif", pixels)
        tifffile.imwrite(folder / "masks" / f"f{number:02}_mask.tif", labels)
    cs.collect_objects(folder / "fields", masks=folder / "masks", out=folder / "objects.csv")
    table = list(csv.reader((folder / "objects.csv").open()))
    at_id, at_label = table[0].index("object_id"), table[0].index("label")
    for row in table[1:]:
        row[at_label] = CLASSES_OF_OBJECTS[(int(row[at_id]) - 1) % 2]
    with (folder / "objects.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(table)
    data = cs.open_dataset(folder / "objects.csv")
    train_without_report(data, INSTANT.model_copy(update={"crop_margin": 0.2}), out=folder / "run")
    cs.predict(folder / "run", folder / "objects.csv", out=folder / "predictions.csv", device="cpu")


@pytest.fixture(scope="session")
def objects_job(made_once: MadeOnce, own_cache: None) -> Path:
    """Fields, objects, a run and predictions. Nobody may change it."""
    return made_once("objects", draw_fields)
