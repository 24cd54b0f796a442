"""Names of channels in files: stored with a classifier, compared when it predicts, and reported if orders are mixed."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from image_sets import App, workspace_in
from small_workspace import evaluated_here, predicted_here, trained_here, until
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.records import ImageRecord
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadDataset
from coverslip.events import Event, Noted, ignore
from coverslip.images.decoding import read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.inference.new_images import refuse_other_channels
from coverslip.messages import Set
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.records import failure_of_job, find_job, status_of
from coverslip.workspace.predictions.state import queue_prediction

RECIPE: dict[str, Any] = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 48, "tta": 1}


def write_stains(folder: Path, n: int, order: tuple[str, str], names: tuple[str, ...] | None, seed: int) -> Path:
    """Write nuclei in DAPI; the class `pos` has GFP, too. The files name their channels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :48]

    def blob() -> np.ndarray:
        center_y, center_x = rng.uniform(18, 30, 2)
        return np.exp(-((y - center_y) ** 2 + (x - center_x) ** 2) / 98)

    for label in ("neg", "pos"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for k in range(n):
            gfp = 2500 * blob() if label == "pos" else np.zeros((48, 48))
            stain = {"DAPI": 3000 * blob(), "GFP": gfp}
            pixels = np.stack([stain[each] + rng.normal(200, 20, (48, 48)) for each in order]).clip(0, 65535)
            channels = {"Channel": {"Name": list(names)}} if names else {}
            file = folder / label / f"{'-'.join(names or ('unnamed',))} {k}.ome.tif"
            metadata = {"axes": "CYX", **channels}
            tifffile.imwrite(file, pixels.astype(np.uint16), ome=True, photometric="minisblack", metadata=metadata)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("stains")
    write_stains(folder / "train", 24, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)
    return train_without_report(cs.open_dataset(folder / "train"), cs.Recipe(**RECIPE), out=folder / "run")


def n_right(table: Path) -> int:
    with table.open(encoding="utf-8", newline="") as rows:
        return sum(row["predicted"] == Path(row["path"]).parent.name for row in csv.DictReader(rows))


def swapped_in(folder: Path) -> Path:
    return write_stains(folder / "swapped", 4, ("GFP", "DAPI"), ("GFP", "DAPI"), 1)


@pytest.mark.slow
def test_a_classifier_stores_the_names_and_predicts_files_with_the_same_or_none(run: Run, tmp_path: Path) -> None:
    assert run.card is not None
    assert run.card.trained_on.channel_names == (("DAPI", "GFP"),)
    for k, names in enumerate((("DAPI", "GFP"), ("dapi", "gfp"), ("Channel 1", "Channel 2"), None)):
        folder = write_stains(tmp_path / str(k), 4, ("DAPI", "GFP"), names, 1)
        cs.predict(run, folder, out=tmp_path / f"{k}.csv", emit=ignore)
        assert n_right(tmp_path / f"{k}.csv") == 8


@pytest.mark.slow
def test_the_same_channels_in_another_order_are_refused_and_the_stated_choice_is_right(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped, table = swapped_in(tmp_path), tmp_path / "predictions.csv"
    with pytest.raises(BadDataset) as refused:
        cs.load_classifier(run, "cpu").predict(swapped)
    assert refused.value.code == "other-channel-order"
    assert refused.value.remedies == (Set("images.channels", ["DAPI", "GFP"]),)
    predict = ["predict", str(run.folder), str(swapped), "--out", str(table)]
    evaluate = ["evaluate", str(run.folder), str(swapped), "--name", "swapped", "--json"]
    for command in (predict, evaluate):
        assert main(command) == 1
        assert "--channels DAPI,GFP" in capsys.readouterr().err
    assert not table.exists()
    assert main([*predict, "--channels", "DAPI,GFP"]) == 0
    assert n_right(table) == 8
    capsys.readouterr()
    assert main([*evaluate, "--channels", "DAPI,GFP"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["metrics"]["accuracy"]["value"] == 1
    data = cs.open_dataset(swapped, channels=["DAPI", "GFP"], labeled=False)
    events: list[Event] = []
    cs.predict(run, data, out=table, emit=events.append)
    assert n_right(table) == 8
    assert "other-pixels" not in {event.note.code for event in events if isinstance(event, Noted)}


@pytest.mark.slow
def test_the_images_of_an_evaluation_are_read_by_the_channels_that_were_chosen(run: Run, tmp_path: Path) -> None:
    from coverslip.experiments.evaluating import images_of_evaluation

    data = cs.open_dataset(swapped_in(tmp_path), channels=["DAPI", "GFP"])
    evaluation = cs.evaluate(run, data, name="reopened", emit=ignore)
    assert evaluation.evaluated_images is not None
    assert evaluation.evaluated_images.other_pixels == ()
    assert {record.plan.channels for record in images_of_evaluation(evaluation).records} == {("DAPI", "GFP")}


@pytest.mark.slow
def test_channels_with_other_names_are_predicted_once_they_are_chosen(run: Run, tmp_path: Path) -> None:
    folder, table = write_stains(tmp_path / "a", 4, ("DAPI", "GFP"), ("405", "488"), 1), tmp_path / "predictions.csv"
    with pytest.raises(BadDataset) as refused:
        cs.predict(run, folder, out=table, emit=ignore)
    assert refused.value.code == "other-channel-names"
    for channels in (["405", "488"], [0, 1]):
        cs.predict(run, cs.open_dataset(folder, channels=channels, labeled=False), out=table, emit=ignore)
        assert n_right(table) == 8


@pytest.mark.slow
def test_trainings_on_chosen_channels_predict_files_in_any_order(tmp_path: Path) -> None:
    write_stains(tmp_path / "train", 12, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)
    write_stains(tmp_path / "train", 12, ("GFP", "DAPI"), ("GFP", "DAPI"), 2)
    data = cs.open_dataset(tmp_path / "train", channels=["GFP", "DAPI"])
    run = train_without_report(data, cs.Recipe(**RECIPE), out=tmp_path / "run")
    assert run.recipe.images.channels == ("GFP", "DAPI")
    for k, order in enumerate((("DAPI", "GFP"), ("GFP", "DAPI"))):
        table = tmp_path / f"{k}.csv"
        cs.predict(run, write_stains(tmp_path / str(k), 4, order, order, 1), out=table, emit=ignore)
        assert n_right(table) == 8


@pytest.mark.slow
def test_the_app_refuses_another_order_until_channels_are_chosen_for_the_dataset(tmp_path: Path) -> None:
    app = App(workspace_in(tmp_path))
    trained = app.open(write_stains(tmp_path / "train", 24, ("DAPI", "GFP"), ("DAPI", "GFP"), 0))
    dataset = app.open(swapped_in(tmp_path))
    classifier = trained_here(app.home, trained["id"], {**RECIPE, "split.folds": 0})
    job = find_job(app.home, queue_prediction(app.home, classifier_id=classifier, dataset_id=dataset["id"]))
    assert process.main(job.folder, app.home.folder) == 1
    failure = failure_of_job(job, status_of(job))
    assert (failure.code, failure.remedies) == ("other-channel-order", (Set("images.channels", ["DAPI", "GFP"]),))
    pixels = {"series": 0, "t": 0, "z": 0, "channels": ["DAPI", "GFP"], "level": 0}
    app.send("PATCH", f"datasets/{dataset['id']}", {"pixels": pixels})
    until(lambda: app.get(f"datasets/{dataset['id']}")["state"] == "ready")
    prediction = predicted_here(app.home, classifier, dataset["id"])
    assert n_right(find_job(app.home, prediction).folder / "predictions.csv") == 8
    evaluation = evaluated_here(app.home, classifier, dataset["id"])
    notes = [*app.get(f"jobs/{prediction}")["notes"], *app.get(f"jobs/{evaluation}")["notes"]]
    assert "other-pixels" not in {note["code"] for note in notes}


def test_mixed_orders_are_a_finding_with_the_choice_of_channels(tmp_path: Path) -> None:
    folder = write_stains(tmp_path / "a", 5, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)
    data = cs.open_dataset(folder)
    assert inspect_dataset(data, scan_images(data)).of("channel-order") == ()
    write_stains(folder, 2, ("GFP", "DAPI"), ("GFP", "DAPI"), 1)
    data = cs.open_dataset(folder)
    for _ in range(2):  # the second scan is of cached facts
        (finding,) = inspect_dataset(data, scan_images(data)).of("channel-order")
        assert len(finding.images) == 4
        assert finding.remedies == (Set("images.channels", ["DAPI", "GFP"]),)
    by_name = cs.open_dataset(folder, channels=["DAPI", "GFP"])
    assert inspect_dataset(by_name, scan_images(by_name)).of("channel-order") == ()


def test_names_follow_the_channels_that_are_read(tmp_path: Path) -> None:
    folder = write_stains(tmp_path, 1, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)
    (file,) = (folder / "pos").iterdir()
    for plan, names in (
        (ReadPlan(), ("DAPI", "GFP")),
        (ReadPlan(channels=("GFP", 0)), ("GFP", "DAPI")),
        (ReadPlan(channels=(1,), region=(0, 0, 8, 8)), ("GFP",)),
        (ReadPlan(z="channels"), ()),
    ):
        assert read_pixels(file, plan).channel_names == names
    one_each = [tmp_path / f"{name}.ome.tif" for name in ("A", "B")]
    for each in one_each:
        metadata = {"axes": "YX", "Channel": {"Name": [each.name[0]]}}
        tifffile.imwrite(each, np.zeros((8, 8), np.uint8), ome=True, metadata=metadata)
    plan = ReadPlan(other_files=(one_each[1].name,))
    assert read_pixels(one_each[0], plan).channel_names == ("A", "B")
    by_name = read_pixels(one_each[0], plan.model_copy(update={"channels": ("B", "A")}))
    assert by_name.channel_names == ("B", "A")


NAMES = st.lists(st.sampled_from(["DAPI", "dapi ", "GFP", "405", "Ch1", "Ch2", "0", "1"]), max_size=3)


@given(names=NAMES, trained=st.lists(NAMES.filter(bool), max_size=2))
def test_names_are_compared_whatever_they_are(names: list[str], trained: list[list[str]]) -> None:
    """The choice that a refusal states for another order is that of a training."""
    record = ImageRecord("a", Path("/a.tif"), None, None, "", None, ReadPlan())
    trained_plain = [[name.strip().casefold() for name in each] for each in trained]
    plain = [name.strip().casefold() for name in names]
    refusal: BadDataset | None = None
    try:
        refuse_other_channels(record, names, ReadPlan(), trained)
    except BadDataset as error:
        refusal = error
    if refusal is None:
        is_known = not names or not trained or plain in trained_plain
        assert is_known or sorted(plain) not in map(sorted, trained_plain)
        return
    assert plain not in trained_plain
    (remedy,) = refusal.remedies
    assert isinstance(remedy, Set)
    choice = [name.strip().casefold() for name in remedy.value]
    assert choice in trained_plain if refusal.code == "other-channel-order" else choice == plain
    by_choice = record.with_plan(ReadPlan(channels=tuple(remedy.value)))
    refuse_other_channels(by_choice, names, ReadPlan(), trained)
