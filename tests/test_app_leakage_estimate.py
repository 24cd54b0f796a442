"""The leakage estimate: started in the app, kept until labels change, shown in the reports of trainings."""

from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from fastapi.testclient import TestClient
from image_sets import images_at
from small_workspace import API, new_workspace, open_images, until
from trained import GROUPS

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.audit.leakage_estimate import (
    LeakageAudit,
    cache_leakage_audit,
    cached_leakage_audit,
    estimate_leakage,
    inspect_with_leakage_audit,
)
from coverslip.audit.near_duplicates import with_cached_near_duplicates
from coverslip.datasets.quality.scanning import ProbeScore, Signal, scan_images
from coverslip.reports.page import write_report
from coverslip.reports.reported import read_run
from coverslip.reports.sections import sections_of
from coverslip.runs.folder import Run
from coverslip.runs.results import LeakageEstimate, write_inspection
from coverslip.workspace.correcting import undoing
from coverslip.workspace.datasets import labels, reading_images, sources
from coverslip.workspace.datasets.reading_images import update_inspection
from coverslip.workspace.leakage_estimates import leakage_estimate_state
from coverslip.workspace.store.rows import load_dataset, load_scan

SIGNAL = Signal(0.5, ProbeScore(0.9, 0.02), {"border": ProbeScore(0.8, 0.02)})


def image_level() -> LeakageEstimate:
    """Groups that each have a look and a class of their own: one by one all is known, and in whole groups nothing."""
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 8)
    label = generator.permutation(np.arange(30) % 3)[group]
    look = generator.normal(size=(30, 40))[group] + generator.normal(0, 0.2, (240, 40))
    return estimate_leakage(look.astype(np.float32), label, group)


@pytest.mark.slow
def test_what_was_seen_stays_until_labels_change_and_is_there_again_when_they_are_changed_back(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(tmp_path / "cells", 12, side=32), group_pattern=GROUPS)
    workspace.background.wait_all()
    assert leakage_estimate_state(workspace, cells).state == "not-requested"
    with workspace.engine.connect() as connection:
        cache_leakage_audit(
            load_dataset(connection, cells),
            with_cached_near_duplicates(load_scan(connection, cells)),
            LeakageAudit(SIGNAL, image_level()),
        )
    update_inspection(workspace, cells)
    seen = leakage_estimate_state(workspace, cells)
    assert (seen.state, seen.signal) == ("ready", SIGNAL)
    assert "An image-level split overestimates" in seen.words[0]
    (shortcut,) = reading_images.inspection(workspace, cells).of("shortcut")
    assert shortcut.parameters["from"] == "border"

    change, _ = labels.set_labels(workspace, cells, images_at(workspace, cells, [0]), "another")
    for _ in range(2):  # before and after the findings of the new labels are kept
        outdated = leakage_estimate_state(workspace, cells)
        assert (outdated.state, outdated.leakage_estimate) == ("outdated", seen.leakage_estimate)
        assert not reading_images.inspection(workspace, cells).of("shortcut")
    undoing.undo(workspace, change or 0)
    assert reading_images.inspection(workspace, cells).of("shortcut")
    assert leakage_estimate_state(workspace, cells).state == "ready"

    sources.change_dataset(workspace, cells, {"class_plan": {"drop": ["small"]}})  # changes labels in trainings
    assert leakage_estimate_state(workspace, cells).state == "outdated"
    assert not reading_images.inspection(workspace, cells).of("shortcut")
    sources.change_dataset(workspace, cells, {"class_plan": {}})
    assert reading_images.inspection(workspace, cells).of("shortcut")


@pytest.mark.slow
def test_an_audit_during_which_labels_changed_is_shown_as_outdated(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(tmp_path / "cells", 12, side=32, seed=5), group_pattern=GROUPS)
    workspace.background.wait_all()
    estimate = image_level()
    audit = LeakageAudit(SIGNAL, estimate)  # none is cached for the current labels
    for ended in (audit, None):  # also after the findings of the new labels are stored
        update_inspection(workspace, cells, ended)
        shown = leakage_estimate_state(workspace, cells)
        assert (shown.state, shown.signal) == ("outdated", SIGNAL)
        assert shown.leakage_estimate is not None
        assert shown.leakage_estimate.difference.value == pytest.approx(estimate.difference.value)


