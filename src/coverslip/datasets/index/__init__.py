"""The images of a dataset, and what names and tables state about them, without decoding."""

from coverslip.datasets.index.boxes import gives_boxes
from coverslip.datasets.index.channel_files import ChannelNames, channel_names, read_as
from coverslip.datasets.index.classes import ClassPlan, Name, check_classes, shared_class_notes, with_classes
from coverslip.datasets.index.folders import has_image_suffix
from coverslip.datasets.index.in_memory import Axes
from coverslip.datasets.index.opening import Given, open_again, open_dataset, regrouped
from coverslip.datasets.index.patterns import grouped_by_pattern
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
    Source,
    clean_label,
    counted,
    name_as_text,
    name_from_text,
    natural_key,
    one_line,
    printable,
    some,
)
from coverslip.datasets.index.table import ALIASES, TABLE_NAMES, plain_name
from coverslip.datasets.index.table_columns import TableContent, describe_table, with_mapping
from coverslip.datasets.index.table_files import PLAIN_TABLE_SUFFIXES, is_table, read_table
from coverslip.datasets.index.tables import EXCLUDED_BY_HAND
from coverslip.datasets.index.unlabeled import open_image_file

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
    "ChannelNames",
    "ClassPlan",
    "Dataset",
    "Given",
    "ImageRecord",
    "Name",
    "Opening",
    "Origin",
    "Part",
    "Side",
    "Source",
    "TableContent",
    "channel_names",
    "check_classes",
    "clean_label",
    "counted",
    "describe_table",
    "gives_boxes",
    "grouped_by_pattern",
    "has_image_suffix",
    "is_table",
    "name_as_text",
    "name_from_text",
    "natural_key",
    "one_line",
    "open_again",
    "open_dataset",
    "open_image_file",
    "plain_name",
    "printable",
    "read_as",
    "read_table",
    "regrouped",
    "shared_class_notes",
    "some",
    "with_classes",
    "with_mapping",
]
