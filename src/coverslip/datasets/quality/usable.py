"""Images that cannot be used, and the reasons."""

from collections import Counter
from collections.abc import Sequence

from coverslip.datasets.index import Dataset, one_line
from coverslip.datasets.quality.components import labels_of
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.messages import Note, note, text

ON_REQUEST = "on request:"  # begins the reason of an image that is valid but that the recipe excludes


def exclusion_reasons(dataset: Dataset, scan: Scan) -> list[str]:
    reasons = [""] * len(dataset.records)
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.label in dataset.dropped:
            reasons[i] = f"{ON_REQUEST} the class {record.label} is dropped"
        elif isinstance(fact, Unreadable):
            reasons[i] = f"unreadable: {fact.reason}"
        elif record.label is None:
            reasons[i] = "no label"
    for members in scan.equal_pixels:
        labels = labels_of(dataset, members)
        if len(labels) < 2:
            continue
        for i in members:
            if not reasons[i]:
                record = dataset.records[i]
                twin_position = next(j for j in members if dataset.records[j].label in labels - {record.label})
                twin = dataset.records[twin_position]
                reasons[i] = f"same pixels as {twin.image_id}, labeled {twin.label}"
    return reasons


def dropped_notes(dataset: Dataset) -> list[Note]:
    n_of = Counter(record.label for record in dataset.records if record.label in dataset.dropped)
    if not n_of:
        return []
    counts = (text("images-of-class", n_images=n, label=one_line(label or "", 60)) for label, n in n_of.most_common())
    return [note("dropped", n_images=n_of.total(), classes=", ".join(counts))]


def exclusion_notes(reasons: Sequence[str]) -> list[Note]:
    n_of = Counter(reason.split(" ")[0] for reason in reasons if reason)
    reason_of = {"unreadable:": "unreadable", "no": "no-label", "same": "conflicting-labels"}
    return [note("excluded", n_images=n, reason=reason) for word, reason in reason_of.items() if (n := n_of[word])]
