"""The images of a dataset with their labels, groups and sets from names and tables, without decoding."""

from coverslip.datasets.index.boxes import has_box_columns
from coverslip.datasets.index.channel_files import channel_names, with_plan
from coverslip.datasets.index.classes import ClassPlan, Name, check_classes, shared_class_notes, with_classes
from coverslip.datasets.index.folders import is_folder, list_images
from coverslip.datasets.index.in_memory import Axes
from coverslip.datasets.index.names import (
    clean_label,
    counted,
    has_image_suffix,
    is_hidden,
    name_as_text,
    name_from_text,
    natural_key,
    one_line,
    printable,
    some,
)
from coverslip.datasets.index.opening import (
    ImageSource,
    check_pattern,
    grouped_by_pattern,
    is_image,
    open_dataset,
    open_image_file,
    reopen_dataset,
    with_groups,
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
)
from coverslip.datasets.index.table import ALIASES, PLAIN_TABLE_SUFFIXES, TABLE_NAMES, is_table, plain_name, read_table
from coverslip.datasets.index.table_columns import TableContent, describe_table, with_mapping
from coverslip.datasets.index.table_rows import EXCLUDED_BY_HAND

__all__ = [
    "ALIASES",
    "DECISIONS",
    "EXCLUDED_BY_HAND",
    "PLAIN_TABLE_SUFFIXES",
    "SIDES",
    "TABLE_NAMES",
    "UNCERTAIN",
    "UNFAMILIAR",
    "UNREADABLE",
    "Axes",
    "ClassPlan",
    "Dataset",
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
    "clean_label",
    "counted",
    "describe_table",
    "grouped_by_pattern",
    "has_box_columns",
    "has_image_suffix",
    "is_folder",
    "is_hidden",
    "is_image",
    "is_table",
    "list_images",
    "name_as_text",
    "name_from_text",
    "natural_key",
    "one_line",
    "open_dataset",
    "open_image_file",
    "plain_name",
    "printable",
    "read_table",
    "reopen_dataset",
    "shared_class_notes",
    "some",
    "with_classes",
    "with_groups",
    "with_mapping",
    "with_plan",
]
