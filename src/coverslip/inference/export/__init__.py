"""Exports of classifiers for other programs, each verified against the classifier before it is handed out."""

from coverslip.inference.export.exporting import (
    EXPORT_FORMATS,
    ExportFormat,
    export_to,
    open_export,
    require_packages,
)
from coverslip.inference.export.verifying import Verification, verify

__all__ = ["EXPORT_FORMATS", "ExportFormat", "Verification", "export_to", "open_export", "require_packages", "verify"]
