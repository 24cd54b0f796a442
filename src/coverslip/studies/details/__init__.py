"""What a study shows beside means: changed test images, one dataset among several, epochs, what was tried."""

from coverslip.studies.details.curves import EpochCurve, epoch_curves
from coverslip.studies.details.merging import MergedClass, merged_classes
from coverslip.studies.details.perturbing import Perturbed, measure_perturbed, read_perturbed
from coverslip.studies.details.tried import Tried, idle_first_steps, tried_choices

__all__ = [
    "EpochCurve",
    "MergedClass",
    "Perturbed",
    "Tried",
    "epoch_curves",
    "idle_first_steps",
    "measure_perturbed",
    "merged_classes",
    "read_perturbed",
    "tried_choices",
]
