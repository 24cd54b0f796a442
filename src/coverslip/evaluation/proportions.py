"""Class proportions in samples, corrected for the classifier's errors, with intervals that include them.

An image contributes a vote for each class: 1 for its predicted class, or its probabilities if the decision is left
open. Mean votes are linear in the true proportions, with the mean votes of labeled images of each class as the
coefficients. This holds if the classifier errs alike in the samples and in the labeled images (label shift).

A single sample, such as a patient, has error rates of its own. They differ from the mean as those of groups of labeled
images do, which the intra-group correlation of votes measures. In a mean over samples, they contribute to the
differences between samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.intervals import exact_ends
from coverslip.evaluation.results import LEVEL

Floats = npt.NDArray[np.float64]

_N_DRAWS, _N_DRAWS_OF_MANY = 10_000, 1_000  # for two classes and for more
_N_DRAWS_OF_SIGN = 200  # whether classes are distinguished, which each page of results asks
MOST_BY_CHANCE = 0.2  # of these draws do not distinguish the classes; with more, nothing is corrected
_FEWEST_KNOWN = 0.5  # share of draws that distinguish more than two classes in a sample, for an interval
_MOST_STEPS, _CLOSE_ENOUGH, _START = 200, 1e-5, 1e-3  # of expectation maximization: steps, change, smallest start
Z = 1.959964  # of 95 %
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_SMALLEST = 1e-12
_MOST_ERRORS = 8.0  # standard errors; p is not below 1e-15, since quantiles of Student's t are not exact beyond
_SEED, _SEED_OF_SAMPLES, _SEED_OF_RATES = 0, 1, 2  # of draws: of mean rates, of votes, and of the rates of a sample
_MOST_IMAGES = 10.0  # that an image with votes for several classes counts as


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes of images, by unit that is sampled independently: a sample, or a group of labeled images.

    Args:
        sums: (S, K) sums of the votes of each unit.
        n: (S,) images of each unit, at least 1.
        squares: (S, K) sums of squared votes; None: all votes are 0 or 1.
    """

    sums: Floats
    n: Floats
    squares: Floats | None = None

    @classmethod
    def of(cls, votes: Floats, units: Sequence[object]) -> "Votes":
        """Return the votes (n, K) of images, whose units are named by `units`."""
        _, unit = np.unique(np.asarray(units, dtype=str), return_inverse=True)
        sums = np.zeros((int(unit.max(initial=-1)) + 1, votes.shape[1]))
        squares = sums.copy()
        np.add.at(sums, unit, votes)
        np.add.at(squares, unit, votes**2)
        return cls(sums, np.bincount(unit).astype(np.float64), squares)

    @property
    def shares(self) -> Floats:
        """(S, K) mean votes of each unit."""
        shares: Floats = self.sums / self.n[:, None]
        return shares


@dataclass(frozen=True, slots=True)
class EffectiveCounts:
    """Mean votes, and the number of independent images that is as informative about them."""

    shares: Floats  # (K,)
    n: float


def effective_counts(votes: Votes) -> EffectiveCounts:
    """Return the mean over units, each with equal weight, and the effective number of images.

    The number follows from the variance between units, by the design effect with the correction of Korn and Graubard
    (1998) for few units. With one unit, or without variance, it is the number of images.
    """
    return _effective_counts(votes, np.full(len(votes.n), 1 / len(votes.n)))


def pooled_counts(votes: Votes) -> EffectiveCounts:
    """Return the mean over images, and the effective number of images, as `effective_counts` does for units.

    With units of very different sizes, the mean over units can be far from that over images.
    """
    return _effective_counts(votes, votes.n / votes.n.sum())


def _effective_counts(votes: Votes, weights: Floats) -> EffectiveCounts:
    """Return the mean of the units with these weights, which sum to 1, and the effective number of images."""
    mean: Floats = weights @ votes.shares
    n_images, of_one_image = float(votes.n.sum()), float((mean * (1 - mean)).sum())
    if len(weights) == 1 or of_one_image <= 0:
        return EffectiveCounts(mean, n_images)
    # Large units draw the mean towards themselves, and have small residuals. Degrees of freedom are those of the number
    # of equal units with this sum of squared weights (Kish). Of equal units, both are the usual ones.
    equal_units = 1 / float((weights**2).sum())
    residuals = (weights / np.maximum(1 - weights, _SMALLEST))[:, None] * (votes.shares - mean)
    variance = float((residuals**2).sum()) * (len(weights) - 1) / len(weights)
    if variance <= 0:
        return EffectiveCounts(mean, n_images)
    from scipy.special import stdtrit

    few_units = (Z / float(stdtrit(max(1.0, equal_units - 1), _TAILS[1]))) ** 2
    return EffectiveCounts(mean, min(n_images, of_one_image / variance * few_units))


