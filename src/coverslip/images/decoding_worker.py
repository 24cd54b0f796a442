"""Decodes images for another process, and may be killed over any of them.

Run as `python -m coverslip.images.decoding_worker BYTES SECONDS`: what one file may take.

A question is a message: file, plan, largest plane in bytes, folders that it may read below. So is the answer: what the
pixels are, followed by their bytes, or why there are none. It ends when the questions do.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO

from coverslip.errors import CoverslipError
from coverslip.images.decoding import decode_image
from coverslip.images.plan import ReadPlan
from coverslip.images.reading import Pixels
from coverslip.processes import Json, limit_memory, prefer_for_oom_kill, read_message, set_alarm, write_message

_BUFFER_BYTES = 2**18  # a small image and what it is in one piece: whoever waits is woken once


def main(most_bytes: int, most_seconds: int) -> int:
    """Answer until nobody asks any more."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", _BUFFER_BYTES)
    os.dup2(2, 1)  # what libraries print must not stand among answers
    prefer_for_oom_kill()
    limit_memory(most_bytes)
    write_message(answers, {"ready": True})
    while (question := read_message(questions)) is not None:
        set_alarm(most_seconds)
        _answer(answers, question)
        set_alarm(0)
    return 0


def _answer(answers: IO[bytes], question: Json) -> None:
    plan, within = ReadPlan.model_validate(question["plan"]), question["within"]
    roots = None if within is None else tuple(map(Path, within))
    try:
        pixels = decode_image(Path(question["file"]), plan, max_bytes=question["max_bytes"], within=roots)
    except CoverslipError as error:
        if isinstance(error.__cause__, MemoryError):
            write_message(answers, {"out_of_memory": True})
        else:
            write_message(answers, {"error": asdict(error.failure)})
        return
    except MemoryError:  # even for the message
        write_message(answers, {"out_of_memory": True})
        return
    write_message(answers, _described(pixels), pixels.array.data.cast("B"))


def _described(pixels: Pixels) -> Json:
    array = pixels.array
    return {
        "shape": array.shape,
        "dtype": array.dtype.str,
        "file_format": pixels.file_format,
        "bit_depth": pixels.bit_depth,
        "n_planes": pixels.n_planes,
        "note": pixels.note,
    }


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
