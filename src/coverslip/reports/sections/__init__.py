"""The sections of the report: a record each. Whoever makes a page of a run goes through the table."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.budget import BUDGET
from coverslip.reports.sections.calibration import CALIBRATION
from coverslip.reports.sections.careless import CARELESS, careless_words
from coverslip.reports.sections.confusion import CONFUSION
from coverslip.reports.sections.curves import CURVES
from coverslip.reports.sections.dataset.examples import EXAMPLES
from coverslip.reports.sections.dataset.flow import FLOW
from coverslip.reports.sections.elsewhere.own_test import OWN_TEST
from coverslip.reports.sections.elsewhere.prediction_sets import PREDICTION_SETS
from coverslip.reports.sections.elsewhere.prevalence import PREVALENCE
from coverslip.reports.sections.elsewhere.unfamiliar import UNFAMILIAR
from coverslip.reports.sections.images import IMAGES
from coverslip.reports.sections.learning import LEARNING
from coverslip.reports.sections.limits import LIMITS
from coverslip.reports.sections.methods import METHODS
from coverslip.reports.sections.numbers import NUMBERS
from coverslip.reports.sections.parts.groups import GROUPS
from coverslip.reports.sections.parts.label_errors import LABEL_ERRORS
from coverslip.reports.sections.parts.map_checks import MAP_CHECKS
from coverslip.reports.sections.parts.relabelled import RELABELLED
from coverslip.reports.sections.parts.subgroups import SUBGROUPS
from coverslip.reports.sections.parts.two_classes import TWO_CLASSES
from coverslip.reports.sections.per_class import PER_CLASS
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.sections.roc import ROC
from coverslip.reports.sections.tiles import LEAST_CERTAIN, MISTAKES
from coverslip.tables import Table

__all__ = ["SECTIONS", "Drawing", "Section", "SectionText", "careless_words", "sections_of"]

SECTIONS: Table[Section] = Table(
    "section",
    (
        OWN_TEST,
        RELABELLED,
        NUMBERS,
        TWO_CLASSES,
        CONFUSION,
        PER_CLASS,
        PREVALENCE,
        UNFAMILIAR,
        GROUPS,
        SUBGROUPS,
        MISTAKES,
        LEAST_CERTAIN,
        CALIBRATION,
        PREDICTION_SETS,
        ROC,
        LEARNING,
        CARELESS,
        LABEL_ERRORS,
        MAP_CHECKS,
        LIMITS,
        FLOW,
        EXAMPLES,
        IMAGES,
        BUDGET,
        METHODS,
        CURVES,
    ),
)


def sections_of(run: ReportedRun) -> list[Section]:
    """Those that there is something to say in, from top to bottom."""
    is_own = run.evaluation is None
    sections = (section for section in SECTIONS.values() if is_own or not section.is_about_training)
    return sorted((section for section in sections if section.applies(run)), key=lambda section: section.order)
