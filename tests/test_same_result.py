"""One recipe on the same images gives one result, whatever earlier commands left in the cache."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from PIL import Image
from small_workspace import new_workspace, open_images
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cache.stores import list_stores, trim
from coverslip.cli import main
from coverslip.events import Event, Noted
from coverslip.experiments.preparation import scan_and_check
from coverslip.experiments.run_state import begin_run
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run, RunContext
from coverslip.stopping import Deadline
from coverslip.synthetic_cells import write_sample_images
from coverslip.workspace.datasets import reading_images

TRAINING = {
    "model": SMALL_NETWORK,
    "image_size": 32,
    "tta": 1,
    "epochs": 1,
    "batch_size": 16,
    "augment": "none",
    "stage_selection": "finetune",
    "split": {"folds": 0},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn cells, of which one in four is there again: turned by a right angle and saved as JPEG."""
    folder = tmp_path_factory.mktemp("same") / "cells"
    broken = write_sample_images(folder, n_images=60).broken
    for path in [path for path in sorted(folder.rglob("*.png")) if path not in broken][::4]:
        Image.open(path).convert("RGB").rotate(90).save(path.with_name(f"again {path.stem}.jpg"), quality=80)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COVERSLIP_CACHE", str(folder))
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def train(images: Path, out: Path, events: list[Event] | None = None, **recipe: object) -> Run:
    emit = (lambda event: None) if events is None else events.append
    data = cs.open_dataset(images)
    return train_without_report(data, cs.Recipe.model_validate({**TRAINING, **recipe}), out=out, emit=emit)


def result(run: Run) -> dict[str, bytes]:
    """All that a result consists of."""
    files = ("split.csv", "classifier/weights.safetensors", "metrics.json", "predictions.csv", "recipe.yaml")
    read = {name: (run.folder / name).read_bytes() for name in files}
    card = json.loads((run.folder / "classifier" / "classifier.json").read_text(encoding="utf-8"))
    return {**read, "card": json.dumps(card, sort_keys=True).encode()}


