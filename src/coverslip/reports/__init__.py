"""Figures and the self-contained HTML report of a run folder."""

from coverslip.reports.comparison import compare
from coverslip.reports.page import look, template, write_report
from coverslip.reports.sections.methods import methods_text

__all__ = ["compare", "look", "methods_text", "template", "write_report"]
