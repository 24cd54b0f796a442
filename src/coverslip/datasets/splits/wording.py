"""What is said of a split: classes that cannot be in every part, too few groups, and leaks, in words."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index import SIDES, Dataset, Side, counted, natural_key, one_line, some
from coverslip.datasets.quality import Leak, LeakKind
from coverslip.errors import BadDataset, LeakageFound
from coverslip.messages import AllowLeakage, Note, Set

_IGNORE = Set("split.near_duplicates", "ignore")
SIDE_TITLES: dict[Side, str] = {"train": "training", "val": "validation", "test": "test"}


def class_notes(dataset: Dataset, order: Sequence[int], units: NDArray[np.intp], parts: dict[int, Side]) -> list[Note]:
    """Which classes, and which domains, cannot be in every part, and why."""
    labels = [dataset.records[i].label or "" for i in order]
    domains = [dataset.records[i].domain for i in order]
    sides, numbers = [parts[i] for i in order], units.tolist()
    notes = list(_missing_notes(dataset, "class", labels, numbers, sides))
    if len(set(domains)) > 1:
        notes += _missing_notes(dataset, "domain", domains, numbers, sides)
    if len(notes) > 8:
        notes[7:] = [
            Note("missing-part", f"{len(notes) - 7} more classes or domains are not in every part.", level="warning")
        ]
    return notes


def _missing_notes(
    dataset: Dataset,
    kind: Literal["class", "domain"],
    names: Sequence[str],
    units: Sequence[int],
    sides: Sequence[Side],
) -> Iterator[Note]:
    """What is not in validation or test; for each image what it is of, its unit, and its side are given."""
    sides_of: dict[str, set[Side]] = defaultdict(set)
    units_of: dict[str, set[int]] = defaultdict(set)
    for name, unit, side in zip(names, units, sides, strict=True):
        sides_of[name].add(side)
        units_of[name].add(unit)
    used, n_of = set(sides), Counter(names)
    unit_word = "group" if dataset.has_groups else "distinct image"
    for name in sorted(sides_of, key=natural_key):
        missing = [side for side in SIDES if side in used and side not in sides_of[name]]
        if not missing or "train" in missing:
            continue
        without = " and ".join(SIDE_TITLES[side] for side in missing)
        n_units = len(units_of[name])
        why = (
            f"its {counted(n_of[name], 'image')} make up {counted(n_units, unit_word)}, and a {kind} needs "
            f"{len(used)} to be in every part"
            if n_units < len(used)
            else "the predefined split has none there"
            if dataset.has_predefined_split
            else f"its groups cannot be parted so that every {kind} is in every part"
        )
        so = "its numbers cannot be given" if "test" in missing else "no choice is checked on it"
        text = f"{kind.capitalize()} '{one_line(name, 60)}' has no {without} images: {why}; {so}."
        yield Note("missing-part", text, level="warning", parameters={kind: name, "parts": list(missing)})


def too_few_units(dataset: Dataset, positions: Sequence[int], n_units: int, n_parts: int) -> BadDataset:
    n = counted(len(positions), "usable image")
    if dataset.has_groups:
        groups = sorted({dataset.records[i].group or "" for i in positions}, key=natural_key)
        which = f" ({some(groups, 3)})"
        if len(groups) > n_units:
            which = f" ({len(groups):,} named ones, connected by duplicates)"
        return BadDataset(
            f"{n} belong to {counted(n_units, 'separate group')}{which}, but {n_parts} are needed: a group must not be "
            "in training and test at once",
            file=dataset.root,
            do="Add images of other groups, group by something finer, or exclude duplicates (blank images?) that "
            "connect groups."
            if len(groups) > n_units
            else "Add images of other groups, or group by something finer.",
        )
    return BadDataset(
        f"{n} show {counted(n_units, 'distinct picture')}, but {n_parts} are needed, one for each part",
        file=dataset.root,
        do="Add images: a few dozen of each class are a start.",
    )


def leakage_error(dataset: Dataset, leaks: Sequence[Leak]) -> LeakageFound:
    shown = []
    for leak in leaks[:3]:
        first, second = (dataset.records[i] for i in leak.images[:2])
        places = " and ".join(f"{r.predefined_split} ('{one_line(r.image_id, 80)}')" for r in (first, second))
        what = {
            "group": f"group '{one_line(leak.name, 60)}'",
            "pixels": "the same pixels",
            "copies": "near-duplicates",
            "chain": "images connected by groups and duplicates",
        }[leak.kind]
        shown.append(f"{what} in {places}")
    n = Counter(leak.kind for leak in leaks)
    words: dict[LeakKind, tuple[str, str]] = {
        "group": ("group", "groups"),
        "pixels": ("image with equal pixels", "images with equal pixels"),
        "copies": ("cluster of near-duplicates", "clusters of near-duplicates"),
        "chain": ("chain of groups and duplicates", "chains of groups and duplicates"),
    }
    kinds = [counted(n[kind], singular, plural) for kind, (singular, plural) in words.items() if n[kind]]
    grouping = [note for note in dataset.notes if note.code in ("grouped", "not-grouped")]
    return LeakageFound(
        f"The predefined split has {' and '.join(kinds)} in several parts: {'; '.join(shown)}"
        + ("; ..." if len(leaks) > 3 else ""),
        file=dataset.root,
        do="Move them to one side, leave the split to coverslip, or keep it (the numbers will be too good)."
        + "".join(f" {note.text}" for note in grouping),
        remedies=(*([_IGNORE] if set(n) == {"copies"} else []), AllowLeakage()),
        parameters={"n_leaks": len(leaks), "notes": [note.code for note in grouping]},
    )
