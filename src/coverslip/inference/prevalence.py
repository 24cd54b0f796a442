"""The shares of classes among new images: as somebody states them, and as their probabilities tell."""

from collections import deque
from collections.abc import Mapping

import numpy as np

from coverslip.datasets import one_line
from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric, estimated_shares
from coverslip.messages import Note
from coverslip.runs import ClassifierCard, Prediction

_NEARLY_ONE = 1e-6
_MOST_IMAGES = 20_000  # the last ones, so that memory does not grow with their number
_MOST_NAMED = 4  # classes in a note


def stated_shares(card: ClassifierCard, prevalence: Mapping[str, float]) -> tuple[float, ...]:
    """(K,) of all classes: those that are not named divide the rest as among the training images.

    Raises:
        CoverslipError: a class is not the classifier's, or the shares make no whole.
    """
    if unknown := [name for name in prevalence if name not in card.classes]:
        known = ", ".join(card.classes[:12])
        raise CoverslipError(f"The classifier knows no class '{unknown[0]}'", do=f"It knows {known}.")
    if bad := [name for name, share in prevalence.items() if not 0 < share < 1]:
        raise CoverslipError(
            f"The share of '{bad[0]}' must be more than 0 and less than 1", do="Give 5 % as 0.05, for example."
        )
    rest, named = 1 - sum(prevalence.values()), len(prevalence) == len(card.classes)
    if rest < _NEARLY_ONE if not named else abs(rest) > 1e-3:
        what = "do not add up to 1" if named else "leave nothing for the other classes"
        raise CoverslipError(f"The shares {what}", do="Name some of the classes; the others share the rest.")
    others = sum(p for name, p in zip(card.classes, card.prior, strict=True) if name not in prevalence)
    return tuple(
        prevalence.get(name, rest * p / others if others else p)
        for name, p in zip(card.classes, card.prior, strict=True)
    )


class EstimatedShares:
    """How frequent classes seem to be among predicted images.

    Args:
        card: of the classifier, with the shares that its probabilities take for granted.
    """

    def __init__(self, card: ClassifierCard) -> None:
        self._card = card
        self._probabilities: deque[tuple[float, ...]] = deque(maxlen=_MOST_IMAGES)

    def add(self, row: Prediction) -> None:
        """Take a predicted image into account."""
        if row.probabilities:
            self._probabilities.append(row.probabilities)

    def by_class(self) -> dict[str, Metric]:
        """The share of each class, with an interval; without a value where there are too few images."""
        classes = self._card.classes
        of_all = np.array(self._probabilities, dtype=np.float64).reshape(-1, len(classes))
        return dict(zip(classes, estimated_shares(of_all, self._card.prior), strict=True))

    def note(self) -> Note | None:
        """That classes seem to be more or less frequent than the probabilities take for granted; None: they do not."""
        others = [
            (abs(share.value - prior), name, share, prior)
            for (name, share), prior in zip(self.by_class().items(), self._card.prior, strict=True)
            if share.value is not None and not (share.low or 0) <= prior <= (share.high or 0)
        ]
        if not others:
            return None
        told = [
            f"{one_line(name)} {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) instead of {prior:.1%}"
            for _, name, share, prior in sorted(others, key=lambda other: -other[0])[:_MOST_NAMED]
        ]
        text = (
            f"If images of each class look as those of training do, classes have other shares here: {'; '.join(told)}. "
            "Probabilities take the shares in training for granted."
        )
        values = {name: share.value for _, name, share, _ in others}
        return Note("other-prevalence", text, values=values)
