"""Presets: each publication's study on the user's own images."""

import csv
from pathlib import Path

import pytest
from drawing import save_cells, write_cells
from trained import GROUPS

from coverslip import studies
from coverslip.cli import main
from coverslip.errors import BadRecipe
from coverslip.studies.comparing import compare_study
from coverslip.studies.plan import StudyPlan, load_plan
from coverslip.studies.presets import PRESETS
from coverslip.studies.results import ResultRow


@pytest.fixture
def two_folders(tmp_path: Path) -> list[Path]:
    return [save_cells(tmp_path / "q", ("01", "x")), save_cells(tmp_path / "g", ("1", "X"))]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("is_small", [True, False])
def test_every_preset_is_a_plan_whose_trainings_are_all_valid(
    name: str, is_small: bool, two_folders: list[Path], tmp_path: Path
) -> None:
    plan = studies.preset_plan(name, two_folders, group_pattern=[GROUPS], is_small=is_small, as_published=True)
    cells = [cell for cell in studies.plan_study(plan, tmp_path / "out") if not cell.is_pretraining]
    honest = [cell for cell in cells if cell.dataset.as_published_of is None]
    careless = [cell for cell in cells if cell.dataset.as_published_of is not None]
    assert len(honest) == len(careless)
    assert {cell.dataset.group_pattern for cell in honest} == {GROUPS}
    assert all(cell.recipe.head_init == "random" and cell.recipe.clip_gradient is None for cell in careless)
    assert is_small == (max(cell.recipe.epochs for cell in cells) == 2)
    studies.save_plan(plan, tmp_path / "study.yaml")
    assert load_plan(tmp_path / "study.yaml") == plan


def test_presets_hold_what_the_publications_compare(two_folders: list[Path]) -> None:
    made = {name: studies.preset_plan(name, two_folders) for name in PRESETS}
    assert len(made["aimic"].models) == 10
    assert len(made["mobilevit-mn"].models) == 12 + 4 + 5  # three rows of table 3 stand in table 2
    assert len(made["mobincep"].datasets) == 3 * 3  # two datasets and both as one, by three shares
    assert (len(made["two-step"].models), len(made["two-step"].regimes)) == (11, 3)
    assert not any(dataset.by_domain for dataset in made["mobincep"].datasets)  # "01" and "1" are two classes
    assert all(any("epoch" in note.lower() for note in plan.notes) for plan in made.values())


def test_two_steps_go_through_the_other_dataset_with_its_names_of_classes(two_folders: list[Path]) -> None:
    q, g = studies.preset_plan("two-step", two_folders, group_pattern=["a", "b"]).datasets
    assert q.recipe["init"]["train_on"] == str(two_folders[1])
    assert (q.recipe["init"]["labels"], g.recipe["init"]["labels"]) == ({"1": "01", "X": "x"}, {"01": "1", "x": "X"})
    assert (q.group_pattern, g.group_pattern) == ("a", "b")
    assert [each.recipe["init"]["recipe"]["group"] for each in (q, g)] == ["b", "a"]  # of the other one
    assert {each.recipe["init"]["recipe"]["stage_selection"] for each in (q, g)} == {
        "finetune"
    }  # else it may be no step
    small = studies.preset_plan("two-step", two_folders, is_small=True).datasets
    assert [each.recipe["init"]["recipe"]["split"] for each in small] == [{"train_per_class": 20}] * 2
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
    through_g, through_q = (each.recipe["init"] for each in plan.datasets)
    assert (through_g["recipe"]["classes"], through_g["labels"]) == ({"rename": {"X": "sex"}}, {"1": "01"})
    assert ("classes" in through_q["recipe"], through_q["labels"]) == (False, {"01": "1"})
    cells = studies.plan_study(plan, two_folders[0].parent / "out")
    assert {cell.recipe.classes.changes() == {"X": "sex"} for cell in cells if cell.is_pretraining} == {True, False}


def test_mobincep_leaves_each_dataset_out_where_they_share_classes(tmp_path: Path) -> None:
    labs = [save_cells(tmp_path / name, n=2) for name in ("a", "b")]
    *of_ratios, last = studies.preset_plan("mobincep", labs).datasets
    assert len(of_ratios) == 3 * 3
    assert (last.name, last.by_domain, last.path) == ("each left out", True, tuple(map(str, labs)))
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
            for model, own in values.items()
            for regime, less in (("imagenet", 0.0), ("scratch", 0.3))
            for row in rows("cells", model, regime, [value - less for value in own])
        ],
    )
    assert [(each.name, each.baseline) for each in compared.datasets[0].differences] == [
        ("a, scratch", "a, imagenet"), ("b, scratch", "b, imagenet"),
    ]  # fmt: skip


def test_what_a_publications_protocol_promises_stands_beside_the_honest_one() -> None:
    published = {"name": "theirs", "metrics": {"macro_f1": 0.99}, "source": "a paper"}
    careless = {"path": "cells", "name": "cells, as published", "as_published_of": "cells"}
    plan = StudyPlan.model_validate({"datasets": ["cells", careless], "models": ["a"], "published": [published]})
    compared = compare_study(
        plan, [*rows("cells", "a", "imagenet", [0.8]), *rows("cells, as published", "a", "imagenet", [0.95])]
    )
    (gap,) = compared.gaps
    assert (gap.dataset, gap.own, gap.as_published) == ("cells", 0.8, 0.95)
    assert [row.value for row in compared.published] == [0.99]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_small_preset_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cells(tmp_path / "cells", 60)
    out = tmp_path / "out"
    given = [str(tmp_path / "cells"), "--group-pattern", GROUPS, "--small", "--as-published", "--out", str(out)]
    assert main(["study", "run", "efficientnetv2-cell", *given]) == 0
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        assert {row["state"] for row in csv.DictReader(file)} == {"done"}
    assert "Published protocol" in capsys.readouterr().out
    assert "54 images" in (out / "report.html").read_text(encoding="utf-8")
