"""Fields of view and the objects in them: one table of objects from masks and from the files of other programs."""

from coverslip.objects.collecting import (
    ObjectsSummary,
    collect_objects,
    preview_first_table,
    read_objects_of,
)
from coverslip.objects.crops import CropChoices, write_crops
from coverslip.objects.exporting import OBJECT_FORMATS, ObjectFormat, export_predicted, predicted_objects
from coverslip.objects.fields import FieldNames, PointSize, list_fields
from coverslip.objects.finders import Finder, list_finders
from coverslip.objects.finding import FinderSettings, find_objects
from coverslip.objects.object_tables import ObjectTablePreview
from coverslip.objects.outlines import Outlines, fill_outlines, joined, trace_labels
from coverslip.objects.table import (
    COLUMNS,
    FieldImage,
    Objects,
    ObjectsBuilder,
    is_objects_table,
    outlines_in_plane,
    read_objects,
)

__all__ = [
    "COLUMNS",
    "OBJECT_FORMATS",
    "CropChoices",
    "FieldImage",
    "FieldNames",
    "Finder",
    "FinderSettings",
    "ObjectFormat",
    "ObjectTablePreview",
    "Objects",
    "ObjectsBuilder",
    "ObjectsSummary",
    "Outlines",
    "PointSize",
    "collect_objects",
    "export_predicted",
    "fill_outlines",
    "find_objects",
    "is_objects_table",
    "joined",
    "list_fields",
    "list_finders",
    "outlines_in_plane",
    "predicted_objects",
    "preview_first_table",
    "read_objects",
    "read_objects_of",
    "trace_labels",
    "write_crops",
]
