"""The images of a dataset with their labels, groups and sets from names and tables, without decoding."""

from coverslip.datasets.index.boxes import has_box_columns
from coverslip.datasets.index.channel_files import channel_names, with_plan
from coverslip.datasets.index.classes import ClassPlan, Name, check_classes, shared_class_notes, with_classes
from coverslip.datasets.index.folders import FileFinder, is_folder, list_images
from coverslip.datasets.index.in_memory import Axes
from coverslip.datasets.index.matching import ImageFinder
from coverslip.datasets.index.opening import (
    ImageSource,
    check_pattern,
    domains_of_paths,
    grouped_by_pattern,
    has_class_folders,
    is_image,
    merge_datasets,
    open_dataset,
    open_image_file,
    reopen_dataset,
    with_folder_labels,
    with_groups,
    with_unique_ids,
)
from coverslip.datasets.index.records import (
    DECISIONS,
    SIDES,
    UNCERTAIN,
    UNFAMILIAR,
    UNREADABLE,
    Dataset,
    ImageRecord,
    Opening,
    Origin,
    Part,
    Side,
    first_positions,
)
from coverslip.datasets.index.table import (
    read_table,
)
from coverslip.datasets.index.table_columns import TableContent, describe_table, gives_labels, with_mapping
from coverslip.datasets.index.table_rows import EXCLUDED_BY_HAND

__all__ = [
    "DECISIONS",
    "EXCLUDED_BY_HAND",
    "SIDES",
    "UNCERTAIN",
    "UNFAMILIAR",
    "UNREADABLE",
    "Axes",
    "ClassPlan",
    "Dataset",
    "FileFinder",
    "ImageFinder",
    "ImageRecord",
    "ImageSource",
    "Name",
    "Opening",
    "Origin",
    "Part",
    "Side",
    "TableContent",
    "channel_names",
    "check_classes",
    "check_pattern",
    "describe_table",
    "domains_of_paths",
    "first_positions",
    "gives_labels",
    "grouped_by_pattern",
    "has_box_columns",
    "has_class_folders",
    "is_folder",
    "is_image",
    "list_images",
    "merge_datasets",
    "open_dataset",
    "open_image_file",
    "read_table",
    "reopen_dataset",
    "shared_class_notes",
    "with_classes",
    "with_folder_labels",
    "with_groups",
    "with_mapping",
    "with_plan",
    "with_unique_ids",
]
