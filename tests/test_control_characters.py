"""Names with control characters: no terminal obeys them, and no drawing or page of ours is broken by them."""

import csv
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from drawing import save_cell, write_cells
from trained import INSTANT

import coverslip as cs
from coverslip.cli import main
from coverslip.cli._show import filled_table, results_console
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.names import one_line
from coverslip.runs.recipe import Recipe

ATTACK = "\x1b]0;gone\x07\x9b31mred"
SHOWN = r"\x1b]0;gone\x07\x9b31mred"
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def test_folders_tables_and_recipes_give_a_class_the_same_name_that_can_be_read(tmp_path: Path) -> None:
    save_cell(tmp_path / "cells" / ATTACK / "a.png")
    save_cell(tmp_path / "cells" / "other" / "b.png")
    assert open_dataset(tmp_path / "cells").classes == (SHOWN, "other")
    with (tmp_path / "cells.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), ("cells/other/b.png", ATTACK)])
    assert open_dataset(tmp_path / "cells.csv").classes == (SHOWN,)
    recipe = Recipe.model_validate({"classes": {"rename": {"other": ATTACK}, "order": [ATTACK]}})
    assert (recipe.classes.rename, recipe.classes.order) == ({"other": SHOWN}, (SHOWN,))


def test_a_terminal_is_shown_control_characters_of_texts_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    console = results_console()
    console.print(f"file {ATTACK}", soft_wrap=True)
    console.print(filled_table((ATTACK, "n"), [(ATTACK, "1")]))
    out = capsys.readouterr().out
    assert out.count(SHOWN) == 3
    assert not _OBEYED.search(out)


def test_spaces_without_a_line_break_are_spaces_in_messages() -> None:
    p_value = "p\N{NO-BREAK SPACE}<\N{NARROW NO-BREAK SPACE}0.001"
    assert one_line(p_value) == p_value
    assert one_line("a\N{LINE SEPARATOR}b") == r"a\u2028b"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_commands_and_errors_show_control_characters_of_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    shutil.copy(save_cell(tmp_path / "a" / f"{ATTACK}.png"), save_cell(tmp_path / "b" / f"{ATTACK}2.png"))
    (tmp_path / "a" / f"{ATTACK}3.png").write_bytes(b"no image")
    assert main(["inspect", str(tmp_path), *options]) == 0
    assert main(["inspect", str(tmp_path / ATTACK), *options]) == 1
    out, err = capsys.readouterr()
    assert not _OBEYED.search(out + err)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_drawings_and_pages_of_a_run_stay_valid(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 45, classes=(ATTACK, "medium", "large"), side=32)
    for file in (tmp_path / "cells" / ATTACK).iterdir():
        file.rename(file.with_name(f"{file.stem}{ATTACK}.png"))
    run = cs.train(cs.open_dataset(tmp_path / "cells"), INSTANT, out=tmp_path / f"run {ATTACK}")
    drawings = list(run.folder.rglob("*.svg"))
    assert drawings
    for drawing in drawings:
        ElementTree.parse(drawing)  # noqa: S314 - our own file
    for page in (run.report_file, run.model_card_file):
        assert not _OBEYED.search(page.read_text(encoding="utf-8")), page
