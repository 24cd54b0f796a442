"""What Python users get out: rows, data frames, probabilities, and tables that notebooks show."""

import sys
from html import escape
from pathlib import Path

import numpy as np
import pytest
from trained import GROUPS

import coverslip as cs
from coverslip.errors import ExtraNotInstalled
from coverslip.evaluation.sample_proportions import SUMMARY_COLUMNS
from coverslip.events import ignore
from coverslip.messages import message, text
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction, Predictions

ROWS = [
    Prediction("a", "new/a.tif", None, "<b>", 0.75, "uncertain", (0.25, 0.75)),
    Prediction("b", "new/b.tif", "red", None, None, "unreadable", (), message("image-file-empty")),
]
TABLE = Predictions(ROWS, ["red", "<b>"])


def test_predictions_have_a_length_integer_rows_and_slices() -> None:
    assert len(TABLE) == 2
    assert TABLE[0].image_id == "a"
    assert TABLE[-1].decision == "unreadable"
    assert [row.image_id for row in TABLE[1:]] == ["b"]
    assert TABLE[1:].classes == TABLE.classes
    assert TABLE["p:<b>"] == [0.75, None]
    with pytest.raises(IndexError):
        TABLE[2]


def test_a_data_frame_of_predictions_has_a_column_for_each_class() -> None:
    frame = TABLE.to_pandas()
    assert list(frame.columns) == list(TABLE.columns)
    assert frame["p:red"].tolist()[0] == 0.25
    assert frame["p:red"].isna().tolist() == [False, True]
    assert frame["reason"].tolist()[1] == text("image-file-empty")


def test_without_pandas_one_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ExtraNotInstalled) as caught:
        TABLE.to_pandas()
    assert (caught.value.code, caught.value.parameters["extra"]) == ("extra-not-installed", "pandas")


def test_a_dataset_has_a_length_rows_and_a_data_frame(cells: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    assert len(data) == 90
    assert data[0] is data.records[0]
    assert list(data)[-1] is data[-1]
    frame = data.to_pandas()
    assert list(frame.columns) == ["image_id", "path", "label", "group", "domain", "split"]
    assert frame.groupby("label").size().to_dict() == {"large": 30, "medium": 30, "small": 30}
    assert frame["path"].tolist()[3] == data.relative_path(data[3])


def test_the_numbers_of_a_run_are_data_frames(trained: Run) -> None:
    metrics = trained.metrics
    frame = metrics.to_pandas()
    assert frame.set_index("metric").loc["macro_f1", "low"] == metrics["macro_f1"].low
    per_class = metrics.to_pandas("classes")
    assert per_class["class"].tolist() == list(metrics.classes)
    assert per_class["recall"].tolist() == [metrics.per_class[name].metrics["recall"].value for name in metrics.classes]
    confusion = metrics.to_pandas("confusion")
    assert list(confusion.columns) == list(metrics.classes)
    assert confusion.index.tolist() == list(metrics.classes)
    assert confusion.to_numpy().tolist() == [list(row) for row in metrics.confusion_matrix]


def test_notebooks_show_tables_of_what_there_is_with_names_escaped(trained: Run, cells: Path) -> None:
    assert "&lt;b&gt;" in TABLE._repr_html_()
    assert "<b>" not in TABLE._repr_html_()
    shown = cs.open_dataset(cells)._repr_html_()
    assert "90 images" in shown
    assert "medium" in shown
    numbers = trained.metrics._repr_html_()
    assert f"{trained.metrics['macro_f1'].value:.3f}" in numbers
    assert numbers in trained._repr_html_()
    assert str(trained.folder) in trained._repr_html_()


def test_results_are_short_in_a_terminal_and_tables_in_notebooks(trained: Run, cells: Path, tmp_path: Path) -> None:
    inspection = cs.inspect(cs.open_dataset(cells, group_pattern=GROUPS))
    assert str(inspection) == repr(inspection)
    assert "<td>medium</td><td>30</td>" in inspection._repr_html_()
    assert all(escape(finding.title) in inspection._repr_html_() for finding in inspection.findings)
    table = tmp_path / "predictions.csv"
    predicted = cs.predict(
        trained, [str(path) for path in sorted((cells / "large").iterdir())[:5]], out=table, device="cpu"
    )
    assert predicted._repr_html_().count("<tr>") == 1 + len(predicted.decisions)
    assert cs.load_classifier(trained)._repr_html_().count("<tr>") == 1 + 3
    live = cs.live(cells / "large", device="cpu", emit=ignore)
    live.label([row.image_id for row in live.predict() if not row.is_test][:2], "round")
    assert repr(live).startswith("30 images, 2 with a label")
    assert "<td>round</td><td>2</td>" in live._repr_html_()
    (tmp_path / "points.txt").write_text("5 5 round\n9 9 round\n")
    field = next((cells / "large").iterdir())
    objects = cs.collect_objects(field, points=tmp_path / "points.txt", size_px=4, out=None, emit=ignore)
    assert f"<td>{field.name}</td><td>2</td>" in objects._repr_html_()
    summary = cs.summarise(table, by="folder", run=trained)
    assert repr(summary) == "Summary(3 classes, 1 samples, 0 conditions)"
    assert "<td>large</td><td></td><td>5</td>" in summary._repr_html_()
    frame = summary.to_pandas()
    assert tuple(frame.columns) == SUMMARY_COLUMNS
    assert frame["class"].tolist() == ["large", "medium", "small"]
    assert frame["shown"].tolist() == [each.shown.value for each in summary.samples[0].classes.values()]
    issues = cs.label_errors(trained)
    assert issues._repr_html_().count("<tr>") == 1 + min(20, len(issues.images))
    suggested = cs.suggest(cells / "large", n=3)
    assert len(repr(suggested)) < 200
    assert suggested._repr_html_().count("<tr>") == 1 + len(suggested.suggestions)


def test_a_run_without_numbers_is_shown_too(tmp_path: Path) -> None:
    assert str(tmp_path) in Run(tmp_path)._repr_html_()


def test_long_tables_are_cut_in_notebooks() -> None:
    shown = Predictions(ROWS * 50, ["red", "<b>"])._repr_html_()
    assert "100 images" in shown
    assert shown.count("<tr>") < 30


def test_predictions_print_their_first_rows() -> None:
    table = Predictions(
        [
            Prediction("a.png", "/a.png", None, "red", 0.75, "uncertain", (0.75, 0.25)),
            Prediction("long/b.png", "/long/b.png", None, None, None, "unreadable", ()),
        ],
        ["red", "blue"],
    )
    assert repr(table).splitlines() == [
        "Predictions of 2 images",
        "image_id    predicted  probability  decision",
        "a.png       red        0.750        uncertain",
        "long/b.png                          unreadable",
    ]
    assert repr(Predictions(table.rows * 6, table.classes)).splitlines()[-1] == "and 2 more"


@pytest.mark.slow
def test_probabilities_are_an_array_with_a_row_for_each_image(trained: Run, cells: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    images = [*sorted((cells / "large").iterdir())[:3], broken]
    classifier = cs.load_classifier(trained.folder, "cpu")
    probabilities = classifier.predict_proba(images)
    assert probabilities.shape == (4, 3)
    assert np.isnan(probabilities[3]).all()
    assert probabilities[:3].sum(axis=1) == pytest.approx(1)
    table = classifier.predict(images)
    assert probabilities[:3].tolist() == [list(row.probabilities) for row in table[:3]]
    assert probabilities.shape == table.probabilities.shape
