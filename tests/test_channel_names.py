"""Names of channels in files: stored with a classifier, compared when it predicts, and reported if orders are mixed."""

import csv
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from image_sets import App, workspace_in
from ruamel.yaml import YAML
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
from coverslip.images.preprocessing import Preprocessing, channel_order, normalized_names, pixel_hash
from coverslip.images.reader import ReadPlan
from coverslip.inference.new_images import refuse_other_channels
from coverslip.messages import Set
from coverslip.pipeline import train_without_report
from coverslip.reports.model_card import model_card_text
from coverslip.reports.reported import ReportedRun
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
    assert run.card.preprocessing.channel_names == (("DAPI", "GFP"),)
    for k, names in enumerate((("DAPI", "GFP"), ("dapi", "gfp"), ("Channel 1", "Channel 2"), None)):
        folder = write_stains(tmp_path / str(k), 4, ("DAPI", "GFP"), names, 1)
        cs.predict(run, folder, out=tmp_path / f"{k}.csv", emit=ignore)
        assert n_right(tmp_path / f"{k}.csv") == 8


@pytest.mark.slow
def test_the_same_channels_in_another_order_are_reordered_by_name_with_a_note_and_a_warning_each(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped, table = swapped_in(tmp_path), tmp_path / "predictions.csv"
    events: list[Event] = []
    cs.predict(run, swapped, out=table, emit=events.append)
    assert n_right(table) == 8
    notes = {event.note.code: event.note for event in events if isinstance(event, Noted)}
    assert notes["reordered-channels"].parameters["n_images"] == 8
    assert "unfamiliar-images" not in notes
    with table.open(encoding="utf-8", newline="") as rows:
        assert {json.loads(row["warning_code"])["code"] for row in csv.DictReader(rows)} == {"channels-reordered"}
    in_order = cs.load_classifier(run, "cpu").predict(
        write_stains(tmp_path / "same", 4, ("DAPI", "GFP"), ("DAPI", "GFP"), 1)
    )
    for row, expected in zip(cs.load_classifier(run, "cpu").predict(swapped), in_order, strict=True):
        assert row.predicted == expected.predicted
    assert main(["evaluate", str(run.folder), str(swapped), "--name", "swapped", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"]["value"] == 1


@pytest.mark.slow
def test_chosen_channels_are_read_as_they_are_chosen_whatever_their_names(run: Run, tmp_path: Path) -> None:
    swapped, table = swapped_in(tmp_path), tmp_path / "predictions.csv"
    predict = ["predict", str(run.folder), str(swapped), "--out", str(table)]
    assert main([*predict, "--channels", "0,1"]) == 0
    assert n_right(table) < 8
    assert main([*predict, "--channels", "DAPI,GFP"]) == 0
    assert n_right(table) == 8
    data = cs.open_dataset(swapped, channels=["DAPI", "GFP"], labeled=False)
    events: list[Event] = []
    cs.predict(run, data, out=table, emit=events.append)
    assert n_right(table) == 8
    assert not {"other-pixels", "reordered-channels"} & {
        event.note.code for event in events if isinstance(event, Noted)
    }


@pytest.mark.slow
def test_a_training_on_channels_in_several_orders_reorders_them_by_name(tmp_path: Path) -> None:
    order, other = ("DAPI", "GFP"), ("GFP", "DAPI")
    write_stains(tmp_path / "train", 14, order, order, 0)
    write_stains(tmp_path / "train", 10, other, other, 2)
    write_stains(tmp_path / "train", 1, order, ("405", "488"), 3)  # possibly a test image
    run = train_without_report(cs.open_dataset(tmp_path / "train"), cs.Recipe(**RECIPE), out=tmp_path / "run")
    assert run.card is not None
    assert order in run.card.preprocessing.channel_names
    assert other not in run.card.preprocessing.channel_names
    assert run.metrics.metrics["accuracy"].value == 1
    _, high = zip(*run.card.preprocessing.scaling.ranges["uint16"], strict=True)
    assert high[0] > 2900 > 2800 > high[1]  # of DAPI and GFP
    assert run.inspection is not None
    assert "channel-order" in {finding.code for finding in run.inspection.findings}
    for k, names in enumerate((order, other)):
        cs.predict(run, write_stains(tmp_path / str(k), 4, names, names, 1), out=tmp_path / f"{k}.csv", emit=ignore)
        assert n_right(tmp_path / f"{k}.csv") == 8


@pytest.mark.slow
def test_exports_and_the_model_card_state_the_order_of_the_channels(run: Run, tmp_path: Path) -> None:
    folder = cs.export(run, to="bioimageio", out=tmp_path / "exported")
    (pixels,) = YAML(typ="safe").load(folder / "rdf.yaml")["inputs"]
    assert pixels["axes"][-1]["channel_names"] == ["DAPI", "GFP"]
    assert "DAPI, GFP" in model_card_text(ReportedRun(run))
    assert run.card is not None
    read, preprocessing = runpy.run_path(str(folder / "classify.py"))["read"], run.card.preprocessing.model_dump()
    planes = np.zeros((2, 48, 48), np.uint16)
    tifffile.imwrite(file := tmp_path / "a.tif", planes, imagej=True, metadata={"axes": "CYX"})
    assert read(str(file), preprocessing).shape == (48, 48, 2)
    tifffile.imwrite(file, planes, imagej=True, metadata={"axes": "CYX", "Labels": ["GFP", "DAPI"]})
    with pytest.raises(ValueError, match="coverslip"):
        read(str(file), preprocessing)


def test_equal_pixels_are_equal_images_only_if_the_same_channels_are_meant(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 9999, (2, 12, 12), np.uint16)
    hashes = []
    for k, (names, planes) in enumerate(
        ((("a", "b"), pixels), (("b", "a"), pixels[::-1]), (("b", "a"), pixels), (None, pixels))
    ):
        channels = {"Channel": {"Name": names}} if names else {}
        file = tmp_path / f"{k}.ome.tif"
        tifffile.imwrite(file, planes, ome=True, photometric="minisblack", metadata={"axes": "CYX", **channels})
        hashes.append(pixel_hash(read_pixels(file)))
    first, reordered, renamed, unnamed = hashes
    assert first == reordered == unnamed != renamed
    by_number = read_pixels(tmp_path / "2.ome.tif", ReadPlan(channels=(0, 1)))
    assert pixel_hash(by_number) == first


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
def test_the_app_predicts_and_evaluates_another_order_by_name_and_says_so(tmp_path: Path) -> None:
    app = App(workspace_in(tmp_path))
    trained = app.open(write_stains(tmp_path / "train", 24, ("DAPI", "GFP"), ("DAPI", "GFP"), 0))
    dataset = app.open(swapped_in(tmp_path))
    classifier = trained_here(app.home, trained["id"], {**RECIPE, "split.folds": 0})
    assert app.get(f"classifiers/{classifier}")["channel_names"] == [["DAPI", "GFP"]]
    prediction = predicted_here(app.home, classifier, dataset["id"])
    assert n_right(find_job(app.home, prediction).folder / "predictions.csv") == 8
    evaluation = evaluated_here(app.home, classifier, dataset["id"])
    for job in (prediction, evaluation):
        assert "reordered-channels" in {note["code"] for note in app.get(f"jobs/{job}")["notes"]}


@pytest.mark.slow
def test_the_app_refuses_other_names_until_channels_are_chosen_for_the_dataset(tmp_path: Path) -> None:
    app = App(workspace_in(tmp_path))
    trained = app.open(write_stains(tmp_path / "train", 24, ("DAPI", "GFP"), ("DAPI", "GFP"), 0))
    dataset = app.open(write_stains(tmp_path / "other", 4, ("GFP", "DAPI"), ("488", "405"), 1))
    classifier = trained_here(app.home, trained["id"], {**RECIPE, "split.folds": 0})
    job = find_job(app.home, queue_prediction(app.home, classifier_id=classifier, dataset_id=dataset["id"]))
    assert process.main(job.folder, app.home.folder) == 1
    failure = failure_of_job(job, status_of(job))
    assert (failure.code, failure.remedies) == ("other-channel-names", (Set("images.channels", ["488", "405"]),))
    pixels = {"series": 0, "t": 0, "z": 0, "channels": ["405", "488"], "level": 0}
    app.send("PATCH", f"datasets/{dataset['id']}", {"pixels": pixels})
    until(lambda: app.get(f"datasets/{dataset['id']}")["state"] == "ready")
    prediction = predicted_here(app.home, classifier, dataset["id"])
    assert n_right(find_job(app.home, prediction).folder / "predictions.csv") == 8


def test_mixed_orders_are_a_finding_with_a_remedy_if_channels_are_read_by_number(tmp_path: Path) -> None:
    folder = write_stains(tmp_path / "a", 5, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)
    data = cs.open_dataset(folder)
    assert inspect_dataset(data, scan_images(data)).of("channel-order") == ()
    write_stains(folder, 2, ("GFP", "DAPI"), ("GFP", "DAPI"), 1)
    for channels, remedies in ((None, ()), ([0, 1], (Set("images.channels", ["DAPI", "GFP"]),))):
        data = cs.open_dataset(folder, channels=channels)
        for _ in range(2):  # the second scan is of cached facts
            (finding,) = inspect_dataset(data, scan_images(data)).of("channel-order")
            assert len(finding.images) == 4
            assert finding.remedies == remedies
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


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["DAPI", "GFP"], ("DAPI", "GFP")),
        (["c:1/2 - cell", "c:2/2 - cell"], ()),
        (["a_w1.tif", "a_w2.tif"], ()),
        (None, ()),
    ],
)
def test_labels_of_imagej_are_names_of_channels_if_they_name_no_position_and_no_file(
    tmp_path: Path, labels: list[str] | None, names: tuple[str, ...]
) -> None:
    file = tmp_path / "a.tif"
    more = {"Labels": labels} if labels else {}
    tifffile.imwrite(file, np.zeros((2, 8, 8), np.uint8), imagej=True, metadata={"axes": "CYX", **more})
    assert read_pixels(file).channel_names == names
    stack = tmp_path / "z.tif"
    tifffile.imwrite(stack, np.zeros((2, 8, 8), np.uint8), imagej=True, metadata={"axes": "ZYX", **more})
    assert read_pixels(stack).channel_names == ()


