"""Class proportions from a random selection of labeled images and the predictions of all images.

The estimate is the mean of the labels plus `power` times the difference between the mean votes of all images and those
of the labeled images (prediction-powered inference, Angelopoulos et al. 2023). `power` is 1 if predictions equal the
labels and 0 if they say nothing about them (PPI++, Angelopoulos, Duchi and Zrnic 2023). The estimate needs no
assumption about the errors of the classifier.

Images that show none of the classes are selected and predicted too, but are no part of the proportion. It is thus the
ratio of two such means: of the labels of the class, and of the images that show a class.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.intervals import exact_ends
from coverslip.evaluation.proportions import EffectiveCounts, Votes, Z
from coverslip.evaluation.results import Metric
from coverslip.notebooks import html_table

Floats = npt.NDArray[np.float64]

_FURTHER = 0.5  # of an image with a mismatch, and of one without: few labels can contain no mismatch by chance
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProportion(DocumentedFields):
    """The proportion of a class in the samples of a condition, by four methods."""

    n_labels: int  # labels of the class
    raw: Metric
    corrected: Metric
    """Its value is null, with a reason, if it is not corrected."""
    labels: Metric  # from the labels alone
    powered: Metric
    """From labels and predictions (prediction-powered inference)."""
    power: float | None
    """0: predictions do not contribute; null: no estimate."""
    as_precise_as: int | None
    """Number of labels alone that would give the same width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCondition(DocumentedFields):
    """The results of a spot check in a condition."""

    condition: str | None  # None: there are no conditions
    n_samples: int
    n_images: int  # readable images
    n_labeled: int
    n_excluded: int  # drawn images that show no class, or cannot be judged
    accuracy: Metric
    """Each sample has the same weight."""
    expected_accuracy: Metric
    """Of test images of the run, for the class proportions here."""
    difference: Metric
    """Accuracy minus expected accuracy."""
    is_lower: bool | None
    """Whether it is significantly lower than expected; null: unknown."""
    classes: Mapping[str, CheckedProportion]
    remarks: tuple[str, ...]  # what the numbers mean, and why some are missing


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheck(DocumentedFields):
    """Whether a classifier works on predicted images, and class proportions with the help of labels."""

    classes: tuple[str, ...]
    n_drawn: int
    n_labeled: int
    n_excluded: int
    conditions: tuple[CheckedCondition, ...]
    """A single one without a name if there are no conditions."""

    def _repr_html_(self) -> str:
        """Return the accuracy in each condition with its interval, for notebooks."""
        rows = [
            (each.condition, each.n_labeled, number.value, number.low, number.high)
            for each in self.conditions
            for number in (each.accuracy,)
        ]
        columns = ("condition", "labeled images", "accuracy", "low", "high")
        return html_table(f"SpotCheck({self.n_labeled:,} of {self.n_drawn:,} images labeled)", columns, rows)


@dataclass(frozen=True, slots=True)
class CheckedSample:
    """The votes of all images of a sample, and the labels of some of them, which were selected at random.

    Args:
        votes: (N,) of all images for one class, between 0 and 1.
        is_labeled: (n,) numbers of the labeled images among them.
        labels: (n,) 1 for the class, else 0.
        counts: (n,) 1 for an image that shows a class, else 0.
    """

    votes: Floats
    is_labeled: npt.NDArray[np.int64]
    labels: Floats
    counts: Floats

    @property
    def residuals(self) -> Floats:
        """The labels minus their mean in the images that show a class; 0 for other images."""
        share = float(self.labels.sum() / self.counts.sum())
        return self.labels - share * self.counts


@dataclass(frozen=True, slots=True)
class PoweredShare:
    """A proportion with its interval, and how much predictions contribute to it."""

    value: float
    low: float
    high: float
    power: float  # 0: labels alone


def powered_share(samples: Sequence[CheckedSample]) -> PoweredShare:
    """Return the proportion of a class, with each sample of the same weight.

    The variance is the larger one of that between samples, and that of a random selection of images within samples. The
    interval is that of Clopper and Pearson at the number of images with the same variance.

    Args:
        samples: at least one; each has at least one labeled image that shows a class.
    """
    power = _power(samples)
    shares = np.array([_share(each, power) for each in samples])
    value = float(np.clip(shares.mean(), 0, 1))
    n_labeled = float(sum(each.counts.sum() for each in samples))
    if not 0 < value < 1:
        return PoweredShare(value, *exact_ends(value, n_labeled), power)
    of_one_image = value * (1 - value)
    residual = _residual_variance(samples, power)
    within = 0.0
    for each in samples:
        n_images, n_labels, share = len(each.votes), len(each.labels), each.counts.mean()
        within += of_one_image / (n_images * share) + (1 - n_labels / n_images) * residual / (n_labels * share**2)
    n = of_one_image / (within / len(samples) ** 2)
    if len(samples) > 1:
        from scipy.special import stdtrit

        between = float(shares.var(ddof=1)) / len(samples)
        few_samples = (Z / float(stdtrit(len(samples) - 1, 0.975))) ** 2
        n = min(n, of_one_image / max(between, _SMALLEST) * few_samples)
    return PoweredShare(value, *exact_ends(value, n), power)


