"""Presets: each publication's study on the user's own images."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from drawing import save_cells, write_cells
from trained import GROUPS, SMALL_NETWORK

from coverslip import studies
from coverslip.cli import main
from coverslip.errors import BadRecipe
from coverslip.runs import load_recipe
from coverslip.studies.comparing import compare_study
from coverslip.studies.figures import forest_drawing, size_drawing
from coverslip.studies.plan import StudyPlan, load_plan
from coverslip.studies.presets import PRESETS
from coverslip.studies.published import published_rows
from coverslip.studies.results import ResultRow


@pytest.fixture
def two_folders(tmp_path: Path) -> list[Path]:
    return [save_cells(tmp_path / "q", ("01", "x")), save_cells(tmp_path / "g", ("1", "X"))]


OF_PUBLICATIONS = [name for name, preset in PRESETS.items() if preset.as_published is not None]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("is_small", [True, False])
def test_every_preset_is_a_plan_whose_trainings_are_all_valid(
    name: str, is_small: bool, two_folders: list[Path], tmp_path: Path
) -> None:
    as_published = name in OF_PUBLICATIONS
    plan = studies.preset_plan(name, two_folders, group_pattern=[GROUPS], is_small=is_small, as_published=as_published)
    cells = [cell for cell in studies.plan_study(plan, tmp_path / "out") if not cell.is_pretraining]
    is_whole = [cell for cell in cells if cell.recipe.degrade.degradation is None]
    honest = [cell for cell in is_whole if cell.dataset.as_published_of is None]
    published = [cell for cell in cells if cell.dataset.as_published_of is not None]
    assert len(published) == (len(honest) if as_published else 0)
    assert {part.group_pattern for cell in honest for part in cell.dataset.parts or (cell.dataset,)} == {GROUPS}
    assert not any(cell.recipe.leaking_keys for cell in honest)
    assert all(cell.recipe.head_init == "random" and cell.recipe.clip_gradient is None for cell in published)
    for cell in cells:
        cell.recipe.check_validation()
    if as_published:
        assert is_small == (max(cell.recipe.epochs for cell in cells) == 2)
    studies.save_plan(plan, tmp_path / "study.yaml")
    assert load_plan(tmp_path / "study.yaml") == plan


@pytest.mark.parametrize("name", PRESETS)
def test_the_recipe_of_a_publication_is_that_of_its_study(name: str, two_folders: list[Path], tmp_path: Path) -> None:
    recipe = studies.preset_recipe(name)
    cells = studies.plan_study(studies.preset_plan(name, two_folders), tmp_path / "out")
    of_study = {"split": recipe.split, "group": None, "seed": recipe.seed}  # folds, groups and seeds
    same = [cell for cell in cells if cell.recipe.model_copy(update=of_study) == recipe]
    assert same, name
    assert all(cell.recipe.split.val == recipe.split.val for cell in same if name != "mobincep")  # it compares shares


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
    made = {name: studies.preset_plan(name, two_folders) for name in PRESETS}
    assert len(made["aimic"].models) == 10
    assert len(made["mobilevit-mn"].models) == 12 + 4 + 5  # three rows of table 3 stand in table 2
    assert len(made["mobincep"].datasets) == 3 * 3  # two datasets and both as one, by three shares
    assert (len(made["two-step"].models), len(made["two-step"].regimes)) == (11, 3)
    assert not any(dataset.by_domain for dataset in made["mobincep"].datasets)  # "01" and "1" are two classes
    assert all(any("epoch" in note.lower() for note in made[name].notes) for name in OF_PUBLICATIONS)
    assert {each.name for each in made["mobilevit-mn"].perturbations} >= {"blur 2", "noise 0.1"}
    degraded = [dataset.recipe["degrade"] for dataset in made["two-step"].datasets[2:]]
    assert [key for change in degraded for key in change] == ["blur"] * 2 + ["scale"] * 2 + ["noise"] * 2
    assert [each.recipe["split"]["rare_images"] for each in made["imbalance"].datasets] == [5, 10, 20, 50] * 2
    assert len(made["imbalance"].models) == 3 * 3


@pytest.mark.slow
def test_published_protocols_are_whole(two_folders: list[Path], tmp_path: Path) -> None:
    recipes = {}
    for name in OF_PUBLICATIONS:
        plan = studies.preset_plan(name, two_folders, as_published=True)
        cells = studies.plan_study(plan, tmp_path / "out")
        recipes[name] = [each.recipe for each in cells if each.dataset.as_published_of and not each.is_pretraining]
    used = {name: {key for recipe in of_preset for key in recipe.protocol_keys} for name, of_preset in recipes.items()}
    assert used == {
        "aimic": {"checkpoint_selection_set", "split.balance"},
        "mobilevit-mn": {"validation_copies"},
        "mobincep": set(),
        "efficientnetv2-cell": {"split.copies", "normalization"},
        "two-step": {"checkpoint_selection_set"},
    }
    for name in ("aimic", "two-step"):  # five folds, 80 % of the images in training, the epoch by accuracy
        splits = {(recipe.split.folds, recipe.split.val, recipe.primary_metric) for recipe in recipes[name]}
        assert splits == {(5, 0, "accuracy")}
    with pytest.raises(BadRecipe) as refusal:
        studies.preset_plan("imbalance", two_folders, as_published=True)
    assert refusal.value.code == "preset-without-protocol"


def test_settings_that_a_publication_does_not_state_are_listed(two_folders: list[Path]) -> None:
    for name in OF_PUBLICATIONS:
        *_, note = studies.preset_plan(name, two_folders).notes
        assert all(key in note for key in PRESETS[name].not_stated)


def test_two_steps_go_through_the_other_dataset_with_its_names_of_classes(two_folders: list[Path]) -> None:
    q, g, *_ = studies.preset_plan("two-step", two_folders, group_pattern=["a", "b"]).datasets
    assert q.recipe["init"]["train_on"] == str(two_folders[1])
    assert (q.recipe["init"]["labels"], g.recipe["init"]["labels"]) == ({"1": "01", "X": "x"}, {"01": "1", "x": "X"})
    assert (q.group_pattern, g.group_pattern) == ("a", "b")
    assert [each.recipe["init"]["recipe"]["group"] for each in (q, g)] == ["b", "a"]  # of the other one
    assert {each.recipe["init"]["recipe"]["stage_selection"] for each in (q, g)} == {
        "finetune"
    }  # else it may be no step
    small = studies.preset_plan("two-step", two_folders, is_small=True).datasets
    assert [each.recipe["init"]["recipe"]["split"] for each in small] == [{"train_per_class": 20}] * 4
    for name, data, options, code in (
        ("two-step", two_folders[:1], {}, "two-step-datasets"),
        ("aimik", two_folders, {}, "unknown-preset"),
        ("aimic", [], {}, "preset-without-datasets"),
        ("aimic", two_folders, {"group": ["a", "b", "c"]}, "wrong-number-of-group-columns"),
        ("aimic", two_folders, {"group_pattern": ["a", "b", "c"]}, "wrong-number-of-group-patterns"),
    ):
        with pytest.raises(BadRecipe) as refusal:
            studies.preset_plan(name, data, **options)
        assert refusal.value.code == code


def test_the_first_of_two_steps_has_the_classes_that_its_images_have_as_a_target(two_folders: list[Path]) -> None:
    merged = {"path": [str(two_folders[1])], "name": "g", "recipe": {"classes": {"rename": {"X": "sex"}}}}
    plan = studies.preset_plan("two-step", [{"path": [str(two_folders[0])], "name": "q"}, merged])
    through_g, through_q = (each.recipe["init"] for each in plan.datasets[:2])
    assert (through_g["recipe"]["classes"], through_g["labels"]) == ({"rename": {"X": "sex"}}, {"1": "01"})
    assert ("classes" in through_q["recipe"], through_q["labels"]) == (False, {"01": "1"})
    cells = studies.plan_study(plan, two_folders[0].parent / "out")
    assert {cell.recipe.classes.changes() == {"X": "sex"} for cell in cells if cell.is_pretraining} == {True, False}


def test_mobincep_leaves_each_dataset_out_where_they_share_classes(tmp_path: Path) -> None:
    labs = [save_cells(tmp_path / name, n=2) for name in ("a", "b")]
    *of_ratios, last = studies.preset_plan("mobincep", labs).datasets
    assert len(of_ratios) == 3 * 3
    assert (last.name, last.by_domain, last.sources) == ("each left out", True, tuple(map(str, labs)))
    cells = studies.plan_study(studies.preset_plan("mobincep", labs), tmp_path / "out")
    plans = {(cell.dataset.by_domain, cell.recipe.split.by_domain, cell.recipe.split.folds) for cell in cells}
    assert plans == {(True, True, None), (False, False, 0)}


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


def test_what_a_publications_protocol_promises_stands_beside_the_honest_one() -> None:
    published = {"name": "theirs", "variant": "a", "metrics": {"macro_f1": 0.99}, "source": "a paper"}
    published_dataset = {"path": "cells", "name": "cells, as published", "as_published_of": "cells"}
    plan = StudyPlan.model_validate(
        {"datasets": ["cells", published_dataset], "models": ["a"], "published": [published]}
    )
    compared = compare_study(
        plan, [*rows("cells", "a", "imagenet", [0.8]), *rows("cells, as published", "a", "imagenet", [0.95])]
    )
    (gap,) = compared.gaps
    assert (gap.dataset, gap.own, gap.as_published) == ("cells", 0.8, 0.95)
    assert [(row.value, row.own, row.as_published) for row in compared.published] == [(0.99, 0.8, 0.95)]


def test_every_value_of_a_publication_has_its_network_where_the_preset_has_it(two_folders: list[Path]) -> None:
    values = {name: compare_study(studies.preset_plan(name, two_folders), []).published for name in PRESETS}
    assert {name: len(rows) for name, rows in values.items()} == {
        "aimic": 5 * 4 + 11 + 16, "mobilevit-mn": 3 * (12 + 7 + 13), "mobincep": 28 + 90 + 4 + 26,
        "efficientnetv2-cell": 3 * 2 * 2 + 3 * 4 + 1, "two-step": 32, "imbalance": 0,
    }  # fmt: skip
    for name in PRESETS:
        plan = studies.preset_plan(name, two_folders)
        assert {row.variant for _, row in published_rows(plan)} <= {"", *plan.variant_names}
    accuracy = {row.name: row.value for row in values["efficientnetv2-cell"] if row.source.endswith("Table IV")}
    assert accuracy == {"VGG-16, other authors, 1,000 epochs": 0.972}


def test_a_published_value_stands_beside_the_dataset_of_the_same_name() -> None:
    rows_of_papers = [
        {"name": "b", "variant": "a", "dataset": "C-NMC", "metrics": {"macro_f1": [0.8, 0.9]}},
        {"name": "b", "variant": "a", "dataset": "LISC", "metrics": {"macro_f1": 0.7}},
        {"name": "b", "variant": "a", "beside": "^all as one$", "metrics": {"macro_f1": 0.6}},
    ]
    plan = StudyPlan.model_validate({"datasets": ["my_cnmc", "pbc"], "models": ["a"], "published": rows_of_papers})
    compared = compare_study(plan, [*rows("my_cnmc", "a", "imagenet", [0.5]), *rows("pbc", "a", "imagenet", [0.7])])
    values = [(row.value, row.high, row.own) for row in compared.published]
    assert values == [(0.8, 0.9, 0.5), (0.7, None, pytest.approx(0.6)), (0.6, None, None)]


def test_shares_of_training_images_are_one_learning_curve(two_folders: list[Path]) -> None:
    plan = studies.preset_plan("mobincep", two_folders[:1])
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
    few, many = rows("cells", "a", "imagenet", [0.01, 0.2]), rows("cells", "a", "imagenet", [0.4, 0.6])
    sized = [replace(row, train_per_class=n) for n, of_size in ((10, few), (100, many)) for row in of_size]
    compared = compare_study(plan, sized)
    assert compared.sizes[0].points[0].score.low == 0
    drawn = size_drawing(compared, 1, "cells", "images per class").figure()
    (lines,) = drawn.axes[0].collections
    assert lines.get_segments()[0][0][1] == 0


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
    plan = studies.preset_plan("two-step", [*two_folders, third], group_pattern=["a", "b", "c"])
    cells = [cell for cell in studies.plan_study(plan, tmp_path / "out") if cell.model == "resnet34"]
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
    arguments = [str(tmp_path / "cells"), "--group-pattern", GROUPS, "--small", "--as-published", "--out", str(out)]
    assert main(["study", "run", "efficientnetv2-cell", *arguments]) == 0
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        assert {row["state"] for row in csv.DictReader(file)} == {"done"}
    assert "Published protocol" in capsys.readouterr().out
    assert "54 test images" in (out / "report.html").read_text(encoding="utf-8")
