"""What it takes to add a thing: one record each, and every door shows it without being touched.

A metric, a random change, a finding and a section of the report are added while the program runs. Formats, networks and
recipe keys have such tests in test_images_formats.py, test_models_table.py and test_recipe_keys.py.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import write_cells
from image_sets import App, workspace_in

from coverslip.augmentation.table import AUGMENTATIONS, Augmentation
from coverslip.cli import main
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.findings import FINDINGS, FindingCase, FindingKind
from coverslip.datasets.quality.scanning import Scan
from coverslip.evaluation.table import METRICS, MetricRecord
from coverslip.keys import Key
from coverslip.messages import add_entries
from coverslip.reports.sections import SECTIONS, Section, SectionText
from coverslip.studies.results import ResultRow, write_results

SETTINGS = {
    "model": "timm/mobilenetv3_small_050",
    "init": "scratch",
    "image_size": 32,
    "tta": 1,
    "epochs": 1,
    "split.folds": 0,
    "primary_metric": "lowest_recall",
    "augment.speckle": 0.2,
}


def _lowest_recall(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return min(float((predicted[label == k] == k).mean()) for k in np.unique(label))


def _draw(random: object, amount: float) -> dict[str, torch.Tensor]:
    return {"amount": random.uniform(0, 1) * amount} if amount else {}  # type: ignore[attr-defined]


def _speckled(x: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
    return x + drawn["amount"].reshape(-1, 1, 1, 1) * torch.linspace(-1, 1, x.shape[-1])


def _first_image(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    yield FindingCase(
        text="The first image is the first.",
        do="Nothing is wrong with that.",
        images=((dataset.records[0].image_id,),),
        limit="The first image may differ from the last.",
    )


METRIC = MetricRecord(name="lowest_recall", value=_lowest_recall)
add_entries("""
metric-lowest-recall = Lowest recall
    .meaning = of the class that is found least

key-augment-speckle =
    .name = Speckle
    .help = A little noise.
    .meaning = Largest noise as a share of the full range.
    .phrase = speckle of up to { $value }
