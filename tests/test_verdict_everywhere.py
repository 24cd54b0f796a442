"""A classifier that fails an external test says so wherever it appears."""

import html
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from fastapi.testclient import TestClient
from small_workspace import API, QUICK, new_workspace, open_images, trained_here

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.evaluation.intervals import share_of_images
from coverslip.evaluation.table import METRICS
from coverslip.messages import in_language
from coverslip.reports.blocks import Estimate, SectionText
from coverslip.reports.metric_rows import estimate
from coverslip.reports.reported import read_run
from coverslip.reports.verdict import against_own_test, lead, verdict_of_classifier, verdict_of_run, without_groups
from coverslip.runs.folder import Run
from coverslip.runs.results import BorderProbe, TrainingChecks
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow

CLASSES = ("small", "large")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return new_workspace(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def other(workspace: Workspace) -> Path:
    """Images whose classes are exchanged."""
    return write_cells(workspace.roots[0] / "other laboratory", 60, classes=CLASSES[::-1], side=32, seed=5)


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace)) as client:
        yield client


@pytest.fixture(scope="module")
def run_id(workspace: Workspace, other: Path) -> str:
    """A training that is usable at home, and fails on other images."""
    cells = write_cells(workspace.roots[0] / "cells", 400, classes=CLASSES, side=32, n_slides=1)
    run_id = trained_here(workspace, open_images(workspace, cells), QUICK, with_report=True)
    folder = find_job(workspace, run_id).folder
    at_home = verdict_of_run(read_run(folder))
    assert at_home.use == "yes", at_home.headline
    before = (folder / "report.html").read_text(encoding="utf-8")
    cs.evaluate(folder, str(other), name="other_lab")
    assert (folder / "report.html").read_text(encoding="utf-8") != before
    return run_id


@pytest.fixture(scope="module")
def run(workspace: Workspace, run_id: str) -> Run:
    return cs.open_run(find_job(workspace, run_id).folder)


@pytest.fixture(scope="module")
def headline(run: Run) -> str:
    verdict = verdict_of_run(read_run(run.folder))
    assert (verdict.use, verdict.reasons[0].code, verdict.reasons[0].action) == (
        "care",
        "limit-external-test",
        "adapt",
    )
    assert "other_lab" in verdict.headline
    return verdict.headline


def test_the_app_shows_it_in_lists_results_and_cards(client: TestClient, run_id: str, headline: str) -> None:
    for path in (f"jobs/{run_id}", f"classifiers/{run_id}"):
        body = client.get(f"{API}/{path}").json()
        assert (body["headline"]["use"], body["headline"]["verdict"]) == ("care", headline), path
    results = client.get(f"{API}/jobs/{run_id}/results").json()
    assert (results["use"], results["headline"]) == ("care", headline)
    assert (results["reasons"][0]["code"], results["action"]) == ("limit-external-test", "adapt")
    assert (
        results["next_step"]
        == verdict_of_run(read_run(Path(client.get(f"{API}/jobs/{run_id}").json()["folder"]))).next_step
    )


def test_a_file_with_the_classifier_keeps_it(
    client: TestClient, run: Run, run_id: str, headline: str, tmp_path: Path
) -> None:
    packed = client.get(f"{API}/jobs/{run_id}/download/classifier").content
    imported = client.post(f"{API}/classifiers?name=Imported", content=packed).json()
    assert (imported["headline"]["use"], imported["headline"]["verdict"]) == ("care", headline)
    card = client.get(f"{API}/classifiers/{imported['id']}").json()
    trained = verdict_of_run(read_run(run.folder), has_notes=False)
    assert card["further"] == [reason.claim for reason in trained.further]
    assert trained.action == "adapt"
    assert card["words"] == [without_groups(run.metrics)], "a file contains no training images to adapt with"
    of_run = client.get(f"{API}/classifiers/{run_id}").json()
    assert of_run["words"] == [without_groups(run.metrics), trained.next_sentence]
    assert imported["headline"]["has_groups"] is False
    file = cs.export(run.folder, out=tmp_path / "cells.coverslip")
    verdict = verdict_of_classifier(Path(file))
    assert verdict is not None
    assert verdict.headline == headline
    with in_language("de"):
        german = verdict_of_classifier(Path(file))
    assert german is not None
    assert german.headline != headline


