"""The main job, readable from top to bottom: one split, folds, and training in two steps."""

from coverslip.experiments.beginning import agreed, begin_run, check_budget, checked, grouped, rest_of_budget
from coverslip.experiments.cross_validation import measure_folds, refuse_fold
from coverslip.experiments.evaluating import evaluate_on, evaluation_name
from coverslip.experiments.measuring import measure
from coverslip.experiments.one_split import train_one_split
from coverslip.experiments.parts import Parts
from coverslip.experiments.training_run import train_in

__all__ = [
    "Parts",
    "agreed",
    "begin_run",
    "check_budget",
    "checked",
    "evaluate_on",
    "evaluation_name",
    "grouped",
    "measure",
    "measure_folds",
    "refuse_fold",
    "rest_of_budget",
    "train_in",
    "train_one_split",
]