_PRIOR, _N_CORRELATIONS = 3.0, 60  # of a beta distribution (1, 3) with mean 1/4; values
# Equally probable before any label is known.
_CORRELATIONS: Floats = 1 - (1 - (np.arange(_N_CORRELATIONS) + 0.5) / _N_CORRELATIONS) ** (1 / _PRIOR)
_WEIGHT_OF_OTHERS = 0.3  # of the labels of other classes, since correlations of classes are similar, but not equal


@dataclass(frozen=True, slots=True)
class IntraGroupCorrelation:
    """How much votes on images of a class resemble each other within groups: what is known about it.

    Args:
        probabilities: of `_CORRELATIONS`.
    """

    probabilities: Floats

    @property
    def value(self) -> float:
        """The mean: 0 if error rates of groups are equal, 1 if all images of a group are right or all are wrong."""
        return float(_CORRELATIONS @ self.probabilities)

    @property
    def interval(self) -> tuple[float, float]:
        """The central 95 %: wide, if there are few errors or groups."""
        low, high = np.searchsorted(self.probabilities.cumsum(), _TAILS)
        return float(_CORRELATIONS[low]), float(_CORRELATIONS[min(high, _N_CORRELATIONS - 1)])

    def draws(self, rng: np.random.Generator, n: int) -> Floats:
        """Return (n,) values with these probabilities."""
        return rng.choice(_CORRELATIONS, n, p=self.probabilities)


def correlations_within_groups(by_class: Sequence[Votes | None]) -> list[IntraGroupCorrelation | None]:
    """Return the correlation of votes of each class; None: unknown, since no group can be compared with another.

    Votes of groups have a Dirichlet-multinomial distribution. A class with few errors or few groups does not determine
    its correlation: one error that is alone in its group is as likely at any correlation. So each starts from a
    distribution, and labels of other classes count too, with less weight.

    Source: benchmarks/proportions.py.
    """
    likelihoods = [None if votes is None else _log_likelihood(votes) for votes in by_class]
    stated = [each for each in likelihoods if each is not None]
    total = np.sum(stated, axis=0) if stated else np.zeros(_N_CORRELATIONS)
    correlations: list[IntraGroupCorrelation | None] = []
    for of_class in likelihoods:
        if of_class is None:
            correlations.append(None)
            continue
        logs = of_class + _WEIGHT_OF_OTHERS * (total - of_class)
        weights = np.exp(logs - logs.max())
        correlations.append(IntraGroupCorrelation(weights / weights.sum()))
    return correlations


def _log_likelihood(votes: Votes) -> Floats | None:
    """Return that of `_CORRELATIONS`; None: there is one group, or one image in each.

    Votes that are probabilities vary less than votes of 0 and 1: an image with such a vote counts as several images.
    """
    from scipy.special import gammaln

    n_groups, n_images = len(votes.n), float(votes.n.sum())
    if n_groups < 2 or n_images <= n_groups:
        return None
    total = votes.sums.sum(axis=0)
    means = (total + 1 / len(total)) / (n_images + 1)  # with one further image, as in draws
    squares = votes.sums if votes.squares is None else votes.squares
    within = float((squares.sum(axis=0) - (votes.sums**2 / votes.n[:, None]).sum(axis=0)).sum())
    of_binary = float((total - (votes.sums**2 / votes.n[:, None]).sum(axis=0)).sum())
    factor = min(of_binary / within, _MOST_IMAGES) if within > _SMALLEST else 1.0
    sums, n = factor * votes.sums, factor * votes.n
    concentration = (1 - _CORRELATIONS) / _CORRELATIONS
    group, k = np.nonzero(sums)
    of_votes = concentration[:, None] * means[k]
    of_groups = gammaln(concentration)[:, None] - gammaln(concentration[:, None] + n)
    likelihood: Floats = (gammaln(of_votes + sums[group, k]) - gammaln(of_votes)).sum(axis=1) + of_groups.sum(axis=1)
    return likelihood


