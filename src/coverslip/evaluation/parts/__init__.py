"""Numbers of parts of the images: subgroups by a column, and whole groups decided together."""

from coverslip.evaluation.parts.groups import group_decisions
from coverslip.evaluation.parts.subgroups import subgroups

__all__ = ["group_decisions", "subgroups"]
