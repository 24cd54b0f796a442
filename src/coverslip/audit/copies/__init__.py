"""Images that show the same though their pixels differ."""

from coverslip.audit.copies.finding import SeenWhileScanning, with_copies, with_known_copies

__all__ = ["SeenWhileScanning", "with_copies", "with_known_copies"]
