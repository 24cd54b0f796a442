"""How far apart two sets of features are."""

from coverslip.evaluation.distance.between import Distances, PairDistance, SetFacts
from coverslip.evaluation.distance.coral import coral
from coverslip.evaluation.distance.mmd import MMD, median_distance, mmd

__all__ = ["MMD", "Distances", "PairDistance", "SetFacts", "coral", "median_distance", "mmd"]
