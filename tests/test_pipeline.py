"""The main job through the Python API, on small pictures and on real ones."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from PIL import Image
from refusing import refusing
from tables import json_of, rows_of
from trained import INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.errors import BadClassifier, BadDataset, BadRun, DeviceUnavailable, LeakageFound, Stopped
from coverslip.events import EpochEnded, Event, InstantClassifierFitted, Noted, RunEnded, RunStarted
from coverslip.experiments.preparation import apply_recipe
from coverslip.files import sha256_file
from coverslip.images.reader import ReadPlan
from coverslip.messages import ChooseOther, Resume
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Augment, ImageChoices, Recipe, SplitPlan

ONE_SPLIT = SplitPlan(folds=0)


def test_a_run_folder_is_complete_and_its_numbers_are_good_on_easy_pictures(trained: Run) -> None:
    for name in [
        "recipe.yaml",
        "environment.json",
        "data.json",
        "split.csv",
        "status.json",
        "events.jsonl",
        "training.json",
        "predictions.csv",
        "validation.csv",
        "metrics.json",
        "confusion_matrix.csv",
        "report.html",
        "classifier/classifier.json",
        "classifier/weights.safetensors",
    ]:
        assert (trained.folder / name).stat().st_size > 0, name
    assert trained.metrics["macro_f1"].value is not None
    assert trained.metrics["macro_f1"].value > 0.9
    assert json_of(trained.folder / "status.json")["state"] == "done"
    assert not list(trained.folder.rglob("*.part"))


def test_the_rows_of_a_run_agree_with_its_split_and_metrics(trained: Run) -> None:
    split = {row["image_id"]: row for row in rows_of(trained.folder / "split.csv")}
    predictions = rows_of(trained.folder / "predictions.csv")
    assert {row["image_id"] for row in predictions} == {i for i, row in split.items() if row["split"] == "test"}
    assert {row["image_id"] for row in rows_of(trained.folder / "validation.csv")} == {
        i for i, row in split.items() if row["split"] == "val"
    }
    right = np.mean([row["label"] == row["predicted"] for row in predictions])
    assert right == pytest.approx(trained.metrics["accuracy"].value)
    for row in predictions:
        shares = [float(value) for key, value in row.items() if key.startswith("p:")]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
        assert float(row["probability"]) == pytest.approx(max(shares), abs=1e-6)


@pytest.mark.slow
def test_predicting_the_test_images_again_gives_the_runs_own_rows(trained: Run, cells: Path) -> None:
    """Training and prediction prepare pixels the same way: the most common complaint about trainers."""
    test_rows = rows_of(trained.folder / "predictions.csv")
    classifier = cs.load_classifier(trained.folder, tested=True)
    predictions = classifier.predict([cells / row["path"] for row in test_rows])
    assert predictions["predicted"] == [row["predicted"] for row in test_rows]
    np.testing.assert_allclose(
        np.array(predictions["probability"], float), [float(row["probability"]) for row in test_rows], atol=1e-5
    )


@pytest.mark.slow
def test_events_of_a_training_come_in_order(cells: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    recipe = Recipe(
        model=SMALL_NETWORK,
        split=ONE_SPLIT,
        image_size=48,
        tta=1,
        epochs=2,
        batch_size=16,
        augment=Augment(rotate_degrees=20),
    )
    run = train_without_report(cs.open_dataset(cells), recipe, out=tmp_path / "run", emit=events.append)
    kinds = [type(event) for event in events]
    assert kinds.index(RunStarted) < kinds.index(InstantClassifierFitted) < kinds.index(EpochEnded)
    assert kinds[-1] is RunEnded
    lines = (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(1, len(lines) + 1))
    history = rows_of(run.folder / "history.csv")
    assert [row["epoch"] for row in history] == ["0", "1", "2"]
    assert [name for name, cell in history[0].items() if not cell] == [name for name in history[0] if "train_" in name]
    assert list(history[0])[:10] == (
        [
            "epoch",
            "seconds",
            "learning_rate",
            "train_loss",
            "train_accuracy",
            "val_loss",
            "val_accuracy",
            "val_precision",
            "val_recall",
            "val_f1",
        ]
    )
    assert json_of(run.folder / "training.json")["chosen"] in ("instant", "finetune")


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["instant", "finetune"])
@pytest.mark.exhaustive
def test_one_recipe_gives_the_same_bytes_with_cold_and_warm_caches(
    cells: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    recipe = INSTANT.model_copy(update={"stage": stage, "epochs": 2, "batch_size": 16})
    folders = [tmp_path / name for name in ("cold", "warm")]
    for folder in folders:
        cs.train(cs.open_dataset(cells), recipe, out=folder)
    for name in (
        "classifier/weights.safetensors",
        "classifier/classifier.json",
        "metrics.json",
        "predictions.csv",
        "split.csv",
    ):
        assert sha256_file(folders[0] / name) == sha256_file(folders[1] / name), name


@pytest.mark.slow
def test_the_groups_of_a_recipe_are_those_of_the_run(trained: Run, cells: Path, tmp_path: Path) -> None:
    second_run = train_without_report(
        cs.open_dataset(cells), cs.load_recipe(trained.folder / "recipe.yaml"), out=tmp_path / "again"
    )
    assert (second_run.folder / "split.csv").read_bytes() == (trained.folder / "split.csv").read_bytes()


@pytest.mark.slow
def test_one_broken_image_keeps_its_row_and_stops_nobody_else(trained: Run, cells: Path, tmp_path: Path) -> None:
    good = sorted(cells.rglob("*.png"))[:3]
    broken = tmp_path / "broken.png"
    broken.write_bytes(good[0].read_bytes()[:60])
    table = cs.load_classifier(trained.folder).predict([good[0], broken, good[1]])
    assert [decision == "unreadable" for decision in table["decision"]] == [False, True, False]
    events: list[Event] = []
    done = cs.predict(trained.folder, [good[0], broken], out=tmp_path / "p.csv", emit=events.append)
    assert done.decisions["unreadable"] == 1
    rows = rows_of(tmp_path / "p.csv")
    assert [row["decision"] == "unreadable" for row in rows] == [False, True]
    assert [bool(row["reason"]) for row in rows] == [False, True]
    assert ["is-training-image" in row["warning_code"] for row in rows] == [True, False]
    assert any(event.code == "unreadable-image" for event in events if isinstance(event, Noted))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_training_reports_images_that_the_group_pattern_does_not_match(cells: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    train_without_report(
        cs.open_dataset(cells, group_pattern=r"slide[012]"), INSTANT, out=tmp_path / "run", emit=events.append
    )
    n = sum(1 for path in cells.rglob("*.png") if path.name[:6] not in ("slide0", "slide1", "slide2"))
    counts = [event.parameters["n_images"] for event in events if isinstance(event, Noted) and "pattern" in event.code]
    assert counts == [n]


@pytest.mark.slow
def test_predicting_images_that_the_classifier_learnt_from_is_reported(
    trained: Run, cells: Path, tmp_path: Path
) -> None:
    of_set = {
        name: [cells / row.path for row in trained.split if row.split == name] for name in ("train", "val", "test")
    }
    new = next(iter(write_cells(tmp_path / "new", 1, seed=77).rglob("*.png")))
    for sets in (("train", "val", "test"), ("test",)):
        events: list[Event] = []
        files = [path for name in sets for path in of_set[name]]
        cs.predict(trained, [*files, files[0], new], out=tmp_path / "p.csv", emit=events.append)
        notes = [event for event in events if isinstance(event, Noted) and event.code == "training-images"]
        assert [note.parameters["n_images"] for note in notes] == [len(files)]
        *of_training, of_new = ["is-training-image" in row["warning_code"] for row in rows_of(tmp_path / "p.csv")]
        assert all(of_training)
        assert len(of_training) == len(files) + 1
        assert not of_new


def test_only_unreadable_images_are_still_an_answer(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    done = cs.predict(trained.folder, [tmp_path / "a.png"], out=tmp_path / "p.csv")
    assert done.decisions == {"unreadable": 1}


def test_unfamiliar_images_cause_a_warning(trained: Run, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 120), np.uint16) + 7).save(tmp_path / "deep.png")
    events: list[Event] = []
    cs.predict(trained.folder, [tmp_path / "deep.png"], out=tmp_path / "p.csv", emit=events.append)
    notes = " ".join(event.text for event in events if isinstance(event, Noted))
    assert "16 bit" in notes
    assert "grayscale" in notes
    assert "120 x 40" in notes
    (row,) = rows_of(tmp_path / "p.csv")
    assert "16 bit" in row["warning"]
    assert "120 x 40 pixels" in row["warning"]
    assert row["reason"] == ""


def test_paths_of_predictions_are_absolute_in_every_door(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new" / "a").mkdir(parents=True)
    file = tmp_path / "new" / "a" / "1.png"
    Image.new("RGB", (40, 40)).save(file)
    (tmp_path / "t.csv").write_text("path\nnew/a/1.png\n")
    monkeypatch.chdir(tmp_path)
    classifier = cs.load_classifier(trained.folder)
    for source in ("new", "new/a/1.png", ["new/a/1.png", "t.csv"], "t.csv", "new/*/*.png", cs.open_dataset("new/..")):
        assert {row.path for row in classifier.predict(source)} == {str(file)}, source
    roots = {images.domain: Path(images.root) for images in trained.environment.data}
    assert all((roots[""] / row.path).is_file() for row in trained.predictions)


def test_a_field_of_view_is_known_as_such_and_boxes_in_it_are_not(trained: Run, tmp_path: Path) -> None:
    Image.fromarray(np.full((480, 640, 3), 200, np.uint8)).save(tmp_path / "field.png")
    (tmp_path / "cells.csv").write_text("path,x,y,width,height\nfield.png,10,20,40,40\n")
    for source, is_field in ((tmp_path / "field.png", True), (tmp_path / "cells.csv", False)):
        events: list[Event] = []
        cs.predict(trained.folder, [source], out=tmp_path / "p.csv", emit=events.append)
        notes = [event for event in events if isinstance(event, Noted) and event.code == "field-of-view"]
        assert bool(notes) == is_field
        assert ("640 x 480 pixels" in rows_of(tmp_path / "p.csv")[0]["warning"]) == is_field
        assert all(note.level == "warning" and "x, y, width, height" in note.text for note in notes)


@pytest.mark.slow
def test_evaluate_gives_the_same_numbers_and_others_for_other_images(own_run: Run, tmp_path: Path) -> None:
    before = json_of(own_run.folder / "metrics.json")
    cs.evaluate(own_run.folder)
    assert json_of(own_run.folder / "metrics.json") == before
    other = write_cells(tmp_path / "other", 30, seed=9)
    evaluation = cs.evaluate(own_run.folder, cs.open_dataset(other))
    assert evaluation.folder == own_run.folder / "evaluations" / "other"
    assert json_of(evaluation.folder / "metrics.json")["n"] == 30


@pytest.mark.slow
def test_evaluating_images_with_some_of_the_classes_works_and_with_none_is_one_error(
    own_run: Run, tmp_path: Path
) -> None:
    some = write_cells(tmp_path / "some", 30, seed=9)
    for file in (some / "large").iterdir():
        file.unlink()
    (some / "large").rmdir()
    (some / "small").rename(some / "Small")
    events: list[Event] = []
    evaluation = cs.evaluate(own_run.folder, cs.open_dataset(some), name="some", emit=events.append)
    assert json_of(evaluation.folder / "metrics.json")["n"] == 10
    (hint,) = (event for event in events if isinstance(event, Noted) and event.code == "nearly-equal-labels")
    assert hint.parameters == {"label": "Small", "class_name": "small"}
    (some / "medium").rename(some / "other")
    with pytest.raises(BadDataset) as refused:
        cs.evaluate(own_run.folder, cs.open_dataset(some), name="none")
    assert refused.value.code == "no-known-label"
    assert not (own_run.folder / "evaluations" / "none").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_deep_gray_images_are_scaled_by_the_range_of_training(tmp_path: Path) -> None:
    data = cs.open_dataset(write_cells(tmp_path / "deep", depth=np.uint16, channels=1))
    run = train_without_report(data, INSTANT.model_copy(update={"model": Recipe().model}), out=tmp_path / "run")
    card = json_of(run.folder / "classifier" / "classifier.json")
    assert card["preprocessing"]["channels"] == 1  # type: ignore[index]
    assert card["preprocessing"]["scaling"]["mode"] == "training-range"  # type: ignore[index]
    assert run.metrics["accuracy"].value is not None
    assert run.metrics["accuracy"].value > 0.85


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_native_head_from_scratch_trains_through_the_same_door(cells: Path, tmp_path: Path) -> None:
    recipe = Recipe(model=SMALL_NETWORK, split=ONE_SPLIT, head="native", init="scratch", epochs=1, image_size=48, tta=2)
    run = train_without_report(cs.open_dataset(cells), recipe, out=tmp_path / "run")
    stages = json_of(run.folder / "training.json")["stages"]
    assert [stage["stage"] for stage in stages] == ["finetune"]  # type: ignore[attr-defined]
    assert len(cs.load_classifier(run.folder).predict(sorted(cells.rglob("*.png"))[:2])) == 2


@pytest.mark.slow
def test_leaking_splits_are_refused_unless_allowed_and_then_said(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_cells(tmp_path / "data" / part, 60, seed=1)  # the same pictures
    with pytest.raises(LeakageFound):
        cs.train(cs.open_dataset(tmp_path / "data"), INSTANT, out=tmp_path / "refused")
    assert json_of(tmp_path / "refused" / "status.json")["state"] == "failed"
    run = cs.train(cs.open_dataset(tmp_path / "data"), INSTANT, out=tmp_path / "allowed", allow_leakage=True)
    assert json_of(run.folder / "environment.json")["allow_leakage"] is True


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_stop_file_ends_training_in_order_and_what_there_is_can_be_used(cells: Path, tmp_path: Path) -> None:
    states = set[str]()

    def stop_after_an_epoch(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch:
            (tmp_path / "run" / "stop").touch()
        if isinstance(event, Noted):
            states.add(event.code)

    recipe = Recipe(model=SMALL_NETWORK, split=ONE_SPLIT, image_size=48, tta=1, epochs=50, batch_size=16)
    with pytest.raises(Stopped) as refused:
        cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run", emit=stop_after_an_epoch)
    assert refused.value.code == "training-stopped"
    assert json_of(tmp_path / "run" / "status.json")["state"] == "stopped"
    assert [row["epoch"] for row in rows_of(tmp_path / "run" / "history.csv")] == ["0", "1"]
    assert "stages-compared" not in states  # which is not known before its end
    measured = cs.evaluate(tmp_path / "run")
    assert measured.metrics["accuracy"].value is not None


def test_a_folder_in_use_is_not_overwritten(trained: Run, cells: Path) -> None:
    before = sha256_file(trained.folder / "metrics.json")
    with pytest.raises(BadRun) as refused:
        cs.train(cs.open_dataset(cells), INSTANT, out=trained.folder)
    assert refused.value.code == "run-folder-exists"
    assert sha256_file(trained.folder / "metrics.json") == before


def test_the_users_folder_is_never_written_to(cells: Path, trained: Run) -> None:
    assert all(file.suffix == ".png" for file in cells.rglob("*") if file.is_file())


@pytest.mark.slow
def test_damaged_classifiers_are_one_clear_error(trained: Run, tmp_path: Path) -> None:
    import shutil

    def damaged(name: str, change: object) -> Path:
        folder = tmp_path / name
        shutil.copytree(trained.folder / "classifier", folder)
        change(folder)  # type: ignore[operator]
        return folder

    def edit(folder: Path, key: str, value: object) -> None:
        card = json_of(folder / "classifier.json")
        card[key] = value
        (folder / "classifier.json").write_text(json.dumps(card))

    weights = "weights.safetensors"
    bad = [
        damaged("cut", lambda f: (f / weights).write_bytes((f / weights).read_bytes()[:1000])),
        damaged("no weights", lambda f: (f / weights).unlink()),
        damaged("huge header", lambda f: (f / weights).write_bytes(b"\xff" * 8 + b"{}")),
        damaged("newer", lambda f: edit(f, "format_version", 2)),
        damaged("other classes", lambda f: edit(f, "classes", ["a", "b"])),
        damaged("other model", lambda f: edit(f, "model", "resnet34")),
        damaged("no json", lambda f: (f / "classifier.json").write_text("{")),
    ]
    for folder in [*bad, tmp_path / "nowhere"]:
        with pytest.raises(BadClassifier):
            cs.load_classifier(folder)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_real_16_bit_cells_train_on_all_their_channels(shared_data: object, tmp_path: Path) -> None:
    data = cs.open_dataset(shared_data("cellcycle_jurkat_16bit"))  # type: ignore[operator]
    run = train_without_report(
        data, Recipe(split=ONE_SPLIT, stage="instant", image_size=96, tta=1), out=tmp_path / "run"
    )
    card = json_of(run.folder / "classifier" / "classifier.json")
    assert card["preprocessing"]["channels"] == 3  # type: ignore[index]
    assert run.metrics["accuracy"].value is not None
    assert run.metrics["accuracy"].value > 0.6  # the largest class is a fifth


@pytest.mark.exhaustive
def test_real_chromosomes_train_at_one_scale_that_prediction_keeps(shared_data: object, tmp_path: Path) -> None:
    root = shared_data("chromosomes_gband")  # type: ignore[operator]
    table = tmp_path / "some.csv"
    rows = [row for row in rows_of(root / "images.csv") if row["label"] in ("1", "9", "21")]
    lines = [f"{root / row['path']},{row['label']},{row['cell']}" for row in rows]
    table.write_text("\n".join(["path,label,cell", *lines]))
    look = {"image_size": 64, "tta": 1, "resize": "canvas", "pad_color": "white"}
    recipe = Recipe(stage="instant", split=ONE_SPLIT, group="cell", **look)
    run = cs.train(cs.open_dataset(table), recipe, out=tmp_path / "run")
    preprocessing = json_of(run.folder / "classifier" / "classifier.json")["preprocessing"]
    sides = [max(Image.open(root / row["path"]).size) for row in rows]
    assert np.percentile(sides, 97) <= preprocessing["canvas_px"] <= max(sides)  # type: ignore[index]
    assert preprocessing["pad_color"] == "white"  # type: ignore[index]
    assert "canvas" in [note["code"] for note in json_of(run.folder / "training.json")["notes"]]  # type: ignore[attr-defined]
    assert "at one scale for all images" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert run.metrics["accuracy"].value is not None
    assert run.metrics["accuracy"].value > 0.9
    Image.new("L", (500, 900), 200).save(tmp_path / "huge.png")
    events: list[Event] = []
    cs.load_classifier(run.folder).predict(tmp_path / "huge.png", emit=events.append)
    assert any(isinstance(event, Noted) and event.code == "unlike-training" for event in events)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_every_random_change_at_once_still_trains(cells: Path, tmp_path: Path) -> None:
    augment = Augment(shear_degrees=10, crop=0.2, blur=1, saturation=0.2, hue_degrees=10, stain=0.05)
    recipe = Recipe(
        model=SMALL_NETWORK, split=ONE_SPLIT, image_size=48, tta=1, epochs=1, batch_size=16, augment=augment
    )
    run = cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run")
    assert len(rows_of(run.folder / "history.csv")) == 2
    assert "shear by up to 10°" in (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_plan_of_the_opening_is_kept_in_recipe_and_card_and_the_recipes_own_goes_first(tmp_path: Path) -> None:
    opened = cs.open_dataset(write_cells(tmp_path / "cells", 45), plan=ReadPlan(channels=(2,)))
    run = train_without_report(opened, INSTANT, out=tmp_path / "run")
    card = json_of(run.folder / "classifier" / "classifier.json")
    assert run.recipe.images.channels == (2,)
    assert card["preprocessing"]["plan"]["channels"] == [2]  # type: ignore[index]
    data, recipe = apply_recipe(opened, INSTANT.model_copy(update={"images": ImageChoices(channels=(0, 1))}))
    assert {record.plan.channels for record in data.records} == {(0, 1)} == {recipe.images.channels}


def test_a_subset_stays_one_whatever_the_recipe_says(cells: Path) -> None:
    data = cs.open_dataset(cells)
    some = replace(data, records=data.records[:7])
    subset, _ = apply_recipe(some, Recipe(group=r"slide\d+", images=ImageChoices(channels=(0,))))
    assert [record.image_id for record in subset.records] == [record.image_id for record in some.records]
    assert {record.group for record in subset.records} <= {f"slide{i}" for i in range(9)}


@pytest.mark.slow
def test_copies_of_training_images_are_known_by_their_pixels(own_run: Run, cells: Path, tmp_path: Path) -> None:
    split = rows_of(own_run.folder / "split.csv")
    copied = [row for row in split if row["split"] == "train"][:3] + [row for row in split if row["split"] == "test"][
        :2
    ]
    for i, row in enumerate(copied):
        file = tmp_path / "copies" / row["label"] / f"renamed{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((cells / row["path"]).read_bytes())
    events: list[Event] = []
    cs.evaluate(own_run.folder, cs.open_dataset(tmp_path / "copies"), emit=events.append)
    counts = [e.parameters["n"] for e in events if isinstance(e, Noted) and e.code == "seen-in-training"]
    assert counts == [len(copied)]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_tables_of_one_folder_are_two_evaluations_and_none_is_overwritten(own_run: Run, tmp_path: Path) -> None:
    write_cells(tmp_path / "more", 6, seed=4)
    lines = [f"{file},{file.parent.name}" for file in sorted((tmp_path / "more").rglob("*.png"))]
    for name, some in (("t1", lines[::2]), ("t2", lines)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,label", *some]), encoding="utf-8")
        assert cs.evaluate(own_run.folder, cs.open_dataset(tmp_path / f"{name}.csv")).folder.name == name
    assert json_of(own_run.folder / "evaluations" / "t1" / "metrics.json")["n"] == 3
    with pytest.raises(BadRun) as caught:
        cs.evaluate(own_run.folder, cs.open_dataset(tmp_path / "t2.csv"), name="t1")
    assert caught.value.code == "evaluation-name-taken"
    assert caught.value.remedies == (ChooseOther("name"),)


@pytest.mark.slow
def test_evaluating_again_writes_the_report_and_refuses_relabeled_images(own_run: Run, tmp_path: Path) -> None:
    (own_run.folder / "report.html").write_text("old")
    cs.evaluate(own_run.folder)
    assert (own_run.folder / "report.html").stat().st_size > 1000
    write_cells(tmp_path / "cells", 45)
    lines = [f"{file},{file.parent.name}" for file in sorted((tmp_path / "cells").rglob("*.png"))]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    run = train_without_report(cs.open_dataset(table), INSTANT, out=tmp_path / "second")
    table.write_text(table.read_text().replace(",small", ",medium"), encoding="utf-8")
    with pytest.raises(BadRun) as refused:
        cs.evaluate(run.folder)
    assert refused.value.code == "test-images-changed"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_several_sources_are_named_with_their_own_roots(tmp_path: Path) -> None:
    sources = [write_cells(tmp_path / "north", 45), write_cells(tmp_path / "deep" / "south", 45, seed=3)]
    run = train_without_report(cs.open_dataset(sources), INSTANT, out=tmp_path / "run")
    described = json_of(run.folder / "environment.json")["data"]
    assert [(source["domain"], source["root"], source["n_images"]) for source in described] == [  # type: ignore[attr-defined]
        ("north", str(sources[0]), 45),
        ("south", str(sources[1]), 45),
    ]
    roots = {"north": sources[0], "south": sources[1]}
    assert all((roots[row["domain"]] / row["path"]).is_file() for row in rows_of(run.folder / "split.csv"))
    before = json_of(run.folder / "metrics.json")
    cs.evaluate(run.folder)
    assert json_of(run.folder / "metrics.json") == before


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_made(
    cells: Path, own_run: Run, tmp_path: Path, device: str
) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this computer has such a device")
    recipe = INSTANT.model_copy(update={"device": device})
    with refusing(DeviceUnavailable, "device-unavailable", device=device):
        cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with refusing(DeviceUnavailable, "device-unavailable", device=device):
        cs.evaluate(own_run.folder, device=device)
    with refusing(DeviceUnavailable, "device-unavailable", device=device):
        cs.predict(own_run.folder, cells, out=tmp_path / "predictions.csv", device=device)
    assert not (tmp_path / "predictions.csv").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text here")
def test_a_folder_whose_name_is_no_text_can_be_trained_on_and_found_again(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/B\xe4ume"))
    run = train_without_report(
        cs.open_dataset(write_cells(folder, 45)), INSTANT, out=folder.with_name(folder.name + "-run")
    )
    before = json_of(run.folder / "metrics.json")
    cs.evaluate(run.folder)
    assert json_of(run.folder / "metrics.json") == before


def train_until_measuring(images: Path, run: Path) -> None:
    def stop_when_measuring(event: Event) -> None:
        if (run / "validation.csv").exists():
            (run / "stop").touch()

    slower = INSTANT.model_copy(update={"image_size": 160, "tta": 8})  # else it is over before it is asked again
    cs.train(cs.open_dataset(images), slower, out=run, emit=stop_when_measuring)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_stop_while_test_images_are_measured_says_that_there_is_a_classifier(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped) as refused:
        train_until_measuring(cells, tmp_path / "run")
    assert refused.value.code == "training-stopped"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_metrics_and_predictions_of_a_training_that_has_not_ended_say_so(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train_until_measuring(cells, tmp_path / "run")
    others = write_cells(tmp_path / "others", 30, seed=7)

    def evaluated_and_predicted() -> tuple[list[str], bool]:
        events: list[Event] = []
        evaluation = cs.evaluate(tmp_path / "run", others, emit=events.append)
        cs.predict(tmp_path / "run", others, out=tmp_path / "p.csv", emit=events.append)
        assert evaluation.evaluated_images is not None
        codes = [event.code for event in events if isinstance(event, Noted) and event.code == "unfinished-training"]
        return codes, evaluation.evaluated_images.is_of_unfinished_training

    assert evaluated_and_predicted() == (["unfinished-training"] * 2, True)
    assert "Training had not ended" in (tmp_path / "run" / "evaluations" / "others" / "report.html").read_text()
    cs.resume(tmp_path / "run")
    assert evaluated_and_predicted() == ([], False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C on Windows")
def test_ctrl_c_is_answered_at_the_next_news_with_how_to_end_at_once(cells: Path, tmp_path: Path) -> None:
    events: list[Event] = []

    def interrupt(event: Event) -> None:
        events.append(event)
        if len(events) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells), INSTANT, out=tmp_path / "run", emit=interrupt)
    notes = [event for event in events if isinstance(event, Noted)]
    assert [note.parameters["by_file"] for note in notes if note.code == "stopping"] == [False]


@pytest.mark.slow
def test_a_second_interruption_ends_at_once_and_says_how_to_resume(cells: Path, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, InstantClassifierFitted):
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as caught:
        cs.train(cs.open_dataset(cells), INSTANT, out=tmp_path / "run", emit=interrupt)
    assert caught.value.remedies[0] == Resume(str(tmp_path / "run"))
    assert json_of(tmp_path / "run" / "status.json")["state"] == "stopped"


def test_an_unknown_model_is_reported_before_any_work(cells: Path, tmp_path: Path) -> None:
    from coverslip.errors import UnknownModel

    with pytest.raises(UnknownModel):
        cs.train(cs.open_dataset(cells), Recipe(model="foo"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
