"""Time until the app's server exits after SIGINT and SIGTERM, in different states. Target: 3 s.

For each row, the script starts a server with a separate workspace and an activity, and measures the seconds from the
signal until the process has exited, with the load of the machine. Processes that remain a second later are listed,
except for trainings, which continue by design and are stopped by the script.

    python benchmarks/server_ends.py [--only STATE…]
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from browser import RunningApp  # noqa: E402  of the tests
from drawing import save_cells, write_cells  # noqa: E402
from odd_formats import install, write_odd  # noqa: E402

FAST = {"stage": "instant", "image_size": 32, "tta": 1}


def idle(app: RunningApp, folder: Path) -> None:
    """The server is idle."""


def indexing(app: RunningApp, folder: Path) -> None:
    """3,000 images are read."""
    cells = write_cells(folder / "many", 3_000, side=96)
    dataset = app.send("datasets", {"sources": [{"path": str(cells)}]})
    app.until(f"datasets/{dataset['id']}", lambda state: state["state"] == "reading")
    time.sleep(1.0)


def hanging(app: RunningApp, folder: Path) -> None:
    """An image blocks its reader."""
    cells = save_cells(folder / "cells")
    write_odd(cells / "round" / "hangs.odd", "loops")
    app.send("datasets", {"sources": [{"path": str(cells)}]})
    time.sleep(8.0)


def copies(app: RunningApp, folder: Path) -> None:
    """The near-duplicate search is running, which follows after 600 images are read."""
    cells = write_cells(folder / "some", 600, side=96)
    dataset = app.send("datasets", {"sources": [{"path": str(cells)}]})
    app.until(f"datasets/{dataset['id']}", lambda state: state["state"] != "reading")
    time.sleep(0.5)


def training(app: RunningApp, folder: Path) -> None:
    """A training is running."""
    cells = write_cells(folder / "cells", 90)
    dataset = app.send("datasets", {"sources": [{"path": str(cells)}]})
    app.until(f"datasets/{dataset['id']}", lambda state: state["state"] != "reading")
    app.send("runs", {"dataset_id": dataset["id"], "recipe": FAST, "name": "first"})
    time.sleep(3.0)


STATES: dict[str, Callable[[RunningApp, Path], None]] = {
    "idle": idle,
    "reading images": indexing,
    "an image blocks its reader": hanging,
    "searching near-duplicates": copies,
    "a training runs": training,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STATES, default=list(STATES), metavar="STATE")
    options = parser.parse_args()
    print("| state of the server | signal | exit code | time to exit (s) | load | processes a second later |")
    print("|---|---|---|---|---|---|")
    for name in options.only:
        for how in (signal.SIGINT, signal.SIGTERM):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
                measure(name, how, Path(scratch))


def measure(name: str, how: signal.Signals, folder: Path) -> None:
    """Print one row."""
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [*filter(None, [os.environ.get("PYTHONPATH")]), install(folder / "site")]
    )
    os.environ["COVERSLIP_CACHE"] = str(folder / "cache")
    (folder / "app").mkdir()
    app = RunningApp(folder / "app" / "workspace", folder).start()
    assert app.process is not None
    STATES[name](app, folder)
    children = psutil.Process(app.process.pid).children(recursive=True)
    began = time.monotonic()
    code = app.end(how)
    seconds = time.monotonic() - began
    _, left = psutil.wait_procs(children, timeout=1)
    left = [
        process for process in left if process.status() != psutil.STATUS_ZOMBIE
    ]  # ended, but not collected by its parent
    commands = [" ".join(process.cmdline()[1:5]) for process in left]
    print(f"| {name} | {how.name} | {code} | {seconds:.1f} | {os.getloadavg()[0]:.0f} | {'; '.join(commands) or '–'} |")
    sys.stdout.flush()
    for process in left:
        process.kill()


if __name__ == "__main__":
    main()
