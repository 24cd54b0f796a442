"""Splits into training, validation and test set, and cross-validation folds."""

from coverslip.datasets.splits.folding import (
    Folds,
    cap_training,
    check_no_split,
    fold_images,
    inner_folds,
    is_over_cap,
    plan_folds,
    tested_classes,
)
from coverslip.datasets.splits.partition import fold_units, split_units
from coverslip.datasets.splits.splitting import (
    Split,
    check_class_names,
    check_groups,
    check_no_class_is_empty,
    check_trainable,
    split_images,
    trained_classes,
)

__all__ = [
    "Folds",
    "Split",
    "cap_training",
    "check_class_names",
    "check_groups",
    "check_no_class_is_empty",
    "check_no_split",
    "check_trainable",
    "fold_images",
    "fold_units",
    "inner_folds",
    "is_over_cap",
    "plan_folds",
    "split_images",
    "split_units",
    "tested_classes",
    "trained_classes",
]
