"""Findings about single images: the object cut off by the edge, blurred, or as bright as the file can hold."""

from collections.abc import Iterator, Mapping

import numpy as np

from coverslip.datasets.index import Dataset, counted
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan

# Fixed on drawn cells (tests/test_audit_image_quality.py), before real images were looked at.
_CUT = 0.25  # of a side of the image
_SATURATED = 0.2  # of the object's pixels
_LESS_SHARP = 0.92  # logarithm; 2.5 times less fine detail
_DEVIATIONS = 4.0  # from the median of the dataset, and of the class
_FEWEST = 20  # images, to tell what is usual
_MOST_SHARE = 0.2  # of the images: what is so in more of them is how they were made


def cut_off(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Images whose object the edge cuts through."""
    shares = {i: quality.cut for i, quality in enumerate(scan.quality or ()) if quality is not None}
    cut = [i for i in sorted(shares, key=lambda i: -shares[i]) if shares[i] >= _CUT]
    if cut and len(cut) <= _MOST_SHARE * len(shares):
        yield Found(
            text=f"{counted(len(cut), 'image shows', 'images show')} an object that the edge cuts through.",
            do="Look at them. Leave out those whose class cannot be told from what is left, or crop them anew.",
            images=_alone(dataset, cut),
            values={"n": len(cut)},
        )


def blurred(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Images with far less fine detail than is usual in the dataset, and in their class."""
    sharpness = {
        i: quality.sharpness
        for i, quality in enumerate(scan.quality or ())
        if quality is not None and quality.sharpness is not None
    }
    by_class: dict[str | None, dict[int, float]] = {}
    for i, value in sharpness.items():
        by_class.setdefault(dataset.records[i].label, {})[i] = value
    unlike_others = _unsharp(sharpness)
    low = sorted(i for of_class in by_class.values() for i in _unsharp(of_class) if i in unlike_others)
    if low and len(low) <= _MOST_SHARE * len(sharpness):
        yield Found(
            text=f"{counted(len(low), 'image is', 'images are')} blurred: fine detail is weaker than is usual here, "
            "also among images of the same class.",
            do="Look at them, and leave out what is out of focus, unless images to come will be so too.",
            images=_alone(dataset, low),
            values={"n": len(low)},
        )


def saturated(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Images whose object has lost its bright detail."""
    full = [
        i for i, quality in enumerate(scan.quality or ()) if quality is not None and quality.saturated >= _SATURATED
    ]
    if full:
        yield Found(
            text=f"In {counted(len(full), 'image')} a fifth of the object or more is as bright as the file can hold: "
            "what differed there is lost.",
            do="Take such images again with less light or gain, or export them without stretching the contrast. Where "
            "classes differ in this, a network may learn it.",
            images=_alone(dataset, full),
            values={"n": len(full)},
        )


def _unsharp(sharpness: Mapping[int, float]) -> set[int]:
    if len(sharpness) < _FEWEST:
        return set()
    values = np.array(list(sharpness.values()))
    middle = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - middle)))
    return {i for i, value in sharpness.items() if value < middle - max(_DEVIATIONS * deviation, _LESS_SHARP)}


def _alone(dataset: Dataset, positions: list[int]) -> tuple[tuple[str, ...], ...]:
    return tuple((dataset.records[i].image_id,) for i in positions)
