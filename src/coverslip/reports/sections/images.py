"""The dataset: images of each class in each set, excluded images, and where the files are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import Cell
from coverslip.reports.words import MANY_CLASSES, count
from coverslip.runs.environment import DomainImages

_PARTS = {"train": "training", "val": "validation", "test": "test", "left-out": "excluded"}


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


def _parts(run: ReportedRun) -> dict[str, str]:
    """The sets of the split that have images, with their titles."""
    titles = {**_PARTS, "test": "tested once"} if run.n_folds else _PARTS
    return {part: title for part, title in titles.items() if run.parts[part]}


def _row(name: str, counts: Sequence[int]) -> list[Cell]:
    return [name, *(count(n) if n else "–" for n in (*counts, sum(counts)))]


def _text(run: ReportedRun) -> SectionText:
    parts = _parts(run)
    by_class: Counter[tuple[str, str]] = Counter((row.label, row.split) for row in run.run.split)
    names = [*run.classes, *sorted({row.label for row in run.run.split} - {*run.classes, ""})]
    if any(row.label == "" for row in run.run.split):
        names.append("")
    rows = [_row(name or "without label", [by_class[name, part] for part in parts]) for name in names]
    return SectionText(tuple(filter(None, [image_kind(run)])), ("class", *parts.values(), "total"), rows)


def _totals(run: ReportedRun) -> list[list[Cell]]:
    """The foot of the table: all images, and their groups."""
    parts = _parts(run)
    n_groups = [len({row.named_group for row in run.used if row.split == part and row.named_group}) for part in parts]
    rows = [_row("all images", [run.parts[part] for part in parts])]
    if n := run.n_excluded_by_hand:
        rows.insert(0, _row("excluded by hand", [n if part == "left-out" else 0 for part in parts]))
    if any(n_groups):
        rows.append(["groups", *(count(n) if n else "–" for n in n_groups), count(run.n_groups)])
    return rows


def _shown(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    reasons = Counter(row.reason or "no reason given" for row in run.run.split if row.split == "left-out")
    if run.n_excluded_by_hand:
        reasons["by hand"] = run.n_excluded_by_hand
    inspection, parts = run.run.inspection, _parts(run)
    by_domain: Counter[tuple[str, str]] = Counter((row.domain, row.split) for row in run.run.split)
    shown = [(_shortened(reason), count(n)) for reason, n in reasons.most_common(6)]
    if n_more := sum(reasons.values()) - sum(n for _, n in reasons.most_common(6)):
        shown.append(("other reasons", count(n_more)))
    return {
        "totals": _totals(run),
        "domains": [_row(name, [by_domain[name, part] for part in parts]) for name in run.domains],
        "is_folded": len(run.classes) > MANY_CLASSES,
        "reasons": shown,
        "n_excluded": sum(reasons.values()),
        "kind": image_kind(run),
        "sources": [_source(images, is_named=bool(run.domains)) for images in run.environment.data],
        "notes": [] if inspection is None else [note.text for note in inspection.notes],
    }


def _source(images: DomainImages, *, is_named: bool) -> str:
    """Where the images of a domain are, in a line."""
    name = f"{images.domain or Path(images.root).name}: " if is_named else ""
    fingerprint = f" · fingerprint {images.fingerprint[:12]}" if images.fingerprint else ""
    return f"{name}{images.root}{fingerprint}"


def _shortened(reason: str) -> str:
    return reason if len(reason) <= 160 else reason[:159] + "…"


IMAGES = Section(
    name="images",
    title="Dataset",
    order=900,
    is_about_training=True,
    subtitle=lambda run: "images of each class in each set",
    text=_text,
    shown=_shown,
    template=Path(__file__).with_name("images.html"),
)
