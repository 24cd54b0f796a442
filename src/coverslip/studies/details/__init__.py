"""What a study shows beside means: changed test images, one dataset among several, epochs, first steps, heat maps."""

from coverslip.studies.details.curves import EpochCurve, epoch_curves
from coverslip.studies.details.first_steps import StepDistance, measure_distances, read_distances
from coverslip.studies.details.heat_maps import HeatMaps, draw_heat_maps, read_heat_maps
from coverslip.studies.details.merging import MergedClass, merged_classes
from coverslip.studies.details.perturbing import Perturbed, measure_perturbed, read_perturbed
from coverslip.studies.details.tried import Tried, idle_first_steps, tried_choices

__all__ = [
    "EpochCurve",
    "HeatMaps",
    "MergedClass",
    "Perturbed",
    "StepDistance",
    "Tried",
    "draw_heat_maps",
    "epoch_curves",
    "idle_first_steps",
    "measure_distances",
    "measure_perturbed",
    "merged_classes",
    "read_distances",
    "read_heat_maps",
    "read_perturbed",
    "tried_choices",
]
