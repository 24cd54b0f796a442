"""File names that are no UTF-8, as a disk of Linux may hold: the main job and the app, from end to end."""

import csv
import os
import shutil
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from small_workspace import API, QUICK, Json, new_workspace, open_images, predicted_here, trained_here, write_cells
from trained import INSTANT

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.datasets.names import name_as_text, name_from_text
from coverslip.workspace.jobs.records import find_job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")

CHOICES = [word for key, value in QUICK.items() for word in ("--set", f"{key}={value}")]


def odd_cells(folder: Path) -> Path:
    """Cells of which every other one has a name that is no UTF-8; one has the text of another's name as its own."""
    write_cells(folder)
    files = sorted(folder.rglob("*.png"))
    for file in files[::2]:
        odd = Path(os.fsdecode(os.fsencode(file.with_suffix("")) + b" caf\xe9.png"))
        try:
            file.rename(odd)
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
    files[1].rename(files[0].with_name(f"{files[0].stem} caf\\xe9.png"))
    return folder


def files_named_in(table: Path) -> dict[str, bytes]:
    """The bytes of the file that coverslip opens for each row of a table, by the row's id."""
    return {record.image_id: record.path.read_bytes() for record in cs.open_dataset(table).records}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_main_job_runs_and_its_tables_lead_to_the_same_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    cells, run = odd_cells(tmp_path / "cells"), tmp_path / "run"
    expected = {r.image_id: r.path.read_bytes() for r in cs.open_dataset(cells).records}
    assert len(expected) == 60
    odd = [str(file) for file in cells.rglob("*.png") if "\udce9" in str(file)]
    assert main(["inspect", str(cells)]) == 0
    assert main(["train", str(cells), "--group-pattern", r"slide\d+", *CHOICES, "--out", str(run)]) == 0
    assert "xe9.png" in (run / "split.csv").read_text(encoding="utf-8")
    assert (run / "report.html").read_text(encoding="utf-8")
    table, second_table = tmp_path / "predictions.csv", tmp_path / "again.csv"
    assert main(["predict", str(run), str(cells), "--out", str(table)]) == 0
    assert main(["predict", str(run), str(table), "--out", str(second_table)]) == 0
    first, second = (list(csv.DictReader(each.open(newline="", encoding="utf-8"))) for each in (table, second_table))
    assert [{name: row[name] for name in first[0]} for row in second] == first
    assert all(row[f"input:{name}"] == row[name] for row in second for name in ("predicted", "ood_score"))
    with table.open(newline="", encoding="utf-8") as opened:
        named = {row["image_id"]: Path(name_from_text(row["path"])).read_bytes() for row in csv.DictReader(opened)}
    assert named == expected
    assert main(["predict", str(run), *odd, "--out", str(tmp_path / "odd.csv")]) == 0
    assert main(["evaluate", str(run)]) == 0
    assert main(["evaluate", str(run), str(cells), "--name", "same"]) == 0
    assert main(["label-errors", str(run), "--out", str(tmp_path / "label_errors.csv")]) == 0
    assert main(["explain", str(run), odd[0], "--out", str(tmp_path / "explained")]) == 0
    assert main(["report", str(run)]) == 0
    shutil.copy(run / "split.csv", cells / "split.csv")
    assert files_named_in(cells / "split.csv") == expected
    capsys.readouterr()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_channels_in_files_of_such_names_are_joined(tmp_path: Path) -> None:
    for file in odd_cells(tmp_path / "cells").rglob("*.png"):
        shutil.copy(file, file.with_name(f"{file.stem}_C2.png"))
        file.rename(file.with_name(f"{file.stem}_C1.png"))
    recipe = INSTANT.model_copy(update={"channel_files": ("_C1", "_C2")})
    run = cs.train(cs.open_dataset(tmp_path / "cells"), recipe, out=tmp_path / "run")
    assert run.inspection is not None
    assert (run.is_done, run.inspection.n_images) == (True, 60)
    assert cs.evaluate(run).is_measured


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_table_in_memory_names_such_files(tmp_path: Path) -> None:
    import pandas as pd

    records = cs.open_dataset(odd_cells(tmp_path / "cells")).records
    paths = pd.Series([str(r.path) for r in records], dtype=object)  # pandas' own type of text takes UTF-8 only
    table_in_memory = pd.DataFrame({"path": paths, "label": [r.label for r in records]})
    run = cs.train(table_in_memory, INSTANT, out=tmp_path / "run")
    assert [row.split for row in run.split].count("excluded") == 0
    names_of_files = files_named_in(run.in_memory_folder / "table.csv")
    assert sorted(names_of_files.values()) == sorted(r.path.read_bytes() for r in records)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_app_shows_labels_trains_on_and_predicts_such_files(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = odd_cells(tmp_path / "cells")
    dataset = open_images(workspace, cells, group_pattern=r"slide\d+")
    with TestClient(create_app(workspace)) as client:

        def get(path: str, **query: object) -> Json:
            answer = client.get(f"{API}/{path}", params=query)
            assert answer.status_code == 200, answer.text
            body: Json = answer.json()
            return body

        listed = get(f"lists/{dataset}/rows", search=" caf\\xe9", limit=100)
        odd = [image["row_id"] for image in listed["items"]]
        assert len(odd) == 30
        for what in (f"rows/{odd[0]}", f"sheet?rows={odd[0]}", f"rows/{odd[0]}/overview"):
            assert client.get(f"{API}/lists/{dataset}/{what}").status_code == 200
        request = {"images": [listed["items"][0]["image_id"]], "label": "medium"}
        assert client.post(f"{API}/datasets/{dataset}/changes", json=request).status_code == 200
        run = trained_here(workspace, dataset, QUICK)
        state = get(f"jobs/{run}")
        assert state["state"] == "done"
        split = find_job(workspace, run).run.split
        assert (len(split), [row.split for row in split].count("excluded")) == (60, 0)
        measured = get(f"lists/{run}/rows", limit=100)["items"]
        assert all(
            client.get(f"{API}/lists/{run}/rows/{row['row_id']}/overview").status_code == 200 for row in measured
        )
        classifier = get("classifiers")["items"][0]["id"]
        prediction = predicted_here(workspace, classifier, dataset)
        rows = get(f"lists/{prediction}/rows", limit=100)["items"]
        assert len(rows) == 60
        for row in rows[:4]:
            assert client.get(f"{API}/lists/{prediction}/rows/{row['row_id']}/overview").status_code == 200
        table = client.get(f"{API}/jobs/{prediction}/download/predictions")
        (tmp_path / "downloaded.csv").write_bytes(table.content)
        named = files_named_in(tmp_path / "downloaded.csv")
        assert sorted(named.values()) == sorted(file.read_bytes() for file in cells.rglob("*.png"))


def test_a_name_in_a_table_is_found_as_it_is_written_or_as_it_is(tmp_path: Path) -> None:
    """A table that somebody else wrote may name a file whose name holds such letters itself."""
    cells = odd_cells(tmp_path / "cells")
    (image,) = [file for file in cells.rglob("*.png") if "\\xe9" in file.name]
    Path(os.fsdecode(os.fsencode(image.with_name(image.name.split(" ")[0])) + b" caf\xe9.png")).unlink()
    (cells / "table.csv").write_text(f"path,label\n{image.relative_to(cells)},large\n")
    assert cs.open_dataset(cells / "table.csv").records[0].path == image


@given(st.binary(max_size=12) | st.text("\\x5cef8é", max_size=12).map(str.encode))
def test_every_name_comes_back_from_its_text(name: bytes) -> None:
    text = name_as_text(os.fsdecode(name))
    text.encode("utf-8")
    assert os.fsencode(name_from_text(text)) == name
