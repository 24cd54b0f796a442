"""Decisions: thresholds of classes, which of two is the positive one, and when a person should decide."""

from coverslip.evaluation.deciding.operating_points import (
    FEWEST_IMAGES,
    OperatingPoint,
    ThresholdCurve,
    ThresholdNumbers,
    decided_classes,
    operating_points,
    threshold_curve,
    threshold_numbers,
    wished_points,
)
from coverslip.evaluation.deciding.rules import (
    DecideBy,
    DecisionRule,
    learn_decisions,
    positive_class,
    uncertain_share,
    uncertain_threshold,
)

__all__ = [
    "FEWEST_IMAGES",
    "DecideBy",
    "DecisionRule",
    "OperatingPoint",
    "ThresholdCurve",
    "ThresholdNumbers",
    "decided_classes",
    "learn_decisions",
    "operating_points",
    "positive_class",
    "threshold_curve",
    "threshold_numbers",
    "uncertain_share",
    "uncertain_threshold",
    "wished_points",
]
