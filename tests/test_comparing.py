"""`coverslip compare` and `cs.compare`: what differed, and each run against the first on the same images."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from drawing import write_cells
from parameters import only_first
from trained import GROUPS, INSTANT, MadeOnce

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRun, CoverslipError
from coverslip.messages import text
from coverslip.pipeline import train_without_report
from coverslip.reports.differences import differences_between
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import verdict_of_run
from coverslip.runs.folder import Run, read_test_set_accesses
from coverslip.runs.images import image_files
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.split import write_split

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def larger(made_once: MadeOnce, cells: Path, own_cache: None) -> Run:
    """As `trained`, on larger images; nobody may change it."""

    def train(folder: Path) -> None:
        recipe = INSTANT.model_copy(update={"image_size": 64})
        train_without_report(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=folder / "larger")

    return Run(made_once("trained larger", train) / "larger")


@pytest.fixture
def pair(trained: Run, larger: Run, tmp_path: Path) -> tuple[Run, Run]:
    """Copies: comparing is counted in the runs' folders."""
    first, second = (Run(shutil.copytree(run.folder, tmp_path / run.folder.name)) for run in (trained, larger))
    return first, second


def test_two_runs_on_one_split_differ_in_a_key_and_by_an_interval(pair: tuple[Run, Run]) -> None:
    trained, larger = pair
    comparison = cs.compare([trained, larger])
    assert [(row.what, row.name, row.values) for row in comparison.differing] == [
        ("recipe", "image_size", ["48", "64"])
    ]
    compared = comparison.pairs[0]
    assert (compared.n, compared.n_only_first, compared.n_only_second) == (trained.metrics.n, 0, 0)
    assert compared.n_groups == trained.metrics.n_groups
    rows = {row.name: row for row in compared.numbers[0].differences}
    assert rows["accuracy"].first == trained.metrics["accuracy"].value
    assert rows["accuracy"].second == larger.metrics["accuracy"].value
    assert rows["log_loss"].value == pytest.approx(
        (larger.metrics["log_loss"].value or 0) - (trained.metrics["log_loss"].value or 0), abs=1e-4
    )
    assert "larger minus first" in comparison._repr_html_()


