"""Metrics, intervals, calibration, decisions and curves: pure functions of arrays."""

from coverslip.evaluation.calibration import (
    ReliabilityBin,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
    without_temperature,
)
from coverslip.evaluation.confusions import ConfusedPair, confused_classes, confused_pairs, hardest_classes
from coverslip.evaluation.curves import Curve, average_precision, pr_curve, roc_curve
from coverslip.evaluation.folds import over_folds
from coverslip.evaluation.intervals import FEW_GROUPS_FOR_INTERVALS, bootstrap_intervals
from coverslip.evaluation.learning import CurvePoint, LearningCurve, extrapolate, no_learning_curve
from coverslip.evaluation.metrics import confusion_matrix, per_class
from coverslip.evaluation.operating_points import OperatingPoint, decided_classes, operating_points
from coverslip.evaluation.paired import Answers, McNemar, mcnemar, paired_differences
from coverslip.evaluation.results import ClassScores, DomainScores, Evaluation, FoldScores, FoldsScores, Metric
from coverslip.evaluation.summary import empty_evaluation, evaluate_predictions
from coverslip.evaluation.table import (
    METRICS,
    Better,
    FromCounts,
    FromSums,
    FromWeights,
    MetricRecord,
    Scale,
    row_metrics,
    score,
    scored_metrics,
)
from coverslip.evaluation.thresholds import learn_decisions, uncertain_threshold

__all__ = [
    "FEW_GROUPS_FOR_INTERVALS",
    "METRICS",
    "Answers",
    "Better",
    "ClassScores",
    "ConfusedPair",
    "Curve",
    "CurvePoint",
    "DomainScores",
    "Evaluation",
    "FoldScores",
    "FoldsScores",
    "FromCounts",
    "FromSums",
    "FromWeights",
    "LearningCurve",
    "McNemar",
    "Metric",
    "MetricRecord",
    "OperatingPoint",
    "ReliabilityBin",
    "Scale",
    "apply_temperature",
    "average_precision",
    "bootstrap_intervals",
    "confused_classes",
    "confused_pairs",
    "confusion_matrix",
    "decided_classes",
    "empty_evaluation",
    "evaluate_predictions",
    "expected_calibration_error",
    "extrapolate",
    "fit_temperature",
    "hardest_classes",
    "learn_decisions",
    "mcnemar",
    "no_learning_curve",
    "operating_points",
    "over_folds",
    "paired_differences",
    "per_class",
    "pr_curve",
    "reliability_bins",
    "roc_curve",
    "row_metrics",
    "score",
    "scored_metrics",
    "uncertain_threshold",
    "without_temperature",
]
