"""The command line's manners: help, errors, exit codes, and what goes to which stream."""

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from io import StringIO
from itertools import chain
from pathlib import Path

import pytest
from parameters import only_first
from rich.console import Console

import coverslip as cs
from coverslip.__main__ import main as begin
from coverslip.cli import main
from coverslip.cli._show import filled_table, results_console, show_sections
from coverslip.cli.predict import _show_shares
from coverslip.cli.train import _next_free
from coverslip.evaluation.results import Metric
from coverslip.messages import text
from coverslip.reports.blocks import SectionContent, SectionText
from coverslip.runs.folder import Run

COMMANDS = (
    *("app", "demo"),
    *("inspect", "suggest", "label-errors", "agreement", "distance", "read", "objects"),
    *("train", "preview", "models", "study", "weights"),
    *("evaluate", "adapt", "compare", "decide", "explain", "report"),
    *("predict", "summarise", "spot-check", "export-objects"),
    "export",
    *("server", "backup", "restore", "cache", "doctor"),
)


def coverslip(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverslip", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_every_command_has_a_help_text_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert main([command, "--help"]) == 0, command
        text = capsys.readouterr().out
        assert re.search(r"Examples?:", text), command
        assert f"coverslip {command}" in text.split("Example")[1], command


def test_the_main_help_lists_every_command_once_with_its_whole_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [word for line in lines if (word := (re.findall(r"^  ([a-z-]+) {2,}[A-Z]", line) or [""])[0])]
    assert [name for name in listed if not name.startswith("-")] == list(COMMANDS)
    assert not any(line.endswith("...") for line in lines[1:])
    assert max(map(len, lines)) <= 80


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    only_first(
        2, [["--help"], ["train", "--help"], ["preview", "--help"], ["--version"], ["models"], ["weights", "--help"]]
    ),
)
def test_help_and_the_list_of_models_answer_without_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from coverslip.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'torchvision', 'timm', 'sklearn', 'scipy', 'matplotlib', 'onnxruntime'}; "
        "print('HEAVY', sorted(heavy & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_classifier_that_predicted_here_predicts_without_torch_from_then_on(
    trained: Run, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))  # another worker's training fills another cache
    code = "import sys; from coverslip.cli import main; code = main(sys.argv[1:]); print('torch' in sys.modules)"
    image, out = next(cells.rglob("*.png")), tmp_path / "p.csv"
    arguments = ["predict", trained.folder, image, "--out", out]
    for needs_torch in ("True", "False"):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == needs_torch
    (row,) = csv.DictReader(out.open())
    network = cs.load_classifier(trained.folder, "cpu").predict([image])
    assert float(row["probability"]) == pytest.approx(network.rows[0].probability, abs=1e-5)


@pytest.mark.slow
def test_reading_the_commands_imports_no_room_of_the_house() -> None:
    code = "import sys, coverslip.cli; print({'coverslip.datasets', 'coverslip.runs', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert coverslip("--version").stdout.strip() == f"coverslip {version('coverslip')}"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["trian", "cells"], "train"),
        (["train", "cells", "--gruop", "x"], "--group"),
        (["train"], "DATA"),
        (["train", "cells", "--group", "a", "--group-pattern", "b"], "not both"),
        (["predict", "run", "x.png", "--batch-size", "0"], "batch-size"),
    ],
)
def test_wrong_usage_is_one_line_that_helps_and_exit_code_2(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert hint in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "nowhere"],
        ["train", "nowhere"],
        ["predict", "nowhere", "x.png"],
        ["evaluate", "nowhere"],
        ["report", "nowhere"],
        ["models", "no_such_network"],
        ["train", ".", "--set", "epochz=3"],
        ["train", ".", "--recipe", "nowhere.yaml"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert "error in coverslip" not in err
    assert list(tmp_path.iterdir()) == [], "a command that could not start leaves nothing behind"


@pytest.mark.slow
def test_debug_shows_where_an_error_arose(tmp_path: Path) -> None:
    quiet = coverslip("inspect", "nowhere", cwd=tmp_path)
    loud = coverslip("inspect", "nowhere", "--debug", cwd=tmp_path)
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.returncode == 1


def test_the_demo_refuses_a_folder_that_is_not_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "precious.png").write_bytes(b"mine")
    assert main(["demo", "--out", str(tmp_path)]) == 1
    printed = " ".join(capsys.readouterr().err.split())
    assert text("demo-folder-not-empty") in printed
    assert "--out" in printed
    assert (tmp_path / "images" / "precious.png").read_bytes() == b"mine"


