"""Shared fixtures: where real images lie, and a cache of its own for every test session."""

import os

# Workers share the cores: two with two threads each wait for one another most of the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("coverslip", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("coverslip")

pytest_plugins = ("browser",)

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`: what tests of a file have in common is made in one worker, and one app for browsers."""
    for item in items:
        needs = getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("browser" if "app_server" in needs else item.path.name))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Path of a real image set by name; skips where the sets are not on this machine."""
    folder = Path(os.environ.get("COVERSLIP_DATA", ROOT / "../shared/data")).resolve()

    def find(name: str) -> Path:
        if not (folder / name).is_dir():
            pytest.skip(f"real images '{name}' are not here: set COVERSLIP_DATA to the folder that holds them")
        return folder / name

    return find


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never read or fill the user's cache, nor the weights that the user imported."""
    os.environ["COVERSLIP_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["COVERSLIP_WEIGHTS"] = str(tmp_path_factory.mktemp("weights"))
