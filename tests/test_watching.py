"""Images that appear in a folder are predicted once each: half-written, renamed, deleted, and across restarts."""

import csv
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from refusing import refusing

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadDataset, CoverslipError
from coverslip.events import Event, Noted
from coverslip.inference.predicting import PredictionSummary
from coverslip.runs.folder import Run
from coverslip.stopping import Stop

QUIET_S = 0.6


def rows_of(file: Path) -> list[dict[str, str]]:
    """Return the complete rows of a table that may be growing."""
    if not file.exists():
        return []
    whole, _, _ = file.read_text(encoding="utf-8").rpartition("\n")
    return list(csv.DictReader(whole.splitlines()))


def has_rows(file: Path, n: int) -> bool:
    return len(rows_of(file)) == n


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@contextmanager
def watching(
    trained: Run, folder: Path, out: Path, emit: Callable[[Event], None] = lambda event: None
) -> Iterator[list]:
    """Watch a folder in a thread, from when it begins; on leaving, stop, and put the summary into the list."""
    stop_file, results, errors = out.with_suffix(".stop"), list[PredictionSummary](), list[BaseException]()
    has_begun = threading.Event()

    def listen(event: Event) -> None:
        emit(event)
        has_begun.set()

    def work() -> None:
        try:
            results.append(
                cs.watch(
                    trained.folder,
                    folder,
                    out=out,
                    device="cpu",
                    quiet_seconds=QUIET_S,
                    emit=listen,
                    stop=Stop(stop_file),
                )
            )
        except BaseException as error:  # noqa: BLE001  raised below
            errors.append(error)
            has_begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    has_begun.wait()
    try:
        yield results
    finally:
        stop_file.touch()
        thread.join()
        stop_file.unlink()
    if errors:
        raise errors[0]


def numbered_images(cells: Path, n: int) -> dict[str, bytes]:
    """Return images by name, which all differ."""
    pngs = [file.read_bytes() for file in sorted(cells.rglob("*.png"))]
    return {f"{i:04d}.png": pngs[i % len(pngs)] + i.to_bytes(4, "big") for i in range(n)}