@pytest.mark.slow
def test_models_as_json_is_one_object_with_the_default_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    names = [record["name"] for record in json.loads(capsys.readouterr().out)["models"]]
    assert "efficientnet_lite0" in names
    assert main(["models", "efficientnet_lite0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "efficientnet_lite0"


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_causes_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "coverslip", "models", "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""


def test_runs_without_a_name_are_numbered(tmp_path: Path) -> None:
    assert _next_free(tmp_path, "cells") == tmp_path / "cells-1"
    (tmp_path / "cells-1").mkdir()
    assert _next_free(tmp_path, "cells") == tmp_path / "cells-2"


@pytest.mark.parametrize(
    ("environment", "expected"), [({}, "3000 None"), ({"OMP_WAIT_POLICY": "active"}, "None active")]
)
def test_waiting_threads_sleep_soon_unless_the_user_chose_otherwise(environment: dict[str, str], expected: str) -> None:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    script = f"""
import os
from coverslip.__main__ import main as begin
from coverslip.cli import main
main(["--version"])
print(*map(os.environ.get, {names}))
"""
    variables = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", script], env=variables | environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == expected


def test_ctrl_c_before_the_command_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "coverslip.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "coverslip.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    assert begin() == 130
    assert capsys.readouterr().err == "Error: Interrupted.\n"


def test_each_table_of_a_section_has_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    tables = [
        SectionText(rows=[("a", "1")], columns=("b", "c"), **title) for title in ({"heading": "D"}, {"summary": "E"})
    ]
    show_sections(results_console(), [SectionContent("F", tables)], has_folded=True)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if len(line) == 1] == ["F", "D", "E"]


@pytest.mark.parametrize("n_classes", [2, 24])
def test_estimated_proportions_of_some_classes_only_say_so(n_classes: int, capsys: pytest.CaptureFixture[str]) -> None:
    shares = {f"class {k}": Metric(value=0.1, low=0.0, high=0.2) for k in range(n_classes)}
    _show_shares(shares, dict.fromkeys(shares, 0.1))
    sentence = text("report-largest-classes", n_shown=12, n_classes=n_classes)
    assert (sentence in capsys.readouterr().out) == (n_classes > 12)


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_no_cell_of_a_table_that_is_wider_than_the_console_is_cut(width: int) -> None:
    names = ", ".join(f"class_with_a_long_name_{k}" for k in range(12))
    rows = [("Classes", "a, b", names), ("Parts", "train 286, val 98, test 97", "train 189, val 63, test 63")]
    console = Console(width=width, file=StringIO())
    console.print(filled_table(("", "first", "second"), rows, text_columns=("first", "second")))
    shown = re.sub(r"\s", "", console.file.getvalue())
    assert Counter(shown) == Counter(re.sub(r"\s", "", "".join([*chain(*rows), "first", "second"])))


def test_in_80_columns_no_number_is_wrapped_inside() -> None:
    row = ("a class with a long name", "12,345", "0.928 (0.851–0.970)", "0.902 (0.801–0.951)", "0.915")
    console = Console(width=80, file=StringIO())
    console.print(filled_table(("class", "images", "recall", "precision", "F1"), [row]))
    shown = console.file.getvalue().split()
    assert {"12,345", "0.928", "(0.851–0.970)", "0.902", "(0.801–0.951)", "0.915"} <= set(shown)
