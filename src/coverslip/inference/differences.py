"""New images that are unlike those that a classifier was trained on, in words: beside each, and a note per kind."""

from collections import Counter
from collections.abc import Iterator

from coverslip.datasets import UNFAMILIAR, ImageRecord, PreprocessedImage
from coverslip.evaluation.ood import more_than_expected
from coverslip.messages import Note, note, text
from coverslip.runs import ClassifierCard, Prediction

_SIZE_FACTOR = 2.0  # so much smaller or larger than any training image is worth a warning
_FIELD_FACTOR = 9.0  # as large as so many training images may be a whole field of view
_BY_CHANCE = 0.01  # unfamiliar images that are less probable than this are worth a warning
_FIELD = "field of view"  # the kind of difference of images that may be whole fields


class Differences:
    """Counts images unlike those that the classifier was trained on, for one line per kind of difference."""

    def __init__(self, card: ClassifierCard) -> None:
        self._seen, self._preprocessing = card.trained_on, card.preprocessing
        self._counts: Counter[str] = Counter()
        self._read = Counter[str]()  # what was unusual about reading them
        self._odd_size: tuple[str, str] | None = None  # the first of them
        self._familiarity = card.ood
        self._n_judged = self._n_unfamiliar = 0

    def count(self, record: ImageRecord, image: PreprocessedImage) -> str | None:
        """How one image differs, in words; None: it does not."""
        if image.note:
            self._read[image.note] += 1
        differences = list(self._found_in(record, image))
        self._counts.update(difference for difference, _ in differences)
        return "; ".join(warning for _, warning in differences) or None

    def count_decided(self, row: Prediction) -> None:
        """Take a predicted image into account."""
        self._n_judged += row.ood_score is not None
        self._n_unfamiliar += row.decision == UNFAMILIAR

    def _found_in(self, record: ImageRecord, image: PreprocessedImage) -> Iterator[tuple[str, str]]:
        """Each kind of difference as it is counted, and as it stands beside the image."""
        seen = self._seen
        if image.dtype not in seen.dtypes:
            trained = " or ".join(text("bit-depth", dtype=dtype) for dtype in seen.dtypes)
            difference = text("bit-depth-differs", depth=text("bit-depth", dtype=image.dtype), trained=trained)
            yield difference, difference
        if image.n_channels not in seen.channels:
            trained = " or ".join(text("color-mode", n_channels=n) for n in seen.channels)
            mode = text("color-mode", n_channels=image.n_channels)
            difference = text("channels-differ", channels=mode, trained=trained)
            yield difference, difference
        width, height = str(image.width_px), str(image.height_px)
        if record.plan.box is None and self._is_field(image):
            n = image.width_px * image.height_px // seen.usual_area_px
            yield _FIELD, text("image-is-field", width=width, height=height, n_times=n)
        elif not (_is_near(image.width_px, seen.width_px) and _is_near(image.height_px, seen.height_px)):
            low, high = (f"{seen.width_px[i]} x {seen.height_px[i]}" for i in (0, 1))
            trained = text("size-of-training-images", low=low, high=high, is_range=low != high)
            self._odd_size = self._odd_size or (width, height)
            first_width, first_height = self._odd_size
            yield (
                text("sizes-differ", width=first_width, height=first_height, trained=trained),
                text("size-differs", width=width, height=height, trained=trained),
            )
        if self._preprocessing.is_too_large(image.width_px, image.height_px):
            difference = text("larger-than-canvas", canvas_px=self._preprocessing.canvas_px)
            yield difference, difference

    def _is_field(self, image: PreprocessedImage) -> bool:
        return image.width_px * image.height_px >= _FIELD_FACTOR * self._seen.usual_area_px

    def notes(self) -> list[Note]:
        """One sentence per kind, and what to do about it; then what was unusual about reading the images."""
        unusual = [
            note("unusual-images", n_images=n, observation=observation) for observation, n in self._read.most_common()
        ]
        return [*self._unfamiliar(), *(_note(difference, n) for difference, n in self._counts.most_common()), *unusual]

    def _unfamiliar(self) -> Iterator[Note]:
        """That more images are unfamiliar than would be by chance, were they like those of training."""
        known, n, n_judged = self._familiarity, self._n_unfamiliar, self._n_judged
        if known is None or not n or more_than_expected(n, n_judged, known.n_beyond, known.n) > _BY_CHANCE:
            return
        expected = n_judged * (known.n_beyond + 1) / (known.n + 1)
        yield note(
            "unfamiliar-images",
            level="warning",
            n_images=n,
            n_predicted=n_judged,
            n_expected=round(expected, 1),
        )


def _note(difference: str, n: int) -> Note:
    if difference == _FIELD:
        return note("field-of-view", level="warning", n_images=n, factor=_FIELD_FACTOR)
    return note("unlike-training", level="warning", n_images=n, difference=difference)


def _is_near(size: int, seen: tuple[int, int]) -> bool:
    return seen[0] / _SIZE_FACTOR <= size <= seen[1] * _SIZE_FACTOR
