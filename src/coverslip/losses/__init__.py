"""What training makes small: what a recipe may name, as records. The functions load torch; this does not."""

from coverslip.losses.table import GROUPINGS, LOSSES, Grouping, LossRecord, check_options

__all__ = ["GROUPINGS", "LOSSES", "Grouping", "LossRecord", "check_options"]