@pytest.fixture(scope="module")
def expected(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training with an empty cache."""
    before = os.environ.get("COVERSLIP_CACHE")
    os.environ["COVERSLIP_CACHE"] = str(tmp_path_factory.mktemp("empty cache"))
    try:
        return train(images, tmp_path_factory.mktemp("empty") / "run")
    finally:
        if before is None:
            del os.environ["COVERSLIP_CACHE"]
        else:
            os.environ["COVERSLIP_CACHE"] = before


def after_inspect(cache: Path, images: Path, folder: Path) -> None:
    cs.inspect(images)


def after_leakage_estimate(cache: Path, images: Path, folder: Path) -> None:
    assert main(["inspect", str(images), "--estimate-leakage", "--set", f"model={SMALL_NETWORK}"]) == 0


def after_the_apps_checks(cache: Path, images: Path, folder: Path) -> None:
    workspace = new_workspace(folder)
    dataset = open_images(workspace, shutil.copytree(images, folder / "images"))
    workspace.background.wait_all()
    assert reading_images.inspection(workspace, dataset).are_copies_known


def after_another_training(cache: Path, images: Path, folder: Path) -> None:
    train(images, folder / "other", image_size=48, stage="instant")


def after_the_same_training(cache: Path, images: Path, folder: Path) -> None:
    train(images, folder / "other")


def with_other_datasets(cache: Path, images: Path, folder: Path) -> None:
    cs.inspect(write_cells(folder / "others", 12))
    train(write_cells(folder / "more", 45), folder / "other", stage="instant")


def after_trimming(cache: Path, images: Path, folder: Path) -> None:
    train(images, folder / "other")
    os.environ["COVERSLIP_CACHE_LIMIT"] = str(sum(store.n_bytes for store in list_stores()) // 2)
    trim()
    del os.environ["COVERSLIP_CACHE_LIMIT"]


def of_another_version(cache: Path, images: Path, folder: Path) -> None:
    train(images, folder / "other")
    for store in cache.glob("*/*/"):
        (store / "made_by.json").write_text("{", encoding="utf-8")


def damaged(change: Callable[[bytes], bytes]) -> Callable[[Path, Path, Path], None]:
    def prepare(cache: Path, images: Path, folder: Path) -> None:
        train(images, folder / "other")
        changed = [file for file in cache.rglob("*") if file.is_file()]
        assert {"records.bin", "records.sqlite", "index.sqlite"} <= {file.name for file in changed}
        for file in changed:
            file.write_bytes(change(file.read_bytes()))

    prepare.__name__ = f"damaged_{change.__name__}"
    return prepare


def halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    return b""


def flipped(data: bytes) -> bytes:
    """A bit in every 700 bytes behind the first 100, where files say what they are, is another."""
    array = np.frombuffer(data, np.uint8).copy()
    array[100::700] ^= 4
    return array.tobytes()


def under_a_file(cache: Path, images: Path, folder: Path) -> None:
    cache.write_text("a file where the folder should be", encoding="utf-8")


def with_one_foreign_kind(cache: Path, images: Path, folder: Path) -> None:
    """Another program has put a file where features would lie."""
    cache.mkdir()
    (cache / "features").write_text("no folder", encoding="utf-8")
    (cache / "near-duplicates").write_text("no folder", encoding="utf-8")


QUICK = (after_inspect,)
STATES = (
    after_inspect,
    after_leakage_estimate,
    after_the_apps_checks,
    after_another_training,
    after_the_same_training,
    with_other_datasets,
    after_trimming,
    of_another_version,
    damaged(flipped),
    damaged(halved),
    damaged(emptied),
    under_a_file,
    with_one_foreign_kind,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "state",
    [pytest.param(state, marks=[] if state in QUICK else [pytest.mark.exhaustive]) for state in STATES],
    ids=lambda state: state.__name__,
)
def test_split_weights_and_numbers_are_equal_for_any_cache(
    state: Callable[[Path, Path, Path], None],
    images: Path,
    expected: Run,
    cache: Path,
    tmp_path: Path,
) -> None:
    state(cache, images, tmp_path)
    events: list[Event] = []
    first, second = result(expected), result(train(images, tmp_path / "run", events))
    assert {name for name in first if first[name] != second[name]} == set()
    if state is under_a_file:  # which is said once
        (note,) = [event for event in events if isinstance(event, Noted) and event.code == "cache-not-usable"]
        assert note.level == "warning"


@pytest.mark.slow
def test_near_duplicates_are_kept_together_or_ignored_as_the_recipe_says(
    images: Path, expected: Run, cache: Path, tmp_path: Path
) -> None:
    assert expected.recipe.split.near_duplicates == "together"
    assert expected.inspection is not None
    (finding,) = expected.inspection.of("near-duplicates")
    assert finding.parameters["n_clusters_together"] == len(finding.images) >= 8
    events: list[Event] = []
    ignoring = train(images, tmp_path / "run", events, stage="instant", split={"folds": 0, "near_duplicates": "ignore"})
    assert ignoring.inspection is not None
    assert not ignoring.inspection.are_copies_known

    def n_divided(run: Run) -> int:
        side = {row.image_id: row.split for row in run.split if row.split != "excluded"}
        return sum(len({side[name] for name in cluster if name in side}) > 1 for cluster in finding.images)

    assert n_divided(expected) == 0
    assert n_divided(ignoring) > 0
    methods = cs.methods_text(expected.folder)
    assert f"{len(finding.images)} sets of near-duplicates" in methods
    assert "near-duplicates not searched for" in cs.methods_text(ignoring.folder)


def test_a_time_budget_too_short_for_the_search_is_written_into_the_recipe(images: Path, tmp_path: Path) -> None:
    data, events = cs.open_dataset(images), list[Event]()
    begin_run(tmp_path / "run", data, cs.Recipe(), "cpu", allow_leakage=False, budget=60.0)
    context = RunContext(tmp_path / "run", emit=events.append, deadline=Deadline.within(0.0))
    scan, recipe = scan_and_check(data, cs.Recipe(), context)
    assert scan.near_duplicates is None
    assert recipe.split.near_duplicates == context.run.recipe.split.near_duplicates == "ignore"
    assert "near-duplicates-not-searched" in [event.code for event in events if isinstance(event, Noted)]


@pytest.mark.slow
def test_few_images_are_warned_of(tmp_path: Path) -> None:
    data, events = cs.open_dataset(write_cells(tmp_path / "cells", 9)), list[Event]()
    begin_run(tmp_path / "run", data, cs.Recipe(), "cpu", allow_leakage=False)
    scan_and_check(data, cs.Recipe(), RunContext(tmp_path / "run", emit=events.append))
    assert "few-images" in [event.code for event in events if isinstance(event, Noted)]
