"""Protocols of publications: no validation images, epochs selected by test images, copies before the split."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from drawing import write_cells
from scipy.stats import t as student_t
from trained import GROUPS, SMALL_NETWORK, train_cells

import coverslip as cs
from coverslip.cli import main
from coverslip.counts import GroupCount
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.folding import fold_images
from coverslip.datasets.splits.splitting import split_images
from coverslip.errors import BadRecipe, LeakageFound
from coverslip.events import Event, Noted
from coverslip.experiments.preparation import augmented_copy
from coverslip.images.preprocessing import Degradation, Preprocessing, preprocess
from coverslip.messages import text
from coverslip.models.backbone import Architecture
from coverslip.models.graphs import pretrained_backbone
from coverslip.reports.common_images import common_images
from coverslip.reports.comparison import compare
from coverslip.runs.documents import rows_of_table, write_table
from coverslip.runs.folder import Run
from coverslip.runs.images import copy_id, original_id
from coverslip.runs.recipe import Augment, Recipe, SplitPlan, augment_named
from coverslip.runs.recipe_keys import save_recipe
from coverslip.studies.cells import as_trained, cells_of
from coverslip.studies.plan import plan_of, save_plan
from coverslip.studies.presets import PRESETS
from coverslip.studies.published import arm_differences, roc_panels
from coverslip.studies.study import resume_study, study_comparison
from coverslip.training.batches import selecting_logits
from coverslip.training.instant import with_normalization
from coverslip.training.task import TrainingImages, epoch_order, n_batches

# A network from random weights needs no instant stage, so it can be trained without validation images.
WITHOUT_CHOICES = {
    "model": SMALL_NETWORK,
    "init": "scratch",
    "image_size": 32,
    "tta": 1,
    "epochs": 1,
    "batch_size": 16,
    "refit_head": False,
    "augment": "none",
}


def sets_of(run: Run) -> Counter[str]:
    return Counter(row.split for row in run.split)


@pytest.mark.exhaustive
def test_five_folds_without_validation_images_train_on_four_fifths(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 60)
    recipe = Recipe(**WITHOUT_CHOICES, split=SplitPlan(folds=5, val=0, near_duplicates="ignore"))
    run = cs.train(cells, recipe, out=tmp_path / "run")
    assert [sets_of(fold) for fold in run.folds] == [{"train": 48, "test": 12}] * 5
    assert run.metrics.n == 60
    assert run.metrics.protocol == ()
    assert not run.folds[0].validation
    assert {record.finetune.checkpoint_selection for record in run.trainings if record.finetune} == {"last"}


@pytest.mark.slow
def test_a_single_split_without_validation_images_keeps_the_last_epoch_and_ends_with_a_report(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 30)
    recipe = Recipe(**{**WITHOUT_CHOICES, "epochs": 2}, split=SplitPlan(folds=0, val=0))
    run = cs.train(cells, recipe, out=tmp_path / "run")
    assert sets_of(run) == {"train": 24, "test": 6}
    assert run.training is not None
    assert run.training.finetune is not None
    assert (run.training.selected_epoch, run.training.finetune.checkpoint_selection) == (2, "last")
    assert run.report_file.is_file()


def test_what_needs_validation_images_is_named_if_there_are_none(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 12)
    with pytest.raises(BadRecipe) as refusal:
        cs.train(cells, Recipe(model=SMALL_NETWORK, split=SplitPlan(val=0)), out=tmp_path / "run")
    assert refusal.value.code == "no-validation-images"
    assert set(refusal.value.parameters["faults"]) == {"epochs", "stage_selection", "head_init", "refit_head"}
    with pytest.raises(BadRecipe) as refusal:
        cs.train(cells, Recipe(**WITHOUT_CHOICES, split=SplitPlan(val=0)), out=tmp_path / "run", budget="10m")
    assert refusal.value.code == "budget-without-validation"


@pytest.mark.slow
def test_test_images_select_the_epoch_only_if_leakage_is_allowed_and_all_results_say_so(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 36)
    recipe = Recipe(
        **{**WITHOUT_CHOICES, "epochs": 3},
        checkpoint_selection="best",
        checkpoint_selection_set="test",
        primary_metric="accuracy",
        split=SplitPlan(folds=0, val=0),
    )
    with pytest.raises(LeakageFound) as refusal:
        cs.train(cells, recipe, out=tmp_path / "run")
    assert (refusal.value.code, refusal.value.parameters["keys"]) == ("leaking-recipe", "checkpoint_selection_set")
    assert not (tmp_path / "run").exists()
    run = cs.train(cells, recipe, out=tmp_path / "run", allow_leakage=True)
    epochs = {row.epoch: row.val_accuracy for row in run.history if row.epoch}
    best = max(value for value in epochs.values() if value is not None)
    assert run.metrics["accuracy"].value == pytest.approx(best, abs=1e-6)
    assert run.training is not None
    assert epochs[run.training.selected_epoch] == best
    assert run.metrics.protocol == ("checkpoint_selection_set",)
    assert "protocol-checkpoint-selection-set" in {note.code for note in run.training.notes}
    assert "As in some publications" in run.report_file.read_text(encoding="utf-8")


@pytest.mark.exhaustive
def test_copies_before_the_split_are_split_like_images(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 30)
    split = SplitPlan(folds=0, copies=3, near_duplicates="ignore")
    recipe = Recipe(**{**WITHOUT_CHOICES, "augment": "efficientnetv2_b0"}, split=split)
    with pytest.raises(LeakageFound):
        cs.train(cells, recipe, out=tmp_path / "run")
    run = cs.train(cells, recipe, out=tmp_path / "run", allow_leakage=True)
    assert len(run.split) == 30 * 4
    sets: dict[str, set[str]] = {}
    for row in run.split:
        sets.setdefault(original_id(row.image_id), set()).add(row.split)
    assert len(sets) == 30
    assert any({"train", "test"} <= parts for parts in sets.values())
    assert run.metrics.protocol == ("split.copies",)
    assert cs.evaluate(run).metrics.n == run.metrics.n  # the copies are still there
    grouped = cs.open_dataset(cells, group_pattern=GROUPS)
    before_split = cs.train(grouped, recipe, out=tmp_path / "grouped", allow_leakage=True)
    of_group: dict[str, set[str]] = {}
    for row in before_split.split:
        of_group.setdefault(row.group, set()).add(row.split)
    assert len(of_group) == 9
    assert all(len(parts) == 1 for parts in of_group.values())


@pytest.mark.parametrize("n_color", [0, 59])
def test_copies_with_changes_of_color_need_images_in_color(tmp_path: Path, n_color: int) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (40, 40, 3)[: 3 if k < n_color else 2], dtype=np.uint8) for k in range(60)]
    data = cs.open_dataset({"image": images, "label": ["a", "b"] * 30})
    keys = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 32, "tta": 1, "augment": {"hue_degrees": 10}}
    recipe = cs.Recipe.model_validate({**keys, "split": {"copies": 1}})
    if n_color:
        assert len(cs.train(data, recipe, out=tmp_path / "run", allow_leakage=True).split) == 120
    else:
        with pytest.raises(BadRecipe) as refused:
            cs.train(data, recipe, out=tmp_path / "run", allow_leakage=True)
        assert refused.value.code == "color-changes-on-other-channels"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_copy_has_the_shape_and_type_of_its_image_and_the_same_seed_gives_the_same_copy(dtype: type) -> None:
    image = (np.random.default_rng(0).random((20, 30, 3)) * (255 if dtype != np.uint16 else 65535)).astype(dtype)
    augment = Augment()
    copy = augmented_copy(image, augment, "1 a copy 1")
    assert (copy.shape, copy.dtype) == (image.shape, image.dtype)
    np.testing.assert_array_equal(copy, augmented_copy(image, augment, "1 a copy 1"))
    assert not np.array_equal(copy, augmented_copy(image, augment, "1 a copy 2"))
    unchanged = augmented_copy(image, augment_named("none"), "1 a copy 1")
    np.testing.assert_allclose(unchanged.astype(float), image.astype(float), rtol=1e-4, atol=1.01)


def test_training_draws_no_augmentation_if_it_was_applied_before_the_split() -> None:
    assert Recipe(split=SplitPlan(copies=2)).augment_in_training == augment_named("none")
    assert Recipe().augment_in_training == Augment()


def test_classes_are_reduced_to_the_smallest_before_the_split(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 60)
    for file in sorted((cells / "large").iterdir())[8:]:
        file.unlink()
    data = open_dataset(cells)
    scan = scan_images(data)
    balanced = split_images(data, scan, val=0.2, test=0.2, seed=1, balanced=True)
    used = Counter(r.label for r, part in zip(data.records, balanced.parts, strict=True) if part != "excluded")
    assert used == {"small": 8, "medium": 8, "large": 8}
    assert "balanced-before-split" in {note.code for note in balanced.notes}
    folds = fold_images(data, scan, n_folds=4, val=0, seed=1, balanced=True)
    tested = Counter(r.label for r, fold in zip(data.records, folds.fold_of, strict=True) if fold)
    assert tested == used
    for split in folds.splits:
        assert Counter(split.parts) == {"train": 18, "test": 6, "excluded": len(data) - 24}
    other = split_images(data, scan, val=0.2, test=0.2, seed=2, balanced=True)
    assert [part == "excluded" for part in other.parts] != [part == "excluded" for part in balanced.parts]


def test_an_epoch_has_68_steps_at_the_class_sizes_of_mobilevit_mn() -> None:
    (preset,) = (preset for preset in PRESETS.values() if preset.name == "mobilevit-mn")
    recipe = Recipe(**preset.recipe)
    label = np.repeat([0, 1], [6252, 436])  # three fifths of 10,420 and of 725
    order = epoch_order(label, sampling=recipe.sampling, seed=0, epoch=1, rare_repeats=recipe.rare_class_repeats)
    assert np.bincount(label[order]).tolist() == [2180, 2180]
    assert set(np.bincount(order[label[order] == 1], minlength=len(label))[label == 1]) == {5}
    assert len(set(order[label[order] == 0])) == 2180
    assert n_batches(len(order), recipe.batch_size) == 68


def test_copies_of_validation_images_select_the_epoch_too() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    positions, label = np.arange(6), np.array([0, 1] * 3)
    images = TrainingImages(lambda p: pixels[list(p)], positions[:2], label[:2], positions[2:], label[2:], 2)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16 * 16 * 3, 2))
    plain = selecting_logits(network, images, Recipe(), "cpu")
    copied = selecting_logits(network, images, Recipe(validation_copies=4), "cpu")
    assert copied.shape == (4 * 5, 2)
    torch.testing.assert_close(copied[:4], plain)
    assert not torch.equal(copied[4:8], plain)
    torch.testing.assert_close(selecting_logits(network, images, Recipe(validation_copies=4), "cpu"), copied)


@pytest.mark.slow
def test_scaling_twice_divides_intensities_by_255_once_more() -> None:
    once = pretrained_backbone(Architecture("efficientnet_lite0", "native", 3, 64))
    recipe = Recipe(normalization="rescaled-twice")
    twice = with_normalization(once, recipe, lambda _: np.zeros((0,), np.uint8), np.arange(0))
    x = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    expected = (x / 255 - once.arrays["mean"]) / once.arrays["std"]
    np.testing.assert_allclose((x - twice.arrays["mean"]) / twice.arrays["std"], expected, rtol=1e-5)


def test_degraded_images_are_degraded_in_training_and_prediction() -> None:
    image: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    plain = Preprocessing(image_size=16)
    noisy = plain.model_copy(update={"degradation": Degradation(noise=0.2)})
    assert Preprocessing.model_validate(noisy.model_dump(mode="json")) == noisy
    assert not np.array_equal(preprocess(image, plain), preprocess(image, noisy))
    np.testing.assert_array_equal(preprocess(image, noisy), preprocess(image, noisy))  # equal images, equal noise
    blurred = plain.model_copy(update={"degradation": Degradation(blur=4)})
    assert preprocess(image, blurred).std() < preprocess(image, plain).std() / 2


@pytest.mark.exhaustive
def test_what_a_protocol_adds_has_an_interval_over_groups(tmp_path: Path) -> None:
    cells = str(write_cells(tmp_path / "cells", 90))
    plan = plan_of(
        {
            "datasets": [{"path": cells, "name": "cells", "group_pattern": GROUPS}],
            "arms": [{"name": "by image", "ignores_groups": True, "compared_with": "by group"}, {"name": "by group"}],
            "models": [SMALL_NETWORK],
            "folds": 3,
            "recipe": {"image_size": 32, "tta": 1, "stage": "instant", "augment": "none"},
            "primary_metric": "accuracy",
        }
    )
    out = tmp_path / "out"
    train_cells(cells_of(plan, out))
    save_plan(plan, out / "study.yaml")
    comparison = study_comparison(out)
    (row,) = comparison.arm_differences
    assert (row.dataset, row.arm, row.reference) == ("cells", "by image", "by group")
    of_groups, of_images = (Run(folder) for folder in sorted((out / "cells").iterdir()) if folder.is_dir())
    n_train = tuple(str(sum(row.split == "train" for row in run.split)) for run in (of_images, of_groups))
    settings = {"groups": ("divided", "kept together"), **({"training images": n_train} if len({*n_train}) > 1 else {})}
    differing = {each.key: each.values for each in comparison.arm_settings if len(set(each.values)) > 1}
    assert differing == settings
    assert (row.value, row.reference_value) == tuple(run.metrics["accuracy"].value for run in (of_images, of_groups))
    difference = row.difference
    assert difference.value == row.value - row.reference_value
    assert "groups" in difference.method
    low, high = interval_by_hand(of_groups, of_images)
    # Product and hand differ in the degrees of freedom of unequal groups.
    assert (difference.low, difference.high) == (pytest.approx(low, abs=3e-3), pytest.approx(high, abs=3e-3))


def rewritten(file: Path, column: str, value: str) -> None:
    """Write a value to each row of a table."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, column: row[value]} for row in rows)


