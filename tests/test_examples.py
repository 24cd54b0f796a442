"""Every Python example of the pages and of the public functions' docstrings runs, with small images and networks."""

import csv
import doctest
import functools
import inspect
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import write_cells
from test_docs import ROOT, Block, blocks, calls
from trained import GROUPS, INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.evaluation.calibration import expected_calibration_error
from coverslip.pipeline import train_without_report
from coverslip.runs.recipe import SplitPlan

MadeOnce = Callable[[str, Callable[[Path], object]], Path]
CELLS = ("lymphocyte", "monocyte")
# What examples leave to the default, which takes minutes.
QUICK = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 48, "tta": 1, "split": SplitPlan(folds=0)}
EXAMPLES = [
    # One example that trains is enough for every day.
    pytest.param(block, id=str(block), marks=pytest.mark.exhaustive if is_further_training else ())
    for block in blocks("python")
    if block.page.name != "script.md"  # test_script.py runs its blocks together, against a server
    for is_further_training in ["README" not in str(block) and ("cs.train(" in block.code or ".fit(" in block.code)]
]
FUNCTIONS = [name for name in cs.__all__ if not name.startswith("__") and name != "CoverslipError"]


@pytest.fixture(scope="session")
def stock(made_once: MadeOnce, own_cache: None) -> Path:
    """The files that examples name."""

    def make(folder: Path) -> None:
        for name, seed in (("cells", 0), ("my_cells", 0), ("images", 0), ("other_hospital", 1)):
            write_cells(folder / name, 54, classes=CELLS, seed=seed)
            lines = [
                f"{file.relative_to(folder).as_posix()},{file.parent.name},{file.name.partition('_')[0]}"
                for file in sorted((folder / name).rglob("*.png"))
            ]
            (folder / f"{name}.csv").write_text("\n".join(["path,label,patient", *lines]), encoding="utf-8")
        for name in ("new", "monday", "tuesday"):
            write_cells(folder / name, 4, is_sorted=False, seed=2)
            for number, file in enumerate(sorted((folder / name).glob("*.png")), start=1):
                _as_tiff(file, folder / name / f"{number}.tif")
        for number in range(3):
            write_cells(folder / "fields", 1, classes=(f"field{number}",), side=96, is_sorted=False, seed=number)
            (folder / "fields" / "slide0_000.png").rename(folder / "fields" / f"field{number}.png")
            rows = [f"{20 + 10 * k} {30 + 5 * k} {CELLS[k % 2]}" for k in range(6)]
            (folder / "points").mkdir(exist_ok=True)
            (folder / "points" / f"field{number}.txt").write_text("\n".join(rows), encoding="utf-8")
        rows = [f"P{k},{'ab'[k % 2]},{CELLS[1]},{0.2 + k % 5 / 20}" for k in range(9)]
        (folder / "samples.csv").write_text("\n".join(["sample,condition,class,unclipped", *rows]), encoding="utf-8")
        ages = [f"P{k},{40 + k * k % 7}" for k in range(9)]
        (folder / "patients.csv").write_text("\n".join(["sample,age", *ages]), encoding="utf-8")
        (folder / "mine.yaml").write_text("stage: instant\nepochs: 5\n", encoding="utf-8")
        data = cs.open_dataset(folder / "my_cells", group_pattern=GROUPS)
        for number, name in enumerate(("first", "second")):
            train_without_report(data, INSTANT.model_copy(update={"seed": number}), out=folder / "runs" / name)
        _save_weights(folder / "mobilenetv2_100.safetensors")

    return made_once("examples", make)


def _as_tiff(file: Path, tiff: Path) -> None:
    from PIL import Image

    Image.open(file).save(tiff)
    file.unlink()


def _save_weights(file: Path) -> None:
    from safetensors.torch import save_file

    from coverslip.models._libraries import import_timm

    save_file(import_timm().create_model("mobilenetv2_100").state_dict(), file)


