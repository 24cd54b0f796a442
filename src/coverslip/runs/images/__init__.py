"""The images that a run is about: kept in its folder where they were given in memory, and found again."""

from coverslip.runs.images.contents import ContentHashes, keep_content_hashes, refuse_changed_images
from coverslip.runs.images.keeping import kept_as_files
from coverslip.runs.images.kept_split import earlier_test_labels, keeping_split
from coverslip.runs.images.provenance import (
    evaluated_images_of,
    held_out_images,
    images_of,
    plan_of,
    refuse_other_images,
    same_images,
)

__all__ = [
    "ContentHashes",
    "earlier_test_labels",
    "evaluated_images_of",
    "held_out_images",
    "images_of",
    "keep_content_hashes",
    "keeping_split",
    "kept_as_files",
    "plan_of",
    "refuse_changed_images",
    "refuse_other_images",
    "same_images",
]
