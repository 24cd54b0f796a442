"""Class proportions of new images: as given by the user, and as estimated from their probabilities."""

from collections import deque
from collections.abc import Mapping

import numpy as np

from coverslip.datasets import UNFAMILIAR, one_line
from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric, chance_of_shares, estimated_shares
from coverslip.evaluation.prevalence import FEWEST_IMAGES, METHOD
from coverslip.messages import Note, note, text
from coverslip.runs import ClassifierCard, Prediction

_NEARLY_ONE = 1e-6
_MOST_IMAGES = 20_000  # the last ones, so that memory does not grow with their number
_MOST_NAMED = 4  # classes in a note
_MOST_LISTED = 12  # classes in an error
_BY_CHANCE = 0.01  # shares that differ less than this often by chance are worth a note
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