""")
AUGMENTATION = Augmentation(
    name="speckle",
    key=Key("augment", is_percentage=True),
    draw=_draw,
    change=_speckled,
    limits={"ge": 0, "lt": 1},
)
FINDING = FindingKind("first-image", "advice", _first_image, title="First image")
SECTION = Section(
    name="weather",
    title=lambda: "The weather",
    order=950,
    blocks=lambda run: [SectionText(("It was a bright day.",), ("hour", "sky"), (("9", "blue"),))],
)


@pytest.fixture(scope="module")
def added() -> Iterator[None]:
    METRICS.add(METRIC)
    AUGMENTATIONS.add(AUGMENTATION)
    FINDINGS.add(FINDING)
    SECTIONS.add(SECTION)
    yield
    METRICS.remove(METRIC.name)
    AUGMENTATIONS.remove(AUGMENTATION.name)
    FINDINGS.remove(FINDING.name)
    SECTIONS.remove(SECTION.name)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / "cells"
    return write_cells(folder, 40, classes=("small", "large"), n_slides=1, side=32)


@pytest.fixture(scope="module")
def run(added: None, cells: Path) -> Path:
    """A run in the app's folder, trained by the command."""
    folder = cells.parent / "home" / "runs" / "first"
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    assert main(["train", str(cells), *settings, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_command_line_shows_them(run: Path, cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(cells), "--json"]) == 0
    assert "first-image" in [finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert main(["inspect", str(cells)]) == 0
    assert "The first image is the first." in capsys.readouterr().out
    assert main(["evaluate", str(run), str(cells)]) == 0
    assert "Lowest recall" in capsys.readouterr().out
    assert main(["train", "--keys"]) == 0
    assert "augment.speckle=" in capsys.readouterr().out


@pytest.mark.slow
def test_the_report_and_its_methods_text_show_them(run: Path) -> None:
    report = " ".join((run / "report.html").read_text(encoding="utf-8").split())
    for sentence in (
        "Lowest recall",
        "speckle of up to 20%",
        "keeping the one with the best lowest recall",
        "The first image may differ from the last.",
        "The weather",
        "It was a bright day.",
        "<td>blue</td>",
    ):
        assert sentence in report, sentence
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert 0 <= metrics["metrics"]["lowest_recall"]["value"] <= 1
    assert "first-image" in [each["code"] for each in json.loads((run / "data.json").read_text())["findings"]]


@pytest.mark.slow
def test_the_app_and_the_document_of_its_api_show_them(run: Path, cells: Path) -> None:
    app = App(workspace_in(cells.parent))
    with app.client:  # takes in runs that lie in its folder
        (listed_run,) = app.get("runs")["items"]
        SECTIONS.remove(SECTION.name)
        results = app.get(f"jobs/{listed_run['id']}/results")
        assert "weather" not in [section["name"] for section in results["sections"]]
        SECTIONS.add(SECTION)  # cached results without it are recomputed
        results = app.get(f"jobs/{listed_run['id']}/results")
        keys = {key["key"]: key for key in app.get("recipe")["keys"]}
        document = app.get("openapi.json")
    (numbers,) = [section for section in results["sections"] if section["name"] == "numbers"]
    assert "Lowest recall" in [metric["title"] for metric in numbers["blocks"][0]["metrics"]]
    (weather,) = [section for section in results["sections"] if section["name"] == "weather"]
    rows = [[cell["text"] for cell in row] for row in weather["blocks"][0]["rows"]]
    assert (weather["title"], rows) == ("The weather", [["9", "blue"]])
    assert keys["augment.speckle"]["title"] == "Speckle"
    assert "lowest_recall" in [choice["value"] for choice in keys["primary_metric"]["choices"]]
    schemas = document["components"]["schemas"]
    for schema, field, sentence in (
        ("MetricValue", "name", "`lowest_recall`"),
        ("NewRun", "recipe", "`augment.speckle`"),
        ("Finding", "code", "`first-image`"),
        ("ReportSection", "name", "`weather`"),
    ):
        assert sentence in schemas[schema]["properties"][field]["description"], schema


def test_a_study_has_a_column_for_every_metric(added: None, tmp_path: Path) -> None:
    row = ResultRow(
        dataset="cells", model="a", regime="imagenet", train_per_class=None, repeat=1, fold=None, seed=0,
        metrics={METRIC.name: 0.25}, state="done", run="a",
    )  # fmt: skip
    write_results([row], tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        (written,) = csv.DictReader(file)
    assert set(METRICS) <= set(written)
    assert (written[METRIC.name], written["macro_f1"]) == ("0.25", "")


_ROOT = Path(__file__).parent.parent
_GENERATED = {"recipe.md", "models.md", "commands.md", "schema.d.ts"}


def files_that_name(name: str) -> int:
    word = re.compile(rf"\b{name.replace('_', '[-_]')}\b")  # the codes of messages have dashes
    folders = [_ROOT / "src" / "coverslip", _ROOT / "web" / "src", _ROOT / "docs"]
    files = [_ROOT / "README.md", *(file for folder in folders for file in folder.rglob("*"))]
    return sum(
        bool(word.search(file.read_text(encoding="utf-8")))
        for file in files
        if file.suffix in {".py", ".toml", ".md", ".ts", ".svelte", ".ftl", ".html"}
        and file.name not in _GENERATED
        and not {"papers", "studies", "static"} & set(file.relative_to(_ROOT).parts[1:-1])
    )


@pytest.mark.slow
def test_additions_take_as_many_files_as_the_guide_says() -> None:
    guide = (_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    examples = re.findall(r"\| `(\w+)` (\d+) \|$", guide, re.MULTILINE)
    assert len(examples) == 4
    assert {name: files_that_name(name) for name, _ in examples} == {name: int(n) for name, n in examples}