def test_arms_are_compared_on_their_common_splits_with_the_groups_of_any_arm(trained: Run, tmp_path: Path) -> None:
    arms = [
        {"name": "copies", "ignores_groups": True, "compared_with": "image-split"},
        {"name": "image-split", "ignores_groups": True},
        {"name": "by group"},
    ]
    plan = plan_of(
        {
            "datasets": [{"path": "cells", "group_pattern": GROUPS}],
            "arms": arms,
            "models": [SMALL_NETWORK],
            "repeats": 2,
            "primary_metric": "accuracy",
        }
    )
    cells = cells_of(plan, tmp_path / "out")
    for cell in cells:
        if (cell.dataset.arm, cell.repeat) != ("image-split", 2):
            run = Run(shutil.copytree(trained.folder, cell.run.folder))
            if cell.dataset.ignores_groups:
                rewritten(run.folder / "split.csv", "group", "reason")  # which is empty
            if cell.repeat == 2 or cell.dataset.arm == "copies":
                rewritten(run.folder / "predictions.csv", "label", "predicted")
    (row,) = arm_differences(plan, cells)
    accuracy = trained.metrics["accuracy"].value
    assert accuracy is not None
    assert (row.value, row.reference_value) == (1, pytest.approx(accuracy))
    assert "groups" in row.difference.method
    later = [cell for cell in cells if (cell.dataset.arm, cell.repeat) != ("copies", 1)]
    assert arm_differences(plan, later) == []  # the arms have no common split


