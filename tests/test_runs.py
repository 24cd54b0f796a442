"""Recipes: an empty one is good, faults are named with the nearest valid key, and what is saved is read back."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing

from coverslip.augmentation.table import AUGMENT_SETS
from coverslip.errors import BadRecipe, BadRun, CoverslipError
from coverslip.events import InstantClassifierFitted
from coverslip.machine import process_started
from coverslip.messages import ChooseOther, Resume, text
from coverslip.runs.documents import rows_of_table, write_table
from coverslip.runs.folder import Run, create_run_folder, open_run
from coverslip.runs.log import RunLog
from coverslip.runs.recipe import Augment, ImageChoices, Recipe, augment_named
from coverslip.runs.recipe_keys import check_recipe, load_recipe, save_recipe, with_settings
from coverslip.runs.status import StatusFile


def test_an_empty_recipe_is_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert load_recipe(tmp_path / "empty.yaml") == Recipe()


@pytest.mark.slow
@given(
    st.builds(
        Recipe,
        epochs=st.integers(1, 100),
        learning_rate=st.floats(1e-6, 1),
        group=st.none() | st.text(min_size=1, alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
        images=st.builds(
            ImageChoices,
            z=st.integers(0, 9) | st.sampled_from(["max", "mean"]),
            channels=st.none() | st.lists(st.integers(0, 5) | st.just("DAPI"), min_size=1, max_size=3).map(tuple),
        ),
        patience=st.none() | st.integers(1, 50),
    )
)
@pytest.mark.exhaustive
def test_a_saved_recipe_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    save_recipe(recipe, file)
    assert load_recipe(file) == recipe


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("split.tests=0.3", "did you mean 'split.test'"),
        ("augment.rotate=20", "did you mean 'augment.rotate_degrees'"),
        ("flip=false", "did you mean 'augment.flip'"),
        ("epochs=many", "epochs = 'many'"),
        ("epochs=0", text("recipe-value", key="epochs")),
        ("batch_size=0", text("value-below-minimum", limit=1)),
        ("learning_rate=.nan", "learning_rate"),
        ("stage=quick", "'finetune' or 'instant'"),
        ("images.z=-1", "images.z"),
        ("images.level=-1", "images.level"),
        ("images.channel=0", "did you mean 'images.channels'"),
        ("augment=stian", "did you mean 'stain'"),
        ("augment.shear=3", "did you mean 'augment.shear_degrees'"),
        ("resize=canvass", "'crop' or 'canvas'"),
        ("split=3", "split"),
        ("epochs", text("setting-without-value", setting="epochs")),
        ("model=[", text("setting-not-readable", setting="model=[")),
    ],
)
def test_every_fault_is_named_with_what_would_be_right(setting: str, sentence: str) -> None:
    with pytest.raises(BadRecipe) as caught:
        with_settings(Recipe(), [setting])
    assert sentence in str(caught.value)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(BadRecipe) as caught:
        check_recipe({"epoch": 1, "batchsize": 2, "seed": -1})
    assert all(name in str(caught.value) for name in ("'epochs'", "'batch_size'", "seed = -1"))


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "{", "\x00", "format_version: 9"])
def test_a_file_that_is_no_recipe_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(BadRecipe, match=r"r\.yaml"):
        load_recipe(tmp_path / "r.yaml")


def test_settings_reach_into_sections() -> None:
    recipe = with_settings(Recipe(), ["split.val=0.1", "augment.flip=false", "images.channels=[0, 2]", "patience=null"])
    assert (recipe.split.val, recipe.augment.flip, recipe.images.channels, recipe.patience) == (
        0.1,
        False,
        (0, 2),
        None,
    )


@pytest.mark.parametrize("name", AUGMENT_SETS)
def test_a_name_stands_for_a_whole_set_of_random_changes_and_settings_go_on_top(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"augment: {name}\n")
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert recipe.augment == augment_named(name)
    assert recipe == with_settings(Recipe(), [f"augment={name}"])
    save_recipe(recipe, tmp_path / "resolved.yaml")
    assert "blur:" in (tmp_path / "resolved.yaml").read_text()
    assert load_recipe(tmp_path / "resolved.yaml") == recipe
    blurred = with_settings(Recipe(), [f"augment={name}", "augment.blur=1.5"]).augment
    assert blurred == recipe.augment.model_copy(update={"blur": 1.5})


def test_no_new_augmentation_is_on_by_default() -> None:
    off = {"shear_degrees", "crop", "blur", "saturation", "hue_degrees", "stain"}
    assert {name for name, value in Augment().model_dump().items() if not value} == off
    assert not any(augment_named("none").model_dump().values())


def test_a_table_keeps_any_text_and_is_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    rows = [
        {"label": text, "n": "1"} for text in ("-neg", "=1+1", "a,b", 'c"d', "e\nf", "'quoted'", "'-x", "''=y", "é🔬")
    ]
    write_table(tmp_path / "t.csv", ("label", "n"), rows)
    assert list(rows_of_table(tmp_path / "t.csv")) == rows
    assert "\n=1+1" not in (tmp_path / "t.csv").read_text()


def test_run_folders_are_not_overwritten_and_others_not_taken_for_runs(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.docx").touch()
    with pytest.raises(BadRun) as refused:
        create_run_folder(tmp_path / "full")
    assert refused.value.code == "run-folder-exists"
    with pytest.raises(BadRun) as refused:
        open_run(tmp_path / "full")
    assert refused.value.code == "not-a-run"
    (tmp_path / "full" / "recipe.yaml").write_text("")
    (tmp_path / "full" / "environment.json").write_text('{"format_version": 2}')
    with pytest.raises(BadRun) as refused:
        open_run(tmp_path / "full")
    assert refused.value.code == "newer-run-format"


@pytest.mark.parametrize(("value", "text"), [("7", "7"), ("2024-01-05", "2024-01-05"), ("patient", "patient")])
def test_a_group_that_looks_like_a_number_or_a_date_is_text(tmp_path: Path, value: str, text: str) -> None:
    (tmp_path / "r.yaml").write_text(f"group: {value}\n")
    assert load_recipe(tmp_path / "r.yaml").group == text
    assert with_settings(Recipe(), [f"group={value}"]).group == text


def test_a_date_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("group: 2024-99-99\n")
    with pytest.raises(BadRecipe) as refused:
        load_recipe(tmp_path / "r.yaml")
    assert (refused.value.code, refused.value.lines) == ("recipe-line-not-readable", {"": 1})
    with pytest.raises(BadRecipe) as refused:
        with_settings(Recipe(), ["group=2024-99-99"])
    assert refused.value.code == "setting-not-readable"


def test_the_folder_of_an_unfinished_run_is_refused_with_how_to_resume(tmp_path: Path) -> None:
    save_recipe(Recipe(), tmp_path / "recipe.yaml")
    with pytest.raises(BadRun) as caught:
        create_run_folder(tmp_path)
    assert caught.value.remedies == (ChooseOther("output"), Resume(str(tmp_path)))
    StatusFile(tmp_path / "status.json").write("done")
    with pytest.raises(BadRun) as caught:
        create_run_folder(tmp_path)
    assert caught.value.remedies == (ChooseOther("output"),)


def test_the_log_holds_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    with RunLog(Run(tmp_path), StatusFile(tmp_path / "status.json")) as log:
        log(InstantClassifierFitted(seconds=1.0, val_accuracy=float("nan"), val_macro_f1=float("inf")))
    line = json.loads((tmp_path / "events.jsonl").read_text())
    assert (line["seconds"], line["val_accuracy"], line["val_macro_f1"]) == (1.0, None, None)


def test_a_log_that_cannot_be_closed_does_not_hide_why_work_ended(tmp_path: Path) -> None:
    log = RunLog(Run(tmp_path), StatusFile(tmp_path / "status.json"))
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no device that is always full")
    log._file.close()

    def end(error: Exception | None) -> None:
        log._file = full.open("w")
        with log:
            log._file.write("unwritten")
            if error is not None:
                raise error

    with pytest.raises(ZeroDivisionError):
        end(ZeroDivisionError())
    with refusing(CoverslipError, "file-not-written"):
        end(None)


def test_a_process_that_ended_unasked_for_is_not_alive(tmp_path: Path) -> None:
    import psutil

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    StatusFile(tmp_path / "status.json").write("running")
    started = process_started(child.pid)
    status = Run(tmp_path).status
    assert status is not None
    status = status.model_copy(update={"pid": child.pid, "process_started": started})
    assert status.is_alive
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not status.is_alive
    child.communicate()
    assert not status.is_alive


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(BadRecipe) as refused:
        with_settings(Recipe(), ["split.val=0.5", "split.test=0.6"])
    assert text("nothing-to-train-on", val="0.5", test="0.6") in refused.value.parameters["problems"]


@pytest.mark.parametrize(("n_drawn", "n_epochs"), [(1, 60), (100, 60), (200, 32), (799, 9), (800, 8), (50_000, 8)])
def test_few_images_are_shown_in_more_epochs(n_drawn: int, n_epochs: int) -> None:
    assert Recipe().with_epochs(n_drawn).n_epochs == n_epochs
    assert Recipe(epochs=3).with_epochs(n_drawn).n_epochs == 3
