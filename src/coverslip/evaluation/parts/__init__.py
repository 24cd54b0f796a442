"""Numbers of parts of the images: subgroups by a column, and groups."""

from coverslip.evaluation.parts.groups import group_decisions, group_mean_accuracy
from coverslip.evaluation.parts.subgroups import subgroups

__all__ = ["group_decisions", "group_mean_accuracy", "subgroups"]
