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
from coverslip.evaluation.curves import Curve, macro_roc_curve, micro_pr_curve, micro_roc_curve, pr_curve, roc_curve
from coverslip.evaluation.deciding import (
    DecideBy,
    DecisionRule,
    OperatingPoint,
    ThresholdCurve,
    ThresholdNumbers,
    decided_classes,
    learn_decisions,
    operating_points,
    positive_class,
    threshold_curve,
    threshold_numbers,
    uncertain_threshold,
    wished_points,
)
from coverslip.evaluation.folds import over_folds, with_folds
from coverslip.evaluation.influence import Influence
from coverslip.evaluation.intervals import FEW_GROUPS_FOR_INTERVALS, metric_intervals
from coverslip.evaluation.learning import CurvePoint, LearningCurve, extrapolate, no_learning_curve
from coverslip.evaluation.metrics import confusion_matrix
from coverslip.evaluation.paired import Answers, McNemar, mcnemar, paired_differences
from coverslip.evaluation.per_class import per_class
from coverslip.evaluation.procedures import ProcedureDifference, holm, procedure_difference
from coverslip.evaluation.results import ClassScores, DomainScores, Evaluation, FoldScores, FoldsScores, Metric
from coverslip.evaluation.summary import empty_evaluation, evaluate_predictions
from coverslip.evaluation.table import (
    METRICS,
    Better,
    MetricRecord,
    Scale,
    metrics_for_choices,
    of_margins,
    of_mean,
    row_metrics,
    score,
    scored_metrics,
)

__all__ = [
    "FEW_GROUPS_FOR_INTERVALS",
    "METRICS",
    "Answers",
    "Better",
    "ClassScores",
    "ConfusedPair",
    "Curve",
    "CurvePoint",
    "DecideBy",
    "DecisionRule",
    "DomainScores",
    "Evaluation",
    "FoldScores",
    "FoldsScores",
    "Influence",
    "LearningCurve",
    "McNemar",
    "Metric",
    "MetricRecord",
    "OperatingPoint",
    "ProcedureDifference",
    "ReliabilityBin",
    "Scale",
    "ThresholdCurve",
    "ThresholdNumbers",
    "apply_temperature",
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
    "holm",
    "learn_decisions",
    "macro_roc_curve",
    "mcnemar",
    "metric_intervals",
    "metrics_for_choices",
    "micro_pr_curve",
    "micro_roc_curve",
    "no_learning_curve",
    "of_margins",
    "of_mean",
    "operating_points",
    "over_folds",
    "paired_differences",
    "per_class",
    "positive_class",
    "pr_curve",
    "procedure_difference",
    "reliability_bins",
    "roc_curve",
    "row_metrics",
    "score",
    "scored_metrics",
    "threshold_curve",
    "threshold_numbers",
    "uncertain_threshold",
    "wished_points",
    "with_folds",
    "without_temperature",
]