@pytest.fixture
def place(stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, which is the current folder, and trainings that take seconds."""
    shutil.copytree(stock, tmp_path, dirs_exist_ok=True)
    shutil.copytree(os.environ["COVERSLIP_WEIGHTS"], tmp_path / "weights")
    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    train = cs.train

    @functools.wraps(train)
    def train_quickly(data: object, recipe: cs.Recipe | None = None, **choices: Any) -> cs.Run:  # Any: of train
        recipe = recipe or cs.Recipe()
        quick = {key: value for key, value in QUICK.items() if key == "model" or key not in recipe.model_fields_set}
        shutil.rmtree(choices["out"], ignore_errors=True)
        return train(data, recipe.model_copy(update=quick), **choices)

    monkeypatch.setattr(cs, "train", train_quickly, raising=False)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("block", EXAMPLES)
def test_an_example_of_the_pages_runs(block: Block, place: Path) -> None:
    exec(compile(block.code, str(block), "exec"), {"__name__": "__main__"})


@pytest.mark.slow
def test_the_commands_of_the_readme_run_one_after_another(place: Path) -> None:
    quick = [f"{key}={value}" for key, value in QUICK.items() if key != "split"]
    commands = [words for block in blocks("sh") if block.page == ROOT / "README.md" for words in calls(block)]
    assert [words[1] for words in commands] == ["inspect", "train", "predict", "summarise", "explain"]
    shutil.rmtree(place / "runs")
    for _, name, *words in commands:
        settings = [word for each in [*quick, "split.folds=0"] for word in ("--set", each)] if name == "train" else []
        assert main([name, *words, *settings]) == 0, name
    assert (place / "runs" / "first" / "report.html").is_file()
    assert len((place / "predictions.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4
    assert len(list((place / "explained").glob("*.png"))) == 4


@pytest.mark.slow
def test_the_notebook_runs(place: Path) -> None:
    notebook = json.loads((ROOT / "docs" / "first_classifier.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert [sample.n for sample in names["summary"].samples] == [4, 4]


@pytest.mark.slow
def test_the_example_in_r_gives_the_metrics_of_coverslip(place: Path) -> None:
    if not (rscript := shutil.which("Rscript")):
        pytest.skip("no R; .ci/programs installs it")
    (block,) = blocks("r")
    assert main(["predict", "runs/first", "images.csv", "--out", "predictions.csv"]) == 0
    Path("results.R").write_text(block.code, encoding="utf-8")
    done = subprocess.run([rscript, "results.R", "predictions.csv"], capture_output=True, text=True, check=True)
    printed = dict(re.findall(r"^(accuracy|calibration error) (\S+)", done.stdout, re.M))
    with Path("predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    label = np.array([CELLS.index(row["label"]) for row in rows])
    probability = np.array([[float(row[f"p:{name}"]) for name in CELLS] for row in rows])
    assert float(printed["accuracy"]) == pytest.approx(np.mean(probability.argmax(1) == label), abs=1e-6)
    expected = expected_calibration_error(probability, label)
    assert float(printed["calibration error"]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name in ("suggest", "train"))) for name in FUNCTIONS]
)
def test_an_example_of_a_docstring_runs_and_gives_what_it_says(name: str, place: Path) -> None:
    names = {"cs": cs, "Recipe": cs.Recipe}
    examples = doctest.DocTestParser().get_doctest(inspect.getdoc(getattr(cs, name)) or "", names, name, None, None)
    assert examples.examples, f"the docstring of {name} has no example"
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(
        examples, out=report.append
    )
    assert failed == 0, "".join(report)


def test_the_recipe_s_signature_names_every_key_in_few_words() -> None:
    signature = inspect.signature(cs.Recipe)
    assert set(signature.parameters) == set(cs.Recipe.model_fields)
    assert signature.parameters["seed"].default == 0
    assert len(str(signature)) < 1500
