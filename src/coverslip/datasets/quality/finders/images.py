"""Findings about images: missing files, pixels, quality and shortcuts."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from coverslip.datasets.index import Dataset, counted, one_line
from coverslip.datasets.quality.facts import frequencies
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.datasets.quality.signal import UNSEEN, Signal, SignalSource
from coverslip.images import BEYOND_EDGE, NO_SUCH_FILE, ImageFacts
from coverslip.messages import Remedies, Set


def missing_files(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Files that a table names and that do not exist."""
    missing = [image_id for image_id, reason in _unreadable(dataset, scan) if reason == NO_SUCH_FILE]
    if missing:
        yield Found(
            text=f"{counted(len(missing), 'file')} not found, so excluded (first: '{one_line(missing[0], 80)}').",
            do="Put what is missing in its place, or correct the table.",
            images=tuple((image_id,) for image_id in missing),
        )


def damaged_files(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Files that are there and cannot be read; beside each, why."""
    damaged = [(image_id, reason) for image_id, reason in _unreadable(dataset, scan) if reason != NO_SUCH_FILE]
    if damaged:
        image_id, reason = damaged[0]
        yield Found(
            text=f"{counted(len(damaged), 'image')} cannot be read and will be excluded (first: "
            f"'{one_line(image_id, 80)}': {one_line(reason)}).",
            do="Copy or export these images again if you need them.",
            images=tuple((image_id,) for image_id, _ in damaged),
            notes=tuple((reason,) for _, reason in damaged),
        )


def _unreadable(dataset: Dataset, scan: Scan) -> Iterator[tuple[str, str]]:
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, Unreadable):
            yield record.image_id, fact.reason


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
            parameters={"n": len(beyond)},
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
            parameters={"n": n},
        )


def _readable(scan: Scan) -> Iterator[ImageFacts]:
    return (fact for fact in scan.facts if isinstance(fact, ImageFacts))


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
            parameters={"n": len(cut)},
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
            parameters={"n": len(low)},
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
            parameters={"n": len(full)},
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


WARNING_SHARE = 0.5  # of the whole image's gain over chance
ADVICE_SHARE = 0.25
_IN_WORDS: dict[SignalSource, tuple[str, str]] = {
    "border": (
        "the outermost eighth of the image",
        "Look along the edges for marks, scale bars, neighbours or light that go with a class.",
    ),
    "background": (
        "the brightness and grain of the background",
        "Ask whether classes were imaged on other days, slides or microscopes.",
    ),
    "size": (
        "width and height of the image",
        "Ask whether classes were cropped or exported in different ways.",
    ),
    "format": (
        "bit depth, channels and planes of the file",
        "Ask whether classes were exported in different ways, and export them alike.",
    ),
    "metadata": (
        "what the file says of camera, program, resolution and compression",
        "Ask whether classes were taken or saved in different ways: stronger compression, say, can be seen in pixels.",
    ),
    "name": (
        "the file's name (how it is written, its length and its last number, without the class itself)",
        "Ask whether classes come from different sources or days, or were numbered one after the other.",
    ),
}
_DO_SEEN = "A network may learn this instead of the object; then it fails where it is missing."
_DO_UNSEEN = "A network sees no names, but may see what goes with them."
_LIMIT_SEEN = "The network may have learnt this instead of the object; then it fails on images without it."
_LIMIT_UNSEEN = "Classes may come from different sources, which their files' names show and images may show too."


def no_signal(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Labels that whole images do not tell."""
    if scan.signal is not None and not scan.signal.is_there:
        told = scan.signal.whole
        yield Found(
            text=f"The images tell nothing of their labels: an instant classifier reaches a balanced accuracy of "
            f"{told.balanced_accuracy:.2f} on images that it was not fitted on, where guessing gives "
            f"{scan.signal.chance:.2f} (p = {told.p:.2f}).",
            do="Check that labels and images belong together. If they do, more images or a fine-tuned network may "
            "find more.",
            limit="Before training no classifier told these labels better than chance.",
            parameters={"balanced_accuracy": told.balanced_accuracy, "chance": scan.signal.chance, "p": told.p},
        )


def shortcuts(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Sources that tell at least half of what the whole image does."""
    return _between(scan.signal, WARNING_SHARE, float("inf"))


def slight_shortcuts(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Sources that tell a quarter of it; clean images of large cells do too."""
    return _between(scan.signal, ADVICE_SHARE, WARNING_SHARE)


def _between(signal: Signal | None, least: float, most: float) -> Iterator[Found]:
    if signal is None or not signal.is_there:
        return
    yield from _batches_between(signal, least, most)
    for source, told in signal.by_source.items():
        is_unseen = source in UNSEEN
        share = min(signal.share(source), ADVICE_SHARE) if is_unseen else signal.share(source)
        if least <= share < most:
            what, ask = _IN_WORDS[source]
            text = (
                f"A simple classifier can tell labels from {what} alone: its balanced accuracy is "
                f"{told.balanced_accuracy:.2f}. The same simple classifier of the whole image reaches "
                f"{signal.whole.balanced_accuracy:.2f}, a trained network usually more; guessing {signal.chance:.2f}."
            )
            yield Found(
                text=text,
                do=f"{ask} {_DO_UNSEEN if is_unseen else _DO_SEEN}",
                limit=_LIMIT_UNSEEN if is_unseen else _LIMIT_SEEN,
                parameters={
                    "from": source,
                    "balanced_accuracy": told.balanced_accuracy,
                    "whole_image": signal.whole.balanced_accuracy,
                    "chance": signal.chance,
                    "p": told.p,
                },
            )


def _batches_between(signal: Signal, least: float, most: float) -> Iterator[Found]:
    for column, by_column in signal.by_column.items():
        if least <= signal.share_of_column(column) < most:
            told = by_column.told
            yield Found(
                text=f"Images show which {column} they are of (also among images of one class: {by_column.seen:.2f} of "
                f"the way from guessing to certainty), and classes go with it: the {column} alone tells them "
                f"apart with a balanced accuracy of {told.balanced_accuracy:.2f}, where a simple classifier of the "
                f"whole image reaches {signal.whole.balanced_accuracy:.2f} and guessing {signal.chance:.2f}.",
                do=f"Group the images by {column}, so that it is tested whether a network does without it, and image "
                "the classes together if you can.",
                limit=f"The network may have learnt which {column} images are of instead of their class; then it fails "
                "on others.",
                parameters={
                    "from": "batch",
                    "column": column,
                    "balanced_accuracy": told.balanced_accuracy,
                    "whole_image": signal.whole.balanced_accuracy,
                    "chance": signal.chance,
                    "p": told.p,
                    "seen": by_column.seen,
                },
            )