def test_arms_have_the_settings_of_their_runs_if_the_plan_was_edited(cells: Path, trained: Run, tmp_path: Path) -> None:
    plan = plan_of(
        {
            "datasets": [{"path": str(cells), "name": "cells"}],
            "arms": [{"name": "A", "compared_with": "B"}, {"name": "B"}],
            "models": [trained.recipe.model],
            "folds": 0,
            "recipe": {**trained.recipe.model_dump(mode="json", exclude={"group"}), "weight_decay": 0.25},
            "primary_metric": trained.recipe.primary_metric,
        }
    )
    out = tmp_path / "out"
    save_plan(plan, out / "study.yaml")
    for cell in cells_of(plan, out):
        shutil.copytree(trained.folder, cell.run.folder)
        changes = {"epochs": 7} if cell.dataset.arm == "A" else {}
        save_recipe(cell.recipe.model_copy(update=changes), cell.run.recipe_file)
    events: list[Event] = []
    settings = {each.key: each.values for each in resume_study(out, emit=events.append).arm_settings}
    differing = {key: values for key, values in settings.items() if len(set(values)) > 1}
    assert differing == {"epochs": ("7", str(trained.recipe.epochs))}
    assert settings["batch_size"] == (str(trained.recipe.batch_size),) * 2  # shown in any case
    (changed,) = [each for each in events if isinstance(each, Noted) and each.code == "plan-changed"]
    assert (changed.parameters["n_trainings"], changed.parameters["keys"]) == (1, "epochs")


