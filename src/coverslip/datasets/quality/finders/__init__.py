"""The table of all findings that can be made from names, tables and decoded images: one record each."""

from coverslip.datasets.quality.finders import images, labels
from coverslip.datasets.quality.finding import Finder

# Of one severity, the gravest first: so they are told.
BUILT_IN = (
    Finder("leakage", "error", "On two sides of the predefined split", labels.leakage),
    Finder("no-labels", "error", "No labels", labels.no_labels),
    Finder("one-class", "error", "A single class", labels.one_class),
    Finder("unlike-channels", "error", "Different numbers of channels", images.unlike_channels),
    Finder("confounded-groups", "error", "Each class in a single group", labels.confounded_groups),
    Finder("missing-files", "warning", "Not found", images.missing_files),
    Finder("unreadable", "warning", "Cannot be read", images.damaged_files),
    Finder("conflicting-labels", "warning", "Same pixels, different classes", labels.conflicting_labels),
    Finder("duplicates", "warning", "Same pixels, same class", labels.exact_copies),
    Finder("class-not-in-training", "warning", "No training images of a class", labels.classes_not_trained),
    Finder("small-class", "warning", "Small classes", labels.small_classes),
    Finder("near-duplicates", "warning", "Near-duplicates", labels.changed_copies),
    Finder("hidden-groups", "warning", "Groups in names", labels.hidden_groups),
    Finder("no-groups", "warning", "No groups", labels.no_groups, unless="hidden-groups"),
    Finder(
        "class-in-few-groups",
        "warning",
        "Classes of few groups",
        labels.classes_in_few_groups,
        unless="confounded-groups",
    ),
    Finder("few-groups", "warning", "Few groups", labels.few_groups, unless="confounded-groups"),
    Finder("channel-files", "warning", "Files that are channels", labels.channel_files),
    Finder("groups-divide-copies", "warning", "Duplicates in different groups", labels.copies_in_several_groups),
    Finder("group-is-class", "warning", "One class in each group", labels.group_is_class, unless="confounded-groups"),
    Finder("no-signal", "warning", "Labels that images do not tell", images.no_signal),
    Finder("shortcut", "warning", "Labels told without the object", images.shortcuts),
    Finder("mixed-bit-depths", "warning", "Mixed bit depths", images.mixed_bit_depths),
    Finder("slight-shortcut", "advice", "Labels partly told without the object", images.slight_shortcuts),
    Finder("unlabelled", "advice", "Images without a label", labels.unlabelled),
    Finder("cut-off", "advice", "Objects cut off by the edge", images.cut_off),
    Finder("blurred", "advice", "Blurred images", images.blurred),
    Finder("saturated", "advice", "Too bright to show detail", images.saturated),
    Finder("imbalance", "advice", "Unequal classes", labels.imbalance),
    Finder("similar-class-names", "advice", "Similar class names", labels.similar_class_names),
    Finder("mixed-channels", "advice", "Mixed channels", images.mixed_channels),
    Finder("boxes-beyond-edge", "advice", "Crops beyond the edge", images.boxes_beyond_edge),
    Finder("several-planes", "advice", "Several planes", images.several_planes),
)