# Messages of the catalogue.
Reason = Literal["summary-uninformative", "summary-class-without-images", "summary-adapted"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """Corrected proportions of all classes with their intervals, or the reason why there are none."""

    shares: Floats  # (K,) the most likely ones
    low: Floats  # (K,)
    high: Floats
    unclipped: Floats  # (K,) the exact solution, which can be below 0 or above 1; without bias, for means and tests
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class ErrorsOfSample:
    """The expected errors of the proportions of a single sample.

    Squared errors are sums over the classes.
    """

    standard: Floats  # (K,) standard errors of the unclipped proportions
    squared_counted: float  # of counted proportions; can be below 0, since their bias is estimated
    squared_corrected: float  # of corrected proportions


@dataclass(frozen=True, slots=True)
class ErrorOfRates:
    """The standard error of a difference that the uncertainty of the error rates causes."""

    relative: float = 0.0  # of two classes: in proportion to the difference
    absolute: tuple[float, ...] = ()  # of each of more classes


class ErrorRates:
    """How a classifier votes on images of each class, from labeled images that it was not fitted on.

    Rates are those over images: groups with few images of a class are often unlike others, and count little in new
    samples too. Their uncertainty follows from the differences between groups.

    Args:
        by_class: the votes of labeled images of each class, by group; None: no image.
        grouped: those of images whose group is stated; None: of all images.
        incomplete: why a class has no image.
    """

    def __init__(
        self,
        by_class: Sequence[Votes | None],
        grouped: Sequence[Votes | None] | None = None,
        incomplete: Reason = "summary-class-without-images",
    ) -> None:
        self._incomplete = incomplete
        self.is_complete = all(votes is not None for votes in by_class)
        self._rows = [pooled_counts(votes) for votes in by_class if votes is not None]
        self.matrix: Floats = np.array([row.shares for row in self._rows])  # (K, K) by true class and vote
        self._grouped = by_class if grouped is None else grouped

    @cached_property
    def correlations(self) -> list[IntraGroupCorrelation | None]:
        """How much error rates differ between groups, by true class; None where it is not known."""
        return correlations_within_groups(self._grouped)

    @cached_property
    def reason(self) -> Reason | None:
        """Why labeled images do not allow a correction; None if they do."""
        if not self.is_complete:
            return self._incomplete
        return None if self._is_informative else "summary-uninformative"

    def correct(self, votes: Votes, *, has_mean_rates: bool = False) -> Corrected:
        """Return the proportions in these samples, or the reason why labeled images do not allow a correction.

        The interval of a single sample includes that its error rates differ from the mean, where their correlation
        within groups is known.

        Args:
            votes: of images by sample.
            has_mean_rates: whether a single unit has the mean error rates.
        """
        counts = effective_counts(votes)
        if self.reason is not None:
            nothing = np.full(len(counts.shares), np.nan)
            return Corrected(nothing, nothing, nothing, nothing, self.reason)
        shares = solve(self.matrix, counts.shares[None])[0]
        is_own = len(votes.n) == 1 and not has_mean_rates
        # By chance, votes can be further out than the error rates allow. Their interval would be the narrower, the less
        # possible they are, so that it is that of the votes to expect with the nearest proportions.
        counts_within = EffectiveCounts(shares @ self.matrix, counts.n)
        low, high = self._melded(counts_within, is_own) if len(shares) == 2 else self._by_draws(counts_within, is_own)
        # At least the width for a classifier without errors that finds no image, or only images, of a class.
        least = 1 - _TAILS[0] ** (1 / counts.n)
        low, high = np.minimum(np.minimum(low, shares), 1 - least), np.maximum(np.maximum(high, shares), least)
        unclipped = np.linalg.solve(self.matrix.T, counts.shares).astype(np.float64)
        return Corrected(shares, low, high, unclipped)

    def errors_of_sample(self, votes: Votes) -> ErrorsOfSample:
        """Return the expected errors of counted and of corrected proportions of a sample.

        Where error rates of samples differ much, a correction by the mean rates adds more error than it removes. The
        bias of counted proportions is estimated by their distance from corrected ones, without the part that is due to
        chance. Errors of corrected proportions are those of draws of the rates and images of such a sample.

        Source: benchmarks/proportions.py compares the choice by them with both.

        Args:
            votes: of one sample, for a complete matrix that allows a correction.
        """
        counts = effective_counts(votes)
        shares, inverse = solve(self.matrix, counts.shares[None])[0], np.linalg.inv(self.matrix)
        variance = self._variance_of_votes(counts, shares, are_means_known=False)
        of_votes = self._variance_of_votes(counts, shares, are_means_known=True)
        bias = counts.shares - counts.shares @ inverse
        by_chance = np.eye(len(shares)) - inverse
        squared_bias = (bias**2).sum() - np.trace(by_chance.T @ variance @ by_chance)

        expected = np.maximum((shares @ self._matrices_of_sample) * counts.n, _SMALLEST)
        gammas = np.random.default_rng(_SEED_OF_SAMPLES).gamma(expected)
        drawn = np.clip(gammas / gammas.sum(axis=1, keepdims=True) @ inverse, 0, 1)
        drawn /= drawn.sum(axis=1, keepdims=True)
        return ErrorsOfSample(
            np.sqrt(np.diag(inverse.T @ variance @ inverse)),
            float(np.trace(of_votes) + squared_bias),
            float(((drawn - shares) ** 2).sum(axis=1).mean()),
        )

    def _variance_of_votes(self, counts: EffectiveCounts, shares: Floats, *, are_means_known: bool) -> Floats:
        """Return the (K, K) covariance of the votes of a sample: of images, of its rates, and of unknown mean rates."""
        variance = (np.diag(counts.shares) - np.outer(counts.shares, counts.shares)) / counts.n
        for share, row, correlation in zip(shares, self._rows, self.correlations, strict=True):
            of_rates = np.diag(row.shares) - np.outer(row.shares, row.shares)
            within = 0.0 if correlation is None else correlation.value
            of_mean = 0.0 if are_means_known else (1 - within) / row.n
            variance = variance + share**2 * of_rates * (within + of_mean)
        return variance

    def variance_of_sample(self, votes: Votes) -> Floats:
        """Return the (K,) variances of the unclipped proportions of a sample around its true proportions.

        Those of several samples of one classifier differ by this much. The uncertainty of the mean rates has an equal
        effect on all of them, and is not included.

        Args:
            votes: of one sample, for a complete matrix that allows a correction.
        """
        counts = effective_counts(votes)
        shares = solve(self.matrix, counts.shares[None])[0]
        inverse = np.linalg.inv(self.matrix)
        return np.diag(inverse.T @ self._variance_of_votes(counts, shares, are_means_known=True) @ inverse).copy()

    @cached_property
    def _is_informative(self) -> bool:
        """Whether the classifier distinguishes the classes, as far as labeled images tell; few of them may do.

        Source: benchmarks/proportions.py, with few test images.
        """
        if float(np.linalg.det(self.matrix)) <= _SMALLEST:
            return False
        return float((np.linalg.det(self._mean_matrices(_N_DRAWS_OF_SIGN)) <= 0).mean()) <= MOST_BY_CHANCE

    def error_of_difference(self, difference: Floats) -> "ErrorOfRates":
        """Return how far the uncertainty of the error rates affects a difference of two unclipped proportions.

        Args:
            difference: (K,) of unclipped proportions, for a complete matrix that allows a correction.
        """
        if len(difference) == 2:  # the difference of votes, divided by sensitivity + specificity - 1
            right = [(row.shares[k] * row.n + 0.5) / (row.n + 1) for k, row in enumerate(self._rows)]
            variance = sum(rate * (1 - rate) / row.n for rate, row in zip(right, self._rows, strict=True))
            return ErrorOfRates(relative=float(variance) ** 0.5 / float(np.trace(self.matrix) - 1))
        votes = np.broadcast_to(difference @ self.matrix, (_N_DRAWS_OF_MANY, len(difference)))
        drawn = np.linalg.solve(self._matrices.transpose(0, 2, 1), votes[:, :, None])[:, :, 0]
        low, high = np.quantile(drawn, _TAILS, axis=0)  # some draws are close to singular, and have no finite variance
        return ErrorOfRates(absolute=tuple((high - low) / (2 * Z)))

    def _melded(self, counts: EffectiveCounts, is_own: bool) -> tuple[Floats, Floats]:
        """Return the melded intervals of two classes (Bayer, Fay and Graubard 2022).

        Lower and upper ends of each of three rates are drawn from their confidence distributions.
        """
        (low_se, high_se), (low_sp, high_sp) = self._ends_of_sample if is_own else self._mean_ends
        low_q, high_q = _beta_ends(counts.shares[1], counts.n, np.random.default_rng(_SEED_OF_SAMPLES))
        low = float(np.quantile(_rogan_gladen(low_q, high_se, low_sp, unknown=0.0), _TAILS[0]))
        high = float(np.quantile(_rogan_gladen(high_q, low_se, high_sp, unknown=1.0), _TAILS[1]))
        return np.array([1 - high, low]), np.array([1 - low, high])

    @cached_property
    def _mean_ends(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Draws of the ends of mean sensitivity and specificity."""
        rng = np.random.default_rng(_SEED)
        of_first, of_second = self._rows
        sensitivity = _beta_ends(of_second.shares[1], of_second.n, rng)
        return sensitivity, _beta_ends(of_first.shares[0], of_first.n, rng)

    @cached_property
    def _ends_of_sample(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Draws of the sensitivity and the specificity of a sample around the ends of their means."""
        rng = np.random.default_rng(_SEED_OF_RATES)
        (low_se, high_se), (low_sp, high_sp) = (
            [_around(np.column_stack([end, 1 - end]), correlation, rng)[:, 0] for end in ends]
            for ends, correlation in zip(self._mean_ends, self.correlations[::-1], strict=True)
        )
        return (low_se, high_se), (low_sp, high_sp)

    def _by_draws(self, counts: EffectiveCounts, is_own: bool) -> tuple[Floats, Floats]:
        """Return the intervals of more than two classes, from Dirichlet draws of the error rates and the votes.

        Draws are exact solutions, and only the ends are limited. If draws had limits, classes that are nearly absent
        would take from the share of frequent ones, whose intervals were then too low.
        """
        matrices = self._matrices_of_sample if is_own else self._matrices
        votes = _dirichlet(counts, np.random.default_rng(_SEED_OF_SAMPLES))
        is_known = np.linalg.det(matrices) > _SMALLEST  # others do not distinguish the classes
        if is_known.mean() < _FEWEST_KNOWN:
            return np.zeros(len(counts.shares)), np.ones(len(counts.shares))
        drawn = np.linalg.solve(matrices[is_known].transpose(0, 2, 1), votes[is_known][:, :, None])[:, :, 0]
        low, high = np.clip(np.quantile(drawn, _TAILS, axis=0), 0, 1)
        return low, high

    @cached_property
    def _matrices(self) -> Floats:
        """(draws, K, K) draws of the mean error rates."""
        return self._mean_matrices(_N_DRAWS_OF_MANY)

    def _mean_matrices(self, n_draws: int) -> Floats:
        rng = np.random.default_rng(_SEED)
        return np.stack([_dirichlet(row, rng, n_draws) for row in self._rows], axis=1)

    @cached_property
    def _matrices_of_sample(self) -> Floats:
        """(draws, K, K) draws of the error rates of a sample around their means."""
        rng = np.random.default_rng(_SEED_OF_RATES)
        rows = zip(self._matrices.transpose(1, 0, 2), self.correlations, strict=True)
        return np.stack([_around(means, correlation, rng) for means, correlation in rows], axis=1)


def _around(means: Floats, correlation: IntraGroupCorrelation | None, rng: np.random.Generator) -> Floats:
    """Return (n, K) draws of the rates of a sample around their means (n, K), which they are if nothing is known."""
    if correlation is None:
        return means
    drawn = correlation.draws(rng, len(means))[:, None]
    gammas = rng.gamma(means * (1 - drawn) / drawn)
    total = gammas.sum(axis=1, keepdims=True)
    around: Floats = np.where(total > 0, gammas / np.where(total > 0, total, 1), means)
    return around


def solve(matrix: Floats, shares: Floats) -> Floats:
    """Return (n, K) proportions in the simplex, under which mean votes `shares` (n, K) are most likely.

    Args:
        matrix: (K, K), or (n, K, K): mean votes by true class.
        shares: mean votes.
    """
    matrix = np.broadcast_to(matrix, (len(shares), *matrix.shape[-2:]))
    proportions = np.empty_like(shares)
    # The exact solution, where it lies within the simplex; the iteration is for the others.
    is_regular = np.abs(np.linalg.det(matrix)) > _SMALLEST
    exact = np.full_like(shares, 1 / shares.shape[1])
    exact[is_regular] = np.linalg.solve(matrix[is_regular].transpose(0, 2, 1), shares[is_regular][:, :, None])[:, :, 0]
    is_within = (exact >= 0).all(axis=1) & is_regular
    proportions[is_within] = exact[is_within] / exact[is_within].sum(axis=1, keepdims=True)
    outside = np.flatnonzero(~is_within)
    rows, votes, current = matrix[outside], shares[outside], np.clip(exact[outside], _START, 1)
    current /= current.sum(axis=1, keepdims=True)
    for _ in range(_MOST_STEPS if len(outside) else 0):
        expected = np.maximum(np.einsum("nj,njk->nk", current, rows), _SMALLEST)
        new = current * np.einsum("njk,nk->nj", rows, votes / expected)
        new /= np.maximum(new.sum(axis=1, keepdims=True), _SMALLEST)
        is_close = float(np.abs(new - current).max()) < _CLOSE_ENOUGH
        current = new
        if is_close:
            break
    proportions[outside] = current
    return proportions


def _rogan_gladen(positive: Floats, sensitivity: Floats, specificity: Floats, unknown: float) -> Floats:
    """Return proportions; `unknown` where the classifier does not distinguish the classes."""
    informedness = sensitivity + specificity - 1
    is_known = informedness > _SMALLEST
    shares = np.clip((positive + specificity - 1) / np.where(is_known, informedness, 1), 0.0, 1.0)
    return np.where(is_known, shares, unknown)


def _beta_ends(share: float, n: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return draws of the lower and upper confidence distribution of a share."""
    x, draws = share * n, (_N_DRAWS,)
    low = rng.beta(x, n - x + 1, draws) if x > 0 else np.zeros(draws)
    high = rng.beta(x + 1, n - x, draws) if x < n else np.ones(draws)
    return low, high


def _dirichlet(counts: EffectiveCounts, rng: np.random.Generator, n_draws: int = _N_DRAWS_OF_MANY) -> Floats:
    """Return draws (draws, K) of shares, with one further image that is divided evenly among the classes."""
    x = counts.shares * counts.n + 1 / len(counts.shares)
    gammas = rng.gamma(x, size=(n_draws, len(x)))
    drawn: Floats = gammas / np.maximum(gammas.sum(axis=1, keepdims=True), _SMALLEST)
    return drawn


def raw_shares(votes: Votes) -> list[tuple[float, float, float]]:
    """Return the mean votes of each class with their Clopper-Pearson intervals (Korn and Graubard 1998)."""
    counts = effective_counts(votes)
    return [(share, *exact_ends(share, counts.n)) for share in counts.shares.tolist()]


@dataclass(frozen=True, slots=True)
class SampleEstimate:
    """An estimate from samples as independent units; without an interval if they do not vary."""

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    effect_size: float | None = None


def difference_of_means(
    first: Sequence[float],
    second: Sequence[float],
    *,
    is_paired: bool = False,
    relative_error: float = 0.0,
    absolute_error: float = 0.0,
) -> SampleEstimate:
    """Return the mean of the second samples minus that of the first, by Welch's or a paired t test, with Hedges' g.

    A relative error is that of a factor of all values, and has no effect on p. The interval is that of a ratio (Fieller
    1954), so that it contains 0 if and only if p is at least .05; without limits, if the factor may be 0. With an
    absolute error, interval and p are from both errors together.

    Args:
        first, second: at least two samples each.
        is_paired: whether samples at the same place are of one block, such as a patient.
        relative_error: standard error of the factor of the values, divided by it.
        absolute_error: standard error of the difference that is not one of samples.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, stdtr, stdtrit

    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    value, degrees = float(b.mean() - a.mean()), len(a) + len(b) - 2
    pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / degrees
    of_a, of_b = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    squared_error = float((b - a).var(ddof=1)) / len(a) if is_paired else of_a + of_b
    if min(pooled, squared_error) <= _SMALLEST:
        return SampleEstimate(value)
    effect_size = (1 - 3 / (4 * degrees - 1)) * value / float(pooled) ** 0.5
    freedom = len(a) - 1 if is_paired else squared_error**2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    error = squared_error**0.5

    def half_width(z: float) -> float:  # of an interval whose level is that of z standard errors
        return float(np.hypot(stdtrit(freedom, ndtr(-z)) * error, z * absolute_error))

    p = 2 * float(stdtr(freedom, -abs(value) / error))
    if absolute_error:
        is_beyond = half_width(_MOST_ERRORS) <= abs(value)
        z = _MOST_ERRORS if is_beyond else brentq(lambda z: half_width(z) - abs(value), 0, _MOST_ERRORS)
        p = 2 * float(ndtr(-z))
    certain, half = 1 - (Z * relative_error) ** 2, half_width(Z)
    if certain <= 0:
        return SampleEstimate(value, p=p, effect_size=effect_size)
    spread = (value**2 - certain * (value**2 - half**2)) ** 0.5
    return SampleEstimate(value, (value - spread) / certain, (value + spread) / certain, p, effect_size)
