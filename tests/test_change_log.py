"""The log of changes: two clients change, undo and redo at random, and a model in Python knows what is there then."""

import copy
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import RunningApp
from drawing import save_cells
from fastapi.testclient import TestClient
from image_sets import client_of, workspace_in
from parameters import only_first
from prediction_tables import keys_by_path, write_predictions
from small_workspace import open_images
from sqlalchemy import func, insert, select

from coverslip.images.reader import ReadPlan
from coverslip.runs.predictions import Prediction
from coverslip.workspace.correcting.draws import draw_images
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.workspace import Workspace

API = "/api/v1"
CLASSES, JOB = ("flat", "round"), "monday"
LABELS = (*CLASSES, "odd", None)
REASONS = ("none-of-these", "unusable")
N_CHECKED = 4  # images of the spot check
Key = tuple[str, int]  # a field and the row
Answer = tuple[str, bool, bool, int]  # label, is_excluded, is_of_spot_check, when
Send = Callable[[str, str, Any], tuple[int, Any]]  # the status and the content of a response


@dataclass
class Cell:
    """A value that a change gave."""

    before: Any
    after: Any
    is_undone: bool = False


@dataclass
class Change:
    """A change, and whether it was made in the prediction."""

    by_job: bool
    cells: dict[Key, Cell] = field(default_factory=dict)


@dataclass
class Model:
    """What is there after all changes so far."""

    values: dict[Key, Any]
    changes: dict[int, Change] = field(default_factory=dict)
    n_answers: int = 0

    def active(self, key: Key, after: int = 0) -> Iterator[tuple[int, Change, Cell]]:
        """The changes of a value that are not undone, the last one first."""
        for number in sorted(self.changes, reverse=True):
            cell = self.changes[number].cells.get(key)
            if cell is not None and not cell.is_undone and number > after:
                yield number, self.changes[number], cell

    def put(self, change: Change, key: Key, value: Any, *, touches: bool = False) -> None:
        """Give a value as a part of a change; one that touches is noted even if it has the value."""
        before = self.values[key]
        if before != value or touches:
            change.cells[key] = Cell(before, value)
        self.values[key] = value

    def label(self, rows: Sequence[int], label: str | None) -> Change:
        change = Change(by_job=False)
        for row in rows:
            self.put(change, ("label", row), label)
        return change

    def exclude(self, rows: Sequence[int], is_excluded: bool) -> Change:
        change = Change(by_job=False)
        for row in rows:
            self.put(change, ("exclusion", row), is_excluded, touches=True)
        return change

    def decide(self, row: int, label: str) -> Change:
        change = Change(by_job=False)
        self.put(change, ("label", row), label)
        self.n_answers += 1
        self.put(change, ("decision", row), (label, self.n_answers))
        return change

    def answer(self, change: Change, row: int, label: str | None, *, is_excluded: bool, is_checked: bool) -> None:
        self.n_answers += 1
        when = 0 if is_checked else self.n_answers  # a label of the spot check is the same answer each time
        self.put(change, ("answer", row), None if label is None else (label, is_excluded, is_checked, when))
        if label is not None and not is_excluded:
            self.exclude_by_job(change, row, is_excluded=False)
            self.put(change, ("label", row), label)
            return
        of_job = []
        for _, each, cell in self.active(("label", row)):
            if not each.by_job:
                break
            of_job.append(cell)
        if of_job and of_job[0].after == self.values["label", row]:
            self.put(change, ("label", row), of_job[-1].before)
        is_of_another_class = label == "none-of-these" and self.values["label", row] not in (*CLASSES, None)
        self.exclude_by_job(change, row, is_excluded=is_excluded and not is_of_another_class)

    def exclude_by_job(self, change: Change, row: int, *, is_excluded: bool) -> None:
        key = ("exclusion", row)
        if is_excluded:
            self.put(change, key, True)
            return
        last = next(self.active(key), None)
        by_job = next((cell for _, each, cell in self.active(key) if each.by_job), None)
        if by_job is not None and by_job.after and not by_job.before:  # else it withdrew its exclusion
            is_last = last is not None and last[1].by_job
            self.put(change, key, False if is_last else self.values[key], touches=True)

    def step(self, number: int, *, is_undone: bool) -> tuple[int, int] | None:
        """Undo or redo a change: how many images change and how many are left; None if it is refused."""
        cells = {key: cell for key, cell in self.changes[number].cells.items() if cell.is_undone != is_undone}
        done, left = Counter[str](), Counter[str]()
        applied = []
        for key, cell in cells.items():
            expected, new = (cell.after, cell.before) if is_undone else (cell.before, cell.after)
            is_last = next(self.active(key, number), None) is None
            if is_last and self.values[key] == expected:
                applied.append((key, cell, new))
                done[key[0]] += cell.before != cell.after
            else:
                left[key[0]] += cell.before != cell.after
        if not applied:
            return None
        for key, cell, new in applied:
            self.values[key], cell.is_undone = new, is_undone
        return max(done.values()), max(left.values(), default=0)


