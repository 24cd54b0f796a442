"""Engines stored with a classifier: predictions without PyTorch, and equal rows whether an engine is usable or not."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trained import MadeOnce

import coverslip as cs
from coverslip import engines
from coverslip.events import Event, Noted, Progressed
from coverslip.runs.folder import Run
from coverslip.stopping import Stop

pytestmark = pytest.mark.slow
PREDICTING = """
import sys
from coverslip.cli import main
code = main(sys.argv[1:])
sys.stderr.write(" ".join(name for name in ("torch", "timm", "torchvision") if name in sys.modules) or "none")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def account(made_once: MadeOnce) -> Iterator[Path]:
    """The data folder of an account that all processes of these tests share."""
    folder = made_once("account", lambda folder: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def stored(account: Path, made_once: MadeOnce, trained: Run, cells: Path) -> Path:
    """A classifier with its engine, and `rows.csv`, the predictions that prepared it. Nobody may change them."""

    def write(folder: Path) -> None:
        shutil.copytree(trained.classifier_folder, folder / "classifier", ignore=shutil.ignore_patterns("engines"))
        engines._engines.clear()  # those of other tests may come from a cache that does not exist any more
        cs.predict(folder / "classifier", cells, out=folder / "rows.csv", device="cpu", emit=lambda event: None)

    return made_once("stored engine", write)


@pytest.fixture
def copied(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `stored` that the test may change, for a process with an empty cache."""
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    engines._engines.clear()
    return shutil.copytree(stored, tmp_path / "stored")


def codes_of_prediction(folder: Path, cells: Path) -> list[str]:
    """Predict with the classifier in a folder; return the codes of the notes, if the rows are the same as before."""
    events: list[Event] = []
    cs.predict(folder / "classifier", cells, out=folder / "again.csv", device="cpu", emit=events.append)
    assert (folder / "again.csv").read_bytes() == (folder / "rows.csv").read_bytes()
    return [event.code for event in events if isinstance(event, Noted)]


def test_with_an_engine_nothing_of_pytorch_is_imported_and_the_rows_are_the_same(copied: Path, cells: Path) -> None:
    assert {file.name for file in (copied / "classifier" / "engines").iterdir()} == {
        "engine.json",
        "network.onnx",
        "check.npz",
    }
    command = ["predict", str(copied / "classifier"), str(cells), "--out", str(copied / "again.csv"), "--device", "cpu"]
    done = subprocess.run([sys.executable, "-c", PREDICTING, *command], capture_output=True, text=True, check=True)
    assert done.stderr.split()[-1] == "none"
    assert (copied / "again.csv").read_bytes() == (copied / "rows.csv").read_bytes()


def damage(name: str) -> Callable[[Path], None]:
    def change_one_bit(engines: Path) -> None:
        data = bytearray((engines / name).read_bytes())
        data[len(data) // 2] ^= 1
        (engines / name).write_bytes(data)

    return change_one_bit


def change_record(**values: object) -> Callable[[Path], None]:
    def change(engines: Path) -> None:
        record = json.loads((engines / "engine.json").read_text())
        (engines / "engine.json").write_text(json.dumps({**record, **values}))

    return change


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        pytest.param(damage("network.onnx"), ["stored-engine-damaged"], id="network"),
        pytest.param(damage("check.npz"), ["stored-engine-damaged"], id="check", marks=pytest.mark.exhaustive),
        pytest.param(
            lambda engines: (engines / "network.onnx").unlink(),
            ["stored-engine-damaged"],
            id="no network",
            marks=pytest.mark.exhaustive,
        ),
        # Nobody else can sign a record, so an engine of another account is not even read.
        pytest.param(change_record(signature="0" * 64), [], id="signature"),
        pytest.param(change_record(network_bytes=1), [], id="size", marks=pytest.mark.exhaustive),
        pytest.param(
            lambda engines: (engines / "engine.json").write_text("[" * 10**5),
            [],
            id="nested",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_an_unusable_engine_is_ignored_and_prepared_again(
    copied: Path, cells: Path, change: Callable[[Path], None], codes: list[str]
) -> None:
    engines = copied / "classifier" / "engines"
    before = {file.name: file.read_bytes() for file in engines.iterdir()}
    change(engines)
    assert [code for code in codes_of_prediction(copied, cells) if "engine" in code] == codes
    assert {file.name: file.read_bytes() for file in engines.iterdir()} == before


def test_an_engine_of_another_processor_or_other_software_is_verified_again(
    copied: Path, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = copied / "classifier" / "engines" / "engine.json"
    monkeypatch.setattr("coverslip.inference.classifier.__version__", "0.0.0")
    codes_of_prediction(copied, cells)
    assert json.loads(record.read_text())["software"][0] == "0.0.0"


@pytest.mark.exhaustive
def test_without_permission_to_store_it_an_engine_stays_in_the_cache(copied: Path, cells: Path) -> None:
    engines = copied / "classifier" / "engines"
    shutil.rmtree(engines)
    engines.write_bytes(b"")  # a file in place of the folder: nothing can be written there, even by an administrator
    assert [code for code in codes_of_prediction(copied, cells) if "engine" in code] == []
    assert [*(copied.parent / "cache" / "engines").glob("*/network.onnx")]


@pytest.mark.exhaustive
def test_watching_a_folder_stores_the_engine(copied: Path, cells: Path) -> None:
    shutil.rmtree(copied / "classifier" / "engines")
    stop = copied / "stop"

    def end(event: Event) -> None:
        if isinstance(event, Progressed) and event.done:
            stop.touch()

    out = copied / "watched.csv"
    cs.watch(copied / "classifier", cells, out=out, device="cpu", quiet_seconds=0, emit=end, stop=Stop(stop))
    assert (copied / "classifier" / "engines" / "engine.json").is_file()


def test_the_key_of_the_account_is_readable_by_the_account_only(account: Path, stored: Path) -> None:
    (key,) = account.rglob("signing.key")
    assert key.stat().st_mode & 0o077 == 0


def test_an_exported_classifier_contains_no_engine(stored: Path, tmp_path: Path) -> None:
    cs.export(stored / "classifier", out=tmp_path / "c.coverslip")
    with zipfile.ZipFile(tmp_path / "c.coverslip") as archive:
        assert not [name for name in archive.namelist() if "engine" in name]