def test_a_training_whose_recipe_is_damaged_has_that_of_the_plan(trained: Run, tmp_path: Path) -> None:
    """The other trainings of the study can still be compared and shown."""
    plan = plan_of({"datasets": ["cells"], "models": [SMALL_NETWORK], "folds": 0})
    (cell,) = cells_of(plan, tmp_path / "out")
    shutil.copytree(trained.folder, cell.run.folder)
    assert as_trained(cell).recipe == trained.recipe != cell.recipe
    cell.run.recipe_file.write_text("epochs: [")
    (cell,) = cells_of(plan, tmp_path / "out")
    assert as_trained(cell) is cell


def test_roc_curves_are_of_the_largest_number_of_training_images(trained: Run, tmp_path: Path) -> None:
    sizes = {"train_per_class": [5, None], "published": ["mobincep"]}
    plan = plan_of({"datasets": ["cells"], "models": [SMALL_NETWORK], "folds": 0, **sizes})
    cells = cells_of(plan, tmp_path / "out")
    for cell in cells:
        shutil.copytree(trained.folder, cell.run.folder)
    few, _ = cells
    other = {"small": "large", "large": "small"}
    table = few.run.folder / "predictions.csv"
    rows = [{**row, "label": other.get(row["label"], row["label"])} for row in rows_of_table(table)]
    write_table(table, tuple(rows[0]), rows)
    (panel,) = roc_panels(plan, cells)
    (expected,) = roc_panels(plan, [cells[1]])
    assert panel == expected
    (of_few,) = roc_panels(plan.model_copy(update={"train_per_class": (5,)}), [few])
    assert of_few != expected


