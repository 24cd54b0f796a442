"""Images that show the same though their pixels differ."""

from coverslip.audit.copies.finding import (
    SeenWhileScanning,
    with_cached_near_duplicates,
    with_near_duplicates,
    with_recorded_near_duplicates,
)

__all__ = [
    "SeenWhileScanning",
    "with_cached_near_duplicates",
    "with_near_duplicates",
    "with_recorded_near_duplicates",
]
