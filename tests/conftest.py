"""Shared fixtures: where real images lie, a cache of its own for every test session, and who works on which test.

With `-n 2 --dist loadgroup` two workers share the tests. What is made for a module (a fixture of that scope) is made
in one of them; what is made for the session is made in each, or once for all where it takes `made_once`.
"""

import gc
import os
import shutil
import signal
import sys

# Programs that tests begin inherit what this one ignores: Ctrl-C if a script runs `make test &`, and the end of a
# terminal after `nohup make test`.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Workers share the cores: two with two threads each, their programs included, wait for one another most of the time.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import programs
import psutil
import pytest
from filelock import FileLock
from hypothesis import settings

# Folders of tests are in memory where it is large: for each label and record, coverslip waits until the disk has it.
# Some tests start programs in their folder.
_IN_MEMORY, _BYTES_NEEDED = Path("/dev/shm"), 8e9  # noqa: S108  - pytest's own folder in it
if (
    _IN_MEMORY.is_dir()
    and not os.statvfs(_IN_MEMORY).f_flag & os.ST_NOEXEC
    and min(shutil.disk_usage(_IN_MEMORY).free, psutil.virtual_memory().available) > _BYTES_NEEDED
):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))

# A busy machine is no fault of what is tested. `make test-all` looks at more examples: --hypothesis-profile=exhaustive.
settings.register_profile("coverslip", deadline=None, max_examples=25)
settings.register_profile("exhaustive", deadline=None, max_examples=100)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("coverslip")

pytest_plugins = ("trained", "browser")

gc.disable()  # until all tests are collected: what that makes stays

DESELECTED = pytest.StashKey[int]()
ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what is made for their module go to one worker, and a module's quick ones; others to either.

    The groups with the most tests are assigned first, then slow tests, then quick ones: both are busy to the end.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    for item in items:
        if (group := _made_for_a_module(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(group))
        elif item.get_closest_marker("slow") is None:  # each by itself would wait longer for its turn than it takes
            item.add_marker(pytest.mark.xdist_group(f"quick ones of {item.path.name}"))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _made_for_a_module(item: pytest.Item) -> str | None:
    """A name for all that the fixtures of a test's module have made for it; None where there is no such fixture."""
    fixture_defs: dict[str, Sequence[pytest.FixtureDef[object]]] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009
    if "stock" in fixture_defs:  # the used app, which takes long to make
        return "stock"
    if isinstance(item, pytest.Function) and hasattr(item.module, "nodes_of"):  # the syntax trees of all modules
        return "sources"
    made = [definitions[-1] for definitions in fixture_defs.values() if definitions[-1].scope == "module"]
    if not made:
        return None
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return ":".join([item.path.name, *(str(parameters[each.argname]) for each in made if each.params)])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say so where pytest and xdist do not fit, and groups are taken for nothing; then make ready to run."""
    by_group = getattr(session.config.option, "loadgroup", False)  # xdist's, in a worker
    if by_group and any(item.get_closest_marker("xdist_group") and "@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("this pytest and this pytest-xdist do not deal out tests by group")
    # What is there by now stays: not to look through it again and again for garbage saves a tenth of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Send the number of tests that a worker deselected to the main process, because xdist does not."""
    if items and (worker_output := getattr(items[0].config, "workeroutput", None)) is not None:
        worker_output["n_deselected"] = worker_output.get("n_deselected", 0) + len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # Any: xdist's, untyped
    node.config.stash[DESELECTED] = getattr(node, "workeroutput", {}).get("n_deselected", 0)


# Why a test may be skipped under CI on Linux: the hardware, a package that this Python cannot have, or a stated choice.
NO_REAL_IMAGES = "COVERSLIP_DATA=none"
ALLOWED = ("no GPU", "this computer has such a device", "other processors", "needs the package", NO_REAL_IMAGES)


@pytest.hookimpl(tryfirst=True, wrapper=True)  # around what the marks make of a report
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail under CI where a test is skipped that could run: a skip would hide that something is not tested."""
    report = yield
    if report.skipped and os.environ.get("CI") and sys.platform == "linux" and isinstance(report.longrepr, tuple):
        reason = _reason(report)
        if not reason.startswith(ALLOWED):
            report.outcome, report.longrepr = "failed", f"skipped, which CI does not allow: {reason}"
    return report


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if skipped := terminalreporter.getreports("skipped"):
        terminalreporter.section(f"skipped tests: {len(skipped)}")
        for report in skipped:
            terminalreporter.write_line(f"{report.location[0]}::{report.location[2]}: {_reason(report)}")
    if n := config.stash.get(DESELECTED, 0):
        terminalreporter.write_line(f'{n} tests were left out: -m "{config.option.markexpr}"')


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder that all workers share: the first to ask makes it, the others wait. Nobody may change it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made once"
    shared.mkdir(exist_ok=True)

    def find(name: str, make: Callable[[Path], object]) -> Path:
        folder, whole = shared / name, shared / f"{name}.whole"
        with FileLock(shared / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed at it
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return find


@pytest.fixture(scope="session", autouse=True)
def fork_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start coverslip's programs without importing its libraries again, except in tests with `new_interpreter`."""
    is_needed = any(item.get_closest_marker("slow") for item in request.session.items)
    with programs.use_fork_server(is_needed=is_needed):
        yield


@pytest.fixture(autouse=True)
def _interpreters(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("new_interpreter") is None:
        yield
        return
    with programs.new_interpreters():
        yield


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Path of a real dataset by name (tests/REAL_IMAGES.md); skips where it is not on this machine, or not wanted."""
    stated = os.environ.get("COVERSLIP_DATA", str(ROOT / "../shared/data"))
    folder = Path(stated).resolve()

    def find(name: str) -> Path:
        if stated == "none":
            pytest.skip(f"{NO_REAL_IMAGES}: needs the real images '{name}'")
        if not (folder / name).is_dir():
            pytest.skip(f"real images '{name}' are not here: set COVERSLIP_DATA to the folder that holds them")
        return folder / name

    return find


@pytest.fixture(scope="session", autouse=True)
def own_cache(
    tmp_path_factory: pytest.TempPathFactory, made_once: Callable[[str, Callable[[Path], object]], Path]
) -> None:
    """Tests never read or fill the user's cache, nor the weights that the user imported.

    Those of the small networks of `trained` are there, for tests that are about training and not about what it learns.
    """
    from trained import import_small_networks

    os.environ["COVERSLIP_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    weights = tmp_path_factory.mktemp("weights")
    shutil.copytree(made_once("weights", import_small_networks), weights, dirs_exist_ok=True)
    os.environ["COVERSLIP_WEIGHTS"] = str(weights)
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))  # the key of the account
