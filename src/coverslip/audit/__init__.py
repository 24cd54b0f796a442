"""What pixels and features tell about the data."""

from coverslip.audit.batches import batch_columns
from coverslip.audit.careless_split import what_if
from coverslip.audit.copies import (
    SeenWhileScanning,
    with_cached_near_duplicates,
    with_near_duplicates,
    with_recorded_near_duplicates,
)
from coverslip.audit.file_names import name_features
from coverslip.audit.file_tags import file_tags
from coverslip.audit.image_quality import image_quality, with_known_quality, with_quality
from coverslip.audit.learning_curve import MOST_IMAGES, learning_curve, nested_order
from coverslip.audit.looks import Look, inspect_with_look, keep_look, known_look
from coverslip.audit.shortcuts import signal_of
from coverslip.audit.surroundings import background_features, border_features

__all__ = [
    "MOST_IMAGES",
    "Look",
    "SeenWhileScanning",
    "background_features",
    "batch_columns",
    "border_features",
    "file_tags",
    "image_quality",
    "inspect_with_look",
    "keep_look",
    "known_look",
    "learning_curve",
    "name_features",
    "nested_order",
    "signal_of",
    "what_if",
    "with_cached_near_duplicates",
    "with_known_quality",
    "with_near_duplicates",
    "with_quality",
    "with_recorded_near_duplicates",
]
