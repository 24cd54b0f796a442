"""A process that decodes images for another process, and can be killed at any time.

Run as `python -m coverslip.images.decoding_worker BYTES SECONDS`, with the limits for one file.

A request is a message with file, plan, size limit of a plane in bytes, and allowed folders. The answer is a message
with the properties of the pixels, followed by their bytes; with the series of the file, if there is no plan; or with an
error. The process ends when its stdin is closed.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO

from coverslip.errors import CoverslipError
from coverslip.images.decoding import decode_image, describe_file
from coverslip.images.plan import ReadPlan
from coverslip.images.reading import Pixels
from coverslip.processes import Json, limit_memory, prefer_for_oom_kill, read_message, set_alarm, write_message

_BUFFER_BYTES = 2**18  # a message and a small image in one write


def main(max_bytes: int, max_seconds: int) -> int:
    """Answer requests until stdin is closed."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", _BUFFER_BYTES)
    os.dup2(2, 1)  # output of libraries must not mix with answers
    prefer_for_oom_kill()
    limit_memory(max_bytes)
    write_message(answers, {"ready": True})
    while (request := read_message(requests)) is not None:
        set_alarm(max_seconds)
        _answer(answers, request)
        set_alarm(0)
    return 0


def _answer(answers: IO[bytes], request: Json) -> None:
    path, within = Path(request["file"]), request["within"]
    roots = None if within is None else tuple(map(Path, within))
    pixels: Pixels | None = None
    try:
        if request["plan"] is None:
            answer: Json = {"series": [asdict(series) for series in describe_file(path, within=roots)]}
        else:
            plan = ReadPlan.model_validate(request["plan"])
            pixels = decode_image(path, plan, max_bytes=request["max_bytes"], within=roots)
            answer = _description(pixels)
    except CoverslipError as error:
        if isinstance(error.__cause__, MemoryError):
            write_message(answers, {"out_of_memory": True})
        else:
            write_message(answers, {"error": asdict(error.failure)})
        return
    except MemoryError:  # while the error was created
        write_message(answers, {"out_of_memory": True})
        return
    write_message(answers, answer, b"" if pixels is None else pixels.array.data.cast("B"))


def _description(pixels: Pixels) -> Json:
    array = pixels.array
    return {
        "shape": array.shape,
        "dtype": array.dtype.str,
        "file_format": pixels.file_format,
        "bit_depth": pixels.bit_depth,
        "n_planes": pixels.n_planes,
        "pixel_size_um": pixels.pixel_size_um,
        "note": pixels.note,
    }


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