@dataclass
class Bench:
    """A dataset of twelve images, and a prediction of it with a spot check of some, written instead of made."""

    workspace: Workspace
    dataset: str
    rows: list[int]  # of the images; row k of the prediction is image k
    model: Model

    def state(self) -> dict[Any, Any]:
        """All values in the database now, and which rows of the changes are undone."""
        with self.workspace.engine.connect() as connection:
            listed = connection.execute(select(db.images.c.row_id, db.images.c.label, db.images.c.is_excluded)).all()
            answers = connection.execute(select(db.corrections).where(db.corrections.c.job_id == JOB)).all()
            decisions = connection.execute(select(db.adjudications)).all()
            logged = connection.execute(select(db.changed_rows)).all()
        values: dict[Any, Any] = {(name, row): None for name in ("answer", "decision") for row in self.rows}
        for row, label, is_excluded in listed:
            values |= {("label", row): label, ("exclusion", row): is_excluded}
        for each in answers:
            values["answer", self.rows[each.row_id]] = (each.label, each.is_excluded, each.is_of_spot_check)
        for each in decisions:
            values["decision", each.row_id] = each.label
        for each in logged:
            row = self.rows[each.row_id] if each.field == "answer" else each.row_id
            values[each.change_id, each.field, row] = each.is_undone
        return values

    def expected(self, model: Model) -> dict[Any, Any]:
        """What the model says, in the same form."""
        shown: dict[Any, Any] = dict(model.values)
        for (name, row), value in model.values.items():
            if name == "answer" and value is not None:
                shown[name, row] = value[:3]
            if name == "decision" and value is not None:
                shown[name, row] = value[0]
        for number, change in model.changes.items():
            shown |= {(number, *key): cell.is_undone for key, cell in change.cells.items()}
        return shown

    def check(self) -> None:
        assert self.state() == self.expected(self.model)
        state = dataset_state(self.workspace, self.dataset)
        values = self.model.values
        included = [row for row in self.rows if not values["exclusion", row]]
        assert state.n_excluded == len(self.rows) - len(included)
        n_of = Counter(values["label", row] for row in included)
        assert {each.name: each.n for each in state.classes if each.n} == {k: n for k, n in n_of.items() if k and n}