@pytest.mark.slow
def test_a_training_on_images_of_a_leakage_estimate_has_it_in_its_report(own_run: Run, cells: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    scan = with_cached_near_duplicates(scan_images(data))
    assert "leakage_estimate" not in {section.name for section in sections_of(read_run(own_run.folder))}
    cache_leakage_audit(data, scan, LeakageAudit(None, image_level()))
    try:
        assert cached_leakage_audit(cs.open_dataset(cells), scan) is None  # what belongs together is another
        write_inspection(
            own_run.inspection_file, inspect_with_leakage_audit(data, scan, cached_leakage_audit(data, scan))
        )
    finally:
        cache_leakage_audit(data, scan, LeakageAudit(None, None))
    write_report(own_run.folder)
    page = own_run.report_file.read_text(encoding="utf-8")
    assert "Leakage estimate" in page
    assert "grouped split" in page
    assert (own_run.folder / "figures" / "leakage_estimate.svg").is_file()


@pytest.mark.slow
def test_an_audit_is_of_the_cells_of_the_table_too_and_stays_so_in_trainings_of_the_app(tmp_path: Path) -> None:
    files = sorted(write_cells(tmp_path / "cells", 12, side=32).glob("*/*"))
    for column in ("plate", "day"):
        rows = [f"{file},{file.parent.name},{column}{k % 2}" for k, file in enumerate(files)]
        (tmp_path / f"{column}s.csv").write_text("\n".join([f"path,label,{column}", *rows]))
    of_plates, of_days = (cs.open_dataset(tmp_path / f"{column}s.csv") for column in ("plate", "day"))
    cache_leakage_audit(of_plates, scan_images(of_plates), LeakageAudit(SIGNAL, None))
    assert cached_leakage_audit(of_plates, scan_images(of_plates)) == LeakageAudit(SIGNAL, None)
    assert cached_leakage_audit(of_days, scan_images(of_days)) is None

    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, tmp_path / "plates.csv")
    assert leakage_estimate_state(workspace, cells).state == "ready"
    labels.set_labels(workspace, cells, images_at(workspace, cells, [0]), "another")
    assert leakage_estimate_state(workspace, cells).state != "ready"
    with workspace.engine.connect() as connection:
        cache_leakage_audit(load_dataset(connection, cells), load_scan(connection, cells), LeakageAudit(SIGNAL, None))
    of_training = cs.open_dataset(labels.training_images(workspace, cells).sources)
    assert cached_leakage_audit(of_training, scan_images(of_training)) == LeakageAudit(SIGNAL, None)

    for column, cells_of_image in (("plate", ()), (None, (("plate", "plate0"),))):
        sources.change_dataset(workspace, cells, {"group": column})
        with workspace.engine.connect() as connection:
            assert load_dataset(connection, cells).records[0].about == cells_of_image


@pytest.mark.exhaustive
def test_the_app_shows_images_to_a_network_and_gives_it_up_on_request(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(tmp_path / "cells", 60, side=32), group_pattern=GROUPS)
    address = f"{API}/computations/leakage-estimate/{cells}"
    new = {"kind": "leakage-estimate", "subject": cells}
    with TestClient(create_app(workspace)) as client:
        begun = client.post(f"{API}/computations", json=new).json()
        assert begun["state"] in ("waiting", "running")
        assert client.post(f"{API}/jobs/{begun['job_id']}/stop").status_code == 200
        until(lambda: client.get(address).json()["state"] == "not-requested")
        sources.change_dataset(workspace, cells, {"class_plan": {"merge": {"others": ["small", "medium"]}}})
        client.post(f"{API}/computations", json=new)
        estimate = until(lambda: (now := client.get(address).json())["state"] == "ready" and now, 120)
        assert estimate["leakage_estimate"]["n_images"] == 60
        assert estimate["signal"]["chance"] == pytest.approx(1 / 2)  # of the classes that trainings see
        assert estimate["error"] is None
