"""New images that are unlike those that a classifier was trained on, in words: beside each, and a note per kind."""

from collections import Counter
from collections.abc import Iterator

from coverslip.datasets import UNFAMILIAR, ImageRecord, PreprocessedImage, counted
from coverslip.evaluation.ood import more_than_expected
from coverslip.messages import Note
from coverslip.runs import ClassifierCard, Prediction

_SIZE_FACTOR = 2.0  # so much smaller or larger than any training image is worth a warning
_FIELD_FACTOR = 9.0  # as large as so many training images may be a whole field of view
_BY_CHANCE = 0.01  # unfamiliar images that are less probable than this are worth a warning
_FIELD = f"at least {_FIELD_FACTOR:.0f} times as large as most training images"
_DOUBT = "Predictions for such images are less certain than they look."
_GIVE_BOXES = (
    "If an image shows many objects, one prediction for all of them means little: give a table with a row for each "
    "object: path, and its box as x, y, width, height. If it shows one object, its scale differs from the training "
    "images, and the prediction is less certain than it looks."
)


class Differences:
    """Counts images unlike those that the classifier was trained on, for one line per kind of difference."""

    def __init__(self, card: ClassifierCard) -> None:
        self._seen, self._preprocessing = card.trained_on, card.preprocessing
        self._counts: Counter[str] = Counter()
        self._read = Counter[str]()  # what was unusual about reading them
        self._odd_size: str | None = None  # the first of them
        self._familiarity = card.familiarity
        self._n_judged = self._n_unfamiliar = 0

    def count(self, record: ImageRecord, image: PreprocessedImage) -> str | None:
        """How one image differs, in words; None: it does not."""
        if image.note:
            self._read[image.note] += 1
        differences = list(self._found_in(record, image))
        self._counts.update(difference for difference, _ in differences)
        return "; ".join(own for _, own in differences) or None

    def count_decided(self, row: Prediction) -> None:
        """Take a predicted image into account."""
        self._n_judged += row.unfamiliarity is not None
        self._n_unfamiliar += row.decision == UNFAMILIAR

    def _found_in(self, record: ImageRecord, image: PreprocessedImage) -> Iterator[tuple[str, str]]:
        """Each kind of difference as it is counted, and as it stands beside the image."""
        seen = self._seen
        if image.dtype not in seen.dtypes:
            depths = " or ".join(map(_depth, seen.dtypes))
            text = f"{_depth(image.dtype)} deep, training images were {depths}"
            yield text, text
        if image.n_channels not in seen.channels:
            colours = " or ".join(map(_colours, seen.channels))
            text = f"in {_colours(image.n_channels)}, training images were in {colours}"
            yield text, text
        if record.plan.box is None and self._is_field(image):
            n = image.width_px * image.height_px // seen.usual_area_px
            own = f"{image.width_px}x{image.height_px} pixels, as large as {n:,} training images"
            yield _FIELD, f"{own}: if it shows many objects, give their boxes"
        elif not (_is_near(image.width_px, seen.width_px) and _is_near(image.height_px, seen.height_px)):
            low, high = (f"{seen.width_px[i]}x{seen.height_px[i]}" for i in (0, 1))
            own = f"{image.width_px}x{image.height_px} pixels"
            self._odd_size = self._odd_size or own
            trained = f"training images were {low}" + (f" to {high}" if high != low else "")
            yield f"of another size (such as {self._odd_size}), {trained}", f"{own}, {trained}"
        if self._preprocessing.is_too_large(image.width_px, image.height_px):
            canvas = f"canvas of {self._preprocessing.canvas_px} pixels"
            text = f"larger than the {canvas}, and shrunk to fit instead of shown at the common scale"
            yield text, text

    def _is_field(self, image: PreprocessedImage) -> bool:
        return image.width_px * image.height_px >= _FIELD_FACTOR * self._seen.usual_area_px

    def notes(self) -> list[Note]:
        """One sentence per kind, and what to do about it; then what was unusual about reading the images."""
        unusual = [
            Note("reading", f"{counted(n, 'image')}: {note}.", parameters={"n_images": n})
            for note, n in self._read.most_common()
        ]
        return [*self._unfamiliar(), *(_note(difference, n) for difference, n in self._counts.most_common()), *unusual]

    def _unfamiliar(self) -> Iterator[Note]:
        """That more images are unfamiliar than would be by chance, were they like those of training."""
        known, n, n_judged = self._familiarity, self._n_unfamiliar, self._n_judged
        if known is None or not n or more_than_expected(n, n_judged, known.n_beyond, known.n) > _BY_CHANCE:
            return
        expected = n_judged * (known.n_beyond + 1) / (known.n + 1)
        text = (
            f"{n:,} of {counted(n_judged, 'image')} {'is' if n == 1 else 'are'} unlike the training images, about "
            f"{expected:.0f} would be by chance: another size, another stain or instrument, or none of the classes? "
            "Look at some of them, and measure on labeled images of this kind before you rely on predictions."
        )
        values = {"n_images": n, "n_expected": round(expected, 1)}
        yield Note("unfamiliar-images", text, level="warning", parameters=values)


def _note(difference: str, n: int) -> Note:
    code, advice = ("field-of-view", _GIVE_BOXES) if difference == _FIELD else ("unlike-training", _DOUBT)
    text = f"{n:,} {'image is' if n == 1 else 'images are'} {difference}. {advice}"
    return Note(code, text, level="warning", parameters={"n_images": n})


def _is_near(size: int, seen: tuple[int, int]) -> bool:
    return seen[0] / _SIZE_FACTOR <= size <= seen[1] * _SIZE_FACTOR


def _depth(dtype: str) -> str:
    return {"uint8": "8 bit", "uint16": "16 bit", "float32": "float"}.get(dtype, dtype)


def _colours(n_channels: int) -> str:
    return {1: "grey", 3: "colour"}.get(n_channels, f"{n_channels} channels")
