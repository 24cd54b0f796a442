"""The table of all findings that can be made from names, tables and decoded images: one record each."""

from coverslip.datasets.quality.finders import classes, copies, files, groups, names, pixels, quality, signals
from coverslip.datasets.quality.finding import Finder

# Of one severity, the gravest first: so they are told.
BUILT_IN = (
    Finder("leakage", "error", "On two sides of the predefined split", copies.leakage),
    Finder("no-labels", "error", "No labels", classes.no_labels),
    Finder("one-class", "error", "A single class", classes.one_class),
    Finder("unlike-channels", "error", "Different numbers of channels", pixels.unlike_channels),
    Finder("confounded-groups", "error", "Each class in a single group", groups.confounded_groups),
    Finder("missing-files", "warning", "Not found", files.missing_files),
    Finder("unreadable", "warning", "Cannot be read", files.damaged_files),
    Finder("conflicting-labels", "warning", "Same pixels, different classes", copies.conflicting_labels),
    Finder("duplicates", "warning", "Same pixels, same class", copies.exact_copies),
    Finder("class-not-in-training", "warning", "No training images of a class", classes.classes_not_trained),
    Finder("small-class", "warning", "Small classes", classes.small_classes),
    Finder("near-duplicates", "warning", "Near-duplicates", copies.changed_copies),
    Finder("hidden-groups", "warning", "Groups in names", names.hidden_groups),
    Finder("no-groups", "warning", "No groups", groups.no_groups, unless="hidden-groups"),
    Finder(
        "class-in-few-groups",
        "warning",
        "Classes of few groups",
        groups.classes_in_few_groups,
        unless="confounded-groups",
    ),
    Finder("few-groups", "warning", "Few groups", groups.few_groups, unless="confounded-groups"),
    Finder("channel-files", "warning", "Files that are channels", names.channel_files),
    Finder("groups-divide-copies", "warning", "Duplicates in different groups", copies.copies_in_several_groups),
    Finder("group-is-class", "warning", "One class in each group", groups.group_is_class, unless="confounded-groups"),
    Finder("no-signal", "warning", "Labels that images do not tell", signals.no_signal),
    Finder("shortcut", "warning", "Labels told without the object", signals.shortcuts),
    Finder("mixed-bit-depths", "warning", "Mixed bit depths", pixels.mixed_bit_depths),
    Finder("slight-shortcut", "advice", "Labels partly told without the object", signals.slight_shortcuts),
    Finder("unlabelled", "advice", "Images without a label", classes.unlabelled),
    Finder("cut-off", "advice", "Objects cut off by the edge", quality.cut_off),
    Finder("blurred", "advice", "Blurred images", quality.blurred),
    Finder("saturated", "advice", "Too bright to show detail", quality.saturated),
    Finder("imbalance", "advice", "Unequal classes", classes.imbalance),
    Finder("similar-class-names", "advice", "Similar class names", classes.similar_class_names),
    Finder("mixed-channels", "advice", "Mixed channels", pixels.mixed_channels),
    Finder("boxes-beyond-edge", "advice", "Crops beyond the edge", pixels.boxes_beyond_edge),
    Finder("several-planes", "advice", "Several planes", pixels.several_planes),
)
