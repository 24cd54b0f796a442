"""Fields of view and the objects in them: one table of objects from masks and from the files of other programs."""

from coverslip.objects.collecting import Summary, collect_objects
from coverslip.objects.fields import FieldNames, list_fields
from coverslip.objects.outlines import Outlines, fill_outlines, trace_labels
from coverslip.objects.table import COLUMNS, FieldOfView, Objects, ObjectsBuilder

__all__ = [
    "COLUMNS",
    "FieldNames",
    "FieldOfView",
    "Objects",
    "ObjectsBuilder",
    "Outlines",
    "Summary",
    "collect_objects",
    "fill_outlines",
    "list_fields",
    "trace_labels",
]
