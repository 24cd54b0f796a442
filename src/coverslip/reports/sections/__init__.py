"""The sections of the report, as a table of records that every page of a run iterates over."""

from coverslip.reports.blocks import SECTIONS, Drawing, Section, SectionContent, SectionText
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.classes import ADAPTED, CONFUSION, GROUPS, PER_CLASS, SUBGROUPS, TWO_CLASSES
from coverslip.reports.sections.curves import CALIBRATION, CURVES, LEARNING, ROC
from coverslip.reports.sections.data import LABEL_ERRORS, LEAKAGE_ESTIMATE, RELABELED, leakage_sentences
from coverslip.reports.sections.images import EXAMPLES, IMAGES, MAP_CHECKS, MISCLASSIFIED
from coverslip.reports.sections.methods import METHODS
from coverslip.reports.sections.results import LIMITS, NUMBERS, OWN_TEST, PREDICTION_SETS, PREVALENCE, UNFAMILIAR

__all__ = ["SECTIONS", "Drawing", "Section", "SectionContent", "SectionText", "leakage_sentences", "sections_of"]

for record in (
    OWN_TEST,
    RELABELED,
    NUMBERS,
    TWO_CLASSES,
    CONFUSION,
    PER_CLASS,
    ADAPTED,
    PREVALENCE,
    UNFAMILIAR,
    GROUPS,
    SUBGROUPS,
    MISCLASSIFIED,
    CALIBRATION,
    PREDICTION_SETS,
    ROC,
    LEARNING,
    LEAKAGE_ESTIMATE,
    LABEL_ERRORS,
    MAP_CHECKS,
    LIMITS,
    EXAMPLES,
    IMAGES,
    METHODS,
    CURVES,
):
    SECTIONS.add(record)


def sections_of(run: ReportedRun) -> list[Section]:
    """Return the sections that apply to the run, from top to bottom."""
    is_own = run.evaluation is None
    sections = (section for section in SECTIONS.values() if is_own or not section.is_about_training)
    return sorted((section for section in sections if section.applies(run)), key=lambda section: section.order)
