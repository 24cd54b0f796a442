"""Findings about images: missing files, pixels, quality and shortcuts."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import one_line
from coverslip.datasets.quality.facts import frequencies
from coverslip.datasets.quality.finding import FindingCase, finding_case
from coverslip.datasets.quality.scanning import NOT_IN_PIXELS, Scan, Signal, Unreadable
from coverslip.images import BEYOND_EDGE, NO_SUCH_FILE, PIXEL_SIZE_FACTOR, PixelFacts, pixel_side
from coverslip.messages import Message, Remedies, Set, joined, message


def missing_files(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find files that a table names and that do not exist."""
    missing = [image_id for image_id, reason in _unreadable(dataset, scan) if reason == NO_SUCH_FILE]
    if missing:
        images = tuple((image_id,) for image_id in missing)
        yield finding_case("finding-missing-files", images=images, n=len(missing), first=one_line(missing[0], 80))


def damaged_files(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find files that exist and cannot be read, with the reason of each."""
    damaged = [(image_id, reason) for image_id, reason in _unreadable(dataset, scan) if reason != NO_SUCH_FILE]
    if damaged:
        image_id, reason = damaged[0]
        yield finding_case(
            "finding-unreadable",
            images=tuple((image_id,) for image_id, _ in damaged),
            notes=tuple((reason,) for _, reason in damaged),
            n=len(damaged),
            first=one_line(image_id, 80),
            reason=reason,
        )


def _unreadable(dataset: Dataset, scan: Scan) -> Iterator[tuple[str, Message]]:
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, Unreadable):
            yield record.image_id, fact.reason


_MOST_CHANNELS = 16  # a file with more pages is probably a stack or a movie


def mixed_bit_depths(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images of several bit depths."""
    depths = frequencies(str(fact.bit_depth) for fact in _readable(scan))
    if len(depths) > 1:
        counts = (message("images-of-bit-depth", n_images=n, depth=depth) for depth, n in depths.items())
        yield finding_case("finding-mixed-bit-depths", counts=joined(counts, "list-of-messages"))


_MOST_SIZES = 6  # in the text of the finding


def mixed_pixel_sizes(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose pixel sizes differ, and whether their usual size differs between classes."""
    sides: dict[str | None, list[float]] = defaultdict(list)
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, PixelFacts) and fact.pixel_size_um is not None:
            sides[record.label].append(pixel_side(fact.pixel_size_um))
    every = [side for of_label in sides.values() for side in of_label]
    if not every or max(every) <= PIXEL_SIZE_FACTOR * min(every):
        return
    counts = frequencies(f"{side:.3g}" for side in every)
    listed = [message("images-of-pixel-size", n_images=n, um=float(um)) for um, n in counts.items()]
    usual = {label: median(sides[label]) for label in dataset.classes if sides[label]}
    differs = bool(usual) and max(usual.values()) > PIXEL_SIZE_FACTOR * min(usual.values())
    of_classes = [message("pixel-size-of-class", label=one_line(label, 40), um=um) for label, um in usual.items()]
    yield finding_case(
        "finding-mixed-pixel-sizes",
        counts=_first_of(listed),
        differs_by_class=differs,
        classes=_first_of(of_classes),
    )


def _first_of(messages: Sequence[Message]) -> Message | None:
    """Return a list of the first messages, as one message."""
    first = joined(messages[:_MOST_SIZES], "list-of-messages")
    return first if len(messages) <= _MOST_SIZES else message("list-and-more", first=first)


def unlike_channels(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images of several numbers of channels, except gray ones: no network can process them unchanged."""
    n_of = Counter(fact.n_channels for fact in _readable(scan))
    if len(set(n_of) - {1}) > 1:
        counts = joined(
            (message("channels-of-number", n_images=n_of[n], n_channels=n) for n in sorted(n_of)), "list-of-messages"
        )
        advice, remedies = channel_advice(n_of)
        yield finding_case("finding-unlike-channels", remedies=remedies, counts=counts, advice=advice)


def channel_advice(n_of: Mapping[int, int]) -> tuple[Message, Remedies]:
    """Return advice for images that differ in channels; `n_of` counts the images of each number of channels."""
    if 1 in n_of:
        return message("channels-of-gray-and-color"), ()
    common = list(range(min(n_of)))
    return message("channels-in-common"), (Set("images.channels", common),)


def mixed_channels(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find gray images among others."""
    n_of = Counter(fact.n_channels for fact in _readable(scan))
    if 1 in n_of and len(n_of) == 2:
        yield finding_case("finding-mixed-channels", n_gray=n_of[1], n_color=n_of.total() - n_of[1])


def boxes_beyond_edge(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find crops, given as boxes or points, that reach beyond the edge of their image."""
    beyond = [
        record.image_id
        for record, fact in zip(dataset.records, scan.facts, strict=True)
        if isinstance(fact, PixelFacts) and fact.note and BEYOND_EDGE in fact.note
    ]
    if beyond:
        images = tuple((image_id,) for image_id in beyond)
        yield finding_case("finding-boxes-beyond-edge", images=images, n=len(beyond))


def several_planes(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images of which only one plane is used."""
    n_of = Counter(fact.n_planes for fact in _readable(scan))
    n = n_of.total() - n_of[1]
    if n:
        is_one_kind = len(n_of) == 1 and max(n_of) <= _MOST_CHANNELS
        remedies = (Set("images.z", "channels"),) if is_one_kind else ()
        yield finding_case("finding-several-planes", remedies=remedies, n=n, is_one_kind=is_one_kind)


def _readable(scan: Scan) -> Iterator[PixelFacts]:
    return (fact for fact in scan.facts if isinstance(fact, PixelFacts))


# Chosen on synthetic cells (tests/test_audit_image_quality.py), before evaluation on real images.
_CUT = 0.25  # of a side of the image
_SATURATED = 0.2  # of the object's pixels
_LESS_SHARP = 0.92  # logarithm; 2.5 times less fine detail
_DEVIATIONS = 4.0  # from the median of the dataset, and of the class
_FEWEST = 20  # images, to estimate what is usual
_MOST_SHARE = 0.2  # of the images: more indicate a property of the acquisition


def cut_off(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose object the edge cuts off."""
    shares = {i: quality.cut for i, quality in enumerate(scan.quality or ()) if quality is not None}
    cut = [i for i in sorted(shares, key=lambda i: -shares[i]) if shares[i] >= _CUT]
    if cut and len(cut) <= _MOST_SHARE * len(shares):
        yield finding_case("finding-cut-off", images=_single_images(dataset, cut), n=len(cut))


def blurred(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images with far less fine detail than is usual in the dataset, and in their class."""
    sharpness = {
        i: quality.sharpness
        for i, quality in enumerate(scan.quality or ())
        if quality is not None and quality.sharpness is not None
    }
    by_class: dict[str | None, dict[int, float]] = {}
    for i, value in sharpness.items():
        by_class.setdefault(dataset.records[i].label, {})[i] = value
    unsharp_in_dataset = _unsharp(sharpness)
    low = sorted(i for of_class in by_class.values() for i in _unsharp(of_class) if i in unsharp_in_dataset)
    if low and len(low) <= _MOST_SHARE * len(sharpness):
        yield finding_case("finding-blurred", images=_single_images(dataset, low), n=len(low))


def saturated(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose object has lost its bright detail."""
    full = [
        i for i, quality in enumerate(scan.quality or ()) if quality is not None and quality.saturated >= _SATURATED
    ]
    if full:
        yield finding_case("finding-saturated", images=_single_images(dataset, full), n=len(full))


def _unsharp(sharpness: Mapping[int, float]) -> set[int]:
    if len(sharpness) < _FEWEST:
        return set()
    values = np.array(list(sharpness.values()))
    middle = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - middle)))
    return {i for i, value in sharpness.items() if value < middle - max(_DEVIATIONS * deviation, _LESS_SHARP)}


def _single_images(dataset: Dataset, positions: list[int]) -> tuple[tuple[str, ...], ...]:
    return tuple((dataset.records[i].image_id,) for i in positions)


WARNING_SHARE = 0.5  # of the whole image's gain over chance
ADVICE_SHARE = 0.25


def no_signal(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find labels that whole images do not predict."""
    if scan.signal is not None and not scan.signal.is_significant:
        whole = scan.signal.whole
        yield finding_case(
            "finding-no-signal",
            balanced_accuracy=whole.balanced_accuracy,
            chance=scan.signal.chance,
            p=whole.p,
        )


def shortcuts(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find sources that reach at least half of the whole image's gain over chance."""
    return _shortcuts_between(scan.signal, WARNING_SHARE, float("inf"))


def slight_shortcuts(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find sources that reach a quarter of it; clean images of large cells do too."""
    return _shortcuts_between(scan.signal, ADVICE_SHARE, WARNING_SHARE)


def _shortcuts_between(signal: Signal | None, least: float, most: float) -> Iterator[FindingCase]:
    if signal is None or not signal.is_significant:
        return
    yield from _batches_between(signal, least, most)
    for source, score in signal.by_source.items():
        share = min(signal.share(source), ADVICE_SHARE) if source in NOT_IN_PIXELS else signal.share(source)
        if least <= share < most:
            parameters: dict[str, Any] = {
                "from": source,
                "balanced_accuracy": score.balanced_accuracy,
                "whole_image": signal.whole.balanced_accuracy,
                "chance": signal.chance,
                "p": score.p,
            }
            yield finding_case("finding-shortcut", **parameters)


def _batches_between(signal: Signal, least: float, most: float) -> Iterator[FindingCase]:
    for column, by_column in signal.by_column.items():
        if least <= signal.share_of_column(column) < most:
            parameters: dict[str, Any] = {
                "from": "batch",
                "column": column,
                "balanced_accuracy": by_column.score.balanced_accuracy,
                "whole_image": signal.whole.balanced_accuracy,
                "chance": signal.chance,
                "p": by_column.score.p,
                "visibility": by_column.visibility,
            }
            yield finding_case("finding-shortcut-batch", **parameters)
