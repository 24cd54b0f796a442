"""Figures and the self-contained HTML report of a run folder."""

from coverslip.reports.comparing import compare
from coverslip.reports.page import write_report

__all__ = ["compare", "write_report"]
