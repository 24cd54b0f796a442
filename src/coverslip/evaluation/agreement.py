"""Agreement of two readers who labeled the same images: percent agreement and Cohen's kappa, with intervals.

Kappa is the agreement beyond chance, as a share of the largest possible one (Cohen 1960, A Coefficient of Agreement for
Nominal Scales). Chance is computed from how often each reader uses each class, so kappa is low for rare classes even if
readers rarely differ; the counts of both readers are therefore reported with it. Intervals are those of `intervals`:
with groups, images of a group are not independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from coverslip.evaluation.intervals import Units, influence_on_counts, influence_on_proportion, metric_with_interval
from coverslip.evaluation.metrics import confusion_matrix, kappa, margins_of
from coverslip.evaluation.results import Metric
from coverslip.messages import message


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two readers agree."""

    n: Annotated[int, Field(description="Images that both labeled.")]
    n_groups: int | None  # of these images; None without groups
    agreement: Annotated[Metric, Field(description="Share of images with equal labels.")]
    kappa: Annotated[Metric, Field(description="Cohen's kappa; its value is null if both used one class only.")]
    classes: tuple[str, ...]
    counts: Annotated[
        tuple[tuple[int, ...], ...],
        Field(description="A row for each class of the first reader, a column for each of the second."),
    ]


def agreement_of(
    first: Sequence[str], second: Sequence[str], classes: Sequence[str], group: Sequence[str | None] | None = None
) -> Agreement:
    """Return the agreement of two readers.

    Args:
        first: (n,) labels of one reader, at least one.
        second: (n,) labels of the other reader, of the same images.
        classes: all classes, in order; classes that neither used are left out.
        group: (n,) groups of the images; None: images are independent.
    """
    used = [name for name in classes if name in {*first, *second}]
    number = {name: k for k, name in enumerate(used)}
    a, b = (np.array([number[name] for name in labels]) for labels in (first, second))
    units = Units.of(a, None if group is None else np.array(group, object), len(used))
    counts = confusion_matrix(a, b, len(used))
    is_equal = a == b
    share = influence_on_proportion(is_equal, np.ones(len(a), bool), a, len(used))
    percent = metric_with_interval(float(is_equal.mean()), share, units, "share")
    value = float(kappa(margins_of(counts)))
    of_kappa = Metric(value=None, method=units.method, reason=message("kappa-of-one-class"))
    if np.isfinite(value):
        of_kappa = metric_with_interval(value, influence_on_counts(kappa, a, b, len(used)), units, "correlation")
    return Agreement(
        n=len(a),
        n_groups=units.n_groups(np.ones(len(a), bool)),
        agreement=replace(percent, n_correct=None, n_images=None, n_groups=None),
        kappa=of_kappa,
        classes=tuple(used),
        counts=tuple(tuple(int(n) for n in row) for row in counts),
    )