def write_as_a_microscope(folder: Path, content: dict[str, bytes], pause: float = 0.0) -> set[str]:
    """Write images at once, in steps or under another name first; rename some; return those deleted half-written."""
    rng, deleted, half_written = random.Random(0), set[str](), list[str]()
    for name, data in content.items():
        match rng.randrange(4):
            case 0:  # at once, in a folder that appears with it
                (folder / "new").mkdir(exist_ok=True)
                (folder / "new" / name).write_bytes(data)
            case 1:  # under another name first
                (folder / f"{name}.part").write_bytes(data)
                (folder / f"{name}.part").rename(folder / name)
            case 2:  # in two steps
                (folder / name).write_bytes(data[: len(data) // 2])
                half_written.append(name)
            case _:  # deleted before it is complete
                (folder / name).write_bytes(data[: len(data) // 2])
                (folder / name).unlink()
                deleted.add(name)
        if len(half_written) > 5:
            for name_of_half in half_written:
                (folder / name_of_half).write_bytes(content[name_of_half])
            half_written.clear()
        time.sleep(pause)
    for name in half_written:
        (folder / name).write_bytes(content[name])
    for i, file in enumerate(list(folder.rglob("*.png"))):
        if i % 5 == 0:
            file.rename(file.with_name(f"renamed {file.name}"))
    return deleted


def change_predicted(folder: Path) -> None:
    """Rename a third of the images and delete a third."""
    for i, file in enumerate(list(folder.rglob("*.png"))):
        if i % 3 == 0:
            file.rename(file.with_name(f"later {file.name}"))
        elif i % 3 == 1:
            file.unlink()


def check_each_once(out: Path, expected: Iterable[str]) -> None:
    rows = rows_of(out)
    assert {row["decision"] for row in rows}.isdisjoint({"unreadable"})
    assert Counter(Path(row["path"]).name[-8:] for row in rows) == Counter(expected)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_each_image_is_predicted_once_whatever_happens_to_files(trained: Run, cells: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "microscope", tmp_path / "p.csv"
    folder.mkdir()
    content = numbered_images(cells, 60)
    with watching(trained, folder, out):
        deleted = write_as_a_microscope(folder, content)
        wait_for(lambda: len(rows_of(out)) == len(content) - len(deleted))
        change_predicted(folder)
        time.sleep(3 * QUIET_S)
    with watching(trained, folder, out):  # a restart
        time.sleep(3 * QUIET_S)
    check_each_once(out, content.keys() - deleted)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_each_of_a_thousand_images_is_predicted_once_by_processes_that_are_killed(
    trained: Run, cells: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "microscope", tmp_path / "p.csv"
    folder.mkdir()
    content, deleted = numbered_images(cells, 1000), set[str]()
    command = [sys.executable, "-m", "coverslip", "predict", str(trained.folder), "--watch", str(folder)]
    command += ["--out", str(out), "--device", "cpu"]
    writer = threading.Thread(target=lambda: deleted.update(write_as_a_microscope(folder, content, pause=0.03)))
    writer.start()
    for n_rows in (1, 150, 300, 450):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda n_rows=n_rows: len(rows_of(out)) >= n_rows)  # type: ignore[misc]  # a default binds it
        finally:
            process.kill()
            process.wait()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        writer.join()
        wait_for(lambda: len(rows_of(out)) == len(content) - len(deleted))
        change_predicted(folder)
        time.sleep(8)  # more than a file must be unchanged for
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    check_each_once(out, content.keys() - deleted)


@pytest.mark.slow
def test_rows_are_those_of_predict_and_a_copy_is_another_image(trained: Run, cells: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "microscope", tmp_path / "p.csv"
    folder.mkdir()
    image = next(cells.rglob("*.png")).read_bytes()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(image)
    (folder / "empty.png").touch()
    os.mkfifo(folder / "pipe.png")
    events = list[Event]()
    with watching(trained, folder, out, events.append) as results:
        wait_for(lambda: len(rows_of(out)) == 2)
        (folder / "broken.png").write_bytes(b"no image")
        time.sleep(3 * QUIET_S)
        assert len(rows_of(out)) == 2, "a file that cannot be read may be incomplete"
        wait_for(lambda: len(rows_of(out)) == 3)
    (summary,) = results
    assert summary.decisions["unreadable"] == 1
    assert [event.code for event in events if isinstance(event, Noted)] == [
        "watching",
        "unreadable-image",
        "training-images",
    ]
    cs.predict(trained.folder, [folder / "a.png"], out=tmp_path / "whole.csv", device="cpu")
    (expected,) = rows_of(tmp_path / "whole.csv")
    row = rows_of(out)[0]
    assert {name: row[name] for name in expected if name != "image_id"} == {
        name: expected[name] for name in expected if name != "image_id"
    }
    assert row["image_id"] == "a.png"


@pytest.mark.slow
@pytest.mark.new_interpreter
@pytest.mark.exhaustive
def test_a_killed_process_is_continued_and_ctrl_c_ends_cleanly(trained: Run, cells: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "microscope", tmp_path / "p.csv"
    folder.mkdir()
    pngs = [file.read_bytes() for file in sorted(cells.rglob("*.png"))[:20]]
    command = [sys.executable, "-m", "coverslip", "predict", str(trained.folder), "--watch", str(folder)]
    command += ["--out", str(out), "--device", "cpu"]
    for number in (signal.SIGKILL, signal.SIGINT):
        for i, png in enumerate(pngs):
            (folder / f"{number}-{i}.png").write_bytes(png)
        n_before = len(rows_of(out))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(partial(has_rows, out, n_before + 20))
        finally:
            process.send_signal(number)
        assert process.wait(timeout=60) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
        if number == signal.SIGKILL:
            with out.open("a") as file:
                file.write("half a row")
    assert len({row["path"] for row in rows_of(out)}) == len(rows_of(out)) == 40
    assert {path.name for path in tmp_path.iterdir()} == {"microscope", "p.csv"}


@pytest.mark.slow
def test_what_cannot_be_watched_is_refused(trained: Run, cells: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "microscope", tmp_path / "p.csv"
    with refusing(BadDataset, "no-folder-to-watch"):
        cs.watch(trained.folder, folder, out=out)
    folder.mkdir()
    with refusing(CoverslipError, "parquet-not-growable"):
        cs.watch(trained.folder, folder, out=out.with_suffix(".parquet"), format="parquet")
    cs.predict(trained.folder, [next(cells.rglob("*.png"))], out=out, device="cpu", top_k=1)
    with refusing(CoverslipError, "rows-of-other-columns"):
        cs.watch(trained.folder, folder, out=out, device="cpu")
    out.unlink()
    (folder / "1.png").write_bytes(next(cells.rglob("*.png")).read_bytes())
    with watching(trained, folder, out):
        wait_for(lambda: len(rows_of(out)) == 1)
    first = cs.load_classifier(trained.folder).classes[0]
    with refusing(CoverslipError, "rows-of-other-classifier"):
        cs.watch(trained.folder, folder, out=out, device="cpu", prevalence={first: 0.9})
    assert main(["predict", str(trained.folder), str(cells), "--watch", str(folder)]) == 2
    assert main(["predict", str(trained.folder)]) == 2
