"""Audits of datasets: near-duplicates, image quality, shortcuts, leakage, label issues, learning curves, distances."""

from coverslip.audit.image_quality import image_quality, with_cached_quality, with_quality
from coverslip.audit.leakage_estimate import (
    LeakageAudit,
    cache_leakage_audit,
    cached_leakage_audit,
    estimate_leakage,
    inspect_with_leakage_audit,
)
from coverslip.audit.learning_curve import MOST_IMAGES, learning_curve, nested_order
from coverslip.audit.near_duplicates import (
    ScanCollector,
    with_cached_near_duplicates,
    with_near_duplicates,
    with_recorded_near_duplicates,
)
from coverslip.audit.shortcuts import (
    background_features,
    batch_columns,
    border_features,
    file_tags,
    name_features,
    signal_of,
)

__all__ = [
    "MOST_IMAGES",
    "LeakageAudit",
    "ScanCollector",
    "background_features",
    "batch_columns",
    "border_features",
    "cache_leakage_audit",
    "cached_leakage_audit",
    "estimate_leakage",
    "file_tags",
    "image_quality",
    "inspect_with_leakage_audit",
    "learning_curve",
    "name_features",
    "nested_order",
    "signal_of",
    "with_cached_near_duplicates",
    "with_cached_quality",
    "with_near_duplicates",
    "with_quality",
    "with_recorded_near_duplicates",
]
