"""Exports of classifiers for other programs, each verified against the classifier before it is handed out."""

from coverslip.inference.export.exporting import (
    EXPORT_FORMATS,
    Attribution,
    ExportFormat,
    Verification,
    check_attribution,
    export_to,
    open_export,
    require_packages,
    verify,
)

__all__ = [
    "EXPORT_FORMATS",
    "Attribution",
    "ExportFormat",
    "Verification",
    "check_attribution",
    "export_to",
    "open_export",
    "require_packages",
    "verify",
]
