"""Presets: each publication's study on the user's own images."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from drawing import save_cells, write_cells
from trained import GROUPS, SMALL_NETWORK

from coverslip.cli import main
from coverslip.errors import BadRecipe
from coverslip.evaluation.results import Metric
from coverslip.inference.latency import Latency, Timing
from coverslip.messages import text
from coverslip.runs.recipe import Pretraining
from coverslip.runs.recipe_keys import load_recipe
from coverslip.studies.cells import cells_of
from coverslip.studies.comparing import compare_study
from coverslip.studies.figures import forest_drawing, size_drawing
from coverslip.studies.plan import StudyPlan, load_plan, plan_of, save_plan
from coverslip.studies.presets import PRESETS, notes_of_plan, preset_plan, preset_recipe
from coverslip.studies.published import arm_settings, not_stated, published_rows
from coverslip.studies.report import study_sections
from coverslip.studies.results import ResultRow
from coverslip.studies.study import plan_study
from coverslip.studies.variants import MergedClass, NetworkLatency, StepDistance


@pytest.fixture
def two_folders(tmp_path: Path) -> list[Path]:
    return [save_cells(tmp_path / "q", ("01", "x")), save_cells(tmp_path / "g", ("1", "X"))]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("is_small", [True, False])
def test_every_preset_is_a_plan_whose_trainings_are_all_valid(
    name: str, is_small: bool, two_folders: list[Path], tmp_path: Path
) -> None:
    arms = [] if name not in PRESETS else ["A", "B", "C", "shortcuts"]
    plan = preset_plan(name, two_folders, group_pattern=[GROUPS], is_small=is_small, arms=arms, all_tables=not is_small)
    cells = [cell for cell in plan_study(plan, tmp_path / "out") if not cell.is_pretraining]
    of_arm = {arm: [cell for cell in cells if cell.dataset.arm == arm] for arm in {cell.dataset.arm for cell in cells}}
    assert len({len(of_one) for of_one in of_arm.values()}) == 1
    honest = of_arm.get("B", []) + of_arm.get("C", []) + of_arm.get("", [])
    assert {part.group_pattern for cell in honest for part in cell.dataset.parts or (cell.dataset,)} == {GROUPS}
    assert not any(cell.recipe.leaking_keys or cell.recipe.split.near_duplicates == "ignore" for cell in honest)
    published = of_arm.get("A", []) + of_arm.get("B", [])
    assert all(cell.recipe.head_init == "random" and cell.recipe.clip_gradient is None for cell in published)
    assert all(cell.recipe.head_init == "instant" and cell.recipe.refit_head for cell in of_arm.get("C", []))
    for cell in cells:
        cell.recipe.check_validation()
    if name in PRESETS:
        assert is_small == (max(cell.recipe.epochs for cell in published) == 2)
    save_plan(plan, tmp_path / "study.yaml")
    assert load_plan(tmp_path / "study.yaml") == plan


@pytest.mark.parametrize("name", PRESETS)
def test_the_recipe_of_a_publication_is_that_of_its_study(name: str, two_folders: list[Path], tmp_path: Path) -> None:
    recipe = preset_recipe(name, ["init=imagenet"] if name == "two-step" else [])
    plan = preset_plan(name, two_folders, arms=["B"], all_tables=True)
    cells = plan_study(plan, tmp_path / "out")
    of_study = {"split": recipe.split, "group": None, "seed": recipe.seed}  # folds, groups and seeds
    same = [cell for cell in cells if cell.recipe.model_copy(update=of_study) == recipe]
    assert same, name
    assert all(cell.recipe.split.val == recipe.split.val for cell in same if name != "mobincep")  # it compares shares


def test_the_recipe_of_two_steps_needs_the_images_of_the_first(
    two_folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, target = map(str, two_folders)
    with pytest.raises(BadRecipe) as refusal:
        preset_recipe("two-step")
    assert refusal.value.code == "preset-without-first-step"
    assert main(["train", target, "--recipe", "two-step"]) == 1
    assert "init.train_on" in capsys.readouterr().err
    recipe = preset_recipe("two-step", [f"init.train_on={first}"])
    assert isinstance(recipe.init, Pretraining)
    assert (recipe.init.train_on, recipe.optimizer) == (first, "adam-then-sgd")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_single_training_uses_the_recipe_of_a_publication(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = write_cells(tmp_path / "cells", 60)
    small = [f"--model={SMALL_NETWORK}", "--set=epochs=1", "--set=image_size=32"]
    run = tmp_path / "run"
    assert main(["train", str(cells), "--recipe", "aimic", *small, "--out", str(run)]) == 0
    recipe = load_recipe(run / "recipe.yaml")
    assert (recipe.model, recipe.epochs, recipe.image_size) == (SMALL_NETWORK, 1, 32)
    assert (recipe.sampling, recipe.optimizer, recipe.learning_rate) == ("undersample", "adam", 1e-4)
    assert main(["train", str(cells), "--recipe", "mobincepp", "--out", str(tmp_path / "other")]) == 1
    assert "mobincep" in capsys.readouterr().err
    assert main(["train", str(cells), "--recipe", "mine.yaml", "--out", str(tmp_path / "other")]) == 1
    assert "mine.yaml" in capsys.readouterr().err


def test_presets_hold_what_the_publications_compare(two_folders: list[Path]) -> None:
    made = {name: preset_plan(name, two_folders, all_tables=True) for name in PRESETS}
    assert len(made["aimic"].models) == 10
    assert len(made["mobilevit-mn"].models) == 12 + 4 + 5  # three rows of table 3 stand in table 2
    assert len(made["mobincep"].datasets) == 3 * 3  # two datasets and both as one, by three shares
    assert (len(made["two-step"].models), len(made["two-step"].regimes)) == (11, 3)
    assert all(any("epoch" in note.lower() for note in notes_of(made[name])) for name in PRESETS)
    degraded = [dataset.recipe["degrade"] for dataset in made["two-step"].datasets[2:]]
    assert [key for change in degraded for key in change] == ["blur"] * 2 + ["scale"] * 2 + ["noise"] * 2


def test_by_default_a_study_compares_three_arms_of_the_own_network_and_its_baseline(two_folders: list[Path]) -> None:
    for name in PRESETS:
        plan = preset_plan(name, two_folders)
        assert [(arm.name, arm.compared_with) for arm in plan.arms] == [("A", "B"), ("B", "C"), ("C", None)]
        assert len(plan.models) == (1 if name == "two-step" else 2)  # there, the baseline is an initialization
    single = preset_plan("aimic", two_folders, arms=["A"])
    assert [(arm.name, arm.compared_with) for arm in single.arms] == [("A", None)]
    for arms, code in ((["D"], "unknown-arm"), (["copies"], "unknown-arm")):
        with pytest.raises(BadRecipe) as refusal:
            preset_plan("aimic", two_folders, arms=arms)
        assert refusal.value.code == code


def test_arms_are_chosen_on_the_command_line(
    two_folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study", "preset", "aimic", str(two_folders[0]), "--out", str(tmp_path / "study.yaml")]
    assert main([*arguments, "--arms", "B, test-epoch", "--all-tables"]) == 0
    plan = load_plan(tmp_path / "study.yaml")
    assert [arm.name for arm in plan.arms] == ["B", "test-epoch"]
    assert len(plan.models) == 10
    assert main([*arguments, "--arms", "A,test-epoc"]) == 1
    assert "test-epoch" in capsys.readouterr().err


PROTOCOL_KEYS = {"groups", "split.near_duplicates", "split.balance", "split.copies"} | {
    "checkpoint_selection_set", "validation_copies"
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_arms_differ_in_protocol_or_recipe_only_and_every_difference_is_listed(
    name: str, two_folders: list[Path], tmp_path: Path
) -> None:
    plan = preset_plan(name, two_folders, group_pattern=[GROUPS], arms=["A", "B", "C", "shortcuts"])
    arms = [arm.name for arm in plan.arms]
    values: dict[str, set[tuple[str, ...]]] = {}
    for row in arm_settings(plan, plan_study(plan, tmp_path / "out")):
        values.setdefault(row.key, set()).add(row.values)

    def differing(first: str, second: str) -> set[str]:
        i, k = arms.index(first), arms.index(second)
        return {key for key, rows in values.items() if any(row[i] != row[k] for row in rows)}

    if name == "two-step":  # arms that split by image also split the images of the pretraining by image
        of_first_step = {key for key in values if key.startswith("init.")}
        assert values["init.recipe.group"] == {
            tuple("none" if "A" in arm or "image" in arm else GROUPS for arm in arms)
        }
        assert differing("test-epoch", "B") & of_first_step == set()
        del values["init.recipe.group"]
    assert "init.run" not in values

    assert (
        differing("A", "B")
        == {
            "aimic": {
                "groups",
                "split.near_duplicates",
                "split.balance",
                "checkpoint_selection_set",
            },
            "mobilevit-mn": {"groups", "split.near_duplicates", "validation_copies"},
            "mobincep": {"groups", "split.near_duplicates"},
            "efficientnetv2-cell": {"groups", "split.near_duplicates", "split.copies"},
            "two-step": {"groups", "split.near_duplicates", "checkpoint_selection_set"},
        }[name]
    )
    assert differing("A", "B") <= PROTOCOL_KEYS
    recipe = differing("B", "C")
    assert {"head", "head_init", "refit_head", "clip_gradient", "stage_selection"} <= recipe
    assert not recipe & (PROTOCOL_KEYS | {"checkpoint_selection", "primary_metric", "model", "init"})
    expected = {
        "image-split": {"groups", "split.near_duplicates"},
        "test-epoch": {"checkpoint_selection_set"},
        "balance": {"split.balance"},
        "augmented-validation": {"validation_copies"},
        "copies": {"groups", "split.near_duplicates", "split.copies"},
    }
    for arm in arms[3:]:
        assert differing(arm, "B") == expected[arm]


@pytest.mark.parametrize("is_small", [True, False])
def test_settings_that_a_publication_does_not_state_are_listed_for_the_arms_that_have_them(
    two_folders: list[Path], is_small: bool
) -> None:
    for name in PRESETS:
        plan = preset_plan(name, two_folders, is_small=is_small)
        lines = [str(line) for line in not_stated(plan, cells_of(plan, Path("out")))]
        assert len(lines) == (2 if name == "efficientnetv2-cell" else 1)  # there, A and B differ in copies
        assert all(key in line for line in lines for key in PRESETS[name].not_stated)
        assert not any("image_size = null" in line for line in lines)
        changed = plan.model_copy(update={"seeds": (7, 8)})
        assert all("seed = 7, 8" in str(line) for line in not_stated(changed, cells_of(changed, Path("out"))))
    plan = preset_plan("mobincep", two_folders, is_small=True)
    assert "epochs = 2" in notes_of(plan)[-1]


def notes_of(plan: StudyPlan) -> list[str]:
    return [str(note) for note in notes_of_plan(plan, cells_of(plan, Path("out")))]


def has_note(plan: StudyPlan, code: str, **parameters: str) -> bool:
    """Return whether a plan has the note; words of parameters that are not given match any."""
    names = ("arms", "networks", "settings", "stated", "n_images")
    words = re.escape(text(code, **{name: parameters.get(name, "ANY") for name in names}))
    return any(re.fullmatch(words.replace("ANY", ".*"), note) for note in notes_of(plan))


def test_a_changed_plan_has_its_own_differences_from_the_publication(two_folders: list[Path]) -> None:
    small = preset_plan("mobilevit-mn", two_folders, is_small=True)
    assert text("deviation-training-images", n_images="20") in notes_of(small)
    more = small.model_copy(update={"train_per_class": (50, None)})
    assert [text("deviation-training-images", n_images=n) in notes_of(more) for n in ("20", "50")] == [False, True]
    arms = [arm.model_copy(update={"recipe": {**arm.recipe, "augment": "none"}}) for arm in small.arms]
    plain = small.model_copy(update={"arms": arms, "train_per_class": (None,)})
    codes = ("mobilevit-both-classes", "augmentation-ranges", "training-images")
    assert not any(has_note(plain, f"deviation-{code}") for code in codes)
    mobincep = preset_plan("mobincep", two_folders, is_small=True)
    splits = {"folds": 0, "repeats": 2, "stated_folds": 0, "stated_repeats": 5}
    assert text("deviation-splits", **splits) in notes_of(mobincep)
    published = mobincep.model_copy(update={"repeats": 5})
    assert text("deviation-splits", **{**splits, "repeats": 5}) not in notes_of(published)


def test_differences_from_a_publication_are_those_of_the_plan(two_folders: list[Path]) -> None:
    aimic, all_of_aimic = (preset_plan("aimic", two_folders, all_tables=each) for each in (False, True))
    example = "optimizer = adam; learning_rate = 0.0001; epochs = 500; patience = 50"
    assert has_note(aimic, "deviation-aimic-example", arms="A, B", settings=example)
    small = preset_plan("aimic", two_folders, is_small=True)
    assert has_note(small, "deviation-aimic-example", settings=example.replace("500", "2"))
    assert [has_note(plan, "deviation-auxiliary-heads") for plan in (aimic, all_of_aimic)] == [False, True]
    assert [has_note(plan, "deviation-networks") for plan in (aimic, all_of_aimic)] == [True, False]
    assert has_note(aimic, "deviation-aimic-epoch", arms="A")
    assert has_note(aimic, "deviation-near-duplicates", arms="B")
    only_b = preset_plan("aimic", two_folders, arms=["B"])
    assert not has_note(only_b, "deviation-aimic-epoch")
    assert not notes_of(preset_plan("aimic", two_folders, arms=["C"]))

    mobilevit, all_of_mobilevit = (preset_plan("mobilevit-mn", two_folders, all_tables=each) for each in (False, True))
    assert has_note(mobilevit, "deviation-mobilevit-both-classes")
    assert has_note(mobilevit, "deviation-folds", settings="split.folds = 5; split.val = 0.2", stated="60:20:20")
    assert [has_note(each, "deviation-mobilevit-attention") for each in (mobilevit, all_of_mobilevit)] == [False, True]
    assert [has_note(each, "deviation-mobilevit-separable") for each in (mobilevit, all_of_mobilevit)] == [True, True]
    small = preset_plan("mobilevit-mn", two_folders, is_small=True)
    assert not has_note(small, "deviation-mobilevit-separable")  # all from random weights
    assert has_note(small, "deviation-random-weights", networks="trans_DSC_SE_NAM")

    mobincep = preset_plan("mobincep", two_folders)
    assert has_note(mobincep, "deviation-mobincep-intensities", settings="scaling = auto")
    assert not has_note(mobincep, "deviation-mobincep-mobilenet")
    two_step, all_of_two_step = (preset_plan("two-step", two_folders, all_tables=each) for each in (False, True))
    assert [has_note(each, "deviation-two-step-degraded") for each in (two_step, all_of_two_step)] == [False, True]
    assert has_note(two_step, "deviation-two-step-epoch")
    efficientnet = preset_plan("efficientnetv2-cell", two_folders, arms=["B"])
    assert not has_note(efficientnet, "deviation-efficientnet-copies")
    assert not has_note(efficientnet, "deviation-efficientnet-nasnet")
    assert not has_note(efficientnet, "deviation-efficientnet-others")
    small = preset_plan("efficientnetv2-cell", two_folders, is_small=True)
    lite0 = "first blocks frozen (efficientnet_lite0); nothing frozen (efficientnet_lite0)"
    assert has_note(small, "deviation-other-networks", networks=lite0)
    lacking = "first 200 of 271 frozen; inception_v3; nasnet_mobile; vgg16"
    assert has_note(small, "deviation-networks", networks=lacking)
    assert has_note(small, "deviation-efficientnet-scaling")
    stated = {"settings": "epochs = 2; image_size = 64", "stated": "epochs = 70; image_size = 224"}
    changed = text("deviation-settings", **stated)
    assert [changed in notes_of(each) for each in (small, efficientnet)] == [True, False]
    others = preset_plan("efficientnetv2-cell", two_folders, arms=["B"], all_tables=True)
    assert has_note(others, "deviation-efficientnet-others", networks="inception_v3; nasnet_mobile, scratch")
    variants = ("nothing frozen", "all but the last layer frozen", "first 200 of 271 frozen, scaled twice")
    of_network = "; ".join(f"{name} (efficientnetv2_b0)" for name in variants)
    assert has_note(others, "deviation-other-networks", networks=of_network)
    assert has_note(aimic, "deviation-aimic-augmentation", arms="A, B")
    for name in ("aimic", "mobilevit-mn"):
        assert {"resize", "pad_color"} <= set(PRESETS[name].not_stated)


def test_mobincep_trains_what_its_tables_need(tmp_path: Path) -> None:
    folders = [save_cells(tmp_path / name) for name in ("lym", "pap", "hela")]
    plan = preset_plan("mobincep", folders, arms=["A"], all_tables=True)
    cells = plan_study(plan, tmp_path / "out")
    assert len(cells) == 4 * 5 * (7 + 1) + 2 * 4 * 5  # tables 2 and 4, and figure 9
    assert {cell.model for cell in cells if not cell.dataset.name.endswith("60 20 20")} == {"Mobincep"}


def test_two_steps_go_through_the_other_dataset_with_its_names_of_classes(two_folders: list[Path]) -> None:
    q, g = preset_plan("two-step", two_folders, group_pattern=["a", "b"]).datasets
    assert q.recipe["init"]["train_on"] == str(two_folders[1])
    assert (q.recipe["init"]["labels"], g.recipe["init"]["labels"]) == ({"1": "01", "X": "x"}, {"01": "1", "x": "X"})
    assert (q.group_pattern, g.group_pattern) == ("a", "b")
    assert [each.recipe["init"]["recipe"]["group"] for each in (q, g)] == ["b", "a"]  # of the other one
    assert {each.recipe["init"]["recipe"]["stage_selection"] for each in (q, g)} == {
        "finetune"
    }  # else it may be no step
    small = preset_plan("two-step", two_folders, is_small=True, all_tables=True).datasets
    assert [each.recipe["init"]["recipe"]["split"] for each in small] == [{"train_per_class": 20}] * 4
    for name, data, options, code in (
        ("two-step", two_folders[:1], {}, "two-step-datasets"),
        ("aimik", two_folders, {}, "unknown-preset"),
        ("aimic", [], {}, "preset-without-datasets"),
        ("aimic", two_folders, {"group": ["a", "b", "c"]}, "wrong-number-of-group-columns"),
        ("aimic", two_folders, {"group_pattern": ["a", "b", "c"]}, "wrong-number-of-group-patterns"),
    ):
        with pytest.raises(BadRecipe) as refusal:
            preset_plan(name, data, **options)
        assert refusal.value.code == code


def test_the_first_of_two_steps_has_the_classes_that_its_images_have_as_a_target(two_folders: list[Path]) -> None:
    reading = {"classes": {"rename": {"X": "sex"}}, "crop_margin": 0.2, "images": {"z": "max"}, "group": GROUPS}
    merged = {"path": [str(two_folders[1])], "name": "g", "recipe": reading}
    plan = preset_plan("two-step", [{"path": [str(two_folders[0])], "name": "q"}, merged])
    through_g, through_q = (each.recipe["init"] for each in plan.datasets[:2])
    assert (through_g["recipe"]["classes"], through_g["labels"]) == ({"rename": {"X": "sex"}}, {"1": "01"})
    assert ("classes" in through_q["recipe"], through_q["labels"]) == (False, {"01": "1"})
    cells = plan_study(plan, two_folders[0].parent / "out")
    first_steps = {cell.recipe.crop_margin: cell.recipe for cell in cells if cell.is_pretraining}
    assert set(first_steps) == {0, 0.2}
    assert {margin: (first.images.z, first.group) for margin, first in first_steps.items()} == {
        0: (0, None), 0.2: ("max", GROUPS)
    }  # fmt: skip
    assert {cell.recipe.classes.changes() == {"X": "sex"} for cell in cells if cell.is_pretraining} == {True, False}


def rows(dataset: str, model: str, regime: str, values: list[float]) -> list[ResultRow]:
    return [
        ResultRow(
            dataset=dataset, model=model, regime=regime, train_per_class=None, repeat=1, fold=k, seed=0,
            n_train=80, n_untested=80, n_test=20, primary=value, state="done", run=f"{model} {k}",
        )
        for k, value in enumerate(values, start=1)
    ]  # fmt: skip


def test_each_network_is_compared_with_itself_where_the_baseline_is_a_start() -> None:
    plan = StudyPlan.model_validate(
        {"datasets": ["cells"], "models": ["a", "b"], "regimes": ["imagenet", "scratch"], "baseline": "imagenet"}
    )
    values = {"a": [0.9, 0.91, 0.92], "b": [0.8, 0.81, 0.82]}
    compared = compare_study(
        plan,
        [
            row
            for model, result in values.items()
            for regime, less in (("imagenet", 0.0), ("scratch", 0.3))
            for row in rows("cells", model, regime, [value - less for value in result])
        ],
    )
    assert [(each.name, each.baseline) for each in compared.datasets[0].differences] == [
        ("a, scratch", "a, imagenet"), ("b, scratch", "b, imagenet"),
    ]  # fmt: skip


def test_a_published_value_stands_beside_that_of_each_arm() -> None:
    published = {"name": "theirs", "variant": "a", "metrics": {"macro_f1": 0.99}, "source": "a paper"}
    arms = [{"name": "A", "compared_with": "B"}, {"name": "B"}]
    plan = StudyPlan.model_validate({"datasets": ["cells"], "models": ["a"], "arms": arms, "published": [published]})
    compared = compare_study(
        plan, [*rows("cells, A", "a", "imagenet", [0.95]), *rows("cells, B", "a", "imagenet", [0.8])]
    )
    assert [(row.value, row.own) for row in compared.published] == [(0.99, {"A": 0.95, "B": 0.8})]
    assert (compared.counted, compared.left_out) == (("cells, A", "cells, B"), ())  # each counts in its arm


@pytest.mark.parametrize(
    "changes", [{"arms": [{"name": "A", "compared_with": "B"}]}, {"datasets": [{"path": "c", "models": ["b"]}]}]
)
def test_arms_and_networks_that_a_plan_names_exist(changes: dict[str, object]) -> None:
    with pytest.raises(BadRecipe) as refusal:
        plan_of({"datasets": ["cells"], "models": ["a"], **changes})
    assert refusal.value.code == "invalid-plan"


def test_every_value_of_a_publication_has_its_network_where_the_preset_has_it(two_folders: list[Path]) -> None:
    plans = {name: preset_plan(name, two_folders, all_tables=True) for name in PRESETS}
    values = {name: compare_study(plan, []).published for name, plan in plans.items()}
    assert {name: len(rows) for name, rows in values.items()} == {
        "aimic": 5 * 4 + 11 + 16 + 10 * 3, "mobilevit-mn": 3 * (12 + 7 + 13) + 3 * 12 + 13,
        "mobincep": 28 + 90 + 4 + 26 + 2, "efficientnetv2-cell": 3 * 2 * 2 + 3 * 4 + 1, "two-step": 32 + 3 + 3,
    }  # fmt: skip
    for plan in plans.values():
        assert {row.variant for _, row in published_rows(plan)} <= {"", *plan.variant_names}
    accuracy = {row.name: row.value for row in values["efficientnetv2-cell"] if row.source.endswith("Table IV")}
    assert accuracy == {"VGG-16, other authors, 1,000 epochs": 0.972}


@pytest.mark.parametrize("name", PRESETS)
def test_the_tables_of_a_publication_stand_in_its_order_with_its_values(name: str, two_folders: list[Path]) -> None:
    plan = preset_plan(name, two_folders, all_tables=True)
    first = plan.trained_datasets[1]  # arm B
    results = rows(first.name, plan.models[0].name, plan.regimes[0].name, [0.5, 0.6])
    compared = compare_study(plan, results)
    (paper,) = compared.papers
    title = text("study-paper", publication=paper.publication)
    (section,) = (each for each in study_sections(compared) if each.title == title)
    overview, *blocks = (block for block in section.blocks if block.rows)
    assert [row[:2] for row in overview.rows] == [(item.item, item.title) for item in paper.items]
    headings = [text("study-paper-item", item=item.item, title=item.title) for item in paper.items]
    positions = [headings.index(block.heading) for block in blocks]
    assert positions == sorted(set(positions))
    assert sum(len(block.rows) for block in blocks) == len(compared.published)  # each at its table, and nowhere else
    for block in blocks:  # what is the same in all rows is above the table
        assert {len(row) for row in block.rows} == {len(block.columns)}
        assert [*block.columns][-3:] == ["A", "B", "C"]
        inner = zip(*(row[1 : len(row) - 4] for row in block.rows), strict=True)
        assert all(len(set(column)) > 1 for column in inner)
    codes = {code for item in paper.items for code in item.sections}
    assert all(text(code if code == "study-confusions" else f"{code}.title") for code in codes)


def test_published_values_of_the_merged_dataset_and_of_classes_stand_beside_those_of_this_study() -> None:
    plan = StudyPlan.model_validate(
        {
            "datasets": [{"path": "a", "name": "pap 60 20 20"}, {"path": "b", "name": "all as one 60 20 20"}],
            "models": ["Mobincep"],
            "published": ["mobincep"],
        }
    )

    def merged(class_name: str | None, single: float, others: float, on_all_images: float) -> MergedClass:
        names = ["accuracy"] if class_name is None else ["precision", "recall", "f1"]
        return MergedClass(
            dataset="pap 60 20 20",
            merged="all as one 60 20 20",
            train_per_class=None,
            name="Mobincep",
            class_name=class_name,
            n_single=9,
            n_merged=9,
            single={name: Metric(value=single) for name in names},
            with_others={name: Metric(value=others) for name in names},
            on_all_images={name: Metric(value=on_all_images) for name in names},
        )

    measured = [*rows("pap 60 20 20", "Mobincep", "imagenet", [0.7])]
    compared = compare_study(plan, measured, merged=[merged(None, 0.7, 0.6, 0.8), merged("normal", 0.5, 0.4, 0.3)])
    of_mix = [
        row.own for row in compared.published if row.name == "Mobincep trained on the Mix" and row.dataset == "Pap"
    ]
    assert of_mix == [{"": 0.6}]
    of_class = {row.dataset: row.own for row in compared.published if row.class_name == "Normal" and row.metric == "f1"}
    assert of_class == {"Pap": {"": 0.5}, "Mix": {"": 0.3}}


def test_published_values_that_are_no_metrics_stand_beside_those_of_the_study() -> None:
    published = ("parameters", "seconds_one", "seconds_many", "time_ratio", "time", "training_hours", "mmd2")
    row = {"name": "theirs", "variant": "a", "metrics": dict.fromkeys(published, 9.0)}
    plan = StudyPlan.model_validate({"datasets": ["cells"], "models": ["a"], "published": [row]})
    results = [
        replace(each, parameters=4_300_000, train_seconds=7200.0) for each in rows("cells", "a", "imagenet", [0.5])
    ]
    single, many = (Timing(median=s, mean=s, low=s, high=s, runs=(s,)) for s in (0.5, 20.0))
    latency = Latency(
        processor="", n_threads=1, engine="", image_px=64, n_many=100,
        network_one=single, network_many=many, whole_one=single, whole_many=many,
    )  # fmt: skip
    measure = Metric(value=0.2)
    compared = compare_study(
        plan,
        results,
        latencies=[NetworkLatency(dataset="cells", model="a", latency=latency)],
        distances=[
            StepDistance(dataset="cells", first="f", model="a", regime="imagenet", mmd2=measure, coral=measure, p=0.1)
        ],
    )
    values = {each.metric: each.own[""] for each in compared.published}
    assert values == dict(zip(published, (4.3, 0.5, 20.0, 40.0, 0.5, 2.0, 0.2), strict=True))
    (section,) = (each for each in study_sections(compared) if each.title == text("study-published.title"))
    assert [line[4:6] for line in section.blocks[0].rows][:3] == [("9", "4.3"), ("9", "0.5"), ("9", "20")]


def test_a_published_value_stands_beside_the_dataset_of_the_same_name() -> None:
    rows_of_papers = [
        {"name": "b", "variant": "a", "dataset": "C-NMC", "metrics": {"macro_f1": [0.8, 0.9]}},
        {"name": "b", "variant": "a", "dataset": "LISC", "metrics": {"macro_f1": 0.7}},
        {"name": "b", "variant": "a", "beside": "^all as one$", "metrics": {"macro_f1": 0.6}},
    ]
    plan = StudyPlan.model_validate({"datasets": ["my_cnmc", "pbc"], "models": ["a"], "published": rows_of_papers})
    compared = compare_study(plan, [*rows("my_cnmc", "a", "imagenet", [0.5]), *rows("pbc", "a", "imagenet", [0.7])])
    values = [(row.value, row.high, row.own) for row in compared.published]
    assert values == [(0.8, 0.9, {"": 0.5}), (0.7, None, {"": pytest.approx(0.6)}), (0.6, None, {})]


def test_the_values_of_a_stain_stand_beside_the_table_of_that_stain(tmp_path: Path) -> None:
    tables = [tmp_path / name for name in ("qband.csv", "gband.csv")]
    for table in tables:
        save_cells(tmp_path / table.stem)
        files = [file.relative_to(tmp_path) for file in sorted((tmp_path / table.stem).rglob("*.png"))]
        table.write_text("\n".join(["path,label", *(f"{file},{file.parent.name}" for file in files)]))
    plan = preset_plan("two-step", tables, arms=["B"], all_tables=True)
    names = [each.name for each in plan.datasets[:2]]
    assert names == ["qband", "gband"]
    measured = [
        row
        for name, gain in zip(names, (0.1, 0.2), strict=True)
        for regime in plan.regimes
        for row in rows(name, "vgg16_bn", regime.name, [0.5 + gain * (regime.name == "two-step"), 0.6])
    ]
    compared = compare_study(plan, [replace(row, metrics={"macro_f1": row.primary}) for row in measured])
    values = {row.dataset: row.own for row in compared.published if row.is_difference and row.own}
    assert values == {"Q bands": {"B": pytest.approx(0.05)}, "G bands": {"B": pytest.approx(0.1)}}
    generic = [save_cells(tmp_path / name).parent / name / "images.csv" for name in ("a", "b")]
    for table in generic:
        table.write_text("path,label\nround/slide0_0.png,round\nflat/slide0_0.png,flat\n")
    assert [each.name for each in preset_plan("aimic", generic).datasets] == ["a", "b"]


def test_shares_of_training_images_are_one_learning_curve(two_folders: list[Path]) -> None:
    plan = preset_plan("mobincep", two_folders[:1], arms=["B"], all_tables=True)
    values = {"60 20 20": 0.9, "40 20 40": 0.8, "20 20 60": 0.7}
    results = [
        row
        for dataset in plan.datasets
        for share, value in values.items()
        if dataset.name.endswith(share)
        for row in rows(dataset.name, "Mobincep", plan.regimes[0].name, [value, value + 0.02])
    ]
    (curve,) = compare_study(plan, results).sizes
    assert (curve.axis, curve.dataset) == ("training share", two_folders[0].name)
    assert [(point.n, point.score.mean) for point in curve.points] == [
        (20, pytest.approx(0.71)), (40, pytest.approx(0.81)), (60, pytest.approx(0.91)),
    ]  # fmt: skip


def test_an_interval_that_ends_at_zero_is_drawn_to_zero() -> None:
    plan = StudyPlan.model_validate({"datasets": ["cells"], "models": ["a"], "train_per_class": [10, 100]})
    few, many = (rows("cells", "a", "imagenet", values) for values in ([0.01, 0.1, 0.2], [0.4, 0.5, 0.6]))
    sized = [replace(row, train_per_class=n) for n, of_size in ((10, few), (100, many)) for row in of_size]
    compared = compare_study(plan, sized)
    assert compared.sizes[0].points[0].score.low == 0
    drawn = size_drawing(compared, 1, "cells", "images per class").figure()
    (lines,) = drawn.axes[0].collections
    assert lines.get_segments()[0][0][1] == 0


def test_an_interval_that_says_nothing_is_in_no_table_and_no_figure() -> None:
    plan = StudyPlan.model_validate({"datasets": ["cells"], "models": ["a", "b", "c"], "baseline": "a"})
    values = {"a": [0.5, 0.52, 0.51], "b": [0.1, 0.9, 0.2], "c": [0.6, 0.62, 0.615]}
    measured = [row for name, of_name in values.items() for row in rows("cells", name, "imagenet", of_name)]
    (part,) = compare_study(plan, [replace(row, n_classes=3, largest_class=0.4) for row in measured]).datasets
    intervals = {each.name: each.difference.low for each in part.differences}
    assert (intervals["b"], intervals["c"] is not None) == (None, True)
    assert {row.name: row.metrics["macro_f1"].low is None for row in part.scores} == {"a": False, "b": True, "c": False}
    assert part.splits is not None
    assert (part.splits.n_splits, part.splits.n_train, part.splits.n_test) == (3, (80, 80), (20, 20))
    assert (part.splits.n_classes, part.splits.largest_class) == (3, (0.4, 0.4))


def test_figures_show_where_long_names_differ() -> None:
    names = [f"resnext101_32x16d, from chromosomes in {stain} bands at 63 times" for stain in ("G", "Q", "R")]
    plan = StudyPlan.model_validate({"datasets": ["cells"], "models": names})
    values = {name: [0.5 + 0.1 * k, 0.6 + 0.1 * k] for k, name in enumerate(names)}
    compared = compare_study(plan, [row for name in names for row in rows("cells", name, "imagenet", values[name])])
    (forest,) = [drawing.figure() for drawing in forest_drawing(compared)]
    labels = [label.get_text() for label in forest.axes[0].get_yticklabels()]
    assert {" ".join(label.split()) for label in labels} == set(names[1:])


def test_three_datasets_are_the_first_step_of_each_other(two_folders: list[Path], tmp_path: Path) -> None:
    third = save_cells(tmp_path / "third", n=2)
    data = [*two_folders, third]
    plan = preset_plan("two-step", data, group_pattern=["a", "b", "c"], arms=["B"], all_tables=True)
    cells = [cell for cell in plan_study(plan, tmp_path / "out") if cell.model == "resnet34"]
    pairs = {(cell.dataset.name, cell.regime) for cell in cells if cell.starts_from is not None}
    names = [each.name for each in two_folders] + ["third"]
    assert pairs == {(target, f"from {source}") for target in names for source in names if source != target}
    first = next(cell for cell in cells if cell.is_pretraining and cell.regime == "from third")
    assert (first.recipe.group, first.recipe.stage_selection) == ("c", "finetune")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_small_preset_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cells(tmp_path / "cells", 60)
    out = tmp_path / "out"
    arguments = [
        str(tmp_path / "cells"),
        "--group-pattern",
        GROUPS,
        "--small",
        "--arms",
        "B,copies,image-split",
        "--out",
        str(out),
    ]
    assert main(["study", "run", "efficientnetv2-cell", *arguments]) == 0
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        assert {row["state"] for row in csv.DictReader(file)} == {"done"}
    printed = capsys.readouterr()
    assert text("study-arms.title") in printed.out
    assert "6 trainings" in printed.err  # before the first one
    assert "54 test images" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("n_groups", "values"), [(None, None), (3, ("divided", "kept together"))])
def test_arms_differ_in_groups_only_where_there_are_some(
    two_folders: list[Path], tmp_path: Path, n_groups: int | None, values: tuple[str, ...] | None
) -> None:
    plan = preset_plan("mobincep", two_folders, arms=["A", "B"])
    dataset = plan.trained_datasets[0]
    row = ResultRow(
        dataset=dataset.name, model="", regime="", train_per_class=None, repeat=1, fold=None, seed=0,
        n_groups=n_groups, state="done", run="",
    )  # fmt: skip
    settings = {each.key: each.values for each in arm_settings(plan, plan_study(plan, tmp_path / "out"), [row])}
    assert settings.get("groups") == values
