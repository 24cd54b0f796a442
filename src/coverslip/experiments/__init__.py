"""The main job, readable from top to bottom: one split, folds, and training in two steps."""

from coverslip.experiments.copies import write_copies
from coverslip.experiments.cross_validation import folds_of_recipe, measure_folds, refuse_fold
from coverslip.experiments.evaluating import evaluate_on, evaluation_name, measure
from coverslip.experiments.one_split import train_one_split
from coverslip.experiments.preparation import apply_recipe, assign_groups, refuse_leaking_recipe, validated
from coverslip.experiments.run_state import begin_run, check_budget, resume_budget
from coverslip.experiments.split_data import SplitData, capped_split
from coverslip.experiments.training_run import run_training

__all__ = [
    "SplitData",
    "apply_recipe",
    "assign_groups",
    "begin_run",
    "capped_split",
    "check_budget",
    "evaluate_on",
    "evaluation_name",
    "folds_of_recipe",
    "measure",
    "measure_folds",
    "refuse_fold",
    "refuse_leaking_recipe",
    "resume_budget",
    "run_training",
    "train_one_split",
    "validated",
    "write_copies",
]