def _share(sample: CheckedSample, power: float) -> float:
    difference = sample.votes.mean() - sample.votes[sample.is_labeled].mean()
    return float((sample.labels.mean() + power * difference) / sample.counts.mean())


def _power(samples: Sequence[CheckedSample]) -> float:
    """Return the power with the smallest variance, from the images within samples."""
    n = sum(len(each.labels) - 1 for each in samples)
    n_votes = sum(len(each.votes) - 1 for each in samples)
    if n == 0 or n_votes == 0:
        return 0.0
    of_labeled = [(each.residuals, each.votes[each.is_labeled]) for each in samples]
    covariance = sum(float(((y - y.mean()) * (f - f.mean())).sum()) for y, f in of_labeled) / n
    variance = sum(float(((each.votes - each.votes.mean()) ** 2).sum()) for each in samples) / n_votes
    return float(np.clip(covariance / variance, 0, 1)) if variance > _SMALLEST else 0.0


def _residual_variance(samples: Sequence[CheckedSample], power: float) -> float:
    """Return the variance of labels minus `power` times votes within samples, with a further image."""
    residuals = [each.residuals - power * each.votes[each.is_labeled] for each in samples]
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in residuals)
    n = max(1, sum(len(each) - 1 for each in residuals))
    return (squares + _FURTHER * (1 + (1 - power) ** 2)) / (n + 2 * _FURTHER)


def labeled_share(samples: Sequence[CheckedSample]) -> tuple[float, float, float]:
    """Return the proportion of a class and its interval from labels alone, as `raw_shares` of votes."""
    from coverslip.evaluation.proportions import raw_shares

    sums = np.array([[each.labels.sum(), each.counts.sum() - each.labels.sum()] for each in samples])
    return raw_shares(Votes(sums, sums.sum(axis=1)))[0]


def labels_needed(
    half_width: float, share: float, n_images: int, n_samples: int, correlation: float, between: float = 0.0
) -> int | None:
    """Return how many labels give an interval of about this half width.

    Args:
        half_width: of the 95 % interval.
        share: the expected proportion.
        n_images: all images.
        n_samples: the samples of these images; the interval is longer if they are few.
        correlation: the expected correlation between labels and votes; 0: labels alone.
        between: the variance of the true proportions of samples.

    Returns:
        None: not even the labels of all images do.
    """
    from scipy.special import stdtrit

    quantile = Z if n_samples == 1 else float(stdtrit(n_samples - 1, 0.975))
    variance = (half_width / quantile) ** 2 - between / n_samples  # of the estimate, by the choice of images
    of_one_image = share * (1 - share)

    def is_enough(n: int) -> bool:
        if correlation == 0:
            return of_one_image / n <= variance
        # As in `powered_share`, at a power of 1.
        residual = (of_one_image * (1 - correlation**2) * n + _FURTHER) / (n + 2 * _FURTHER)
        return of_one_image / n_images + (1 - n / n_images) * residual / n <= variance

    n = 1 + bisect_left(range(1, n_images + 1), True, key=is_enough)
    return None if n > n_images else n


def expected_correlation(matrix: Floats, shares: Floats, k: int) -> float:
    """Return the correlation between label and vote of a class, if the classifier errs as on its labeled images.

    Args:
        matrix: (K, K) mean votes by true class.
        shares: (K,) proportions of the true classes.
        k: the class.
    """
    vote = float(shares @ matrix[:, k])
    variance = shares[k] * (1 - shares[k]) * vote * (1 - vote)
    if variance <= _SMALLEST:
        return 0.0
    covariance = shares[k] * (matrix[k, k] - vote)
    return float(np.clip(covariance / variance**0.5, 0, 1))


@dataclass(frozen=True, slots=True)
class ExpectedAccuracy:
    """The accuracy that is expected from labeled test images, for other class proportions."""

    value: float
    low: float
    high: float


def expected_accuracy(recalls: Sequence[EffectiveCounts], shares: Floats) -> ExpectedAccuracy:
    """Return the accuracy for class proportions, if recall is that of the test images.

    Args:
        recalls: of each class: the shares of right and wrong predictions with their effective number of images.
        shares: (K,) proportions of the classes.
    """
    recall = np.array([float(each.shares[0]) for each in recalls])
    n = np.array([each.n for each in recalls])
    value = float(shares @ recall)
    smoothed = (recall * n + 1) / (n + 2)  # a recall of 1 is not certain
    variance = float((shares**2 * smoothed * (1 - smoothed) / n).sum())
    of_one_image = float(shares @ smoothed) * (1 - float(shares @ smoothed))
    return ExpectedAccuracy(value, *exact_ends(value, of_one_image / variance))
