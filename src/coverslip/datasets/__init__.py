"""Sets of images: opening, scanning, splitting and inspecting them."""

from coverslip.datasets.index.classes import ClassPlan, check_classes, shared_class_notes, with_classes
from coverslip.datasets.index.opening import open_again, open_dataset, regrouped
from coverslip.datasets.index.records import (
    DECISIONS,
    UNCERTAIN,
    UNFAMILIAR,
    UNREADABLE,
    Dataset,
    ImageRecord,
    Opening,
    Origin,
    Part,
    Side,
    Source,
    counted,
    natural_key,
    one_line,
    some,
)
from coverslip.datasets.pixels import DecodedPixels, PixelCache, PreparedImage, read_prepared
from coverslip.datasets.quality.inspecting import Inspection, inspect_dataset
from coverslip.datasets.quality.scanning import Scan, Unreadable, scan_images
from coverslip.datasets.splits.capping import cap_training
from coverslip.datasets.splits.folding import Folds, check_no_split, plan_folds
from coverslip.datasets.splits.partition import split_units
from coverslip.datasets.splits.splitting import Split, check_class_names, check_trainable, split_images, trained_classes

__all__ = [
    "DECISIONS",
    "UNCERTAIN",
    "UNFAMILIAR",
    "UNREADABLE",
    "ClassPlan",
    "Dataset",
    "DecodedPixels",
    "Folds",
    "ImageRecord",
    "Inspection",
    "Opening",
    "Origin",
    "Part",
    "PixelCache",
    "PreparedImage",
    "Scan",
    "Side",
    "Source",
    "Split",
    "Unreadable",
    "cap_training",
    "check_class_names",
    "check_classes",
    "check_no_split",
    "check_trainable",
    "counted",
    "inspect_dataset",
    "natural_key",
    "one_line",
    "open_again",
    "open_dataset",
    "plan_folds",
    "read_prepared",
    "regrouped",
    "scan_images",
    "shared_class_notes",
    "some",
    "split_images",
    "split_units",
    "trained_classes",
    "with_classes",
]
