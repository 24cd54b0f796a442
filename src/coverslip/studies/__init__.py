"""Studies: training and comparison of datasets x networks x initializations x splits."""

from coverslip.studies.cells import Cell, cells_of
from coverslip.studies.choosing import with_choices
from coverslip.studies.comparing import (
    DatasetComparison,
    StudyComparison,
    VariantDifference,
    VariantScores,
    compare_study,
    verdict,
)
from coverslip.studies.plan import StudyPlan, load_plan, plan_from_text, plan_of, save_plan
from coverslip.studies.presets import (
    PRESETS,
    SMALL_PER_CLASS,
    Preset,
    arm_names,
    model_name,
    preset_plan,
    preset_recipe,
)
from coverslip.studies.published import PublishedFigure
from coverslip.studies.report import study_sections
from coverslip.studies.results import ResultRow
from coverslip.studies.running import CellState, CellWord, state_of
from coverslip.studies.study import check_cells, plan_study, resume_study, run_study, study_comparison
from coverslip.studies.timing import cell_seconds

__all__ = [
    "PRESETS",
    "SMALL_PER_CLASS",
    "Cell",
    "CellState",
    "CellWord",
    "DatasetComparison",
    "Preset",
    "PublishedFigure",
    "ResultRow",
    "StudyComparison",
    "StudyPlan",
    "VariantDifference",
    "VariantScores",
    "arm_names",
    "cell_seconds",
    "cells_of",
    "check_cells",
    "compare_study",
    "load_plan",
    "model_name",
    "plan_from_text",
    "plan_of",
    "plan_study",
    "preset_plan",
    "preset_recipe",
    "resume_study",
    "run_study",
    "save_plan",
    "state_of",
    "study_comparison",
    "study_sections",
    "verdict",
    "with_choices",
]
