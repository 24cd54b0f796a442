"""Exports of classifiers for other programs, each verified against the classifier before it is handed out."""

from coverslip.inference.export.exporting import (
    EXPORT_FORMATS,
    Attribution,
    ExportFormat,
    OpenedExport,
    Verification,
    check_export,
    export_to,
    verify,
)

__all__ = [
    "EXPORT_FORMATS",
    "Attribution",
    "ExportFormat",
    "OpenedExport",
    "Verification",
    "check_export",
    "export_to",
    "verify",
]
