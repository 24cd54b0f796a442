"""Commands of people who come from other programs: the error suggests the right one, in one line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cells, save_pixels
from synthetic_runs import write_run
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadDataset
from coverslip.evaluation.results import Evaluation
from coverslip.evaluation.summary import evaluate_predictions
from coverslip.events import Event, Progressed
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun, read_run
from coverslip.reports.verdict import verdict_as_json, verdict_of_run
from coverslip.runs.folder import Run
from coverslip.runs.results import write_metrics


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return save_cells(tmp_path / "cells")


@pytest.mark.parametrize("arguments", [["train", "cells", "--preset", "fast"], ["predict", "run", "--device", "tpu"]])
def test_an_unknown_choice_is_refused_without_words_of_the_parser(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert f"'{arguments[-2]}'" in err
    assert f"'{arguments[-1]}'" in err
    assert "Value error" not in err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["train", "cells", "--epochs", "3"], "--set epochs=3"),
        (["train", "cells", "--epochs=3"], "--set epochs=3"),
        (["train", "cells", "--batch-size", "8"], "--set batch_size=8"),
        (["train", "cells", "--lr", "0.1"], "--set learning_rate=0.1"),
        (["train", "cells", "--folds", "5"], "--set split.folds=5"),
        (["train", "cells", "--imgsz"], "--set image_size=VALUE"),
        (["preview", "cells", "--image-size", "64"], "--set image_size=64"),
        (["train", "cells", "epochs=3"], "--set epochs=3"),
        (["train", "cells", "lr=1"], "--set learning_rate=1"),
        (["export", "run", "--to", "tiff"], "zip, onnx, bioimageio"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("pictures")
def test_an_option_of_other_programs_leads_to_ours(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    "arguments",
    [["predict", "run", "x", "--epochs", "3"], ["train", "--jsn"], ["train", "x", "--groups", "p"]],
    ids=" ".join,
)
def test_no_choice_of_a_recipe_is_proposed_where_there_is_none(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "recipe" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("lr=0.1", "learning_rate"),
        ("imgsz=64", "image_size"),
        ("backbone=vgg16", "model"),
        ("cv=5", "split.folds"),
        ("random_state=1", "seed"),
        ("epoch=1", "epochs"),
        ("augment.rotation=1", "augment.rotate_degrees"),
    ],
)
@pytest.mark.usefixtures("pictures")
def test_a_key_of_other_programs_names_ours(setting: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "cells", "--set", setting]) == 1
    assert f"did you mean '{key}'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--set", "dropout=1"], ["--set", "verbose=1"], ["--set", "gpu=0"], ["--name", "x"]]
)
@pytest.mark.usefixtures("pictures")
def test_nothing_is_proposed_where_no_name_is_near(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "cells", *arguments]) in (1, 2)
    stderr = capsys.readouterr().err
    assert "did you mean" not in stderr
    assert "Possible options" not in stderr


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_a_network_that_only_timm_has_is_named_as_timms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "cells", "--model", "resnet18"]) == 1
    assert "--set model=timm/resnet18" in capsys.readouterr().err
    assert main(["models", "resnet51"]) == 1
    assert "did you mean 'resnet50'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["p.xlsx", "p.XLS", "p.parquet", "p.json", "p.tsv"])
def test_predictions_are_not_written_under_the_name_of_another_format(
    name: str, trained: Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(trained.folder), str(cells), "--out", str(tmp_path / name)]) == 1
    assert f"{Path(name).stem}.csv" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_nothing_readable_at_all_is_a_failure_with_its_rows_written(
    trained: Run, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    table = tmp_path / "p.csv"
    assert main(["predict", str(trained.folder), str(broken), "--out", str(table)]) == 1
    assert text("no-image-predicted") in " ".join(capsys.readouterr().err.split())
    assert "unreadable" in table.read_text(encoding="utf-8")
    assert main(["predict", str(trained.folder), str(broken), "--out", str(table), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["decisions"] == {"unreadable": 1}
    readable = next(cells.rglob("*.png"))
    assert main(["predict", str(trained.folder), str(broken), str(readable), "--out", str(table)]) == 0


@pytest.mark.slow
@pytest.mark.exhaustive
def test_training_says_where_the_run_lies_and_that_groups_are_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_cells(tmp_path / "cells", n=20)
    settings = [f"model={SMALL_NETWORK}", "stage=instant", "image_size=32", "tta=1", "split.folds=0"]
    quick = [f"--set={setting}" for setting in settings]
    out = tmp_path / "run"
    assert main(["train", str(tmp_path / "cells"), *quick, "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("run") == str(out)
    assert printed.pop("verdict") == verdict_as_json(verdict_of_run(read_run(out)))
    assert printed == json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert main(["evaluate", str(out)]) == 0
    headline = " ".join(capsys.readouterr().out.split())
    assert text("verdict-without-groups", is_external=False) in headline


def test_the_headline_of_grouped_images_needs_no_such_word(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from coverslip.cli._show import results_console, show_result

    show_result(results_console(), ReportedRun(trained))
    assert "No groups" not in capsys.readouterr().out


def mixed(folder: Path, *channels: int) -> Path:
    """Images of two classes with each of these numbers of channels."""
    from tifffile import imwrite

    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        for n in channels:
            for k in range(8):
                pixels = rng.integers(0, 255, (20, 20, n), dtype=np.uint8)
                file = folder / label / f"{n}_{k}.tif"
                save_pixels(file.with_suffix(".png"), pixels[..., 0]).rename(file)  # makes the folder
                layout = "contig" if n > 1 else None
                imwrite(file, pixels.squeeze(), photometric="minisblack", planarconfig=layout)
    return folder


@pytest.mark.slow
def test_channels_that_do_not_mix_are_reported_by_inspect_with_what_all_of_them_have(tmp_path: Path) -> None:
    data = cs.open_dataset(mixed(tmp_path, 3, 4))
    (finding,) = inspect_dataset(data, scan_images(data)).of("unlike-channels")
    assert finding.severity == "error"
    assert "gray" not in finding.text.lower()
    assert finding.remedies[0].value == [0, 1, 2]
    with pytest.raises(BadDataset) as raised:
        cs.train(data, cs.Recipe(stage="instant", model=SMALL_NETWORK), out=tmp_path / "run")
    assert raised.value.code == "different-channels"
    assert raised.value.remedies == finding.remedies


@pytest.mark.slow
def test_inspect_reads_what_a_training_with_these_choices_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed(tmp_path / "cells", 3, 4)
    codes = []
    for choices in ([], ["--set", "images.channels=[0, 1, 2]"]):
        assert main(["inspect", str(tmp_path / "cells"), "--json", *choices]) == 0
        printed = json.loads(capsys.readouterr().out)
        codes.append({finding["code"] for finding in printed["findings"]} & {"unlike-channels"})
    assert codes == [{"unlike-channels"}, set()]


def test_no_channels_are_proposed_that_gray_images_lack(tmp_path: Path) -> None:
    data = cs.open_dataset(mixed(tmp_path, 1, 3, 4))
    inspection = inspect_dataset(data, scan_images(data))
    assert inspection.of("unlike-channels")[0].remedies == ()


def test_a_training_on_channels_that_do_not_mix_is_refused_before_all_images_are_read(tmp_path: Path) -> None:
    mixed(tmp_path / "cells", 3, 4)
    for file in list((tmp_path / "cells").rglob("*.tif")):
        for k in range(10):
            (file.parent / f"{file.stem}_{k}.tif").symlink_to(file)
    events: list[Event] = []
    recipe = cs.Recipe(stage="instant", model=SMALL_NETWORK)
    with pytest.raises(BadDataset) as refused:
        cs.train(tmp_path / "cells", recipe, out=tmp_path / "run", emit=events.append)
    assert refused.value.code == "different-channels"
    assert refused.value.parameters["n_checked"] == 32
    assert not any(isinstance(event, Progressed) for event in events)


@pytest.mark.parametrize("command", [["train"], ["preview"], ["weights", "import"]], ids=" ".join)
def test_help_takes_the_terminals_width_and_breaks_no_example(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    longest = {}
    for columns in (60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main([*command, "--help"]) == 0
        words, _, examples = capsys.readouterr().out.partition("Example")
        examples, _, options = examples.partition("\nArguments:")
        longest[columns] = max(map(len, f"{words}{options}".splitlines()))
        lines = [line for line in examples.splitlines()[1:] if line.strip()]
        assert [line for line in lines if not line.startswith("    coverslip ")] == []
    assert longest[60] <= 60 < longest[80] <= 80 < longest[120] <= 120


@pytest.mark.slow
def test_commands_options_networks_and_keys_complete_in_a_shell() -> None:
    def completed(line: str) -> list[str]:
        place = len(f"{line}|".split()) - 1
        words = {"COMP_WORDS": line, "COMP_CWORD": str(place), "_COVERSLIP_COMPLETE": "complete_bash"}
        code = "from coverslip.cli import main; main([])"
        environment = {**os.environ, **words}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert "train" in completed("coverslip ")
    assert completed("coverslip train --group-") == ["--group-pattern"]
    assert completed("coverslip train --model resnet5") == ["resnet50"]
    assert completed("coverslip train --set learning") == ["learning_rate="]


def many_classes(n: int) -> Evaluation:
    """Class 7 is taken for class 8 each time, all others are known."""
    label = np.repeat(np.arange(n), 3)
    predicted = np.where(label == 7, 8, label)
    probability = np.full((len(label), n), 0.1 / (n - 1))
    probability[np.arange(len(label)), predicted] = 0.9
    classes = [f"kind {k}" for k in range(n)]
    return evaluate_predictions(probability, label, classes, split="test", primary="macro_f1")


def test_of_many_classes_the_worst_and_the_most_confused_are_shown_and_all_on_request(tmp_path, capsys):
    from coverslip.cli._show import results_console, show_result

    reported = read_run(write_run(tmp_path, [f"kind {k}" for k in range(40)], n_test=120, finetuned=False))
    write_metrics(reported.run.metrics_file, many_classes(40))
    reported = read_run(reported.run.folder)
    show_result(results_console(), reported)
    shown = capsys.readouterr().out
    assert shown.index("\nkind 7 ") < shown.index("\nkind 8 ")
    assert not all(f"kind {k} " in shown for k in range(40))
    show_result(results_console(), reported, all_classes=True)
    shown = capsys.readouterr().out
    assert re.search(r"kind 7 +kind 8 +3 +100", shown)
    assert all(f"kind {k} " in shown for k in range(40))
