"""What pixels and features tell about the data."""

from coverslip.audit.copies import SeenWhileScanning, with_copies, with_known_copies
from coverslip.audit.learning_curve import MOST_IMAGES, learning_curve, nested_order

__all__ = [
    "MOST_IMAGES",
    "SeenWhileScanning",
    "learning_curve",
    "nested_order",
    "with_copies",
    "with_known_copies",
]
