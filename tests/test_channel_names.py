"""Names of channels in files: stored with a classifier, compared when it predicts, and reported if orders are mixed."""

import csv
import io
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
from PIL import Image
from ruamel.yaml import YAML
from scipy import ndimage
from small_workspace import evaluated_here, predicted_here, trained_here, until
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.audit.near_duplicates import ScanCollector, with_near_duplicates
from coverslip.cli import main
from coverslip.datasets.index.records import ImageRecord
from coverslip.datasets.pixels import DecodedPixels, PixelCache, PixelKeys
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadDataset, BadRecipe
from coverslip.events import Event, Noted, ignore
from coverslip.experiments.leakage_audit import _sources
from coverslip.images.composites import channel_colors, first_visible
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import Preprocessing, channel_order, normalized_names, pixel_hash
from coverslip.images.reader import ReadPlan
from coverslip.inference.new_images import refuse_other_channels
from coverslip.messages import Set
from coverslip.pipeline import train_without_report
from coverslip.reports.model_card import model_card_text
from coverslip.reports.reported import ReportedRun
from coverslip.runs.folder import Run
from coverslip.runs.recipe import FromRun
from coverslip.stopping import Stop
from coverslip.training.preprocessing import learn_preprocessing
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
    explain = ["explain", str(run.folder), str(swapped), "--nearest", "0", "--channels", "0,1"]
    assert main([*explain, "--out", str(tmp_path / "explained")]) == 0
    assert n_right(tmp_path / "explained" / "explanations.csv") == n_right(table)
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


