"""Figures and the self-contained HTML report of a run folder."""

from coverslip.reports.comparison import compare
from coverslip.reports.page import page_styles, template, write_report
from coverslip.reports.sections.methods import methods_text

__all__ = ["compare", "methods_text", "page_styles", "template", "write_report"]
