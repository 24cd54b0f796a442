"""Tables of samples beside predictions: wells, plates, folders and paths of Windows."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from refusing import refusing

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import CoverslipError
from coverslip.messages import text
from coverslip.runs.documents import rows_of_table, write_table
from coverslip.runs.predictions import Prediction, Predictions

WELLS = ("A01", "A02", "B01", "B02")


def write_predictions(file: Path, cells_of: Mapping[str, Mapping[str, str]]) -> Path:
    """Write predictions with further columns, by the paths of the images; of every three images, one is of class a."""
    rows = []
    for k, path in enumerate(cells_of):
        name = "ab"[k % 3 > 0]
        rows.append(Prediction(f"i{k}", path, None, name, 0.9, name, (0.9, 0.1) if name == "a" else (0.1, 0.9)))
    Predictions(rows, ("a", "b")).write_csv(file)
    if columns := list(next(iter(cells_of.values()))):
        cells = [
            {**row, **of} for row, of in zip(rows_of_table(file, lambda name: False), cells_of.values(), strict=True)
        ]
        write_table(file, list(cells[0]), cells)
        assert columns == list(cells[0])[-len(columns) :]
    return file


def of_wells(folder: str = "/d") -> dict[str, dict[str, str]]:
    return {f"{folder}/{well}_{k}.png": {"well": well} for well in WELLS for k in range(4)}


def test_a_table_with_a_row_for_each_sample_is_joined_by_the_sample(tmp_path: Path) -> None:
    file, table = write_predictions(tmp_path / "p.csv", of_wells()), tmp_path / "platemap.csv"
    table.write_text("well,dose\n" + "".join(f"{well},{0 if well[0] == 'A' else 10}\n" for well in (*WELLS, "H12")))
    summary = cs.summarise(file, by="well", condition="dose", table=table)
    assert {each.sample: each.condition for each in summary.samples} == dict(
        zip(WELLS, ["0", "0", "10", "10"], strict=True)
    )
    assert [each.n for each in summary.samples] == [4] * 4
    draw = cs.draw_spot_check(file, n=4, by="well", condition="dose", table=table)
    assert {each.condition for each in draw.images} == {"0", "10"}
    table.write_text("well;dose\nA01;0\nA02;0\nB01;10\n")
    with refusing(CoverslipError, "summary-sample-not-in-table"):
        cs.summarise(file, by="well", condition="dose", table=table)
    table.write_text("well;dose\nA01;0\nA01;10\nA02;0\nB01;10\nB02;10\n")
    with refusing(CoverslipError, "summary-table-repeats"):
        cs.summarise(file, by="well", condition="dose", table=table)
    table.write_text("dose\n0\n")
    with refusing(CoverslipError, "summary-table-without-key"):
        cs.summarise(file, by="well", condition="dose", table=table)


@pytest.mark.parametrize("key", ["folder", "path"])
def test_folders_are_samples_with_a_table_of_folders_or_of_images(tmp_path: Path, key: str) -> None:
    paths = [f"/d/{well}/{k}.png" for well in WELLS for k in range(2)]
    file, table = write_predictions(tmp_path / "p.csv", {path: {} for path in paths}), tmp_path / "t.csv"
    names = WELLS if key == "folder" else paths
    table.write_text(f"{key},dose\n" + "".join(f"{name},{10 if 'B0' in name else 0}\n" for name in names))
    summary = cs.summarise(file, by="folder", condition="dose", table=table)
    assert {each.sample: each.condition for each in summary.samples} == dict(
        zip(WELLS, ["0", "0", "10", "10"], strict=True)
    )


@pytest.mark.parametrize("cell", ["d\\{}", "\\\\share\\d\\{}", "C:\\data\\d\\{}"])
def test_paths_of_windows_are_those_of_the_images(tmp_path: Path, cell: str) -> None:
    paths: dict[str, dict[str, str]] = {path: {} for path in of_wells("/share/d" if "share" in cell else "/d")}
    file, table = write_predictions(tmp_path / "p.csv", paths), tmp_path / "windows.csv"
    names = [(cell.format(Path(path).name), Path(path).name[:3]) for path in paths]
    table.write_text("path;well\n" + "".join(f"{path};{well}\n" for path, well in names))
    if cell.startswith("C:"):
        with refusing(CoverslipError, "summary-image-not-in-table"):
            cs.summarise(file, by="well", table=table)
        file = write_predictions(file, {path: {} for path, _ in names})
        assert [each.sample for each in cs.summarise(file, by="folder").samples] == ["d"]
    assert [each.n for each in cs.summarise(file, by="well", table=table).samples] == [4] * 4


@pytest.mark.parametrize("column", [{}, {"Metadata_Plate": "P"}])
def test_wells_of_several_plates_are_cautioned(tmp_path: Path, column: Mapping[str, str]) -> None:
    cells = {
        f"{'/d' if column else f'/d/P{plate}'}/{plate} {well} {k}.png": {
            "well": well,
            **dict.fromkeys(column, f"P{plate}"),
        }
        for plate in (1, 2)
        for well in WELLS
        for k in range(2)
    }
    file = write_predictions(tmp_path / "p.csv", cells)
    summary = cs.summarise(file, by="well")
    kind = "plates" if column else "folders"
    assert summary.cautions == (text("summary-pooled-samples", n_samples=4, names="'P1', 'P2'", kind=kind),)
    by_plate = {path: {"well": f"{Path(path).name[0]}-{cell['well']}"} for path, cell in cells.items()}
    assert cs.summarise(write_predictions(tmp_path / "q.csv", by_plate), by="well").cautions == ()
    of_classes = {f"/d/{'ab'[k % 2]}/{k}.png": {"well": WELLS[k // 4]} for k in range(16)}
    assert cs.summarise(write_predictions(tmp_path / "r.csv", of_classes), by="well").cautions == ()


@pytest.mark.parametrize("root", ["", "/d/{}/"])
def test_samples_of_several_tables_are_cautioned(tmp_path: Path, root: str) -> None:
    files = [
        write_predictions(
            tmp_path / f"{table}.csv",
            {f"{root.format(table)}{folder}/{k}.png": {"well": folder} for folder in folders for k in range(2)},
        )
        for table, folders in (("P1", ("x", "y")), ("P2", ("x", "y")), ("P3", ("x", "z")))
    ]
    for pair, n_samples in ((files[:2], 2), (files[1:], 1)):
        summary = cs.summarise(pair, by="well")
        names = ", ".join(f"'{file.name}'" for file in pair)
        assert summary.cautions == (text("summary-pooled-samples", n_samples=n_samples, names=names, kind="tables"),)
        # Samples are folders: those of absolute paths have different names.
        by_folder = cs.summarise(pair, by="folder")
        assert by_folder.cautions == (() if root else summary.cautions)
    places = {"P1": "xz", "P2": "xy", "P3": "yz"}
    three = [
        write_predictions(tmp_path / f"{table}.csv", {f"{s}/{k}.png": {"well": s} for s in samples for k in range(2)})
        for table, samples in places.items()
    ]
    names = "'P1.csv', 'P2.csv', 'P3.csv'"
    caution = text("summary-pooled-samples", n_samples=3, names=names, kind="tables")
    assert cs.summarise(three, by="well").cautions == (caution,)
    # One sample of one table may have several folders.
    of_folders = {f"{root.format('P4')}{'uv'[k % 2]}/{k}.png": {"well": "A01"} for k in range(4)}
    assert cs.summarise([files[0], write_predictions(tmp_path / "P4.csv", of_folders)], by="well").cautions == ()


def test_a_plate_map_is_joined_by_plate_and_well(tmp_path: Path) -> None:
    cells = {
        f"/d/{plate} {well} {k}.png": {"Plate": plate, "well": well}
        for plate in ("P1", "P2")
        for well in WELLS
        for k in (0, 1)
    }
    file, table = write_predictions(tmp_path / "p.csv", cells), tmp_path / "platemap.csv"
    doses = {("P1", "A01"): 0, ("P1", "A02"): 0, ("P1", "B01"): 5, ("P1", "B02"): 5}
    doses |= {("P2", "A01"): 10, ("P2", "A02"): 10, ("P2", "B01"): 0, ("P2", "B02"): 0}
    rows = [f"{plate},{well},{dose}\n" for (plate, well), dose in doses.items()]
    table.write_text("plate,well,dose\n" + "".join(rows))
    for block in (None, "plate"):
        summary = cs.summarise(file, by="well", condition="dose", table=table, block=block)
        assert {(each.sample, each.condition, each.n) for each in summary.samples} == {
            (f"{plate}, {well}", f"{dose}", 2) for (plate, well), dose in doses.items()
        }
        assert {each.block for each in summary.samples} == ({None} if block is None else {"P1", "P2"})
    assert not summary.cautions
    table.write_text("plate,well,dose\n" + "".join(rows[:-1]))
    with refusing(CoverslipError, "summary-sample-not-in-table"):
        cs.summarise(file, by="well", condition="dose", table=table)


def test_conditions_of_samples_of_one_image_are_cautioned(tmp_path: Path) -> None:
    cells = {f"/d/{k}.png": {"img": f"img{k}", "cond": "xy"[k > 9], "slide": str(k // 4)} for k in range(20)}
    file = write_predictions(tmp_path / "p.csv", cells)
    summary = cs.summarise(file, by="img", condition="cond")
    assert summary.cautions == (text("summary-single-images", n_single=20, n_samples=20, are_objects=False),)
    assert cs.summarise(file, by="img").cautions == ()
    assert cs.summarise(file, by="slide").cautions == ()
    sizes = {"x1": 12, "x2": 3, "y1": 15, "y2": 11}
    of_sizes = {f"/d/{name}/{k}.png": {"cond": name[0]} for name, n in sizes.items() for k in range(n)}
    summary = cs.summarise(write_predictions(tmp_path / "q.csv", of_sizes), by="folder", condition="cond")
    assert summary.cautions == (text("summary-small-samples", n_small=1, n_samples=4, n_images=10, are_objects=False),)


def test_the_command_states_how_many_images_count_by_their_probabilities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n, decisions in ((0, ("a", "unreadable")), (6, ("a", "uncertain", "unfamiliar", "unreadable"))):
        rows = [
            Prediction(f"{k}", f"/d/{k}.png", None, "a", 0.6, decisions[k % len(decisions)], (0.6, 0.4))
            for k in range(12)
        ]
        Predictions(rows, ("a", "b")).write_csv(tmp_path / f"{n}.csv")
        assert main(["summarise", str(tmp_path / f"{n}.csv"), "--by", "folder"]) == 0
        sentence = text("summary-by-probabilities", n=n, n_images=6 + n // 2, are_objects=False)
        assert (sentence in capsys.readouterr().out.splitlines()) == (n > 0)


@pytest.mark.parametrize(("classes", "positive"), [(("pos", "neg"), "pos"), (("a", "b"), "b"), (("a", "b", "c"), None)])
def test_of_two_classes_the_positive_one_is_shown(
    tmp_path: Path, classes: tuple[str, ...], positive: str | None
) -> None:
    from coverslip.reports.proportions_page import shown_classes

    probabilities = (1.0, *[0.0] * (len(classes) - 1))
    rows = [Prediction(f"{k}", f"/d/{k}.png", None, classes[0], 1.0, classes[0], probabilities) for k in range(3)]
    Predictions(rows, classes).write_csv(tmp_path / "p.csv")
    summary = cs.summarise(tmp_path / "p.csv", by="folder")
    assert summary.positive_class == positive
    assert list(shown_classes(summary)) == ([positive] if positive else list(classes))


def test_a_table_from_python_states_its_classifier(trained: cs.Run, cells: Path, tmp_path: Path) -> None:
    table = cs.load_classifier(trained, "cpu").predict(sorted(cells.rglob("*.png"))[:12])
    table[:10].write_csv(tmp_path / "p.csv")
    assert set(table["classifier"]) == {table.classifier}
    assert table.to_pandas()["classifier"].nunique() == 1
    summary = cs.summarise(tmp_path / "p.csv", by="folder", run=trained)
    assert summary.is_corrected
    assert summary.positive_class == trained.metrics.positive_class
