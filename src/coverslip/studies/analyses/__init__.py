"""Additional analyses of a study: robustness, merged datasets, training curves, pretraining steps, heat maps."""

from coverslip.studies.analyses.curves import EpochCurve, epoch_curves
from coverslip.studies.analyses.explanations import HeatMaps, draw_heat_maps, read_heat_maps
from coverslip.studies.analyses.first_steps import (
    StepDistance,
    Tried,
    idle_first_steps,
    measure_distances,
    read_distances,
    tried_choices,
)
from coverslip.studies.analyses.merging import MergedClass, merged_classes
from coverslip.studies.analyses.robustness import Perturbed, measure_perturbed, read_perturbed

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