def write_orders(folder: Path, names: tuple[str, ...], dtype: type = np.uint16) -> tuple[Path, Path]:
    """Write the same channels in this order, and in the reverse one: files `a` and `b`."""
    rng, most = np.random.default_rng(4), 3000 if dtype == np.uint16 else 255
    planes = rng.integers(0, most * np.arange(1, len(names) + 1)[:, None, None] // len(names), (len(names), 40, 40))
    folder.mkdir()
    for name, step in (("a", 1), ("b", -1)):
        metadata = {"axes": "CYX", "Channel": {"Name": names[::step]}}
        pixels = planes[::step].astype(dtype)
        tifffile.imwrite(folder / f"{name}.ome.tif", pixels, ome=True, photometric="minisblack", metadata=metadata)
    return folder / "a.ome.tif", folder / "b.ome.tif"


@pytest.mark.parametrize("names", [("DAPI", "GFP"), ("Lamin", "Actin", "Tubulin"), tuple("hgfedcbai")])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_channels_are_shown_by_name_whatever_their_order_in_a_file(
    tmp_path: Path, names: tuple[str, ...], dtype: type
) -> None:
    write_orders(tmp_path / "fields", names, dtype)
    app = App(workspace_in(tmp_path))
    dataset = app.open(tmp_path / "fields", is_labeled=False)
    rows = [f"lists/{dataset['id']}/rows/{row['row_id']}" for row in app.get(f"lists/{dataset['id']}/rows")["items"]]

    def pictures(address: str) -> list[np.ndarray]:
        answers = [app.client.get(f"/api/v1/{row}{address}") for row in rows]
        return [np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")) for answer in answers]

    def displays() -> list[dict[str, tuple[str, bool, float]]]:
        channels = [app.get(f"{row}/tiles")["channels"] for row in rows]
        return [{c["name"]: (c["color"], c["is_visible"], c["high"]) for c in each} for each in channels]

    sheets = [f"/api/v1/lists/{dataset['id']}/sheet?rows={row.rsplit('/', 1)[1]}&side=128" for row in rows]
    first, second = (np.asarray(Image.open(io.BytesIO(app.client.get(sheet).content))) for sheet in sheets)
    assert np.array_equal(first, second)
    assert first.std() > 10
    for address in ("/overview", "/tiles/0/0/0"):
        first, second = pictures(address)
        assert np.array_equal(first, second)
    first_display, second_display = displays()
    assert first_display == second_display
    of_channel = {"is_visible": False, "color": "00ff00"}
    shown = [{"name": name, **of_channel} for name in names[:-1]]
    shown.append({"name": names[-1], "color": "ff0000", "low": 0.0, "high": 100.0})
    app.send("PATCH", f"datasets/{dataset['id']}", {"display": shown})
    for display in displays():
        assert display[names[-1]] == ("ff0000", True, 100.0)
        assert {is_visible for name, (_, is_visible, _) in display.items() if name != names[-1]} == {False}
    first, second = pictures("/overview")
    assert np.array_equal(first, second)
    assert not first[..., 1:].any()
    app.send("PATCH", f"datasets/{dataset['id']}", {"display": [each | {"name": f"{each['name']}2"} for each in shown]})
    assert displays() == [first_display, second_display]  # other channels are meant


def test_a_finder_searches_the_named_channel_of_each_file_and_refuses_numbers_in_mixed_orders(tmp_path: Path) -> None:
    rng, y, x = np.random.default_rng(5), *np.mgrid[:200, :200]
    nuclei = sum(3000.0 * ((y - 30 - 45 * k) ** 2 + (x - 40 * k - 20) ** 2 < 100) for k in range(4))
    stains = {"DAPI": nuclei + rng.normal(300, 9, (200, 200)), "GFP": rng.normal(300, 9, (200, 200))}
    for name, order in (("a", ("DAPI", "GFP")), ("b", ("GFP", "DAPI"))):
        pixels = np.stack([stains[each] for each in order]).astype(np.uint16)
        metadata = {"axes": "CYX", "Channel": {"Name": order}}
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", pixels, ome=True, photometric="minisblack", metadata=metadata)
    collect = ["objects", str(tmp_path), "--finder", "classical", "--out", str(tmp_path / "objects.csv"), "--json"]
    for setting in ([], ["--finder-set", "channel=0"]):
        assert main([*collect, *setting]) == 1
    assert main([*collect, "--finder-set", "channel=DAPI"]) == 0
    with (tmp_path / "objects.csv").open(encoding="utf-8", newline="") as rows:
        fields = [row["field"] for row in csv.DictReader(rows)]
    assert {field: fields.count(field) for field in fields} == {"a.ome.tif": 4, "b.ome.tif": 4}
    assert main(["objects", str(tmp_path / "b.ome.tif"), *collect[2:], "--finder-set", "channel=1"]) == 0


def test_files_that_are_written_keep_the_names_of_channels_and_the_size_of_a_pixel(tmp_path: Path) -> None:
    file, _ = write_orders(tmp_path / "fields", ("b", "a", "c"), np.uint8)
    assert main(["read", str(file), "--channels", "c,a", "--out", str(tmp_path / "out.tif")]) == 0
    written = read_pixels(tmp_path / "out.tif")
    assert written.channel_names == ("c", "a")
    assert np.array_equal(written.array, read_pixels(file, ReadPlan(channels=(2, 1))).array)


def write_channels(file: Path, planes: np.ndarray, names: tuple[str, ...] | None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    channels = {"Channel": {"Name": names}} if names else {}
    tifffile.imwrite(file, planes, ome=True, photometric="minisblack", metadata={"axes": "CYX", **channels})


def test_equal_hashes_share_no_stored_pixels_if_channels_are_reordered(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    gfp, dapi = rng.integers(0, 255, (2, 16, 16), np.uint8)
    for k in range(3):
        write_channels(tmp_path / f"{k}.ome.tif", rng.integers(0, 255, (2, 16, 16), np.uint8), ("GFP", "DAPI"))
    write_channels(tmp_path / "named.ome.tif", np.stack([gfp, dapi]), ("GFP", "DAPI"))
    write_channels(tmp_path / "other.ome.tif", np.stack([dapi, gfp]), ("DAPI", "GFP"))
    write_channels(tmp_path / "unnamed.ome.tif", np.stack([dapi, gfp]), None)
    write_channels(tmp_path / "renamed.ome.tif", np.stack([gfp, dapi]), ("RFP", "DAPI"))
    data = cs.open_dataset(tmp_path, labeled=False)
    scan = scan_images(data)
    preprocessing = learn_preprocessing(scan.readable(), cs.Recipe(image_size=16))
    assert ("GFP", "DAPI") in preprocessing.channel_names
    positions = range(len(data))
    names = [record.path.name for record in data.records]
    with PixelCache(data, scan, positions, preprocessing) as cached, DecodedPixels(data, scan, preprocessing) as pixels:
        assert np.array_equal(cached(positions), pixels(positions))
        pixels_of = dict(zip(names, cached(positions), strict=True))
    assert len({fact.pixel_hash for fact in scan.readable()}) == 4
    for name, first in (("named", gfp), ("other", gfp), ("unnamed", dapi), ("renamed", gfp)):
        assert np.array_equal(pixels_of[f"{name}.ome.tif"][..., 0], first), name
    keys = dict(zip(names, PixelKeys(data, scan, positions, preprocessing), strict=True))
    assert keys["named.ome.tif"] == keys["other.ome.tif"] != keys["unnamed.ome.tif"]


def test_copies_without_names_are_exact_or_near_duplicates(tmp_path: Path) -> None:
    rng, (y, x) = np.random.default_rng(7), np.mgrid[:64, :64]
    for k in range(6):
        center_y, center_x, width = rng.uniform(20, 44, 3)
        cell = np.exp(-((y - center_y) ** 2 + (x - center_x) ** 2) / (5 * width))
        texture = ndimage.gaussian_filter(rng.normal(0, 40, (2, 64, 64)), (0, 2, 2))
        planes = (100 + 90 * np.stack([cell, cell[::-1]]) + texture).clip(0, 255).astype(np.uint8)
        names = ("GFP", "DAPI") if k % 2 else ("DAPI", "GFP")
        write_channels(tmp_path / f"named {k}.ome.tif", planes, names)
        write_channels(tmp_path / f"copy {k}.ome.tif", planes, None)
    data = cs.open_dataset(tmp_path, labeled=False)
    observed = ScanCollector(len(data))
    scan = with_near_duplicates(data, scan_images(data, on_pixels=observed), observed)
    near = {tuple(sorted(data.records[i].image_id for i in cluster)) for cluster in scan.near_duplicates or ()}
    exact = {tuple(sorted(data.records[i].image_id for i in cluster)) for cluster in scan.equal_pixels}
    assert near | exact == {(f"copy {k}.ome.tif", f"named {k}.ome.tif") for k in range(6)}
    assert len(exact) == 3


def test_other_names_are_a_finding_unless_channels_are_chosen_or_only_counted(tmp_path: Path) -> None:
    folder = write_stains(tmp_path / "a", 4, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)

    def found(**options: Any) -> list[tuple[int, int]]:
        data = cs.open_dataset(folder, **options)
        findings = inspect_dataset(data, scan_images(data)).of("other-channels")
        return [(len(finding.images), finding.parameters["n_unnamed"]) for finding in findings]

    write_stains(folder, 1, ("DAPI", "GFP"), ("Channel 1", "Channel 2"), 1)
    write_stains(folder, 1, ("DAPI", "GFP"), None, 2)
    assert found() == []
    write_stains(folder, 2, ("DAPI", "GFP"), ("dapi", "RFP"), 3)
    assert found() == [(4, 0)]
    assert found(channels=[0, 1]) == []
    write_stains(folder, 1, ("GFP", "DAPI"), ("GFP", "DAPI"), 4)
    assert found() == [(8, 4)]


@pytest.mark.slow
def test_a_training_from_an_earlier_run_has_its_order_of_channels(run: Run, tmp_path: Path) -> None:
    other = write_stains(tmp_path / "train", 24, ("GFP", "DAPI"), ("gfp", "DAPI"), 5)
    recipe = cs.Recipe(**RECIPE, init=FromRun(run=str(run.folder)))
    new = train_without_report(cs.open_dataset(other), recipe, out=tmp_path / "run")
    assert new.card is not None
    assert new.card.preprocessing.channel_names == (("DAPI", "GFP"),)
    _, high = zip(*new.card.preprocessing.scaling.ranges["uint16"], strict=True)
    assert high[0] > high[1]
    assert new.metrics.metrics["accuracy"].value == 1


def test_copies_before_the_split_need_channels_in_one_order(tmp_path: Path) -> None:
    folder = write_stains(tmp_path / "train", 4, ("DAPI", "GFP"), ("DAPI", "GFP"), 0)
    write_stains(folder, 4, ("GFP", "DAPI"), ("GFP", "dapi"), 1)
    with pytest.raises(BadRecipe) as refused:
        cs.train(folder, cs.Recipe(**RECIPE, split={"copies": 1}), out=tmp_path / "run", allow_leakage=True)
    assert refused.value.code == "copies-of-mixed-channels"


def test_the_border_of_images_is_compared_by_the_names_of_channels(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    for k in range(12):
        dapi, gfp = rng.integers(190, 200, (24, 24)), rng.integers(0, 9, (24, 24))
        for name, order in (("x", 1), ("y", -1)):  # a class for each order of the same pixels
            planes = np.stack([dapi, gfp])[::order].astype(np.uint8)
            write_channels(tmp_path / name / f"{k}.ome.tif", planes, ("DAPI", "GFP")[::order])
    data = cs.open_dataset(tmp_path)
    scan = scan_images(data)
    sources = _sources(data, range(24), [*scan.readable()], ignore, Stop())
    for source in ("border", "background"):
        first, second = sources[source].reshape(2, 12, -1)
        np.testing.assert_array_equal(first, second)


def test_channels_whose_names_are_letters_or_numbers_have_the_colors_and_the_order_that_these_mean() -> None:
    assert channel_colors(["R", "G", "B"]) == ["ff0000", "00ff00", "0000ff"]
    assert channel_colors(["b", "r", "g"]) == ["0000ff", "ff0000", "00ff00"]
    assert first_visible([f"C{k}" for k in range(1, 12)]) == tuple(range(7))


def test_channels_whose_names_mean_one_color_are_told_apart() -> None:
    assert channel_colors(["GFP", "FITC"]) == ["ff00ff", "00ff00"]
    assert channel_colors(["FITC", "DAPI", "GFP"]) == ["00ff00", "0000ff", "ff0000"]
    assert channel_colors(["x", "GFP", "FITC"]) == ["0000ff", "ff0000", "00ff00"]  # by names, as files of any order
    many = channel_colors([f"DAPI cycle {k}" for k in range(9)])
    assert (len(set(many[:7])), many[7:]) == (7, ["ff0000", "00ff00"])
