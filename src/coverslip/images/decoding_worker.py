"""A process that decodes images for another process, and can be killed at any time.

Run as `python -m coverslip.images.decoding_worker BYTES SECONDS`, with the limits for one file.

A request is a message with file, plan, size limit of a plane in bytes, allowed folders, and optionally preprocessing.
The answer is a message with the properties of the pixels, followed by their bytes; with the series of the file, if
there is no plan; or with an error. The process ends when its stdin is closed.
"""

import os
import sys
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import IO

from coverslip.errors import CoverslipError
from coverslip.images.decoding import decode_image, describe_file
from coverslip.images.preprocessing import PreprocessedImage, Preprocessing, preprocess_image
from coverslip.images.reader import Array, ReadPlan
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
    image: Pixels | PreprocessedImage | None = None
    try:
        if request["plan"] is None:
            answer: Json = {"series": [asdict(series) for series in describe_file(path, within=roots)]}
        else:
            image = decode_image(path, _plan(request["plan"]), max_bytes=request["max_bytes"], within=roots)
            if "preprocessing" in request:
                preprocessing = _preprocessing(request["preprocessing"])
                image = preprocess_image(image, preprocessing, is_hashed=request["is_hashed"])
            answer = _description(image)
    except CoverslipError as error:
        if isinstance(error.__cause__, MemoryError):
            write_message(answers, {"out_of_memory": True})
        else:
            write_message(answers, {"error": asdict(error.failure)})
        return
    except MemoryError:  # during preprocessing, or while the error was created
        write_message(answers, {"out_of_memory": True})
        return
    write_message(answers, answer, b"" if image is None else _array(image).data.cast("B"))


_plan = lru_cache(1)(ReadPlan.from_json)  # most images of a folder have the same plan
_preprocessing = lru_cache(1)(Preprocessing.model_validate_json)


def _array(image: Pixels | PreprocessedImage) -> Array:
    return image.array if isinstance(image, Pixels) else image.pixels


def _description(image: Pixels | PreprocessedImage) -> Json:
    """Return all fields; the first one, the array, by its shape and dtype."""
    array, (_, *others) = _array(image), fields(image)
    properties = {field.name: getattr(image, field.name) for field in others}
    properties["note"] = None if image.note is None else asdict(image.note)
    return {"array_shape": array.shape, "array_dtype": array.dtype.str, **properties}


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
