"""Images are decoded by processes that can be killed: a file that hangs, fills memory or crashes costs one row."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile
from drawing import save_cell
from odd_formats import install, write_odd
from parameters import only_first
from refusing import refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import Stopped, UnreadableImage
from coverslip.images import decoding, decoding_pool
from coverslip.images.decoding import decode_in_processes, read_pixels
from coverslip.images.decoding_pool import Decoder, Decoders, DecodingLimits, SharedOrExclusive
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import MAX_BYTES, ReadPlan
from coverslip.images.reading import Pixels, decode
from coverslip.messages import message
from coverslip.processes import DECODE_APART_VARIABLE

pytestmark = pytest.mark.slow  # each begins processes


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Decoders]]:
    """Decoders with these limits, to which the odd format is known."""
    monkeypatch.setenv("PYTHONPATH", install(tmp_path / "site"))
    begun: list[Decoders] = []

    def begin(most_processes: int = 4, **limits: Any) -> Decoders:  # Any: as `DecodingLimits` takes it
        begun.append(Decoders(DecodingLimits(**limits), most_processes=most_processes))
        return begun[-1]

    yield begin
    for decoders in begun:
        decoders.close()


def read(decoders: Decoders, path: Path) -> Pixels:
    return decoders.read(path, ReadPlan(), MAX_BYTES)


def outcome(how: Callable[[Path, ReadPlan], Pixels], path: Path, plan: ReadPlan) -> tuple[object, ...]:
    """All that reading a file gives, or why it gives nothing."""
    try:
        pixels = how(path, plan)
    except UnreadableImage as error:
        return error.failure, error.file
    array = pixels.array
    facts = pixels.file_format, pixels.bit_depth, pixels.n_planes, pixels.note
    return *facts, array.dtype, array.shape, array.tobytes()


def test_a_note_from_a_process_is_that_of_this_process(
    shared_data: Callable[[str], Path], begin: Callable[..., Decoders]
) -> None:
    chromosome = min(shared_data("chromosomes_gband").rglob("*.tiff"))
    note = read_pixels(chromosome).note
    assert note is not None
    assert (note.code, read(begin(), chromosome).note) == ("tifffile-complains", note)


def test_pixels_and_refusals_are_those_of_this_process(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 60_000, (3, 70, 600), np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "float.tif", np.full((20, 30), np.nan, np.float32))
    large = rng.integers(0, 255, (1100, 1300, 3), np.uint8)
    tifffile.imwrite(tmp_path / "large.tif", large)  # more than a pipe holds
    (tmp_path / "cut \udcff.png").write_bytes(save_cell(tmp_path / "whole.png", 1).read_bytes()[:200])
    requests = [
        (tmp_path / "whole.png", ReadPlan()),
        (tmp_path / "deep.tif", ReadPlan(z="max", region=(3, 4, 50, 20))),
        (tmp_path / "deep.tif", ReadPlan(z=7)),
        (tmp_path / "large.tif", ReadPlan(channels=(2, 0))),
        (tmp_path / "float.tif", ReadPlan()),
        (tmp_path / "cut \udcff.png", ReadPlan()),
        (tmp_path / "none.png", ReadPlan()),
        (tmp_path, ReadPlan()),
    ]
    with decode_in_processes():
        for path, plan in requests:
            assert outcome(read_pixels, path, plan) == outcome(decode, path, plan)


@pytest.mark.parametrize(
    ("what", "limits", "code", "parameters"),
    only_first(
        2,
        [
            ("sleeps", {"seconds": 1.5}, "image-time-limit", {"seconds": 1.5}),
            ("loops", {"processor_seconds": 1.5}, "image-time-limit", {"seconds": 1.5}),
            ("allocates", {"memory_bytes": 300_000_000}, "image-memory-limit", {"memory_gb": 0.3}),
            ("aborts", {}, "decoder-crashed", {}),
        ],
    ),
)
def test_a_file_that_ends_or_holds_its_process_costs_one_row(
    begin: Callable[..., Decoders],
    tmp_path: Path,
    what: str,
    limits: dict[str, float],
    code: str,
    parameters: dict[str, float],
) -> None:
    decoders = begin(**limits)
    odd, cell = write_odd(tmp_path / "a.odd", what), save_cell(tmp_path / "cell.png", 0)
    read(decoders, cell)  # the process has begun
    with refusing(UnreadableImage, code, **parameters) as error:
        read(decoders, odd)
    assert error.value.file == odd
    assert read(decoders, cell).array.shape == decode(cell).array.shape


def test_what_a_library_prints_stands_in_no_answer(begin: Callable[..., Decoders], tmp_path: Path) -> None:
    assert read(begin(), write_odd(tmp_path / "a.odd", "prints")).array.shape == (8, 9, 1)


def test_a_process_that_was_killed_from_outside_is_started_again(
    begin: Callable[..., Decoders], tmp_path: Path
) -> None:
    decoders = begin()
    cell = save_cell(tmp_path / "cell.png", 0)
    read(decoders, cell)
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # one that another test began has ended
            if "coverslip.images.decoding_worker" in child.cmdline():
                child.kill()
    assert read(decoders, cell).note == message("image-read-alone")


def test_facts_of_an_image_that_was_read_alone_are_not_stored(
    tmp_path: Path, begin: Callable[..., Decoders], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_decoders", begin())
    (tmp_path / "cells" / "a").mkdir(parents=True)
    write_odd(tmp_path / "cells" / "a" / "1.png", "aborts once")
    notes = []
    with decode_in_processes():
        for _ in range(2):
            (facts,) = scan_images(open_dataset(tmp_path / "cells")).facts
            assert isinstance(facts, PixelFacts)
            notes.append(facts.note)
    assert notes == [message("image-read-alone"), None]


def test_a_process_that_is_killed_after_its_answer_does_not_read_the_next_file(
    tmp_path: Path, begin: Callable[..., Decoders]
) -> None:
    begin()
    decoder, odd = Decoder(DecodingLimits()), write_odd(tmp_path / "a.odd", "waits")
    request = {"plan": ReadPlan().as_json(), "max_bytes": MAX_BYTES}
    answers: list[object] = []
    reading = threading.Thread(target=lambda: answers.append(decoder.answer(odd, request)))
    begun = decoder._deadline
    reading.start()
    while decoder._deadline == begun:
        time.sleep(0.01)
    with decoder._lock:  # as `monitor` while it measures
        (tmp_path / "a.odd.go").touch()
        reading.join(2)  # it has answered
        decoder._excess = UnreadableImage("image-time-limit", seconds=60)
        decoder.kill()
    reading.join()
    assert len(answers) == 1
    assert decoder.has_ended


def test_an_answer_that_was_not_awaited_is_not_that_of_the_next_file(
    begin: Callable[..., Decoders], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoders, send = begin(1), decoding_pool.write_message
    for name, value in (("first", 11), ("next", 222)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.full((50, 60), value, np.uint8))

    def interrupt(*arguments: Any) -> None:  # Any: as `write_message` takes them
        send(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(decoding_pool, "write_message", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(decoders, tmp_path / "first.tif")
    monkeypatch.setattr(decoding_pool, "write_message", send)
    assert (read(decoders, tmp_path / "next.tif").array == 222).all()


def workers() -> set[int]:
    """The IDs of the processes that decode."""
    pids = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "coverslip.images.decoding_worker" in child.cmdline():
                pids.add(child.pid)
    return pids


def test_many_requests_share_a_few_processes(begin: Callable[..., Decoders], tmp_path: Path) -> None:
    others, decoders = workers(), begin(most_processes=2)
    cells = [save_cell(tmp_path / f"{k}.png", k) for k in range(16)]
    with ThreadPoolExecutor(len(cells)) as threads:
        images = [*threads.map(lambda cell: read(decoders, cell).array, cells)]
    assert all(np.array_equal(image, decode(cell, ReadPlan()).array) for image, cell in zip(images, cells, strict=True))
    assert len(workers() - others) <= 2


def test_files_that_take_long_do_not_delay_others(begin: Callable[..., Decoders], tmp_path: Path) -> None:
    decoders, cell = begin(most_processes=2, seconds=20), save_cell(tmp_path / "cell.png", 0)
    slow = [write_odd(tmp_path / f"{k}.odd", "sleeps") for k in range(2)]
    with ThreadPoolExecutor(2) as threads:
        reads = [threads.submit(read, decoders, path) for path in slow]
        while len(decoders._busy) < 2:
            time.sleep(0.01)
        assert np.array_equal(read(decoders, cell).array, decode(cell).array)
        assert not any(each.done() for each in reads)
        decoders.interrupt()
    assert all(isinstance(each.exception(), Stopped) for each in reads)
    decoders.resume()
    with ThreadPoolExecutor(8) as threads:  # all slots are free again
        assert len([*threads.map(lambda _: read(decoders, cell), range(8))]) == 8


def test_requests_get_their_turn_in_order(begin: Callable[..., Decoders], tmp_path: Path) -> None:
    """A thread that asks again and again does not overtake those that wait."""
    decoders, cell, is_over = begin(most_processes=1), save_cell(tmp_path / "cell.png", 0), threading.Event()

    def describe_often() -> int:
        n = 0
        while not is_over.is_set():
            decoders.describe(cell)
            n += 1
        return n

    with ThreadPoolExecutor(2) as threads:
        often = [threads.submit(describe_often) for _ in range(2)]
        for _ in range(20):
            read(decoders, cell)
        is_over.set()
    assert sum(each.result() for each in often) < 200


@pytest.mark.exhaustive
def test_a_prepared_process_reads_the_next_image(begin: Callable[..., Decoders], tmp_path: Path) -> None:
    others, decoders = workers(), begin()
    decoders.prepare()
    decoders.prepare()
    (prepared,) = workers() - others
    read(decoders, save_cell(tmp_path / "cell.png", 0))
    assert workers() - others == {prepared}


def kill_when_busy(is_over: threading.Event) -> None:
    """Kill each process that decodes as soon as it has begun with a file."""
    while not is_over.wait(0.01):
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                is_worker = "coverslip.images.decoding_worker" in child.cmdline()
                if is_worker and Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip() == "1000":
                    child.kill()


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="reads the state of processes from /proc")
def test_an_image_whose_process_was_killed_twice_is_not_called_damaged(
    begin: Callable[..., Decoders], tmp_path: Path
) -> None:
    decoders, is_over = begin(), threading.Event()
    killing = threading.Thread(target=kill_when_busy, args=(is_over,))
    killing.start()
    try:
        with refusing(UnreadableImage, "decoder-killed"):
            read(decoders, write_odd(tmp_path / "a.odd", "sleeps"))
    finally:
        is_over.set()
        killing.join()


@pytest.mark.exhaustive
def test_whoever_reads_alone_has_nobody_beside() -> None:
    room, beside, most_beside = SharedOrExclusive(), [0], []

    def reads() -> None:
        for _ in range(50):
            with room.shared():
                beside[0] += 1
                time.sleep(0.0005)
                beside[0] -= 1

    def reads_alone() -> None:
        for _ in range(20):
            with room.exclusive():
                most_beside.append(beside[0])

    threads = [threading.Thread(target=each) for each in (reads, reads, reads_alone, reads_alone)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most_beside == [0] * 40


def test_a_command_decodes_in_processes_that_can_be_killed() -> None:
    code = "import os, sys; from coverslip.cli import main; main(['cache']); print(os.environ[sys.argv[1]])"
    done = subprocess.run(
        [sys.executable, "-c", code, DECODE_APART_VARIABLE], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "1"


def test_interrupting_frees_whoever_waits_at_once(begin: Callable[..., Decoders], tmp_path: Path) -> None:
    decoders = begin()
    odd, raised = write_odd(tmp_path / "a.odd", "sleeps"), []

    def wait() -> None:
        with pytest.raises(Stopped) as stopped:
            read(decoders, odd)
        raised.append(stopped)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(1)
    began = time.monotonic()
    decoders.interrupt()
    thread.join()
    assert raised
    assert time.monotonic() - began < 3


_READS = """
import sys
from pathlib import Path
from coverslip.images.reader import ReadPlan
from coverslip.images.decoding_pool import Decoders
from coverslip.images.decoding_pool import DecodingLimits
decoders = Decoders(DecodingLimits(seconds=1))
decoders.read(Path(sys.argv[1]), ReadPlan(), 1000)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm")
@pytest.mark.usefixtures("begin")
def test_a_process_at_work_outlives_a_killed_parent_by_seconds(tmp_path: Path) -> None:
    odd = write_odd(tmp_path / "a.odd", "loops")
    parent = subprocess.Popen([sys.executable, "-c", _READS, str(odd)], env=os.environ)
    for _ in range(100):
        time.sleep(0.1)
        children = psutil.Process(parent.pid).children()
        if children and sum(children[0].cpu_times()[:2]) > 1:  # it has begun, and loops
            break
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []
