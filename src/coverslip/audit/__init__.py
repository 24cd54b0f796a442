"""What features tell about the data."""

from coverslip.audit.learning_curve import MOST_IMAGES, learning_curve, nested_order

__all__ = ["MOST_IMAGES", "learning_curve", "nested_order"]
