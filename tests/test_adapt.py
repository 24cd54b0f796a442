"""A classifier that is adapted to another laboratory: what it does, says and refuses."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRun, CoverslipError
from coverslip.events import Event, Noted
from coverslip.experiments.adapting import preview_matching
from coverslip.experiments.rethreshold import thresholds_of
from coverslip.images.preprocessing import Matching
from coverslip.messages import message, text
from coverslip.reports.blocks import SectionText
from coverslip.reports.comparison import comparison_sections
from coverslip.reports.metric_rows import Estimate
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import lead, verdict_of_classifier, verdict_of_run
from coverslip.runs.error_rates import error_rates
from coverslip.runs.folder import Run

CLASSES = ("small", "medium", "large")
RECIPE = {"stage": "instant", "image_size": 48, "split": {"folds": 0}, "decide_by": "roc"}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("parent")
    cells = write_cells(folder / "cells", 150, ground=(0.25, 0.25, 0.3))
    return cs.train(str(cells), cs.Recipe.model_validate(RECIPE), out=folder / "run")


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same cells in other colors, on a bright ground, without labels but in their names' table."""
    folder = tmp_path_factory.mktemp("new")
    return write_cells(folder / "there", 90, ground=(0.6, 0.2, 0.5), is_sorted=False, seed=7, n_slides=5)


def labeled(
    new: Path, n: int, table: Path, names: tuple[str, ...] = ("small", "medium", "large"), n_groups: int = 0
) -> Path:
    """The i-th picture is of the i-th class in turn, and classes in turn are of one group."""
    files = sorted(new.iterdir(), key=lambda file: int(file.stem.rpartition("_")[2]))
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "patient"])
        for i, each in enumerate(files[:n]):
            writer.writerow([str(each), names[i % 3], f"patient {i // 3 % n_groups}" if n_groups else ""])
    return table


@pytest.mark.slow
def test_without_labels_every_decision_stays_uncertain_and_the_verdict_says_so(
    parent: Run, new: Path, tmp_path: Path
) -> None:
    record = cs.adapt(parent, new, out=tmp_path / "adapted", device="cpu")
    assert record.has_shift
    assert (record.selected, record.n_labels, record.n_right) == ("matched", 0, None)
    run = cs.open_run(tmp_path / "adapted")
    assert run.adaptation == record
    assert run.card is not None
    assert not run.card.is_checked
    assert run.card.preprocessing.matching is not None
    rows = cs.load_classifier(run, device="cpu").predict(new)
    assert {row.decision for row in rows} <= {"uncertain", "unfamiliar"}
    assert sum(row.decision == "uncertain" for row in rows) > len(rows) / 2
    verdict = verdict_of_run(read_run(run.folder))
    assert (verdict.use, verdict.reasons[0].code) == ("unknown", "limit-adapted-unchecked")
    exported = verdict_of_classifier(cs.export(run, out=tmp_path / "adapted.coverslip"))
    assert exported is not None
    assert (exported.use, exported.headline) == (verdict.use, verdict.headline)
    # Test images at home are decided as in the training.
    at_home = cs.evaluate(run, device="cpu")
    assert at_home.metrics["accuracy"].value == pytest.approx(record.home_after)
    assert any(row.decision == row.predicted for row in at_home.predictions)