def test_report_model_card_and_commands_say_it(
    run: Run, other: Path, headline: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = html.unescape(run.report_file.read_text(encoding="utf-8"))
    assert " ".join(headline.split()) in " ".join(report.split())
    assert html.escape(headline) in run._repr_html_()
    assert "other\\_lab" in run.model_card_file.read_text(encoding="utf-8")
    assert main(["evaluate", str(run.folder)]) == 0
    assert headline in capsys.readouterr().out
    images = [str(file) for file in sorted((other / "small").iterdir())[:3]]
    assert main(["predict", str(run.folder), *images, "--out", str(tmp_path / "rows.csv")]) == 0
    assert headline in capsys.readouterr().err
    assert main(["predict", str(run.folder), *images, "--out", str(tmp_path / "json.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"]["headline"] == headline
    assert main(["evaluate", str(run.folder), str(other), "--name", "other_lab", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert verdict["use"] == "no"
    assert verdict["headline"].startswith("Do not use this classifier on such images.")


def test_images_of_the_training_show_nothing_about_new_ones(run: Run, workspace: Workspace) -> None:
    """The evaluation is of no use, not the classifier."""
    from coverslip.reports.reported import read_evaluation

    evaluation = cs.evaluate(run.folder, str(workspace.roots[0] / "cells"), name="again")
    verdict = verdict_of_run(read_evaluation(evaluation.folder))
    assert (verdict.use, verdict.reasons[0].code) == ("unknown", "limit-used-in-training")
    assert "again" not in verdict_of_run(read_run(run.folder)).headline


def test_an_external_test_without_some_of_the_classes_can_fail_too(run: Run, other: Path, tmp_path: Path) -> None:
    """Chance is not defined for it, but metrics of the images of the other classes are compared."""
    from coverslip.reports.reported import read_evaluation
    from coverslip.reports.sections.results import OWN_TEST

    rows = "".join(f"{file},small\n" for file in sorted((other / "small").iterdir()))
    (tmp_path / "one_class.csv").write_text(f"path,label\n{rows}", encoding="utf-8")
    evaluation = cs.evaluate(run.folder, str(tmp_path / "one_class.csv"))
    reported = read_evaluation(evaluation.folder)
    assert reported.on_both_sets[1] == reported.metrics  # not of the rounded probabilities in the table
    verdict = verdict_of_run(reported)
    assert (verdict.use, verdict.reasons[0].code) == ("no", "limit-lower-than-own-test")
    (table,) = OWN_TEST.blocks(read_evaluation(evaluation.folder))
    assert isinstance(table, SectionText)
    own = {row[0]: row[2] for row in table.rows}
    small = [row for row in run.predictions if row.label == "small"]
    assert own[METRICS["accuracy"].title] == estimate(run.metrics.per_class["small"].metrics["recall"])
    probability = np.array([row.probabilities for row in small])
    excess = METRICS["ece_excess"].value(
        probability, np.full(len(small), run.metrics.classes.index("small")), probability
    )
    calibration = own[METRICS["ece_excess"].title]
    assert isinstance(calibration, Estimate)
    assert calibration.number == pytest.approx(excess)
    assert "in both test sets" in verdict.headline
    assert against_own_test(read_evaluation(evaluation.folder))
    assert against_own_test(read_evaluation(evaluation.folder)) not in lead(read_evaluation(evaluation.folder), verdict)
    reasons = verdict_of_run(read_run(run.folder)).reasons
    assert [reason.code for reason in reasons][:2] == ["limit-external-test"] * 2


def test_wrong_labels_and_marks_are_reasons(run: Run) -> None:
    checks = run.checks
    assert checks is not None
    assert [probe.label for probe in checks.border] == list(run.metrics.classes)
    assert checks.wrong_labels.n_images

    def codes(n_wrong: int, n_recognized: int) -> set[str]:
        probe = BorderProbe(
            label="large", recall=share_of_images(n_recognized, 100), specificity=share_of_images(98, 100)
        )
        TrainingChecks(wrong_labels=share_of_images(n_wrong, 200), border=(probe,)).write(run.checks_file)
        reasons = verdict_of_run(read_run(run.folder)).reasons
        return {reason.code for reason in reasons} & {
            "limit-wrong-labels",
            "limit-possibly-wrong-labels",
            "limit-mark",
        }

    try:
        assert codes(5, 80) == set()  # their intervals include 2% and .75
        assert codes(10, 95) == {"limit-possibly-wrong-labels", "limit-mark"}
        assert codes(40, 80) == {"limit-wrong-labels"}
    finally:
        checks.write(run.checks_file)
