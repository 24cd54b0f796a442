"""Two processes that begin in one folder in the same moment: one works, the other ends at once with an error."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from drawing import write_cells
from trained import GROUPS, INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import Conflict, Stopped
from coverslip.events import Event, RunStarted
from coverslip.messages import FAILURE_VARIABLE
from coverslip.runs.folder import Run
from coverslip.runs.recipe_keys import as_yaml
from coverslip.runs.status import WORK_LOCK, work_lock

pytestmark = pytest.mark.slow

SETTINGS = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 32, "tta": 1, "split.folds": 0, "augment": "none"}
CHOICES = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
# What takes seconds to import is there before both begin. {k} in the arguments is the number of the repetition.
WORKER = f"""
import os, sys, time
from pathlib import Path
import torch, matplotlib.pyplot
import coverslip.pipeline, coverslip.studies
from coverslip.cli import main
folder, n, *arguments = sys.argv[1:]
for k in range(int(n)):
    own = Path(folder) / f"{{k}}-{{os.getpid()}}"
    own.with_suffix(".ready").touch()
    while not (Path(folder) / f"{{k}}.go").exists():
        time.sleep(0.0005)
    os.environ["{FAILURE_VARIABLE}"] = str(own.with_suffix(".failure"))
    code = main([word.replace("{{k}}", str(k)) for word in arguments])
    own.with_suffix(".part").write_text(str(code))
    own.with_suffix(".part").rename(own.with_suffix(".code"))