@pytest.mark.slow
def test_labels_choose_a_classifier_and_show_its_accuracy(
    parent: Run, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (parent.folder / "classifier/classifier.json").read_bytes()
    table = labeled(new, 40, tmp_path / "labels.csv")
    lines = table.read_text().splitlines()
    excluding = [line.replace(line.split(",")[1], "unusable") for line in lines[31:]]
    table.write_text("\n".join([*lines[:31], *excluding]))
    record = cs.adapt(parent, new, table, out=tmp_path / "adapted", device="cpu")
    assert (record.n_images, record.n_labels) == (80, 30)
    assert record.n_right is not None
    assert record.n_right_before is not None
    assert [each.name for each in record.candidates][:3] == ["as-is", "matched", "pooled"]
    assert record.n_right >= record.n_right_before
    truth_of = {Path(line.split(",")[0]).name: line.split(",")[1] for line in table.read_text().splitlines()[1:31]}
    decided = {Path(row.path).name: row.predicted for row in cs.load_classifier(parent, device="cpu").predict(new)}
    assert sum(decided[name] == label for name, label in truth_of.items()) == record.n_right_before
    assert (record.low or 0) < record.n_right / 30 <= (record.high or 0)
    matrix = np.array(record.confusion_matrix)  # of the labels, by cross-validation
    names = cs.open_run(tmp_path / "adapted").metrics.classes
    assert dict(zip(names, matrix.sum(axis=1).tolist(), strict=True)) == Counter(truth_of.values())
    assert matrix.trace() == record.n_right
    report = (tmp_path / "adapted" / "report.html").read_text()
    assert all(
        f"{name} ({n})" in report
        for row in matrix - np.diag(matrix.diagonal())
        for name, n in zip(names, row, strict=True)
        if n
    )
    assert text("report-title-adapted") in report
    run = cs.open_run(tmp_path / "adapted")
    assert run.card is not None
    assert run.card.is_checked
    assert (parent.folder / "classifier/classifier.json").read_bytes() == before
    truth = labeled(new, 90, tmp_path / "all.csv")
    there = cs.evaluate(run, truth, name="there", device="cpu").metrics["accuracy"].value
    unadapted = cs.evaluate(parent, truth, name="there", device="cpu").metrics["accuracy"].value
    assert there is not None
    assert unadapted is not None
    assert there >= unadapted
    assert verdict_of_run(read_run(run.folder)).use in ("care", "no")
    # A comparison shows the same accuracy there.
    comparison = cs.compare([parent, run])
    of_first, of_adapted = comparison.rows
    assert (of_first.n_adapted_labels, of_first.adapted_accuracy) == (0, None)
    assert (of_adapted.n_adapted_labels, of_adapted.adapted_accuracy) == (30, record.accuracy)
    counts = {"n_labels": 30, "n_right": record.n_right, "n_right_before": record.n_right_before}
    assert text("comparison-there", name=of_adapted.name, **counts) in comparison.conclusion
    capsys.readouterr()
    assert main(["compare", str(parent.folder), str(run.folder), "--json"]) == 0
    of_command = json.loads(capsys.readouterr().out)["runs"][1]
    assert (of_command["n_adapted_labels"], of_command["adapted_accuracy"]["value"]) == (30, record.n_right / 30)
    blocks = comparison_sections(comparison)[-1].blocks
    shown = [row for block in blocks if isinstance(block, SectionText) for row in block.rows]
    (accuracies,) = [row for row in shown if row[0] == text("accuracy-after-adaptation")]
    assert [isinstance(cell, Estimate) and cell.number for cell in accuracies[1:]] == [None, record.n_right / 30]
    # An exported network predicts the same.
    onnx = cs.export(run, to="onnx", out=tmp_path / "onnx")
    assert json.loads((onnx / "verification.json").read_text())["passed"]


@pytest.mark.slow
def test_labels_without_a_class_exclude_their_images_like_none_of_these(parent: Run, new: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    names = ("small", "medium", "Large!")
    table = labeled(new, 45, tmp_path / "one" / "labels.csv", names)
    same = labeled(new, 45, tmp_path / "other" / "labels.csv", (*names[:2], "none-of-these"))
    events = list[Event]()
    record = cs.adapt(parent, new, table, out=tmp_path / "adapted", device="cpu", emit=events.append)
    assert (record.n_images, record.n_labels) == (75, 30)
    assert record == cs.adapt(parent, new, same, out=tmp_path / "same", device="cpu")
    expected = {
        "nearly-equal-labels": {"label": "Large!", "class_name": "large"},
        "other-labels": {
            "n_images": 15,
            "labels": asdict(message("report-quoted", name="Large!")),
            "is_dropped": False,
        },
    }
    noted = [each for each in events if isinstance(each, Noted) and each.code in expected]
    assert {each.code: each.parameters for each in noted} == expected
    assert len(noted) == len(expected)
    logs = [cs.open_run(tmp_path / name).events_file.read_text() for name in ("adapted", "same")]
    assert all([(f'"{code}"' in log) for log in logs] == [True, False] for code in expected)


@pytest.mark.slow
def test_images_that_a_table_excludes_are_left_out(parent: Run, new: Path, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    shutil.copytree(new, folder)
    files = sorted(folder.iterdir(), key=lambda file: int(file.stem.rpartition("_")[2]))
    shutil.copy(files[0], folder / "copy_090.png")  # one of two equal images is excluded: the other one stays
    rows = [
        (str(file), CLASSES[i % 3] if i < 30 else "", "excluded" if 30 <= i < 45 else "")
        for i, file in enumerate(files)
    ]
    rows.append((str(folder / "copy_090.png"), "", "excluded"))
    table = tmp_path / "labels.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    events = list[Event]()
    record = cs.adapt(parent, folder, table, out=tmp_path / "of_folder", device="cpu", emit=events.append)
    assert (record.n_images, record.n_labels, record.n_excluded) == (75, 30, 16)
    (exclusion,) = [each for each in events if isinstance(each, Noted) and each.code == "adapt-excluded-images"]
    assert exclusion.parameters["n_images"] == 16
    # The same if the images are those of the table, and without labels.
    assert cs.adapt(parent, table, table, out=tmp_path / "of_table", device="cpu", emit=events.append) == record
    arguments = ["adapt", str(parent.folder), str(table), f"--out={tmp_path / 'unchecked'}", "--device=cpu"]
    assert main(arguments) == 0
    unchecked = cs.open_run(tmp_path / "unchecked").adaptation
    assert unchecked is not None
    assert (unchecked.n_images, unchecked.n_labels, unchecked.n_excluded) == (75, 0, 16)
    assert "adapt-excluded-images" in (tmp_path / "unchecked" / "events.jsonl").read_text()
    # A table excludes images of a folder beside it. One table excludes an image, and the other one its copy.
    beside = cs.adapt(parent, [str(folder), str(table)], table, out=tmp_path / "of_both", device="cpu")
    assert beside == record
    shutil.copy(files[30], folder / "copy_091.png")
    listed = tmp_path / "listed.csv"
    listed.write_text("\n".join(["path,split", *(f"{file}," for file in files), f"{folder / 'copy_091.png'},excluded"]))
    of_copy = cs.adapt(parent, listed, table, out=tmp_path / "of_copy", device="cpu")
    assert (of_copy.n_images, of_copy.n_labels, of_copy.n_excluded) == (75, 30, 16)
    (folder / "copy_091.png").unlink()
    of_folder, of_table = preview_matching(parent, folder, table), preview_matching(parent, table)
    assert (of_folder.at_home, of_folder.there) == (of_table.at_home, of_table.there)


@pytest.mark.slow
def test_sets_of_new_images_are_ignored(parent: Run, new: Path, tmp_path: Path) -> None:
    table = labeled(new, 60, tmp_path / "labels.csv")
    header, *rows = table.read_text().splitlines()
    sets = ["fold 1", "fold 2", "test"] * 15 + ["excluded"] * 15
    with_sets = tmp_path / "sets.csv"
    with_sets.write_text("\n".join([f"{header},split", *(",".join(pair) for pair in zip(rows, sets, strict=True))]))
    events = list[Event]()
    record = cs.adapt(parent, with_sets, with_sets, out=tmp_path / "adapted", device="cpu", emit=events.append)
    assert (record.n_images, record.n_labels, record.n_excluded) == (45, 45, 15)
    ignored = [each for each in events if isinstance(each, Noted) and each.code == "other-split-values"]
    assert [each.parameters["n_rows"] for each in ignored] == [30, 30]
    columns = ["--columns=path=path", f"--out={tmp_path / 'of_command'}", "--device=cpu"]
    arguments = ["adapt", str(parent.folder), str(with_sets), f"--labels={with_sets}", *columns]
    assert main(arguments) == 0
    assert cs.open_run(tmp_path / "of_command").adaptation == record


@pytest.mark.slow
def test_labels_that_the_recipe_renames_are_of_the_new_class(new: Path, tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 90, ground=(0.25, 0.25, 0.3))
    classes = {"rename": {"medium": "middle"}}
    run = cs.train(str(cells), cs.Recipe.model_validate(RECIPE | {"classes": classes}), out=tmp_path / "run")
    record = cs.adapt(run, new, labeled(new, 30, tmp_path / "labels.csv"), out=tmp_path / "adapted", device="cpu")
    assert (record.n_images, record.n_labels) == (90, 30)


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [1, 2, 4])
def test_groups_of_labels_are_held_out_together_unless_it_is_one(
    parent: Run, new: Path, tmp_path: Path, n_groups: int
) -> None:
    table = labeled(new, 24, tmp_path / "labels.csv", n_groups=n_groups)
    labels = cs.open_dataset(table, group="patient")
    record = cs.adapt(parent, new, labels, out=tmp_path / "adapted", device="cpu")
    assert (record.n_labels, record.n_groups) == (24, n_groups)
    assert record.n_right is not None
    assert (record.low or 0) < record.n_right / 24
    reasons = verdict_of_run(read_run(tmp_path / "adapted")).reasons
    assert any("of one group" in reason.claim for reason in reasons) == (n_groups == 1)


@pytest.mark.slow
def test_what_images_at_home_determine_is_refused_for_an_adapted_classifier(
    parent: Run, new: Path, tmp_path: Path
) -> None:
    table = labeled(new, 24, tmp_path / "labels.csv")
    record = cs.adapt(parent, new, table, out=tmp_path / "adapted", device="cpu")
    run = cs.open_run(tmp_path / "adapted")
    cs.predict(run.folder, new, out=tmp_path / "predictions.csv", device="cpu")
    summary = cs.summarise(tmp_path / "predictions.csv", by="folder", run=run)
    assert run.card is not None
    assert error_rates(run, run.card.classes).reason == "summary-adapted"
    shares = summary.samples[0].classes.values()
    assert [(share.corrected.value, share.shown.low) for share in shares] == [(None, None)] * 3
    assert sum(share.shown.value or 0 for share in shares) == pytest.approx(1)
    verdict = verdict_of_run(read_run(run.folder))
    assert lead(read_run(run.folder), verdict)[0] == text("report-at-home")
    # Images like those that it was checked with are not unfamiliar, whichever classifier the labels choose.
    rows = cs.load_classifier(run, device="cpu").predict(new)
    assert sum(row.decision == "unfamiliar" for row in rows) < len(rows) / 2
    refused: list[tuple[str, Callable[[], object]]] = [
        ("decide-adapted-run", lambda: cs.decide(run, "highest")),
        ("decide-adapted-run", lambda: thresholds_of(run)),
        ("adapt-adapted-run", lambda: cs.adapt(run, new, table, out=tmp_path / "again", device="cpu")),
    ]
    for code, work in refused:
        with pytest.raises(BadRun) as error:
            work()
        assert error.value.code == code
    # A killed adaptation is not resumed as a training or used, which would be without a check. It begins again.
    run.status_file.unlink()
    cut_short: list[Callable[[], object]] = [
        lambda: cs.resume(run.folder),
        lambda: cs.predict(run.folder, new, out=tmp_path / "unchecked.csv", device="cpu"),
        lambda: cs.evaluate(run.folder, table),
    ]
    for work in cut_short:
        with pytest.raises(BadRun) as error:
            work()
        assert error.value.code == "adapt-interrupted"
    assert not (tmp_path / "unchecked.csv").exists()
    assert cs.adapt(parent, new, table, out=run.folder, device="cpu") == record


@pytest.mark.slow
def test_accuracies_at_home_are_of_the_same_images_after_folds(new: Path, tmp_path: Path) -> None:
    recipe = cs.Recipe.model_validate(RECIPE | {"split": {"folds": 3}})
    cells = write_cells(tmp_path / "cells", 90, ground=(0.25, 0.25, 0.3))
    folds = cs.train(str(cells), recipe, out=tmp_path / "folds")
    record = cs.adapt(folds, new, out=tmp_path / "adapted", device="cpu")
    tested = {row.image_id for row in cs.open_run(tmp_path / "adapted").predictions}
    assert 0 < len(tested) < 90
    right = [row.predicted == row.label for row in folds.predictions if row.image_id in tested]
    assert record.home_before == pytest.approx(sum(right) / len(tested))
    # A network that was fine-tuned on all images leaves no image to compare.
    assert folds.training is not None
    folds.training.model_copy(update={"chosen": "finetune"}).write(folds.training_file)
    assert _refused(Run(folds.folder), new, None, tmp_path / "out") == "adapt-finetuned-folds"


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "ground"), [(1, 0.25), (3, 0.02)])
def test_images_that_are_not_stained_keep_their_intensities(
    parent: Run, tmp_path: Path, channels: int, ground: float
) -> None:
    """Gray images, and colors on a dark ground."""
    new = write_cells(tmp_path / "new", 60, channels=channels, ground=ground, is_sorted=False, seed=4)
    preview = preview_matching(parent, new, parts=["stain"])
    assert (preview.at_home.stain, preview.there) == (False, Matching())
    np.testing.assert_array_equal(preview.pictures[1], preview.pictures[2])


