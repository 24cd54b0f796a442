"""A classifier in one file: what it gives is the classifier, and no crafted file does any harm."""

import hashlib
import io
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from memory import within_memory
from PIL import Image
from safetensors.numpy import load, save
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadClassifier
from coverslip.images.preprocessing import Preprocessing
from coverslip.inference import trial
from coverslip.inference.loading import load_network
from coverslip.messages import has_entry, text
from coverslip.models.networks import create_network
from coverslip.runs.classifier import ClassifierCard, TrainedOn, open_classifier, write_classifier
from coverslip.runs.results import metrics_of_classifier

CARD, WEIGHTS = "classifier.json", "weights.safetensors"
Entries = dict[str, bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classifier, as training packs it."""
    torch.manual_seed(0)
    network = create_network(SMALL_NETWORK, n_classes=2, pretrained=False)
    card = ClassifierCard(
        model=SMALL_NETWORK,
        model_options={},
        head="multi_layer",
        tta=1,
        classes=("a", "b"),
        prior=(0.5, 0.5),
        preprocessing=Preprocessing(image_size=32),
        temperature=1.5,
        uncertain_below=0.6,
        trained_on=TrainedOn(
            n_images=9,
            n_groups=None,
            width_px=(20, 20),
            height_px=(20, 20),
            usual_area_px=400,
            dtypes=("uint8",),
            channels=(3,),
        ),
    )
    folder = tmp_path_factory.mktemp("run") / "classifier"
    write_classifier(folder, card, network.weights())
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "new" / f"{i}.png")
    return tmp_path / "new"


def entries_of(folder: Path) -> Entries:
    return {name: (folder / name).read_bytes() for name in (CARD, WEIGHTS)}


def zipped(file: Path, entries: Entries, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file


# What it gives


@pytest.mark.slow
def test_the_file_predicts_exactly_as_the_folder_does(folder: Path, images: Path, tmp_path: Path) -> None:
    file = cs.export(folder, out=tmp_path / "small.coverslip")
    cs.predict(folder, images, out=tmp_path / "folder.csv")
    cs.predict(file, images, out=tmp_path / "file.csv")
    assert (tmp_path / "file.csv").read_bytes() == (tmp_path / "folder.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.csv", "folder.csv", "new", "small.coverslip"]


@pytest.mark.slow
def test_equal_classifiers_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    for file in copy.iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))
    first, other = cs.export(folder, out=tmp_path / "1.coverslip"), cs.export(copy, out=tmp_path / "2.coverslip")
    third = cs.export(first, out=tmp_path / "3.coverslip")
    assert first.read_bytes() == other.read_bytes() == third.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == entries_of(folder)


@pytest.mark.slow
def test_the_file_of_a_run_has_its_metrics_and_a_copy_of_the_file_too(trained: cs.Run, tmp_path: Path) -> None:
    file = cs.export(trained, out=tmp_path / "run.coverslip")
    assert metrics_of_classifier(file) == metrics_of_classifier(trained.folder) == trained.metrics
    assert cs.export(file, out=tmp_path / "copy.coverslip").read_bytes() == file.read_bytes()
    without = cs.export(trained.folder / "classifier", out=tmp_path / "without.coverslip")
    assert metrics_of_classifier(without) is None


@pytest.mark.slow
def test_a_file_that_others_zipped_with_more_in_it_is_read_too(folder: Path, tmp_path: Path) -> None:
    extra = {"README.txt": b"made in our lab", "__MACOSX/._classifier.json": b"\0" * 90, "engines/x.onnx": b"?"}
    file = zipped(tmp_path / "other.coverslip", entries_of(folder) | extra, zipfile.ZIP_DEFLATED)
    assert cs.load_classifier(file).classes == ("a", "b")


def test_nothing_damaged_is_exported_and_nothing_half_written(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    data = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(data[:-100])
    with pytest.raises(BadClassifier):
        cs.export(copy, out=tmp_path / "bad.coverslip")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_the_command_writes_the_file_and_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "first"
    shutil.copytree(folder, run / "classifier")
    assert main(["export", str(run), "--to", "zip", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"file": "first.coverslip", "size_bytes": (tmp_path / "first.coverslip").stat().st_size}
    assert main(["export", str(run), "--to", "zip", "--out", str(tmp_path)]) == 1
    assert "a folder, not a file" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nowhere"), "--to", "zip"]) == 1
    assert text("no-classifier") in capsys.readouterr().err


@pytest.mark.slow
def test_a_changed_byte_in_any_file_is_noticed_when_a_classifier_is_loaded(own_run: cs.Run, tmp_path: Path) -> None:
    """With an engine that was stored before, too, which needs no weights."""
    folder = own_run.folder / "classifier"
    packed = cs.export(own_run, out=tmp_path / "whole.coverslip")
    with zipfile.ZipFile(packed) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(file.name for file in folder.glob("*.safetensors"))
    assert names == ["delivered_head.safetensors", "ood.safetensors", WEIGHTS]
    pixels = np.zeros((20, 20, 3), np.uint8)
    cs.load_classifier(own_run, "cpu").predict([pixels])
    for name in names:
        whole = (folder / name).read_bytes()
        damaged = whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]  # a small change of the last number
        (folder / name).write_bytes(damaged)
        for classifier in (own_run.folder, folder, zipped(tmp_path / "damaged.coverslip", entries | {name: damaged})):
            with pytest.raises(BadClassifier) as raised:
                cs.load_classifier(classifier, "cpu")
            assert raised.value.code == "classifier-file-damaged"
            assert raised.value.parameters["name"] == name
            with pytest.raises(BadClassifier):
                cs.export(classifier, out=tmp_path / "copy.coverslip")
        (folder / name).write_bytes(whole)
    cs.load_classifier(own_run, "cpu").predict([pixels])


# What strangers may send

Craft = Callable[[Path, Entries], object]


def with_entry(name: str, data: bytes = b"x") -> Craft:
    return lambda file, entries: zipped(file, entries | {name: data})


def with_patched_name(name: str) -> Craft:
    """With an entry of a name that `zipfile` would not write: made longer, and then cut in header and directory."""

    def craft(file: Path, entries: Entries) -> None:
        data = zipped(file, {"Q" * 20: b"", **entries}).read_bytes()
        for signature, lengths, start in ((b"PK\x03\x04", 26, 30), (b"PK\x01\x02", 28, 46)):
            at = data.index(signature)
            n, extra = len(name), 20 - len(name)  # what is left becomes an extra field, which is skipped
            field = struct.pack("<HH", 0x4242, extra - 4) + bytes(extra - 4)
            data = data[: at + lengths] + struct.pack("<HH", n, extra) + data[at + lengths + 4 :]
            data = data[: at + start] + name.encode() + field + data[at + start + 20 :]
        file.write_bytes(data)

    return craft


def with_entry_outside(file: Path, entries: Entries) -> None:
    """Its list of entries claims to begin earlier than the file, and with it each entry."""
    data = bytearray(zipped(file, entries).read_bytes())
    at = data.rindex(b"PK\x05\x06") + 16
    data[at : at + 4] = struct.pack("<I", struct.unpack_from("<I", data, at)[0] + 100_000)
    file.write_bytes(data)


def with_link(file: Path, entries: Entries) -> None:
    link = zipfile.ZipInfo(WEIGHTS)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(CARD, entries[CARD])
        archive.writestr(link, "/etc/passwd")


def with_double(file: Path, entries: Entries) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile itself thinks it odd
        for name in (CARD, WEIGHTS, WEIGHTS):
            archive.writestr(name, entries[name])


def encrypted(file: Path, entries: Entries) -> None:
    data = bytearray(zipped(file, entries).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + offset] |= 1
    file.write_bytes(data)


def cut(share: float) -> Craft:
    def craft(file: Path, entries: Entries) -> None:
        data = zipped(file, entries).read_bytes()
        file.write_bytes(data[: int(len(data) * share)])

    return craft


def flipped(file: Path, entries: Entries) -> None:
    """One bit of the weights is wrong: only the checksum shows it."""
    data = bytearray(zipped(file, entries).read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def replaced(name: str, change: Callable[[bytes], bytes], compression: int = zipfile.ZIP_STORED) -> Craft:
    """The card states the checksum of other weights, as someone can who makes a file to do harm."""

    def craft(file: Path, entries: Entries) -> None:
        changed = entries | {name: change(entries[name])}
        if name == WEIGHTS:
            sha256 = {WEIGHTS: hashlib.sha256(changed[WEIGHTS]).hexdigest()}
            changed[CARD] = json.dumps(json.loads(changed[CARD]) | {"sha256": sha256}).encode()
        zipped(file, changed, compression)

    return craft


def edited(**changes: object) -> Craft:
    return replaced(CARD, lambda text: json.dumps(json.loads(text) | changes).encode())


def weights_with(change: Callable[[dict[str, np.ndarray]], object]) -> Craft:
    def changed(data: bytes) -> bytes:
        tensors = {name: tensor.copy() for name, tensor in load(data).items()}
        change(tensors)
        return save(tensors)

    return replaced(WEIGHTS, changed)


def header_only(header: object, n_data: int = 0) -> Craft:
    text = json.dumps(header).encode()
    return replaced(WEIGHTS, lambda _: struct.pack("<Q", len(text)) + text + bytes(n_data))


def said_larger(file: Path, entries: Entries) -> None:
    """The list of entries says other sizes than there are."""
    data = bytearray(zipped(file, entries).read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", len(entries[WEIGHTS]) + 10_000)
    file.write_bytes(data)


def with_other_local_name(file: Path, entries: Entries) -> None:
    data = bytearray(zipped(file, entries).read_bytes())
    at = data.find(WEIGHTS.encode())
    data[at : at + 7] = b"../../x"
    file.write_bytes(data)


def many_entries(file: Path, entries: Entries) -> None:
    zipped(file, entries | {f"{i}.txt": b"" for i in range(5000)})


def nested(file: Path, entries: Entries) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    zipped(file, {"inner.coverslip": inner.getvalue()})


def deflated_zeros(n_bytes: int) -> Craft:
    return replaced(WEIGHTS, lambda _: bytes(n_bytes), zipfile.ZIP_DEFLATED)


CRAFTED: dict[str, tuple[Craft, str]] = {
    "a name that climbs out": (with_entry("../../evil.txt"), "leads out of its folder"),
    "a name that climbs out by backslashes": (with_entry("..\\..\\evil.txt"), "leads out of its folder"),
    "an absolute name": (with_entry("/etc/cron.d/evil"), "empty part"),
    "an empty name": (with_patched_name(""), "empty"),
    "a name that begins with a NUL": (with_patched_name("\0x"), "control character"),
    "a drive": (with_entry("C:/evil.dll"), "colon"),
    "another name in front of the data": (with_other_local_name, "could not be read"),
    "an entry outside": (with_entry_outside, "outside the archive"),
    "a link": (with_link, "a link"),
    "an encrypted entry": (encrypted, "encrypted"),
    "one name twice": (with_double, "twice"),
    "many entries": (many_entries, "far more"),
    "a zip in the zip": (nested, "contain classifier.json"),
    "no weights": (lambda file, entries: zipped(file, {CARD: entries[CARD]}), "contain weights.safetensors"),
    "unusual packing": (lambda file, entries: zipped(file, entries, zipfile.ZIP_BZIP2), "unusual"),
    "cut in the middle": (cut(0.5), text("archive-no-zip")),
    "cut at the end": (cut(0.9999), text("archive-no-zip")),
    "a flipped bit": (flipped, "CRC"),
    "no zip": (lambda file, entries: file.write_bytes(entries[WEIGHTS]), "not-a-packaged-classifier"),
    "empty": (lambda file, _: file.write_bytes(b""), "not-a-packaged-classifier"),
    "too large a size": (said_larger, "weights-size-mismatch"),
    "a bomb of weights": (deflated_zeros(200_000_000), "far more than its size"),
    "a bomb beside the classifier": (
        lambda file, entries: zipped(file, entries | {"x": bytes(100_000_000)}, zipfile.ZIP_DEFLATED),
        "far more than its size",
    ),
    "a huge description": (replaced(CARD, lambda text: text + b" " * 300_000), "card-too-large"),
    "a deep description": (replaced(CARD, lambda _: b"[" * 100_000), "damaged-card"),
    "a description that is no JSON": (replaced(CARD, lambda _: b"\xff\xfe{"), "damaged-card"),
    "a newer format": (edited(format_version=2), "newer-classifier-format"),
    "an unknown network": (edited(model="no_such_network"), "network-build-failed"),
    "options that name files": (edited(model_options={"checkpoint_path": "/etc/passwd"}), "cannot be built"),
    "a plan that names files": (
        edited(preprocessing={"image_size": 32, "plan": {"other_files": ["/etc/passwd"]}}),
        "cannot name files",
    ),
    "endless layers": (
        edited(model="resnet34", model_options={"layers": [9_999, 1, 1, 1]}),
        "cannot be built|do not fit",
    ),
    "a huge layer": (edited(model="resnet34", model_options={"stem_width": 6000, "stem_type": "deep"}), "do not fit"),
    "an impossible layer": (
        edited(model="resnet34", model_options={"stem_width": 10**6, "stem_type": "deep"}),
        "limit of 10,000",
    ),
    "endless blocks": (
        edited(model="timm/deit_tiny_patch16_224", model_options={"depth": 300_000_000}),
        "limit of 10,000",
    ),
    "an option of many digits": (edited(model_options={"depth": 10**4200}), "limit of 10,000"),
    "a list as an option": (edited(model_options={"layers": [1] * 300}), "more than 256 values"),
    "senseless options": (edited(model="resnet34", model_options={"layers": ["x"]}), "cannot be built"),
    "an infinite temperature": (edited(temperature=float("inf")), "temperature"),
    "an operating point too many": (edited(operating_points=[0.5, 0.2, 0.3]), "operating points for 2 classes"),
    "an operating point of nothing": (edited(operating_points=[0.5, 0]), "operating_points"),
    "one class twice": (edited(classes=["a", "a"]), "same name"),
    "a class that means none": (edited(classes=["a", "uncertain"]), "uncertain"),
    "a network for huge images": (edited(preprocessing={"image_size": 4096}), "image_size"),
    "many classes": (edited(classes=[f"{i}" for i in range(10_000)], prior=[0.5] * 10_000), "do not fit"),
    "a share too few": (edited(prior=[1]), "for 2 classes"),
    "no such number of channels": (edited(preprocessing={"image_size": 32, "channels": 10**6}), "do not fit"),
    "another network": (edited(model="mobilenet_v2"), "do not fit"),
    "a tensor of another shape": (
        weights_with(lambda w: w.update({"head.weight": w["head.weight"].T.copy()})),
        "do not fit",
    ),
    "a tensor of another depth": (
        weights_with(lambda w: w.update({"head.weight": w["head.weight"].astype(np.float16)})),
        "do not fit",
    ),
    "a tensor of another name": (weights_with(lambda w: w.update({"evil": w.pop("head.weight")})), "do not fit"),
    "a tensor too many": (weights_with(lambda w: w.update({"more": np.zeros(3, np.float32)})), "do not fit"),
    "weights that are no numbers": (
        weights_with(lambda w: w["head.weight"].fill(np.nan)),
        "classifier-weights-not-finite",
    ),
    "infinite weights": (weights_with(lambda w: w["head.bias"].fill(np.inf)), "classifier-weights-not-finite"),
    "a huge list of tensors": (
        replaced(WEIGHTS, lambda data: struct.pack("<Q", 2**40) + data[8:]),
        "weights-truncated",
    ),
    "a large list of tensors": (
        header_only({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(60_000)}),
        "weights-truncated",
    ),
    "a list that is no list": (header_only([1, 2]), "weights-header-damaged"),
    "shapes of many digits": (
        header_only({f"t{i}": {"dtype": "F32", "shape": [10**4200] * 60} for i in range(6)}),
        "the limit is 18",
    ),
    "a shape of many axes": (header_only({"mean": {"dtype": "F32", "shape": [2] * 60}}), "at most 8"),
    "a list of nonsense": (header_only({"mean": {"dtype": "F32", "shape": ["x"]}}), "weights-header-damaged"),
    "a deep list": (replaced(WEIGHTS, lambda _: struct.pack("<Q", 90_000) + b"[" * 90_000), "weights-header-damaged"),
    "tensors larger than the file": (
        header_only({"mean": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}, n_data=4),
        "weights-size-mismatch",
    ),
    "few bytes of weights": (replaced(WEIGHTS, lambda data: data[:5]), "weights-truncated"),
}


SLOW = (
    "endless layers",
    "senseless options",
    "options that name files",
    "another network",
)  # a trial process builds the network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("craft", "sentence"),
    [pytest.param(*case, id=name, marks=[pytest.mark.exhaustive] * (name in SLOW)) for name, case in CRAFTED.items()],
)
def test_a_crafted_file_is_one_clear_error_and_leaves_nothing_behind(
    craft: Craft, sentence: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "crafted.coverslip"
    craft(file, entries_of(folder))
    monkeypatch.setattr(trial, "_SECONDS", 10)  # of the processor, for networks without end
    with within_memory(200e6), pytest.raises(BadClassifier) as caught:
        cs.load_classifier(file)
    assert caught.value.code == sentence if has_entry(sentence) else re.search(sentence, str(caught.value))
    assert "crafted.coverslip" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["crafted.coverslip"]


@pytest.mark.parametrize(
    "craft", [weights_with(lambda w: w["mean"].fill(-3e38)), edited(temperature=1e-320)], ids=["weights", "card"]
)
@pytest.mark.exhaustive
def test_a_classifier_whose_numbers_overflow_decides_nothing(
    craft: Craft, folder: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    craft(tmp_path / "crafted.coverslip", entries_of(folder))
    out = tmp_path / "predictions.csv"
    assert main(["predict", str(tmp_path / "crafted.coverslip"), str(images), "--out", str(out)]) == 1
    assert text("classifier-not-finite") in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.exhaustive
def test_a_bomb_that_lies_about_its_size_is_not_unpacked(folder: Path, tmp_path: Path) -> None:
    """1.5 GB of zeros behind sizes that look right, read by a process that may not have so much memory."""
    file = tmp_path / "bomb.coverslip"
    entries = entries_of(folder)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    n_header = 8 + int.from_bytes(entries[WEIGHTS][:8], "little")
    bomb = packer.compress(entries[WEIGHTS][:n_header])
    bomb += packer.flush(zlib.Z_FULL_FLUSH)
    bomb += (packer.compress(bytes(10_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)) * 150  # each stands by itself
    bomb += packer.flush()
    data = bytearray(zipped(file, {CARD: entries[CARD], WEIGHTS: bomb}).read_bytes())
    for signature, method, sizes in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        at = data.rfind(signature)
        data[at + method] = zipfile.ZIP_DEFLATED
        data[at + sizes : at + sizes + 4] = struct.pack("<I", len(entries[WEIGHTS]))
    file.write_bytes(data)
    code = (
        "import resource, sys\n"
        "from coverslip.inference import load_classifier\n"
        "import coverslip.inference.loading, psutil\n"
        "from coverslip.errors import BadClassifier\n"
        "limit = psutil.Process().memory_info().vms + 1_000_000_000\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try:\n"
        "    load_classifier(sys.argv[1])\n"
        "except BadClassifier as error:\n"
        "    print('refused', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused"), done.stderr
    assert "CRC" in done.stdout or "far more" in done.stdout


@pytest.mark.exhaustive
def test_a_network_that_takes_longer_than_allowed_is_stopped_in_a_process_of_its_own(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "crafted.coverslip"
    edited(model="resnet34", model_options={"layers": [9_999, 9_999, 9_999, 9_999]})(file, entries_of(folder))
    with within_memory(200e6), pytest.raises(BadClassifier, match="60 s of processor time and 2 GB"):
        load_network(open_classifier(file))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc of Linux")
@pytest.mark.exhaustive
def test_a_network_for_large_images_is_built_in_little_memory(tmp_path: Path) -> None:
    """A transformer of 16,385 tokens: its numbers took minutes."""
    code = (
        "import re\n"
        "from pathlib import Path\n"
        "from coverslip.models.networks import create_network\n"
        "create_network('timm/deit_tiny_patch16_224', n_classes=2, head='native', channels=1, pretrained=False,\n"
        "               options={'patch_size': 8}, image_size=1024)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert int(done.stdout) * 1024 < 1.2e9  # of this process alone: that of getrusage counts the one that began it
