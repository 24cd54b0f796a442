"""Class proportions of new images: as given by the user, and as estimated from their probabilities."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping

import numpy as np

from coverslip.datasets import UNFAMILIAR, ImageRecord, PreprocessedImage, one_line
from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric, chance_of_shares, estimated_shares
from coverslip.evaluation.ood import more_than_expected
from coverslip.evaluation.prevalence import FEWEST_IMAGES, METHOD
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


_NEARLY_ONE = 1e-6
_MOST_IMAGES = 20_000  # the last ones, so that memory does not grow with their number
_MOST_NAMED = 4  # classes in a note
_MOST_LISTED = 12  # classes in an error
_MOST_UNFAMILIAR = 0.2  # share of the images: beyond it classes plainly do not look as in training


def stated_shares(card: ClassifierCard, prevalence: Mapping[str, float]) -> tuple[float, ...]:
    """(K,) of all classes: those that are not named divide the rest as among the training images.

    Raises:
        CoverslipError: a class is not the classifier's, or the shares make no whole.
    """
    if unknown := [name for name in prevalence if name not in card.classes]:
        raise CoverslipError(
            "unknown-class-of-prevalence", name=unknown[0], classes=", ".join(card.classes[:_MOST_LISTED])
        )
    if bad := [name for name, share in prevalence.items() if not 0 < share < 1]:
        raise CoverslipError("prevalence-out-of-range", name=bad[0])
    rest, are_all_named = 1 - sum(prevalence.values()), len(prevalence) == len(card.classes)
    if rest < _NEARLY_ONE if not are_all_named else abs(rest) > 1e-3:
        raise CoverslipError("prevalence-not-one" if are_all_named else "prevalence-leaves-nothing")
    others = sum(p for name, p in zip(card.classes, card.prior, strict=True) if name not in prevalence)
    return tuple(
        prevalence.get(name, rest * p / others if others else p)
        for name, p in zip(card.classes, card.prior, strict=True)
    )


def note_on_thresholds(card: ClassifierCard) -> Note | None:
    """Return the note that given class proportions disable the thresholds; None if the classifier has none."""
    if card.operating_points is None:
        return None
    thresholds = dict(zip(card.classes, card.operating_points, strict=True))
    return note("thresholds-set-aside", thresholds=thresholds)


class EstimatedShares:
    """How frequent classes seem to be among predicted images.

    Args:
        card: of the classifier, with the shares that its probabilities take for granted.
    """

    def __init__(self, card: ClassifierCard) -> None:
        self._card = card
        self._probabilities: deque[tuple[float, ...]] = deque(maxlen=_MOST_IMAGES)
        self._n = self._n_unfamiliar = 0

    def add(self, row: Prediction) -> None:
        """Take a predicted image into account."""
        if row.probabilities:
            self._probabilities.append(row.probabilities)
            self._n += 1
            self._n_unfamiliar += row.decision == UNFAMILIAR

    def by_class(self) -> dict[str, Metric]:
        """The share of each class, with an interval; without a value where images are too few, or too strange."""
        classes = self._card.classes
        if self._are_strange:
            reason = text("too-many-unfamiliar-images")
            return dict.fromkeys(classes, Metric(value=None, method=METHOD, reason=reason))
        return dict(zip(classes, estimated_shares(self._of_all, self._card.prior), strict=True))

    def note(self) -> Note | None:
        """That classes seem to be more or less frequent than the probabilities take for granted; None: they do not."""
        if self._are_strange or len(self._probabilities) < FEWEST_IMAGES:
            return None
        if chance_of_shares(self._of_all, self._card.prior) > _BY_CHANCE:
            return None
        shares = self.by_class()
        priors = dict(zip(self._card.classes, self._card.prior, strict=True))
        others = sorted(shares, key=lambda name: -abs((shares[name].value or 0) - priors[name]))[:_MOST_NAMED]
        proportions = [
            text(
                "class-proportion",
                name=one_line(name),
                value=shares[name].value,
                low=shares[name].low,
                high=shares[name].high,
                assumed=priors[name],
            )
            for name in others
        ]
        values = {name: shares[name].value for name in others}
        return note("other-prevalence", proportions="; ".join(proportions), values=values)

    @property
    def _are_strange(self) -> bool:
        return self._n_unfamiliar > _MOST_UNFAMILIAR * self._n

    @property
    def _of_all(self) -> np.ndarray:
        """(n, K)."""
        return np.array(self._probabilities, dtype=np.float64).reshape(-1, len(self._card.classes))
