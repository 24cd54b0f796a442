"""Data augmentation: the records that a recipe can name. Importing this package does not import PyTorch."""

from coverslip.augmentation.table import AUGMENT_SETS, AUGMENTATIONS, Augmentation
from coverslip.augmentation.transform import Copies

__all__ = ["AUGMENTATIONS", "AUGMENT_SETS", "Augmentation", "Copies"]
