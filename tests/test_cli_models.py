"""`coverslip models`: the list and its filters, and one network counted as it would be built."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from coverslip.cli import main
from coverslip.messages import text

Capture = pytest.CaptureFixture[str]

KEYS = {
    *("name", "family", "paper", "parameters", "conv_linear_weights_x2", "macs", "input_px", "channels", "weights"),
    *("license", "freeze_boundaries", "heatmap_layer"),
}


def as_json(capsys: Capture, *arguments: str) -> dict[str, Any]:
    assert main(["models", *arguments, "--json"]) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def listed(capsys: Capture, *arguments: str) -> set[str]:
    return {record["name"] for record in as_json(capsys, *arguments)["models"]}


@pytest.mark.slow
def test_one_network_is_one_object_with_all_that_is_known(capsys: Capture) -> None:
    record = as_json(capsys, "shufflenet_v2_x1_0", "--classes", "8")
    assert set(record) >= KEYS
    assert (record["parameters"], record["channels"], record["input_px"]) == (1_261_804, 3, 224)
    assert record["freeze_boundaries"] == ["conv1", "stage2", "stage3", "stage4", "backbone"]
    assert as_json(capsys, "shufflenet_v2_x1_0", "--channels", "1")["channels"] == 1


@pytest.mark.slow
@pytest.mark.exhaustive
def test_options_reach_the_network_with_their_types(capsys: Capture) -> None:
    plain = ("--option", "dsc=false", "--option", "mv2_attention=none", "--option", "mobilevit_attention=none")
    record = as_json(capsys, "mobilevit_mn", *plain, "--option", "depths=[2, 4, 3]")
    assert (record["parameters"], record["conv_linear_weights_x2"]) == (1_272_024, 2_516_672)
    assert record["options"]["dsc"] is False
    assert as_json(capsys, "mobilevit_mn", *plain, "--classes", "2")["parameters"] == 951_666


@pytest.mark.exhaustive
@pytest.mark.slow
def test_options_are_shown_as_they_are_given(capsys: Capture) -> None:
    assert main(["models", "mobilevit_mn"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("known options "))
    shown = re.split(r", (?=\w+=)", line.removeprefix("known options").strip())
    assert {"dsc=true", "depths=[2, 4, 3]"} <= set(shown)
    options = [argument for each in shown for argument in ("--option", each)]
    record = as_json(capsys, "mobilevit_mn", *options)
    assert record["options"] == record["known_options"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_any_network_of_timm_is_described_too(capsys: Capture) -> None:
    record = as_json(capsys, "timm/resnet18", "--classes", "2")
    assert set(record) >= KEYS
    assert record["parameters"] == 11_177_538
    assert record["freeze_boundaries"] == ["layer1", "layer2", "layer3", "layer4", "backbone"]
    assert record["heatmap_layer"] == "layer4"
    assert as_json(capsys, "timm/cait_xxs24_224")["heatmap_layer"] == "blocks.23.norm1"  # a class token of its own kind


def test_the_list_narrows_by_paper_and_weights(capsys: Capture) -> None:
    everything = listed(capsys)
    assert "mobincep" in listed(capsys, "--paper", "mobincep")
    assert "efficientnet_lite0" in listed(capsys, "--available")
    assert listed(capsys, "--available") < everything
    assert listed(capsys, "--paper", "mobincep", "--available") < listed(capsys, "--paper", "mobincep")


def test_the_table_says_what_a_choice_costs(capsys: Capture) -> None:
    assert main(["models", "--paper", "aimic"]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("googlenet"))
    assert row.split()[2:6] == ["6.6", "M", "1.50", "G"]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--paper", "aimic", "--json"], ["--available"]])
@pytest.mark.exhaustive
def test_lists_need_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from coverslip.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or any(m in sys.modules for m in ('torch', 'timm', 'torchvision')))"
    )
    subprocess.run([sys.executable, "-c", code, "models", *arguments], capture_output=True, check=True)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["resnet34", "--paper", "aimic"], 2, text("usage-filter-with-name")),
        (["--option", "dsc=true"], 2, "NAME"),
        (["--classes", "8"], 2, "NAME"),
        (["resnet34", "--bench", "--option", "drop_rate=0.1"], 2, text("usage-bench-option")),
        (["resnet34", "--bench", "--classes", "8"], 2, text("usage-bench-option")),
        (["mobilevit_mn", "--option", "dsc"], 2, "key=value"),
        (["mobilevit_mn", "--option", "dcs=true"], 1, "Its options are"),
        (["convnext_tiny", "--option", "depths=[1, 2]"], 1, "does not accept these `model_options`"),
        (["resnet50", "--option", "drop_rate=abc"], 1, "does not accept these `model_options`"),
        (["--paper", "cells"], 1, "The papers are"),
        (["resnet34", "--classes", "0"], 2, "classes"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], code: int, sentence: str, capsys: Capture) -> None:
    assert main(["models", *arguments]) == code
    assert sentence in capsys.readouterr().err
