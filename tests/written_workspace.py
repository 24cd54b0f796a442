"""A workspace of the app that is written instead of used: the same datasets, results and numbers on every machine."""

import json
import os
import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drawing import write_cells
from prediction_tables import keys_by_path, write_predictions
from small_workspace import open_images
from synthetic_runs import NETWORKS, write_run, written_study
from training_events import a_step, an_epoch

from coverslip.events import Event, InstantClassifierFitted, RunStarted, SetSizes, StageStarted, WorkPlanned, as_json
from coverslip.files import write_json
from coverslip.images.reader import ReadPlan
from coverslip.machine import process_started
from coverslip.reports.page import write_report
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.status import Status
from coverslip.studies.plan import StudyPlan, save_plan
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.store.workspace import Workspace, open_workspace

CLASSES = ("lymphocyte", "monocyte", "neutrophil")
RUNNING = "0f1e2d3c4b5a"  # the ID of the training that is followed: the event stream accepts IDs as the app makes them
WHEN = "2026-11-20T09:12:44+00:00"


def write_workspace(folder: Path, study_report: Path) -> dict[str, str]:
    """A labeled dataset, three trainings (one of them running), a prediction and a study; their ids.

    The running training is alive as long as this process is. `study_report` is the report of the written study.
    """
    images = folder / "images"
    cells = write_cells(images / "blood cells", 90, classes=CLASSES, n_slides=9, seed=1)
    new = write_cells(images / "new slides", 40, classes=CLASSES, is_sorted=False, seed=2)
    workspace = open_workspace(folder / "workspace", (folder,))
    dataset = open_images(workspace, cells, group_pattern=r"slide\d+", name="Blood cells")
    unlabeled = open_images(workspace, new, is_labeled=False, name="New slides")
    for k, (name, skill) in enumerate((("Instant", 1.6), ("Fine-tuned", 2.4))):
        made = write_run(images / "smears", CLASSES, n_test=60, n_groups=40, skill=skill, finetuned=k == 1)
        run = workspace.runs / name.lower()
        workspace.runs.mkdir(exist_ok=True)
        shutil.move(made, run)
        _write_status(run)
        write_report(run)  # its figures are on pages too
        _add_training(workspace, run, name, dataset, minute=k)
    running = workspace.runs / RUNNING
    running.mkdir()
    _write_running(Run(running))
    _add_training(workspace, running, "Running", dataset, minute=2)
    _write_prediction(workspace, sorted(new.iterdir()), unlabeled)
    _write_study(workspace, cells, dataset, study_report)
    workspace.engine.dispose()
    ids = {"dataset": dataset, "unlabeled": unlabeled}
    return {**ids, "running": RUNNING, **{name: name for name in ("instant", "fine-tuned", "prediction", "study")}}


def _add_training(workspace: Workspace, folder: Path, name: str, dataset: str, *, minute: int) -> None:
    add_job(
        workspace,
        id=folder.name,
        kind="train",
        name=name,
        dataset_id=dataset,
        dataset_name="Blood cells",
        folder=str(folder),
        command=["coverslip", "train"],
        choices=Run(folder).recipe.model_dump(mode="json"),
        state="started",
        queued=None,
        created=f"2026-11-20T09:{minute:02d}:00.000+00:00",
    )


def _write_status(folder: Path, **more: Any) -> None:  # Any: fields of the status
    values = {"state": "done", "pid": 0, "process_started": 0.0, "began": WHEN, "heartbeat": WHEN, **more}
    Status(host=platform.node(), **values).write(Run(folder).status_file)


def _write_running(run: Run) -> None:
    """A training in its sixth epoch of twelve, at work in this process."""
    save_recipe(Recipe(), run.recipe_file)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    process = {"pid": os.getpid(), "process_started": process_started()}
    _write_status(run.folder, state="running", began=now, heartbeat=now, **process)
    epochs = []
    for k in range(6):
        losses: Mapping[str, Any] = {"train_loss": None if k == 0 else 1.1 * 0.7**k, "val_loss": 0.5 + 0.6 * 0.6**k}
        scores = {"val_f1": 0.92 - 0.3 * 0.6**k, "val_accuracy": 0.93 - 0.3 * 0.6**k, "train_f1": 0.96 - 0.4 * 0.6**k}
        epochs.append(an_epoch(k, n_epochs=12, seconds=20.0, seconds_left=20.0 * (12 - k), **losses, **scores))
    events: list[Event] = [
        WorkPlanned(
            sizes=(SetSizes(n_train=72, n_val=24, n_test=24, n_drawn=72, n_selecting=24),),
            n_reprocessed=(24,),
            n_epochs=12,
            has_instant=True,
            seconds=300,
        ),
        RunStarted(run=RUNNING, n_train=72, n_val=24, n_test=24, classes=CLASSES),
        StageStarted(stage="instant"),
        InstantClassifierFitted(seconds=4.2, val_accuracy=0.875, val_macro_f1=0.86),
        StageStarted(stage="finetune", n_epochs=12, checkpoint_selection="best"),
        *epochs,
        a_step(6, 2, n_steps=4, n_epochs=12, loss=0.2),
    ]
    begun = time.time() - 20 * len(events)
    with run.events_file.open("w", encoding="utf-8") as file:
        for k, event in enumerate(events):
            file.write(json.dumps({"n": k + 1, "time": begun + 20 * k, **as_json(event)}) + "\n")


def _write_prediction(workspace: Workspace, files: list[Path], dataset: str) -> None:
    folder = workspace.predictions / "prediction"
    folder.mkdir(parents=True)
    _write_status(folder)
    rows = []
    for k, file in enumerate(files):
        class_name, sure = CLASSES[k % 3], 0.36 + 0.016 * k
        probabilities = tuple(sure if name == class_name else (1 - sure) / 2 for name in CLASSES)
        decision = class_name if sure >= 0.5 else "uncertain"
        rows.append(Prediction(file.name, str(file), None, class_name, sure, decision, probabilities))
    listed = [(row, ReadPlan()) for row in rows]
    write_predictions(folder, CLASSES, listed)
    add_job(
        workspace,
        id="prediction",
        kind="predict",
        name="New slides",
        dataset_id=dataset,
        dataset_name="New slides",
        classifier_id="fine-tuned",
        folder=str(folder),
        command=[],
        choices={"sources": [], "classes": list(CLASSES), "classifier_name": "Fine-tuned", "prevalence": {}},
        state="started",
        queued=None,
        created="2026-11-20T09:20:00.000+00:00",
        image_keys=keys_by_path(workspace, dataset, listed),
    )


def _write_study(workspace: Workspace, images: Path, dataset: str, report: Path) -> None:
    folder = workspace.studies / "study"
    shutil.copytree(report.parent, folder)
    networks, variant = NETWORKS[:4], {"name": NETWORKS[4], "recipe": {"model": "mobilenet_v2"}}
    datasets = [{"path": str(images), "name": "blood cells"}]
    plan = StudyPlan.model_validate({"datasets": datasets, "models": [*networks, variant], "folds": 5})
    save_plan(plan, folder / "study.yaml")
    comparison = written_study()
    write_json(folder / "comparison.json", {"format_version": 1, **asdict(comparison)})
    _write_status(folder)
    add_job(
        workspace,
        id="study",
        kind="study",
        name="Five networks",
        dataset_name="blood cells",
        folder=str(folder),
        command=[],
        choices={"preset": "aimic", "dataset_ids": [dataset], "dataset_of": {str(images): dataset}},
        state="started",
        queued=None,
        created="2026-11-20T09:30:00.000+00:00",
    )