"""


def until(is_so: Callable[[], bool], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def twice_at_once(folder: Path, arguments: Sequence[str], n: int) -> None:
    """Have two processes do the same `n` times, and check that each time one succeeds and the other is refused."""
    folder.mkdir()
    command = [sys.executable, "-c", WORKER, str(folder), str(n), *arguments]
    processes = [subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) for _ in range(2)]
    try:
        for k in range(n):
            until(lambda k=k: len(list(folder.glob(f"{k}-*.ready"))) == 2)
            (folder / f"{k}.go").touch()
            until(lambda k=k: len(list(folder.glob(f"{k}-*.code"))) == 2)
            codes = {file.stem: file.read_text() for file in folder.glob(f"{k}-*.code")}
            assert sorted(codes.values()) == ["0", "1"], k
            (failure,) = folder.glob(f"{k}-*.failure")
            assert codes[failure.stem] == "1"
            # On a busy computer the first may have ended when the second begins.
            assert json.loads(failure.read_text())["kind"] in ("conflict", "bad-run")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def stopped_run(cells: Path, folder: Path) -> Run:
    run = Run(folder)

    def stop(event: Event) -> None:
        if isinstance(event, RunStarted):
            run.stop_file.touch()

    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), INSTANT, out=folder, emit=stop)
    return run


@pytest.mark.exhaustive
def test_of_two_trainings_in_one_folder_one_is_refused(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 60, side=32)
    out = tmp_path / "runs" / "run{k}"
    twice_at_once(tmp_path / "both", ["train", str(cells), *CHOICES, "--out", str(out)], 1)
    run = Run(tmp_path / "runs" / "run0")
    assert (run.is_done, len(run.predictions)) == (True, 12)
    begun = [line for line in run.events_file.read_text().splitlines() if '"run-started"' in line]
    assert len(begun) <= 1


@pytest.mark.exhaustive
def test_of_two_that_resume_one_run_one_is_refused(tmp_path: Path) -> None:
    stopped_run(write_cells(tmp_path / "cells", 60, side=32), tmp_path / "run0")
    twice_at_once(tmp_path / "both", ["train", "--resume", str(tmp_path / "run{k}")], 1)
    assert Run(tmp_path / "run0").is_done


def two_studies_at_once(tmp_path: Path) -> str:
    write_cells(tmp_path / "cells", 60, side=32)
    recipe = {"image_size": 32, "tta": 1, "stage": "instant", "augment": "none"}
    plan = {"datasets": ["cells"], "models": [SMALL_NETWORK], "folds": 0, "recipe": recipe}
    (tmp_path / "plan.yaml").write_text(as_yaml(plan))
    out = str(tmp_path / "out{k}")
    twice_at_once(tmp_path / "both", ["study", "run", str(tmp_path / "plan.yaml"), "--out", out], 1)
    assert len(list(tmp_path.glob("out0/cells/*/metrics.json"))) == 1
    return out


@pytest.mark.exhaustive
def test_of_two_studies_in_one_folder_one_is_refused(tmp_path: Path) -> None:
    two_studies_at_once(tmp_path)


@pytest.mark.exhaustive
def test_of_two_that_resume_one_study_one_is_refused(tmp_path: Path) -> None:
    out = two_studies_at_once(tmp_path)
    for file in tmp_path.glob("out*/cells/*/status.json"):  # the trainings are to be done again
        shutil.rmtree(file.parent)
    twice_at_once(tmp_path / "resumed", ["study", "resume", out], 1)
    assert len(list(tmp_path.glob("out0/cells/*/metrics.json"))) == 1


@pytest.mark.exhaustive
def test_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    """Killed at once after it locked the new folder, and killed at work."""
    cells, folder = write_cells(tmp_path / "cells", 60, side=32), tmp_path / "run"
    hold = "import sys, time; from pathlib import Path; from coverslip.runs.status import work_lock\n"
    hold += "with work_lock(Path(sys.argv[1])): print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(Conflict):
            cs.train(cs.open_dataset(cells), INSTANT, out=folder)
        assert [file.name for file in folder.iterdir()] == [WORK_LOCK]
        holder.send_signal(signal.SIGKILL)
    stopped_run(cells, folder)
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert main(["train", "--resume", str(folder)]) == 1
        holder.send_signal(signal.SIGKILL)
    assert main(["train", "--resume", str(folder)]) == 0


@pytest.mark.exhaustive
def test_threads_of_one_process_are_kept_apart_too(tmp_path: Path) -> None:
    with work_lock(tmp_path), pytest.raises(Conflict), work_lock(tmp_path):
        pass
    with work_lock(tmp_path):
        pass


_WITHOUT_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#define WITHOUT_LOCKS(name) int name(int file, int command, ...) { \\
    va_list more; va_start(more, command); void *value = va_arg(more, void *); va_end(more); \\
    if (command == F_SETLK || command == F_SETLKW) { errno = ENOLCK; return -1; } \\
    return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, #name))(file, command, value); }
WITHOUT_LOCKS(fcntl)
WITHOUT_LOCKS(fcntl64)
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="a C compiler takes the locks away")
@pytest.mark.exhaustive
def test_a_file_system_without_locks_is_not_taken_for_another_process(tmp_path: Path) -> None:
    (tmp_path / "locks.c").write_text(_WITHOUT_LOCKS, encoding="utf-8")
    library = tmp_path / "locks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "locks.c", "-ldl"], check=True)
    lock = """
import sys
from pathlib import Path
from coverslip.errors import CoverslipError
from coverslip.runs.status import work_lock
from coverslip.workspace.store.workspace import open_workspace
from coverslip.workspace.store.workspace import only_server
for held in (work_lock(Path(sys.argv[1])), only_server(open_workspace(Path(sys.argv[2])).folder)):
    try:
        with held: print("locked")
    except CoverslipError as error: print(type(error).__name__, isinstance(error.__cause__, OSError))
"""
    command = [sys.executable, "-c", lock, str(tmp_path / "run"), str(tmp_path / "workspace")]
    done = {}
    for name, more in {"with locks": {}, "without": {"LD_PRELOAD": str(library)}}.items():
        done[name] = subprocess.run(
            command, env={**os.environ, **more}, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    assert done == {"with locks": ["locked", "locked"], "without": ["locked", "CoverslipError True"]}
    assert [file.name for file in (tmp_path / "run").iterdir()] == [WORK_LOCK]
