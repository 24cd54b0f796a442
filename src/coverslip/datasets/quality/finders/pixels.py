"""Findings about what was decoded: images that are not of one kind."""

from collections import Counter
from collections.abc import Iterator, Mapping

from coverslip.datasets.index import Dataset, counted
from coverslip.datasets.quality.facts import frequencies
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import BEYOND_EDGE, ImageFacts
from coverslip.messages import Remedies, Set

_MOST_CHANNELS = 16  # a file with more pages is rather a stack or a film


def mixed_bit_depths(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Images of several bit depths."""
    depths = frequencies(str(fact.bit_depth) for fact in _readable(scan))
    if len(depths) > 1:
        listed = ", ".join(f"{n:,} of {depth} bit" for depth, n in depths.items())
        yield Found(
            text=f"Bit depths are mixed ({listed}). If depth goes with class, it gives the class away.",
            do="Export all images the same way.",
        )


def unlike_channels(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Images of several numbers of channels, grey ones aside: no network can be shown them as they are."""
    n_of = Counter(fact.n_channels for fact in _readable(scan))
    if len(set(n_of) - {1}) > 1:
        listed = ", ".join(f"{n_of[number]:,} with {number}" for number in sorted(n_of))
        do, remedies = what_to_do_about_channels(n_of)
        text = f"Numbers of channels differ ({listed}), which a training refuses."
        yield Found(text=text, do=do, remedies=remedies)


def what_to_do_about_channels(n_of: Mapping[int, int]) -> tuple[str, Remedies]:
    """Advice for images that differ in channels; `n_of` counts the images of each number."""
    if 1 in n_of:
        return "Leave out the images of one kind, or export all of them with the same channels.", ()
    common = list(range(min(n_of)))
    do = "If these mean the same in all images, choose those that all of them have; else train on one kind of image."
    return do, (Set("channels", common),)


def mixed_channels(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Grey images among others."""
    n_of = Counter(fact.n_channels for fact in _readable(scan))
    if 1 in n_of and len(n_of) == 2:
        grey = f"{counted(n_of[1], 'image is', 'images are')} grey and {n_of.total() - n_of[1]:,} not"
        yield Found(
            text=f"{grey}: a network is shown grey as the same in all channels.",
            do="Export all images the same way if they were meant to be alike.",
        )


def boxes_beyond_edge(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Crops, given as boxes or points, that reach beyond the edge of their image."""
    beyond = [
        record.image_id
        for record, fact in zip(dataset.records, scan.facts, strict=True)
        if isinstance(fact, ImageFacts) and BEYOND_EDGE in (fact.note or "")
    ]
    if beyond:
        reach = counted(len(beyond), "crop reaches", "crops reach")
        yield Found(
            text=f"{reach} beyond the edge of the image. The missing part is filled with the color of the border.",
            do="Exclude these objects if cut-off objects must not count.",
            images=tuple((image_id,) for image_id in beyond),
            values={"n": len(beyond)},
        )


def several_planes(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Images of which only one plane is used."""
    n_of = Counter(fact.n_planes for fact in _readable(scan))
    n = n_of.total() - n_of[1]
    if n:
        is_one_kind = len(n_of) == 1 and max(n_of) <= _MOST_CHANNELS
        channels = " If each page shows a stain, take the pages as channels." if is_one_kind else ""
        yield Found(
            text=f"{counted(n, 'image has', 'images have')} several planes, of which the first is used unless the "
            "recipe names another.",
            do=f"Choose another plane if the first is not the one to look at.{channels}",
            remedies=(Set("plane", "channels"),) if is_one_kind else (),
            values={"n": n},
        )


def _readable(scan: Scan) -> Iterator[ImageFacts]:
    return (fact for fact in scan.facts if isinstance(fact, ImageFacts))
