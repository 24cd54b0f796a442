"""Quality of datasets: scans, connected images, data leakage, groups in names, and findings."""

from coverslip.datasets.quality.facts import FEW_GROUPS_FOR_ONE_SPLIT, SOME_GROUPS, GroupFacts, Spread, single_groups
from coverslip.datasets.quality.finding import (
    Finding,
    FindingCase,
    FindingKind,
    Severity,
    list_finders,
    register_finder,
    unregister_finder,
)
from coverslip.datasets.quality.image_findings import channel_advice
from coverslip.datasets.quality.inspecting import FileFact, Inspection, inspect_dataset
from coverslip.datasets.quality.label_findings import similar_names
from coverslip.datasets.quality.name_groups import NameGroups, groups_in_names, patterns_in_names
from coverslip.datasets.quality.name_locations import with_locations
from coverslip.datasets.quality.scanning import (
    ColumnProbe,
    ImageQuality,
    OnPixels,
    PackedFacts,
    PixelHashes,
    ProbeScore,
    Scan,
    Signal,
    SignalSource,
    Unreadable,
    by_field,
    scan_images,
)
from coverslip.datasets.quality.units import (
    ON_REQUEST,
    Leak,
    LeakKind,
    connected_components,
    dropped_notes,
    exclusion_notes,
    exclusion_reasons,
    labels_of,
    predefined_split_leaks,
    undivided_clusters,
)

__all__ = [
    "FEW_GROUPS_FOR_ONE_SPLIT",
    "ON_REQUEST",
    "SOME_GROUPS",
    "ColumnProbe",
    "FileFact",
    "Finding",
    "FindingCase",
    "FindingKind",
    "GroupFacts",
    "ImageQuality",
    "Inspection",
    "Leak",
    "LeakKind",
    "NameGroups",
    "OnPixels",
    "PackedFacts",
    "PixelHashes",
    "ProbeScore",
    "Scan",
    "Severity",
    "Signal",
    "SignalSource",
    "Spread",
    "Unreadable",
    "by_field",
    "channel_advice",
    "connected_components",
    "dropped_notes",
    "exclusion_notes",
    "exclusion_reasons",
    "groups_in_names",
    "inspect_dataset",
    "labels_of",
    "list_finders",
    "patterns_in_names",
    "predefined_split_leaks",
    "register_finder",
    "scan_images",
    "similar_names",
    "single_groups",
    "undivided_clusters",
    "unregister_finder",
    "with_locations",
]