@pytest.mark.parametrize("folds", [(), ("folds/1", "folds/2")])
def test_roc_curves_are_the_mean_of_networks_and_do_not_pool_their_probabilities(
    trained: Run, tmp_path: Path, folds: tuple[str, ...]
) -> None:
    plan = plan_of(
        {"datasets": ["cells"], "models": [SMALL_NETWORK], "folds": 0, "repeats": 2, "published": ["mobincep"]}
    )
    cells = cells_of(plan, tmp_path / "out")
    for cell in cells:
        for folder in (cell.run.folder, *(cell.run.folder / fold for fold in folds)):
            shutil.copytree(trained.folder, folder)
    (expected,) = roc_panels(plan, cells[:1])
    table = (cells[0].run.folds or (cells[0].run,))[-1].folder / "predictions.csv"
    rows = [*rows_of_table(table)]
    columns = [name for name in rows[0] if name.startswith("p:")]
    scaled = [{**row, **{name: str(float(row[name]) / 10) for name in columns}} for row in rows]  # the order remains
    write_table(table, tuple(rows[0]), scaled)
    (panel,) = roc_panels(plan, cells_of(plan, tmp_path / "out"))
    assert [line.auroc for line in panel.lines] == pytest.approx([line.auroc for line in expected.lines])
    areas = [float(np.trapezoid(line.curve.y, line.curve.x)) for line in panel.lines]
    assert areas == pytest.approx([line.auroc for line in panel.lines], abs=0.01)
    averages = {line.name: line.auroc for line in panel.lines if line.name.endswith("-average")}
    assert averages["macro-average"] == pytest.approx(trained.metrics["macro_auroc"].value)


