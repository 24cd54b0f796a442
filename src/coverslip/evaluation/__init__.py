"""Metrics, intervals, calibration, thresholds and curves: pure functions of arrays."""

from coverslip.evaluation.calibration import (
    ReliabilityBin,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
    without_temperature,
)
from coverslip.evaluation.curves import Curve, pr_curve, roc_curve
from coverslip.evaluation.folds import over_folds
from coverslip.evaluation.intervals import FEW_GROUPS, Interval, bootstrap_intervals
from coverslip.evaluation.metrics import LOWER_IS_BETTER, METRICS, confusion_matrix, per_class, score
from coverslip.evaluation.summary import evaluate_predictions, nothing_measured
from coverslip.evaluation.thresholds import uncertain_threshold

__all__ = [
    "FEW_GROUPS",
    "LOWER_IS_BETTER",
    "METRICS",
    "Curve",
    "Interval",
    "ReliabilityBin",
    "apply_temperature",
    "bootstrap_intervals",
    "confusion_matrix",
    "evaluate_predictions",
    "expected_calibration_error",
    "fit_temperature",
    "nothing_measured",
    "over_folds",
    "per_class",
    "pr_curve",
    "reliability_bins",
    "roc_curve",
    "score",
    "uncertain_threshold",
    "without_temperature",
]
