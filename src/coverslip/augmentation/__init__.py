"""Random changes to training images: what a recipe may name, as records. The functions load torch; this does not."""

from coverslip.augmentation.copies import Copies
from coverslip.augmentation.sets import AUGMENT_SETS, AugmentSet
from coverslip.augmentation.table import AUGMENTATIONS, Augmentation

__all__ = ["AUGMENTATIONS", "AUGMENT_SETS", "AugmentSet", "Augmentation", "Copies"]
