"""The shares of classes among new images, as somebody states them."""

from collections.abc import Mapping

from coverslip.errors import CoverslipError
from coverslip.runs import ClassifierCard

_NEARLY_ONE = 1e-6


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