def test_classifiers_are_compared_over_images_and_not_over_copies(trained: Run, tmp_path: Path) -> None:
    runs = [Run(shutil.copytree(trained.folder, tmp_path / name)) for name in ("first", "second")]
    tested = [row.image_id for row in trained.predictions]
    copy_of = {image_id: copy_id(tested[k - k % 2], 1) for k, image_id in enumerate(tested) if k % 2}
    for run in runs:
        copied = run.recipe.split.model_copy(update={"copies": 1})
        save_recipe(run.recipe.model_copy(update={"split": copied}), run.recipe_file)
        for table in ("split.csv", "predictions.csv"):
            rows = [*rows_of_table(run.folder / table)]
            for row in rows:
                row["image_id"] = copy_of.get(row["image_id"], row["image_id"])
                row["group"] = ""
            write_table(run.folder / table, tuple(rows[0]), rows)
    common = common_images(*(Run(run.folder) for run in runs))
    assert len(common.first_label) == len(tested)
    assert common.n_of_groups is None  # the copies of an image are no group
    assert len(set(common.group.tolist())) == len(tested) - len(copy_of)
    pair = compare([run.folder for run in runs]).pairs[0]
    assert text("comparison-without-groups") in pair.notes
    (method,) = [each.method for each in pair.numbers[0].differences if each.name == "macro_f1"]
    assert method == "paired difference, infinitesimal jackknife over images (Student's t)"
    for run in runs:  # the group of a single image is known
        rows = [*rows_of_table(run.folder / "split.csv")]
        for row in rows:
            row["group"] = "a" if original_id(row["image_id"]) == tested[0] else ""
        write_table(run.folder / "split.csv", tuple(rows[0]), rows)
    common = common_images(*(Run(run.folder) for run in runs))
    assert common.n_of_groups == GroupCount(n_groups=1, n_ungrouped=len(tested) - len(copy_of) - 1)
    assert len(set(common.group.tolist())) == len(tested) - len(copy_of)


def interval_by_hand(of_groups: Run, of_images: Run) -> tuple[float, float]:
    """The 95% interval of the difference in accuracy: the sum of an image's group is one independent value."""
    correct = [
        {row.image_id: float(row.predicted == row.label) for row in run.predictions} for run in (of_images, of_groups)
    ]
    group_of = {row.image_id: row.group for row in of_groups.split}
    n, difference = len(group_of), np.mean(list(correct[0].values())) - np.mean(list(correct[1].values()))
    totals: dict[str, float] = {}
    for image_id, group in group_of.items():
        share = (correct[0][image_id] - correct[1][image_id] - difference) / n
        totals[group] = totals.get(group, 0.0) + share
    n_groups = len(totals)
    error = np.sqrt(n_groups / (n_groups - 1) * sum(total**2 for total in totals.values()))
    reach = student_t.ppf(0.975, n_groups - 1) * error
    return difference - reach, difference + reach


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_study_uses_leaking_settings_and_stamps_them(tmp_path: Path) -> None:
    cells = str(write_cells(tmp_path / "cells", 24))
    split = {"val": 0, "folds": 2, "balance": "undersample"}
    without_validation = {"stage_selection": "finetune", "head_init": "random"}  # else, for pretrained weights
    recipe = {**WITHOUT_CHOICES, **without_validation, "checkpoint_selection_set": "test", "split": split}
    plan = plan_of({"datasets": [cells], "models": [SMALL_NETWORK], "folds": 2, "recipe": recipe})
    save_plan(plan, tmp_path / "study.yaml")
    assert main(["study", "run", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as file:
        assert {row["protocol"] for row in csv.DictReader(file)} == {"checkpoint_selection_set split.balance"}