@pytest.mark.slow
def test_images_like_those_of_the_training_need_no_adaptation(
    parent: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = write_cells(tmp_path / "same", 60, ground=(0.25, 0.25, 0.3), is_sorted=False, seed=3)
    out = tmp_path / "adapted"
    assert main(["adapt", str(parent.folder), str(same), "--out", str(out), "--json", "--device", "cpu"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["has_shift"], answer["selected"]) == (False, None)
    assert not out.exists()
    # Labels are still used.
    table = labeled(same, 20, tmp_path / "labels.csv")
    record = cs.adapt(parent, same, table, out=out, device="cpu")
    assert record.n_right_before is not None
    assert (record.selected, record.zoom) == ("as-is", (1.0, 1.0))
    before, after = parent.card, cs.open_run(out).card
    assert before is not None
    assert after is not None
    assert (after.temperature, after.uncertain_below) == (
        before.temperature,
        before.uncertain_below,
    )  # not of 20 labels


def _refused(parent: Run | Path, new: Path, labels: Path | None, out: Path) -> str:
    with pytest.raises(CoverslipError) as refused:
        cs.adapt(parent, new, labels, out=out, device="cpu")
    assert not out.exists()
    return refused.value.code


@pytest.mark.slow
def test_refusals_leave_nothing(parent: Run, new: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    few = write_cells(tmp_path / "few", 12, is_sorted=False)
    assert _refused(parent, few, None, out) == "adapt-few-images"
    assert _refused(cs.export(parent, out=tmp_path / "packed.coverslip"), new, None, out) == "adapt-file"
    at_home = [Path(row.path) for row in parent.split if row.split == "train"]
    assert at_home
    assert _refused(parent, parent.folder.parent / "cells", None, out) == "adapt-training-images"
    assert _refused(parent, new, labeled(few, 12, tmp_path / "d.csv"), out) == "adapt-label-of-other-image"


@pytest.mark.slow
def test_labels_that_are_too_few_of_one_class_or_of_none_are_not_used(parent: Run, new: Path, tmp_path: Path) -> None:
    without = cs.adapt(parent, new, out=tmp_path / "without", device="cpu")
    tables = {
        (0, 0, 90): labeled(new, 30, tmp_path / "none.csv", ("huge", "tiny", "odd")),
        (9, 3, 90): labeled(new, 9, tmp_path / "few.csv"),
        (10, 1, 70): labeled(new, 30, tmp_path / "one.csv", ("small", "none-of-these", "unusable")),
    }
    for (n_labels, n_classes, n_images), table in tables.items():
        events, out = list[Event](), tmp_path / f"of_{table.stem}"
        record = cs.adapt(parent, new, table, out=out, device="cpu", emit=events.append)
        assert (record.n_images, record.n_labels) == (n_images, 0)  # none-of-these and unusable exclude an image
        assert (record == without) == (n_images == without.n_images)
        (unused,) = [each for each in events if isinstance(each, Noted) and each.code == "adapt-labels-not-used"]
        assert (unused.parameters["n_labels"], unused.parameters["n_classes"]) == (n_labels, n_classes)
        card = cs.open_run(out).card
        assert card is not None
        assert not card.is_checked
    of_most = labeled(new, 60, tmp_path / "most.csv", ("unusable",) * 3)
    assert _refused(parent, new, of_most, tmp_path / "out") == "adapt-few-images"


@pytest.mark.slow
def test_without_training_images_matching_is_refused_with_the_reason(new: Path, tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 90, ground=(0.25, 0.25, 0.3))
    run = cs.train(str(cells), cs.Recipe.model_validate(RECIPE), out=tmp_path / "run")
    cells.rename(tmp_path / "moved")
    with pytest.raises(BadRun) as refused:
        cs.adapt(run, new, out=tmp_path / "out", device="cpu")
    assert refused.value.code == "adapt-without-training-images"
    assert not (tmp_path / "out").exists()
