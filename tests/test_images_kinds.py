"""Each row of the table of image kinds in the docs: its samples come back as they were written, or are refused."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_kinds import KINDS, Kind, Sample, expected_of, sample_of
from refusing import refusing

from coverslip.errors import UnreadableImage
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.formats import readers
from coverslip.images.reader import ReadPlan

READER_OF = {suffix: reader for reader in readers() for suffix in reader.suffixes}
WRITTEN = [kind for kind in KINDS if kind.write]


def skip_unless_readable(kind: Kind) -> None:
    reader = READER_OF.get(kind.suffix)
    if reader is not None and reader.package and not reader.can_read:
        pytest.skip(f"needs the package {reader.package}")


def plans_of(axis: str, n: int) -> list[ReadPlan]:
    if axis == "channels":
        return [ReadPlan(channels=(k,)) for k in range(n)]
    return [ReadPlan(**{axis: k}) for k in range(n)] if axis else [ReadPlan()]


def planes_of(sample: Sample) -> list[np.ndarray[Any, Any]]:
    """The planes that are read by the plans of the same order; of a pyramid, its first two levels."""
    planes = expected_of(sample)
    return [planes[0], planes[0][::2, ::2]] if sample.axis == "level" else list(planes)


def samples_of(kind: Kind) -> Iterator[Sample]:
    """A sample of each compression, color space and bit depth, and of each selection with the last bit depth."""
    for codec, color in product(kind.codecs, kind.colors):
        if not (kind.refused and kind.axes):
            yield from (sample_of(kind, codec, color, bits) for bits in kind.bits)
        yield from (sample_of(kind, codec, color, kind.bits[-1], axis) for axis in kind.axes)


@pytest.mark.parametrize(
    "kind", WRITTEN, ids=[f"{each.container}, {each.codecs[0]}, {each.colors}" for each in WRITTEN]
)
def test_samples_of_a_kind_are_read_or_refused_as_the_table_says(tmp_path: Path, kind: Kind) -> None:
    skip_unless_readable(kind)
    assert kind.write is not None
    for number, sample in enumerate(samples_of(kind)):
        path = tmp_path / f"{number}{kind.suffix}"
        kind.write(path, sample)
        if kind.refused:
            with refusing(UnreadableImage, kind.refused):
                read_pixels(path, plans_of(sample.axis, len(sample.planes))[-1])
            continue
        planes = planes_of(sample)
        for plan, plane in zip(plans_of(sample.axis, len(planes)), planes, strict=True):
            pixels = read_pixels(path, plan)
            where = f"{kind.container} {sample.codec} {sample.color} {sample.bits} {plan.as_json()}"
            assert pixels.array.dtype == plane.dtype, where
            assert pixels.bit_depth == sample.bits, where
            # Frames are color, also if they are gray.
            expected = np.broadcast_to(plane, (*plane.shape[:2], pixels.array.shape[2])).astype(float)
            assert np.abs(pixels.array - expected).max() <= kind.tolerance, where


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.files], ids=lambda kind: kind.container)
def test_files_of_microscope_makers_are_read_as_the_table_says(shared_data: Any, kind: Kind) -> None:
    skip_unless_readable(kind)
    files = sorted((shared_data("microscope_formats") / kind.files).glob(f"*{kind.suffix}"))
    assert files
    for file in files:
        for number, series in enumerate(describe_image(file)):
            pixels = read_pixels(file, ReadPlan(series=number, t=series.size("T") - 1, z=series.n_z - 1))
            assert pixels.array.shape[:2] == series.sizes[0][::-1]
