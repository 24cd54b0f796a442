"""What Python functions show while they work."""

from coverslip.progress.listener import show

__all__ = ["show"]