def bench_in(folder: Path) -> Bench:
    workspace = workspace_in(folder)
    dataset = open_images(workspace, save_cells(folder / "cells", CLASSES))
    with workspace.engine.connect() as connection:
        listed = connection.execute(select(db.images).order_by(db.images.c.position)).all()
    predictions = [
        Prediction(f"{k}", str(each.path), None, "flat", 0.9, "flat", (0.9, 0.1)) for k, each in enumerate(listed)
    ]
    images = [(each, ReadPlan()) for each in predictions]
    write_predictions(workspace.predictions / JOB, CLASSES, images)
    choices = {"sources": [], "classes": list(CLASSES), "classifier_name": "None", "prevalence": {}}
    values = {"id": JOB, "kind": "predict", "name": "Monday", "dataset_id": dataset, "dataset_name": "cells"}
    values |= {"classifier_id": "none", "folder": str(workspace.predictions / JOB), "command": [], "choices": choices}
    keys = keys_by_path(workspace, dataset, images)
    add_job(workspace, **values, state="ended", queued=None, image_keys=keys)
    draw_images(workspace, dataset, 100)
    by_mia = {"list_id": JOB, "made_by": "Mia", "is_excluded": False, "is_first": False}
    checked = [{**by_mia, "row_id": k, "label": CLASSES[k % 2], "made": f"{k}"} for k in range(N_CHECKED)]
    drawn = {"list_id": JOB, "rows": [*range(N_CHECKED)], "n": N_CHECKED, "seed": 0, "made": "", "made_by": "Mia"}
    with workspace.engine.begin() as connection:
        connection.execute(insert(db.draws).values(**drawn, sampling={}))
        connection.execute(insert(db.blind_labels), checked)
    rows = [each.row_id for each in listed]
    values_now: dict[Key, Any] = {(name, row): None for name in ("answer", "decision") for row in rows}
    values_now |= {("label", each.row_id): each.label for each in listed}
    values_now |= {("exclusion", each.row_id): False for each in listed}
    return Bench(workspace, dataset, rows, Model(values_now))


Step = tuple[str, str, Any, Callable[[Model], Change | tuple[int, int] | None]]


def next_step(bench: Bench, chance: random.Random) -> Step:
    """A request, and what it does to the model."""
    some = sorted(chance.sample(bench.rows, chance.randint(1, 4)))
    k = chance.randrange(len(bench.rows))
    row, at = bench.rows[k], f"datasets/{bench.dataset}"
    numbers = sorted(bench.model.changes)
    kind = chance.choice(
        ("label", "exclude", "answer", "answer", "decide", "check", *(("undo", "redo") * 3 * bool(numbers)))
    )
    match kind:
        case "label":
            label = chance.choice(LABELS)
            return "POST", f"{at}/changes", {"rows": some, "label": label}, lambda model: model.label(some, label)
        case "exclude":
            is_excluded = chance.random() < 0.5
            body = {"rows": some, "is_excluded": is_excluded}
            return "POST", f"{at}/changes", body, lambda model: model.exclude(some, is_excluded)
        case "answer":
            label, reason = chance.choice([*((each, None) for each in LABELS), *((None, each) for each in REASONS)])

            def answer(model: Model) -> Change:
                change = Change(by_job=True)
                is_excluded = reason is not None
                model.answer(change, row, reason or label, is_excluded=is_excluded, is_checked=False)
                return change

            return "PUT", f"lists/{JOB}/rows/{k}/correction", {"label": label, "excluded": reason}, answer
        case "decide":
            decision = chance.choice(CLASSES)
            body = {"label": decision}
            return "PUT", f"lists/{bench.dataset}/draw/decisions/{row}", body, lambda model: model.decide(row, decision)
        case "check":

            def apply(model: Model) -> Change:
                change = Change(by_job=True)
                for n, image in enumerate(bench.rows[:N_CHECKED]):
                    saved = model.values["answer", image]
                    if saved is None or saved[2]:
                        model.answer(change, image, CLASSES[n % 2], is_excluded=False, is_checked=True)
                return change

            return "PUT", f"lists/{JOB}/draw/corrections", None, apply
        case _:
            # Mostly one of the last changes, as people do.
            number = chance.choice(numbers[-6:] if chance.random() < 0.8 else numbers)
            return "POST", f"changes/{number}/{kind}", None, lambda model: model.step(number, is_undone=kind == "undo")


def newest_change(bench: Bench) -> int:
    with bench.workspace.engine.connect() as connection:
        return connection.execute(select(func.max(db.changes.c.id))).scalar() or 0


