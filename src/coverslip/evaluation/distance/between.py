"""What is said of how far apart datasets are."""

from dataclasses import dataclass

from coverslip.evaluation.results import Metric


@dataclass(frozen=True, slots=True)
class SetFacts:
    """One of the datasets."""

    name: str
    n: int  # images that could be read
    n_groups: int | None  # None: none are known, each image counts by itself


@dataclass(frozen=True, slots=True)
class PairDistance:
    """Two of the datasets."""

    a: str
    b: str
    mmd2: Metric
    mmd2_as_published: Metric  # with the bootstrap of images that draws pairs of an image with itself
    p: float  # how often groups dealt out at random are as far apart
    coral: Metric


@dataclass(frozen=True, slots=True)
class Distances:
    """How far apart datasets are."""

    network: str
    n_features: int
    sigma: float  # width of the kernel: the median distance of two images of all datasets
    sets: tuple[SetFacts, ...]
    pairs: tuple[PairDistance, ...]
    nearest: str | None  # to the first dataset; None where there is only one other
    advice: str
