"""Data augmentation: the records that a recipe can name. Importing this package does not import PyTorch."""

from coverslip.augmentation.copies import Copies
from coverslip.augmentation.table import AUGMENT_SETS, AUGMENTATIONS, Augmentation

__all__ = ["AUGMENTATIONS", "AUGMENT_SETS", "Augmentation", "Copies"]
