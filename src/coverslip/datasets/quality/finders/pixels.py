"""Findings about what was decoded: images that are not of one kind."""

from collections.abc import Iterator

from coverslip.datasets.index import Dataset, counted
from coverslip.datasets.quality.facts import frequencies
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import ImageFacts


def mixed_bit_depths(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Images of several bit depths."""
    depths = frequencies(str(fact.bit_depth) for fact in _readable(scan))
    if len(depths) > 1:
        listed = ", ".join(f"{n:,} of {depth} bit" for depth, n in depths.items())
        yield Found(
            text=f"Bit depths are mixed ({listed}). If depth goes with class, it gives the class away.",
            do="Export all images the same way.",
        )


def mixed_channels(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Images of several numbers of channels."""
    channels = frequencies(str(fact.n_channels) for fact in _readable(scan))
    if len(channels) > 1:
        listed = ", ".join(f"{n:,} with {number}" for number, n in channels.items())
        yield Found(
            text=f"Numbers of channels are mixed ({listed}). Grey images will be shown to a network as colour.",
            do="Export all images the same way if they were meant to be alike.",
        )


def several_planes(_: Dataset, scan: Scan) -> Iterator[Found]:
    """Images of which only one plane is used."""
    n = sum(fact.n_planes != 1 for fact in _readable(scan))
    if n:
        yield Found(
            text=f"{counted(n, 'image has', 'images have')} several planes, of which the first is used unless the "
            "recipe names another.",
            do="Choose another plane if the first is not the one to look at.",
            values={"n": n},
        )


def _readable(scan: Scan) -> Iterator[ImageFacts]:
    return (fact for fact in scan.facts if isinstance(fact, ImageFacts))