def take(bench: Bench, send: Send, step: Step) -> None:
    """Send a request, and compare its answer and what is there then with the model."""
    method, path, body, apply = step
    newest = newest_change(bench)
    status, content = send(method, path, body)
    outcome = apply(bench.model)
    if isinstance(outcome, Change):
        assert status == 200, content
        if outcome.cells:
            assert newest_change(bench) > newest
            bench.model.changes[newest_change(bench)] = outcome
    elif outcome is None:
        assert (status, content["code"] in ("change-gone", "changed-since")) == (409, True), content
    else:
        assert status == 200, content
        assert (content["n"], content["n_left"]) == outcome, (path, content)
    bench.check()


@pytest.mark.parametrize("n_changes", only_first(1, (60, 300)))
def test_changes_undone_and_redone_by_two_clients_are_those_of_a_model(tmp_path: Path, n_changes: int) -> None:
    bench, chance = bench_in(tmp_path), random.Random(n_changes)
    clients = [client_of(bench.workspace) for _ in range(2)]

    def sent_by(client: TestClient, author: str) -> Send:
        def send(method: str, path: str, body: Any) -> tuple[int, Any]:
            answer = client.request(method, f"{API}/{path}", json=body, headers={"X-Author": author})
            return answer.status_code, answer.json()

        return send

    people = [sent_by(client, author) for client, author in zip(clients, ("Ada", "Eve"), strict=True)]
    for _ in range(n_changes):
        take(bench, chance.choice(people), next_step(bench, chance))
    for number in sorted(bench.model.changes, reverse=True):  # all of them, the last one first
        take(
            bench,
            people[0],
            ("POST", f"changes/{number}/undo", None, lambda model, n=number: model.step(n, is_undone=True)),
        )
    assert {value for (name, _), value in bench.model.values.items() if name in ("answer", "decision")} == {None}


def test_an_exclusion_in_the_gallery_stays_whatever_is_answered_then(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    client, row = client_of(bench.workspace), bench.rows[0]

    def answer(label: str | None, reason: str | None = None) -> None:
        body = {"label": label, "excluded": reason}
        assert client.put(f"{API}/lists/{JOB}/rows/0/correction", json=body).status_code == 200

    answer(None, REASONS[0])
    body = {"rows": [row], "is_excluded": True}
    assert client.post(f"{API}/datasets/{bench.dataset}/changes", json=body).status_code == 200
    for label in (*CLASSES, None, *CLASSES):
        answer(label)
        assert bench.state()["exclusion", row]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("n_kills", only_first(0, (20,)))
def test_no_change_is_lost_or_half_done_if_the_server_is_killed(tmp_path: Path, n_kills: int) -> None:
    bench, chance = bench_in(tmp_path), random.Random(0)
    bench.workspace.engine.dispose()
    app = RunningApp(bench.workspace.folder, tmp_path)
    n_killed = 0
    try:
        app.start()
        while n_killed < n_kills:
            for _ in range(chance.randint(1, 8)):
                take(bench, sender(app), next_step(bench, chance))
            before, step = copy.deepcopy(bench.model), next_step(bench, chance)
            newest = newest_change(bench)
            assert app.process is not None
            killer = threading.Timer(0.03 * chance.random(), app.process.kill)
            killer.start()
            try:
                status, _ = sender(app)(*step[:3])
            except httpx.HTTPError:
                status = 0  # whether it was made is to be seen
            killer.join()
            app.process.wait(30)
            n_killed += 1
            outcome = step[3](bench.model)
            if isinstance(outcome, Change) and outcome.cells:
                bench.model.changes[max(newest_change(bench), newest + 1)] = outcome
            if bench.state() != bench.expected(bench.model):
                assert status == 0, "it was answered, but not made"
                bench.model = before
            bench.check()
            app.start()
            bench.check()
    finally:
        app.end(signal.SIGKILL)


def sender(app: RunningApp) -> Send:
    def send(method: str, path: str, body: Any) -> tuple[int, Any]:
        answer = httpx.request(method, f"{app.address}api/v1/{path}", json=body, timeout=60)
        return answer.status_code, answer.json()

    return send
