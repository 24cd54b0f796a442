"""Figures and the self-contained HTML report of a run folder."""

from coverslip.reports.comparing import compare
from coverslip.reports.page import template, write_report

__all__ = ["compare", "template", "write_report"]