NAMES = st.lists(st.sampled_from(["DAPI", "dapi ", "GFP", "405", "Ch1", "Ch2", "0", "1"]), max_size=3)


@given(names=NAMES, trained=st.lists(NAMES.filter(bool), max_size=2))
def test_names_are_compared_whatever_they_are(names: list[str], trained: list[list[str]]) -> None:
    """A refusal states the order of the training if the names are the same; by default, these are reordered."""
    preprocessing = Preprocessing(image_size=8, channel_names=tuple(map(tuple, trained)))
    record = ImageRecord("a", Path("/a.tif"), None, None, "", None, ReadPlan())
    by_number = preprocessing.model_copy(update={"plan": ReadPlan(channels=(0, 1))})
    trained_plain, plain = [normalized_names(each) for each in trained], normalized_names(names)
    order = channel_order(names, trained)
    if order is not None:
        assert tuple(plain[k] for k in order) in trained_plain
        assert plain not in trained_plain
    for each, of in ((record, preprocessing), (record.with_plan(by_number.plan), by_number)):
        try:
            refuse_other_channels(each, names, of)
        except BadDataset as error:
            assert plain not in trained_plain
            assert order is None or of is by_number
            (remedy,) = error.remedies
            assert isinstance(remedy, Set)
            assert normalized_names(remedy.value) == (plain if order is None else tuple(plain[k] for k in order))
            refuse_other_channels(each.with_plan(ReadPlan(channels=tuple(remedy.value))), names, of)
        else:
            assert (
                not names
                or not trained
                or plain in trained_plain
                or order is not None
                or not plain
                or any(map(_has_digits, (plain, *trained_plain)))
            )


def _has_digits(names: tuple[str, ...]) -> bool:
    return all(any(map(str.isdigit, name)) for name in names)
