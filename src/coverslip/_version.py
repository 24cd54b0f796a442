"""The version of coverslip."""

__version__ = "0.1.0"
