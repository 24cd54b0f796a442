"""Studies: training and comparison of datasets x networks x initializations x splits."""

from coverslip.studies.cells import Cell, cells_of
from coverslip.studies.comparing import (
    DatasetComparison,
    ProtocolGap,
    PublishedFigure,
    StudyComparison,
    VariantDifference,
    VariantScores,
    compare_study,
    usual_verdict,
    verdict,
)
from coverslip.studies.figures import drawings_of
from coverslip.studies.plan import StudyPlan, load_plan, plan_from_text, save_plan
from coverslip.studies.presets import PRESETS, Preset, preset_plan
from coverslip.studies.report import study_sections
from coverslip.studies.results import ResultRow
from coverslip.studies.running import CellState, CellWord, state_of
from coverslip.studies.study import check_cells, plan_study, resume_study, run_study, study_comparison
from coverslip.studies.timing import cell_seconds

__all__ = [
    "PRESETS",
    "Cell",
    "CellState",
    "CellWord",
    "DatasetComparison",
    "Preset",
    "ProtocolGap",
    "PublishedFigure",
    "ResultRow",
    "StudyComparison",
    "StudyPlan",
    "VariantDifference",
    "VariantScores",
    "cell_seconds",
    "cells_of",
    "check_cells",
    "compare_study",
    "drawings_of",
    "load_plan",
    "plan_from_text",
    "plan_study",
    "preset_plan",
    "resume_study",
    "run_study",
    "save_plan",
    "state_of",
    "study_comparison",
    "study_sections",
    "usual_verdict",
    "verdict",
]
