"""The built-in finders: one record for each kind of finding."""

from coverslip.datasets.quality.finders import images, labels
from coverslip.datasets.quality.finding import Finder

# Within a severity, the most important first: this is the order of findings.
BUILT_IN = (
    Finder("leakage", "error", "finding-leakage.title", labels.leakage),
    Finder("no-labels", "error", "finding-no-labels.title", labels.no_labels),
    Finder("one-class", "error", "finding-one-class.title", labels.one_class),
    Finder("unlike-channels", "error", "finding-unlike-channels.title", images.unlike_channels),
    Finder("confounded-groups", "error", "finding-confounded-groups.title", labels.confounded_groups),
    Finder("missing-files", "warning", "finding-missing-files.title", images.missing_files),
    Finder("unreadable", "warning", "finding-unreadable.title", images.damaged_files),
    Finder("conflicting-labels", "warning", "finding-conflicting-labels.title", labels.conflicting_labels),
    Finder("duplicates", "warning", "finding-duplicates.title", labels.exact_copies),
    Finder("class-not-in-training", "warning", "finding-class-not-in-training.title", labels.classes_not_trained),
    Finder("small-class", "warning", "finding-small-class.title", labels.small_classes),
    Finder("near-duplicates", "warning", "finding-near-duplicates.title", labels.changed_copies),
    Finder("hidden-groups", "warning", "finding-hidden-groups.title", labels.hidden_groups),
    Finder("no-groups", "warning", "finding-no-groups.title", labels.no_groups, unless="hidden-groups"),
    Finder(
        "class-in-few-groups",
        "warning",
        "finding-class-in-few-groups.title",
        labels.classes_in_few_groups,
        unless="confounded-groups",
    ),
    Finder("few-groups", "warning", "finding-few-groups.title", labels.few_groups, unless="confounded-groups"),
    Finder("channel-files", "warning", "finding-channel-files.title", labels.channel_files),
    Finder("groups-divide-copies", "warning", "finding-groups-divide-copies.title", labels.copies_in_several_groups),
    Finder(
        "group-is-class", "warning", "finding-group-is-class.title", labels.group_is_class, unless="confounded-groups"
    ),
    Finder("no-signal", "warning", "finding-no-signal.title", images.no_signal),
    Finder("shortcut", "warning", "finding-shortcut.title", images.shortcuts),
    Finder("mixed-bit-depths", "warning", "finding-mixed-bit-depths.title", images.mixed_bit_depths),
    Finder("slight-shortcut", "advice", "finding-slight-shortcut.title", images.slight_shortcuts),
    Finder("unlabeled", "advice", "finding-unlabeled.title", labels.unlabeled),
    Finder("cut-off", "advice", "finding-cut-off.title", images.cut_off),
    Finder("blurred", "advice", "finding-blurred.title", images.blurred),
    Finder("saturated", "advice", "finding-saturated.title", images.saturated),
    Finder("imbalance", "advice", "finding-imbalance.title", labels.imbalance),
    Finder("similar-class-names", "advice", "finding-similar-class-names.title", labels.similar_class_names),
    Finder("mixed-channels", "advice", "finding-mixed-channels.title", images.mixed_channels),
    Finder("boxes-beyond-edge", "advice", "finding-boxes-beyond-edge.title", images.boxes_beyond_edge),
    Finder("several-planes", "advice", "finding-several-planes.title", images.several_planes),
)