def test_images_without_a_group_are_counted_beside_the_groups(
    pair: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    for run in pair:
        rows = run.split
        tested = [row for row in rows if row.split == "test"]
        (group, *others) = sorted({row.group for row in tested})
        n_alone = sum(row.group == group for row in tested)
        run.split_file.unlink()
        write_split(run.split_file, [replace(row, group="") if row.group == group else row for row in rows])
    runs = [Run(run.folder) for run in pair]
    compared = cs.compare(runs).pairs[0]
    assert (compared.n_groups, compared.n_ungrouped) == (len(others), n_alone)
    assert main(["compare", *(str(run.folder) for run in runs)]) == 0
    counts = {"n_images": compared.n, "n_groups": len(others), "n_ungrouped": n_alone}
    assert text("comparison-common-images", **counts) in capsys.readouterr().out


def test_labels_differ_also_between_a_run_of_one_domain_and_one_of_several(pair: tuple[Run, Run]) -> None:
    files = image_files(pair[1])
    rows = [
        replace(row, image_id=f"here/{row.image_id}", path=files[row.image_id], domain="here") for row in pair[1].split
    ]
    pair[1].split_file.unlink()
    write_split(pair[1].split_file, [replace(rows[0], label="another"), *rows[1:]])
    (labels,) = (row for row in differences_between([Run(run.folder) for run in pair]) if row.name == "labels")
    assert labels.values[1].startswith("1 image ")


@pytest.mark.exhaustive
def test_images_of_one_name_in_two_domains_are_distinguished(pair: tuple[Run, Run]) -> None:
    row = pair[0].split[0]
    rows = [
        replace(row, image_id=f"{place}/1.png", path=f"/{place}/1.png", label=place, domain=place)
        for place in ("here", "there")
    ]
    for run in pair:
        run.split_file.unlink()
        write_split(run.split_file, rows)
    assert not [row for row in differences_between([Run(run.folder) for run in pair]) if row.name == "labels"]


@pytest.mark.exhaustive
def test_runs_with_different_decision_rules_say_so(pair: tuple[Run, Run]) -> None:
    first, second = (run.folder for run in pair)
    alike = cs.compare([first, second])
    cs.decide(first, "roc")
    comparison = cs.compare([first, second])
    assert (alike.pairs[0].has_same_rule, comparison.pairs[0].has_same_rule) == (True, False)
    assert len(comparison.pairs[0].notes) == len(alike.pairs[0].notes) + 1
    assert "different decision rules" in comparison.conclusion
    cs.decide(second, "roc")
    assert cs.compare([first, second]).pairs[0].has_same_rule


def test_a_target_that_is_not_used_and_numbers_of_the_schedule_are_not_shown(pair: tuple[Run, Run]) -> None:
    changed = (
        {"target": 0.8, "threshold": 0.3, "schedule_changes": {0.5: 3.0}},
        {"target": 0.9, "schedule_changes": {0.25: 4.0, 0.5: 2.0}},
    )
    for run, changes in zip(pair, changed, strict=True):
        save_recipe(run.recipe.model_copy(update=changes), run.recipe_file)
    runs = [Run(run.folder) for run in pair]
    assert [row.name for row in cs.compare(runs).differing] == ["image_size"]
    for run, threshold in zip(runs, (0.3, 0.4), strict=True):
        save_recipe(run.recipe.model_copy(update={"decide_by": "threshold", "threshold": threshold}), run.recipe_file)
    comparison = cs.compare([run.folder for run in runs])
    assert [row.name for row in comparison.differing] == ["image_size", "threshold"]
    assert not comparison.pairs[0].has_same_rule
    save_recipe(runs[1].recipe.model_copy(update={"schedule_changes": {}}), runs[1].recipe_file)
    (row,) = (row for row in cs.compare([run.folder for run in runs]).differing if row.name == "schedule_changes")
    assert "0.5" not in row.values[0]
    assert row.values[1] == "–"


@pytest.mark.parametrize(("n_with_folds", "n_notes"), only_first(1, [(0, 1), (1, 0), (2, 1)]))
def test_images_move_between_splits_of_one_kind_only(pair: tuple[Run, Run], n_with_folds: int, n_notes: int) -> None:
    """Each image of cross-validation is in a fold, which says nothing of where it is in a single split."""
    for i, run in enumerate(pair):
        fold = 1 if i < n_with_folds else None
        parts = [(row.split if i else "train" if row.split == "val" else row.split) for row in run.split]
        rows = [replace(row, fold=fold, split=part) for row, part in zip(run.split, parts, strict=True)]
        run.split_file.unlink()  # it is never overwritten
        write_split(run.split_file, rows)
    comparison = cs.compare([Run(run.folder) for run in pair])
    assert sum(row.name == "moved" for row in comparison.differing) == n_notes


def test_images_that_changed_are_listed_with_their_rows(pair: tuple[Run, Run]) -> None:
    first, second = pair
    before, after = ({row.image_id: row for row in run.predictions} for run in pair)
    changed = cs.compare(pair).pairs[0].changed
    assert changed is not None
    kinds = {"to-right": changed.n_to_right, "to-wrong": changed.n_to_wrong, "other-class": changed.n_other_class}
    assert {kind: sum(image.change == kind for image in changed.images) for kind in kinds} == kinds
    expected = {name for name, row in before.items() if row.predicted != after[name].predicted}
    assert {image.image_id for image in changed.images} == expected != set()
    for image in changed.images:
        rows = first.predictions[image.first_row], second.predictions[image.second_row]
        assert {row.image_id for row in rows} == {image.image_id}
        assert (image.first, image.second) == (rows[0].predicted, rows[1].predicted)
        right = tuple(row.predicted == image.label for row in rows)
        assert right == {"to-right": (False, True), "to-wrong": (True, False)}.get(image.change, (False, False))
    same = cs.compare([first, shutil.copytree(first.folder, first.folder.with_name("copy"))]).pairs[0].changed
    assert same is not None
    assert (same.n_to_right, same.n_to_wrong, same.n_other_class, same.images) == (0, 0, 0, [])


def test_evaluations_on_one_dataset_are_compared_by_the_groups_of_its_images(
    pair: tuple[Run, Run], tmp_path: Path
) -> None:
    other = cs.open_dataset(write_cells(tmp_path / "elsewhere", 60, seed=11), group_pattern=GROUPS)
    for run in pair:
        cs.evaluate(run.folder, other, name="elsewhere")
    evaluations = [run.evaluation("elsewhere") for run in pair]
    comparison = cs.compare([evaluation.folder for evaluation in evaluations])
    assert [row.is_evaluation for row in comparison.rows] == [True, True]
    compared = comparison.pairs[0]
    assert compared.n == evaluations[0].metrics.n == len(other)
    assert compared.n_groups == evaluations[0].metrics.n_groups
    assert [row.name for row in comparison.differing] == ["image_size"]
    assert comparison.access_note == ""
    row = next(row for row in compared.numbers[0].differences if row.name == comparison.primary)
    assert row.p is not None
    assert (row.p < 0.05) == row.is_significant
    assert ("not statistically significant" in comparison.conclusion) == (not row.is_significant)


def test_the_best_of_several_runs_is_named_only_if_their_test_images_are_the_same(pair: tuple[Run, Run]) -> None:
    """The metrics of a run with fewer images, which may be the easier ones, do not make it the best."""
    best = max(pair, key=lambda run: run.metrics[run.metrics.primary].value or 0)
    third = Run(shutil.copytree(best.folder, best.folder.with_name("third")))
    assert best.folder.name in cs.compare([best, third, *(run for run in pair if run != best)]).conclusion
    header, _, *lines = third.predictions_file.read_text(encoding="utf-8").splitlines(keepends=True)
    third.predictions_file.write_text("".join([header, *lines]), encoding="utf-8")
    by_pair = [cs.compare([pair[0], other]).conclusion for other in (pair[1], Run(third.folder))]
    assert all(by_pair)
    assert cs.compare([*pair, Run(third.folder)]).conclusion == " ".join(by_pair)


@pytest.mark.exhaustive
def test_copies_of_files_under_other_names_are_the_same_test_images(pair: tuple[Run, Run], tmp_path: Path) -> None:
    first, file_of = pair[0], image_files(pair[0])
    rows = [row for row in first.split if row.split in ("train", "val", "test")]
    lines = ["path,label,split"]
    for k, row in enumerate(rows):
        copy = shutil.copy(file_of[row.image_id], tmp_path / f"{k}.png")
        lines.append(f"{copy},{row.label},{row.split}")
    (tmp_path / "copies.csv").write_text("\n".join(lines))
    second = train_without_report(cs.open_dataset(tmp_path / "copies.csv"), INSTANT, out=tmp_path / "second")
    for runs in ((first, second), (second, first)):
        compared = cs.compare(runs).pairs[0]
        assert (compared.n, compared.n_by_content, compared.n_only_first) == (first.metrics.n, first.metrics.n, 0)
        assert compared.n_groups == first.metrics.n_groups
        accuracy = next(row for row in compared.numbers[0].differences if row.name == "accuracy")
        assert [accuracy.first, accuracy.second] == [run.metrics["accuracy"].value for run in runs]


@pytest.mark.exhaustive
def test_copies_are_matched_beside_files_of_both_each_once_and_by_equal_labels_first(
    pair: tuple[Run, Run], cells: Path, tmp_path: Path
) -> None:
    images = [record for record in cs.open_dataset(cells).records if record.label]
    labels = sorted({str(record.label) for record in images})
    shared, copied, twice = images[:20], images[20:40], images[40]
    lines = [f"{record.path},{record.label}" for record in shared]
    lines += [f"{shutil.copy(record.path, tmp_path / f'{k}.png')},{record.label}" for k, record in enumerate(copied)]
    other_label = next(label for label in labels if label != copied[0].label)
    lines[20] = lines[20].replace(f",{copied[0].label}", f",{other_label}")
    twins = [f"{shutil.copy(twice.path, tmp_path / f'twin-{label}.png')},{label}" for label in labels[:2]]
    table = tmp_path / "copies.csv"
    table.write_text("\n".join(["path,label", *lines, *twins]))
    cs.evaluate(pair[0].folder, cs.open_dataset(cells), name="folder")
    cs.evaluate(pair[1].folder, cs.open_dataset(table), name="table")
    evaluations = pair[0].evaluation("folder"), pair[1].evaluation("table")
    compared = cs.compare([evaluation.folder for evaluation in evaluations]).pairs[0]
    assert (compared.n, compared.n_by_content, compared.n_only_second) == (41, 21, 1)
    assert compared.n_relabeled == 1
    assert [numbers.labels for numbers in compared.numbers] == ["first", "second"]


@pytest.mark.exhaustive
def test_two_names_of_one_file_are_two_images_at_most_once_each(
    pair: tuple[Run, Run], cells: Path, tmp_path: Path
) -> None:
    images = [record for record in cs.open_dataset(cells).records if record.label][::9]
    lines = [f"{k},{record.path},{record.label}" for k, record in enumerate(images)]
    for name, more in (("once", []), ("twice", [lines[0].replace("0,", "again,", 1)])):
        (table := tmp_path / f"{name}.csv").write_text("\n".join(["image_id,path,label", *lines, *more]))
        cs.evaluate(pair[name == "twice"].folder, cs.open_dataset(table), name=name)
    once, twice = pair[0].evaluation("once"), pair[1].evaluation("twice")
    for runs, numbers in (((once, twice), (10, 0, 1)), ((twice, once), (10, 1, 0))):
        compared = cs.compare([run.folder for run in runs]).pairs[0]
        assert (compared.n, compared.n_only_first, compared.n_only_second) == numbers


def test_comparing_by_test_numbers_is_counted_and_no_run_is_best_by_chance(pair: tuple[Run, Run]) -> None:
    first, second = pair
    assert read_test_set_accesses(first).n == 1
    comparison = cs.compare([first, second])
    row = next(
        row for row in comparison.pairs[0].numbers[0].differences if row.name == comparison.primary == "macro_f1"
    )
    assert (row.low, row.p, row.is_significant) == (None, None, False)  # too few groups for a test
    assert str(row.reason) in comparison.conclusion
    assert f"{row.first:.3f}" in comparison.conclusion
    assert "2 runs" in comparison.access_note
    cs.compare([second, first])
    assert (read_test_set_accesses(first).compared_with, read_test_set_accesses(second).compared_with) == (
        ("larger",),
        ("first",),
    )
    assert "limit-compared-runs" in {reason.code for reason in verdict_of_run(read_run(first.folder)).reasons}
    first.test_set_accesses_file.write_text("damaged")
    assert read_test_set_accesses(first).n == 1


def test_the_command_says_it_in_words_and_as_json(pair: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    trained, larger = pair
    assert main(["compare", str(trained.folder), str(larger.folder)]) == 0
    text = capsys.readouterr().out
    assert "Input size" in text or "mage size" in text
    assert "McNemar" in text
    assert main(["compare", str(trained.folder), str(larger.folder), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"a", "b", "metric", "difference", "mcnemar_p", "n"} <= set(printed["pairs"][0])
    assert printed["pairs"][0]["difference"]["level"] == 0.95
    assert {(each["mcnemar_p"], each["mcnemar_reason"]["code"]) for each in printed["pairs"]} == {
        (None, "mcnemar-of-groups")  # images are of slides
    }


def test_what_cannot_be_compared_is_said(trained: Run, tmp_path: Path) -> None:
    for runs, code in (([trained], "number-of-compared-runs"), ([trained, trained], "run-compared-twice")):
        with pytest.raises(CoverslipError) as refusal:
            cs.compare(runs)
        assert refusal.value.code == code
    with pytest.raises(BadRun):
        cs.compare([trained, tmp_path])
