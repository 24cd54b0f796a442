"""Boxes in fields of view: those beyond the edge keep their size, and a field is decoded once for all in it."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from refusing import refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.pixels import read_preprocessed
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import Fields, read_pixels
from coverslip.images.preprocessing import Preprocessing
from coverslip.images.reader import ReadPlan
from coverslip.images.reading import BEYOND_EDGE, Pixels
from coverslip.messages import Failure, message, text

FIELD = np.full((20, 30, 3), 90, np.uint8)
FIELD[:4, :4] = 7


def field_of(value: int) -> Pixels:
    return Pixels(np.full((4, 4, 1), value, np.uint8), "PNG", 8, 1)


def test_a_box_beyond_the_edge_keeps_its_size_and_says_so(tmp_path: Path) -> None:
    Image.fromarray(FIELD).save(tmp_path / "a.png")
    pixels = read_pixels(tmp_path / "a.png", ReadPlan(region=(-5, -3, 12, 10)))
    assert pixels.note == BEYOND_EDGE
    assert np.array_equal(pixels.array[3:, 5:], FIELD[:7, :7])
    assert (pixels.array[:3] == 90).all()
    assert (pixels.array[:, :5] == 90).all()
    assert read_pixels(tmp_path / "a.png", ReadPlan(region=(0, 0, 30, 20))).note is None


def test_a_field_is_decoded_once_for_all_who_wait_for_it() -> None:
    fields, n_decoded, lock = Fields(), Counter[int](), threading.Lock()

    def decode(number: int) -> Pixels:
        with lock:
            n_decoded[number] += 1
        time.sleep(0.01)
        return field_of(number)

    def ask(k: int) -> int:
        number = k % 3
        field = fields.get(Path(str(number)), 0, lambda: decode(number))
        return int(field.array[0, 0, 0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(60))) == [k % 3 for k in range(60)]
    assert n_decoded == {0: 1, 1: 1, 2: 1}


def test_memory_for_fields_is_bounded_and_the_last_one_stays() -> None:
    fields, decoded = Fields(max_bytes=40), []
    for name in ("a", "b", "c", "b", "c", "a", "a"):  # of 16 bytes each: two are kept
        fields.get(Path(name), 0, lambda name=name: decoded.append(name) or field_of(1))  # type: ignore[misc]
    assert decoded == ["a", "b", "c", "a"]
    tiny = Fields(max_bytes=1)
    for name in ("d", "d"):
        tiny.get(Path(name), 0, lambda name=name: decoded.append(name) or field_of(1))  # type: ignore[misc]
    assert decoded[4:] == ["d"]


def test_a_broken_field_is_tried_once_and_reported_for_each_box(tmp_path: Path) -> None:
    Image.fromarray(FIELD).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    fields = Fields()
    for x in range(2):
        with refusing(UnreadableImage, "image-incomplete") as error:
            read_pixels(tmp_path / "a.png", ReadPlan(region=(x, 0, 3, 3)), fields=fields)
        assert error.value.file == tmp_path / "a.png"
        (tmp_path / "a.png").unlink(missing_ok=True)  # the second time nobody looks


def test_boxes_beyond_the_edge_have_a_note_and_one_outside_is_one_unreadable_row(tmp_path: Path) -> None:
    Image.fromarray(FIELD).save(tmp_path / "a.png")
    rows = "a.png,c,-2,0,8,8\na.png,c,5,5,8,8\na.png,d,40,5,8,8\n"
    (tmp_path / "t.csv").write_text(f"path,label,x,y,width,height\n{rows}")
    data = open_dataset(tmp_path / "t.csv")
    findings = {finding.code: finding for finding in inspect_dataset(data, scan_images(data)).findings}
    assert findings["unreadable"].images == (("a.png#box=40,5,8,8",),)
    box = {"x": "40", "y": "5", "width": "8", "height": "8", "image_width": 30, "image_height": 20}
    assert message("box-outside-image", **box) == findings["unreadable"].notes[0][0]
    notes = [
        image.failure if isinstance(image, UnreadableImage) else image.note
        for image in read_preprocessed(data.records, Preprocessing(image_size=8))
    ]
    assert notes[:2] == [BEYOND_EDGE, None]
    assert isinstance(notes[2], Failure)
    assert notes[2].what == text("box-outside-image", **box)
