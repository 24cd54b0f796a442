"""Two ways to train on the same splits: which is better, and how likely, though the splits share training images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation.results import LEVEL

_N_RESAMPLES = 10_000  # as in the chromosome paper (docs/papers/chromosomes_two_step.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureDifference:
    """How much better one way of training is than another, over splits. All in the metric's own unit."""

    n_splits: int
    df: int  # degrees of freedom of Student's t
    mean: float  # second minus first
    low: float | None  # of the 95 % interval; None where splits cannot tell
    high: float | None
    p: float | None  # two-sided, of no difference on average
    p_better: float | None  # probability that the second is better by more than the region of practical equivalence
    p_equal: float | None  # that both are equivalent
    p_worse: float | None


def procedure_difference(
    differences: Sequence[float], *, test_to_train: float, equivalence: float = 0.01, n_units: int | None = None
) -> ProcedureDifference:
    """The corrected resampled t test, and what the same distribution says of practical equivalence.

    Trainings on several splits of the same images share most of their training images, so their differences vary less
    than those of independent studies would: the variance of their mean is s² (1/J + n_test/n_train) in place of s²/J
    (Nadeau and Bengio 2003, Inference for the Generalization Error). The probabilities are those of the Bayesian
    correlated t test (Corani and Benavoli 2015), whose posterior is the same t distribution.

    Splitting the same groups again and again tells no more than the groups do: Student's t has no more degrees of
    freedom than there are groups, less one. Without that, ten repeats of five folds of ten groups find a difference
    where there is none in 8 of 100 studies (benchmarks/study_error_rate.py).

    Args:
        differences: (J,) of the metric, second minus first, one per split; seeds of one split averaged before.
        test_to_train: test images per image of a split that is not tested, validation images and those that training
            leaves out by a cap among them: they, too, are what splits share.
        equivalence: half the width of the region of practical equivalence about 0.
        n_units: groups that all splits share out; images, where they are alone. None: not known.

    Returns:
        Only the mean where there are fewer than two splits, or all differences are alike.

    Raises:
        ValueError: no differences, or no training images.
    """
    from scipy.special import stdtr, stdtrit

    found = np.asarray(differences, dtype=float)
    if not len(found) or not 0 <= test_to_train < math.inf:
        raise ValueError("there must be a difference, and training images")
    mean = float(found.mean())
    df = min(len(found), n_units or len(found)) - 1
    if df < 1 or found.std() < 1e-12:
        return ProcedureDifference(
            n_splits=len(found),
            df=df,
            mean=mean,
            low=None,
            high=None,
            p=None,
            p_better=None,
            p_equal=None,
            p_worse=None,
        )
    error = math.sqrt(found.var(ddof=1) * (1 / len(found) + test_to_train))
    reach = float(stdtrit(df, (1 + LEVEL) / 2)) * error
    worse = float(stdtr(df, (-equivalence - mean) / error))
    better = float(stdtr(df, (mean - equivalence) / error))
    return ProcedureDifference(
        n_splits=len(found),
        df=df,
        mean=mean,
        low=mean - reach,
        high=mean + reach,
        p=float(2 * stdtr(df, -abs(mean) / error)),
        p_better=better,
        p_equal=max(0.0, 1 - better - worse),
        p_worse=worse,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AsIfIndependent:
    """What usual tests say, which take splits for independent studies and find differences where there are none."""

    t_p: float  # paired t test over splits, two-sided
    bootstrap_low: float  # splits drawn with replacement: 95 % of the means lie between, in the metric's unit
    bootstrap_high: float

    @property
    def bootstrap_shows(self) -> bool:
        """Whether the bootstrap's interval leaves out zero."""
        return self.bootstrap_low > 0 or self.bootstrap_high < 0


def as_if_independent(differences: Sequence[float]) -> AsIfIndependent | None:
    """The paired t test and the percentile bootstrap over splits, to be shown beside `procedure_difference`.

    Both forget that splits share training images, and a bootstrap of five values is too narrow even where they do not.
    How often they err: benchmarks/study_error_rate.py.

    Args:
        differences: (J,) of the metric, second minus first, one per split.

    Returns:
        None where there are fewer than two splits, or all differences are alike.
    """
    from scipy.special import stdtr

    found = np.asarray(differences, dtype=float)
    if len(found) < 2 or found.std() < 1e-12:
        return None
    t = found.mean() / math.sqrt(found.var(ddof=1) / len(found))
    drawn = np.random.default_rng(0).integers(len(found), size=(_N_RESAMPLES, len(found)))
    low, high = np.quantile(found[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return AsIfIndependent(
        t_p=float(2 * stdtr(len(found) - 1, -abs(t))), bootstrap_low=float(low), bootstrap_high=float(high)
    )


def units_to_show(found: ProcedureDifference, n_units: int, *, effect: float) -> int | None:
    """How many groups would show a difference of this size in four of five studies.

    The standard error falls with the root of their number, as far as it comes from which images there are.

    Args:
        found: of `n_units` groups.
        n_units: groups, or images where they are alone.
        effect: the difference to be shown, in the metric's unit.

    Returns:
        None where there is no interval to go by, or no effect.
    """
    from scipy.special import ndtri, stdtrit

    if found.low is None or found.high is None or effect <= 0:
        return None
    error = (found.high - found.low) / 2 / float(stdtrit(found.df, (1 + LEVEL) / 2))
    return math.ceil(n_units * (float(ndtri((1 + LEVEL) / 2) + ndtri(0.8)) * error / effect) ** 2)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Each p adjusted for all that were asked at once (Holm 1979); None where there is none.

    Args:
        p: from 0 to 1, in any order.
    """
    known = sorted((value, i) for i, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, i) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        adjusted[i] = largest
    return adjusted
