"""Losses and regularizers: the records that a recipe can name. Importing this package does not import PyTorch."""

from coverslip.losses.table import GROUPINGS, LOSSES, FeatureGrouping, LossRecord, check_options

__all__ = ["GROUPINGS", "LOSSES", "FeatureGrouping", "LossRecord", "check_options"]
