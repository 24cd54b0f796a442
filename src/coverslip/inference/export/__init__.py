"""Exports of classifiers for other programs, each verified against the classifier before it is handed out."""

from coverslip.inference.export.bioimageio import Attribution
from coverslip.inference.export.exporting import (
    EXPORT_FORMATS,
    ExportFormat,
    check_attribution,
    export_to,
    open_export,
    require_packages,
)
from coverslip.inference.export.verifying import Verification, verify

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
