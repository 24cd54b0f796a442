"""The images: images of each class in each part, what was left out, and where they lay."""

from collections import Counter
from pathlib import Path
from typing import Any

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import MANY_CLASSES

_PARTS = {"train": "training", "val": "validation", "test": "test", "left-out": "left out"}


def image_kind(run: ReportedRun) -> str:
    """Sizes, formats and depths of the images in one line; empty where they are not recorded."""
    inspection = run.run.inspection
    if inspection is None or inspection.width_px is None or inspection.height_px is None:
        return ""
    sides = (inspection.width_px, inspection.height_px)
    smallest, median, largest = (
        " × ".join(f"{getattr(side, of):g}" for side in sides) for of in ("min", "median", "max")
    )
    size = f"{median} pixels" if smallest == largest else f"{smallest} to {largest} pixels (median {median})"
    formats, depths, channels = list(inspection.formats), list(inspection.bit_depths), list(inspection.channels)
    kinds = [", ".join(formats), f"{' and '.join(depths)} bit" if depths else ""]
    kinds.append(f"{' or '.join(channels)} channel{'s' if channels != ['1'] else ''}" if channels else "")
    return " · ".join([size, *filter(None, kinds)])


def _counts(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    titles = {**_PARTS, "test": "tested once"} if run.n_folds else _PARTS
    parts = [part for part in titles if run.parts[part]]
    by_class: Counter[tuple[str, str]] = Counter((row.label, row.split) for row in run.run.split)
    by_domain: Counter[tuple[str, str]] = Counter((row.domain, row.split) for row in run.run.split)
    names = [*run.classes, *sorted({row.label for row in run.run.split} - {*run.classes, ""})]
    groups = [
        len({row.group for row in run.used if row.split == part and row.group}) for part in parts if part != "left-out"
    ]
    return {
        "parts": [titles[part] for part in parts],
        "rows": [(name, [by_class[name, part] for part in parts]) for name in names],
        "domains": [(name, [by_domain[name, part] for part in parts]) for name in run.domains],
        "total": [run.parts[part] for part in parts],
        "groups": groups if any(groups) else [],
    }


def _shown(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    reasons = Counter(row.reason or "no reason given" for row in run.run.split if row.split == "left-out")
    inspection = run.run.inspection
    sources = [
        {"name": images.domain or Path(images.root).name, "root": images.root, "fingerprint": images.fingerprint[:12]}
        for images in run.environment.data
    ]
    return {
        **_counts(run),
        "is_folded": len(run.classes) > MANY_CLASSES,
        "reasons": [(_shortened(reason), n) for reason, n in reasons.most_common(6)],
        "n_left_out": sum(reasons.values()),
        "kind": image_kind(run),
        "sources": sources,
        "notes": [] if inspection is None else inspection.notes,
    }


def _text(run: ReportedRun) -> SectionText:
    counts = _counts(run)
    rows = [(name, *map(str, numbers)) for name, numbers in counts["rows"]]
    return SectionText(tuple(filter(None, [image_kind(run)])), ("class", *counts["parts"]), rows)


def _shortened(reason: str) -> str:
    return reason if len(reason) <= 160 else reason[:159] + "…"


IMAGES = Section(
    name="images",
    title="The images",
    order=900,
    is_about_training=True,
    subtitle=lambda run: "images of each class in each part",
    text=_text,
    shown=_shown,
    template=Path(__file__).with_name("images.html"),
)
