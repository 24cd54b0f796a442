"""Findings about what tells the labels: nothing at all, or what has nothing to do with the object."""

from collections.abc import Iterator

from coverslip.datasets.index import Dataset
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.quality.signal import UNSEEN, Signal, SignalSource

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
            values={"balanced_accuracy": told.balanced_accuracy, "chance": scan.signal.chance, "p": told.p},
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
                values={
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
                values={
                    "from": "batch",
                    "column": column,
                    "balanced_accuracy": told.balanced_accuracy,
                    "whole_image": signal.whole.balanced_accuracy,
                    "chance": signal.chance,
                    "p": told.p,
                    "seen": by_column.seen,
                },
            )
