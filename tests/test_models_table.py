"""A network of another package is one record there: every door shows it, and nothing here is edited."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coverslip.cli import main
from coverslip.models import ModelRecord, Normalization, list_models, register
from coverslip.models.zoo import PAPERS

RECORD = """
from coverslip.cli import main
from coverslip.models import ModelRecord, Normalization

NETWORKS = (
    ModelRecord(
        name="labnet",
        title="LabNet 7",
        family="LabNet",
        paper="The other lab 2026",
        builder="otherlab.network:LabNet",
        input_px=32,
        normalization=Normalization(mean=(0.25,) * 3, std=(0.5,) * 3),
        weights=None,
        license=None,
        freeze_boundaries={"maps": "maps", "backbone": ""},
        heatmap_layer="maps",
        taps=("maps",),
        parameters=8_224,
        macs=None,
        conv_linear_weights_x2=None,
    ),
)
"""
NETWORK = """
from torch import nn


class LabNet(nn.Module):
    def __init__(self, *, n_classes=1000, channels=3, width=8):
        super().__init__()
        self.maps = nn.Conv2d(channels, width, 3, stride=2)
        self.width = width
        self.reset_classifier(n_classes)

    def reset_classifier(self, n_classes):
        self.classifier = nn.Linear(self.width, n_classes) if n_classes else nn.Identity()

    def forward(self, x):
        return self.classifier(self.maps(x).mean(dim=(2, 3)))
"""


@pytest.fixture
def other_package(tmp_path: Path) -> Path:
    """A folder with a package as pip installs it, which adds a network."""
    (tmp_path / "otherlab").mkdir()
    (tmp_path / "otherlab" / "__init__.py").touch()
    (tmp_path / "otherlab" / "records.py").write_text(RECORD, encoding="utf-8")
    (tmp_path / "otherlab" / "network.py").write_text(NETWORK, encoding="utf-8")
    about = tmp_path / "otherlab-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: otherlab\nVersion: 1.0\n", encoding="utf-8")
    entries = "[coverslip.models]\nlab = otherlab.records:NETWORKS\n"
    (about / "entry_points.txt").write_text(entries, encoding="utf-8")
    return tmp_path


def python(code: str, beside: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(beside), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


SEEN_EVERYWHERE = """
import sys
from coverslip.cli import main
from coverslip.workspace.recipes import advised_models
assert main(["models"]) == 0
print({model.name: model.title for model in advised_models()}["labnet"])
assert "torch" not in sys.modules
sys.path.insert(0, "docs")
from make_reference import models_table
print(next(line for line in models_table().splitlines() if "labnet" in line))
import torch
from coverslip.models.building import default_options
from coverslip.models.networks import create_network
for head in ("native", "multi_layer"):
    network = create_network("labnet", n_classes=2, head=head, pretrained=False, options={"width": 4})
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 2)
print(network.mean.flatten().tolist(), default_options(network.record))
"""


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_network_of_another_package_is_listed_built_and_shown_at_every_door(other_package: Path) -> None:
    done = python(SEEN_EVERYWHERE, other_package)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("labnet") for line in lines)
    assert lines[-3] == "LabNet 7"
    assert lines[-2].startswith("| `labnet` | The other lab 2026 | 8,224 |")
    assert lines[-1] == "[0.25, 0.25, 0.25] {'width': 8}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace('"labnet"', '"resnet50"'), "there are two models named 'resnet50'"),
        (lambda text: "import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
    ],
    ids=["a name twice", "broken"],
)
@pytest.mark.exhaustive
def test_a_package_whose_networks_cannot_be_read_is_named(other_package: Path, change: object, fault: str) -> None:
    records = other_package / "otherlab" / "records.py"
    records.write_text(change(RECORD), encoding="utf-8")  # type: ignore[operator]  # parametrised
    done = python("from coverslip.cli import main; raise SystemExit(main(['models']))", other_package)
    assert (done.returncode, done.stdout) == (1, "")
    assert "'otherlab'" in done.stderr
    assert fault in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="two models named"):
        register(list_models()[0])


def test_weights_that_move_in_need_to_know_how() -> None:
    with pytest.raises(ValueError, match="both weights_of and transfer"):
        ModelRecord(
            name="borrower",
            title="Borrower",
            family="Borrower",
            paper="nobody",
            builder="nowhere:Borrower",
            input_px=32,
            normalization=Normalization((0.0,), (1.0,)),
            weights=None,
            weights_of="resnet50",
            license=None,
            freeze_boundaries={},
            heatmap_layer="",
            parameters=0,
            macs=None,
            conv_linear_weights_x2=None,
        )


def test_the_help_names_every_paper(capsys: pytest.CaptureFixture[str]) -> None:
    """By hand, since asking the zoo would make every `--help` slow."""
    assert main(["models", "--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in PAPERS if name not in shown] == []


def test_every_record_has_what_doors_show() -> None:
    for record in list_models():
        assert record.title, record.name
        assert record.title != record.name, record.name
        assert set(record.papers) <= set(PAPERS), record.name
        assert (record.weights is None) == (record.license is None), record.name
        assert len(record.normalization.mean) == len(record.normalization.std) == 3, record.name
    titles = [record.title for record in list_models()]
    assert len(set(titles)) == len(titles)
