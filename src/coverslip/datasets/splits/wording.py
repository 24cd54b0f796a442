"""Notes and errors about splits: classes that cannot be in every set, too few groups, and data leakage."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index import SIDES, Dataset, Side, natural_key, one_line, some
from coverslip.datasets.quality import Leak, LeakKind
from coverslip.errors import BadDataset, LeakageFound
from coverslip.messages import AllowLeakage, Note, Set, note, text

_IGNORE = Set("split.near_duplicates", "ignore")
_MOST_NOTES = 8  # on classes and domains
_MOST_LEAKS = 3  # that are shown


def class_notes(
    dataset: Dataset, order: Sequence[int], units: NDArray[np.intp], side_of: dict[int, Side]
) -> list[Note]:
    """Return notes on classes and domains that cannot be in every set, with the reasons."""
    labels = [dataset.records[i].label or "" for i in order]
    domains = [dataset.records[i].domain for i in order]
    sides, numbers = [side_of[i] for i in order], units.tolist()
    notes = list(_missing_notes(dataset, "class", labels, numbers, sides))
    if len(set(domains)) > 1:
        notes += _missing_notes(dataset, "domain", domains, numbers, sides)
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES - 1 :] = [note("more-missing-parts", level="warning", n=len(notes) - _MOST_NOTES + 1)]
    return notes


def _missing_notes(
    dataset: Dataset,
    subject: Literal["class", "domain"],
    names: Sequence[str],
    units: Sequence[int],
    sides: Sequence[Side],
) -> Iterator[Note]:
    """Yield a note for each class or domain without validation or test images.

    Args:
        dataset: the images.
        subject: what the names belong to.
        names, units, sides: of each image.
    """
    sides_of: dict[str, set[Side]] = defaultdict(set)
    units_of: dict[str, set[int]] = defaultdict(set)
    for name, unit, side in zip(names, units, sides, strict=True):
        sides_of[name].add(side)
        units_of[name].add(unit)
    used, n_of = set(sides), Counter(names)
    for name in sorted(sides_of, key=natural_key):
        missing = [side for side in SIDES if side in used and side not in sides_of[name]]
        if not missing or "train" in missing:
            continue
        n_units = len(units_of[name])
        if n_units < len(used):
            reason = "few-groups" if dataset.has_groups else "few-images"
        else:
            reason = "predefined-split" if dataset.has_predefined_split else "groups"
        yield note(
            "missing-part",
            level="warning",
            subject=subject,
            name=one_line(name, 60),
            missing="-and-".join(missing),
            parts=list(missing),
            reason=reason,
            n_images=n_of[name],
            n_units=n_units,
            n_parts=len(used),
            is_tested="test" not in missing,
        )


def too_few_units(dataset: Dataset, positions: Sequence[int], n_units: int, n_parts: int) -> BadDataset:
    n_images = len(positions)
    if not dataset.has_groups:
        return BadDataset(
            "too-few-distinct-images", file=dataset.root, n_images=n_images, n_units=n_units, n_parts=n_parts
        )
    groups = sorted({dataset.records[i].group or "" for i in positions}, key=natural_key)
    return BadDataset(
        "too-few-separate-groups" if len(groups) > n_units else "too-few-groups",
        file=dataset.root,
        n_images=n_images,
        n_units=n_units,
        n_groups=len(groups),
        groups=some(groups, 3),
        n_parts=n_parts,
    )


def leakage_error(dataset: Dataset, leaks: Sequence[Leak]) -> LeakageFound:
    examples = []
    for leak in leaks[:_MOST_LEAKS]:
        first, second = (dataset.records[i] for i in leak.images[:2])
        examples.append(
            text(
                "leaking-images",
                relation=leak.kind,
                group=one_line(leak.name, 60),
                first=first.predefined_split,
                first_image=one_line(first.image_id, 80),
                second=second.predefined_split,
                second_image=one_line(second.image_id, 80),
            )
        )
    n_of = Counter(leak.kind for leak in leaks)
    counts: dict[LeakKind, Callable[[int], str]] = {
        "group": lambda n: text("leak-of-groups", n=n),
        "pixels": lambda n: text("leak-of-pixels", n=n),
        "near-duplicates": lambda n: text("leak-of-near-duplicates", n=n),
        "chain": lambda n: text("leak-of-chains", n=n),
    }
    grouping = [each for each in dataset.notes if each.code in ("grouped", "not-grouped")]
    return LeakageFound(
        "leaking-split",
        file=dataset.root,
        remedies=(*([_IGNORE] if set(n_of) == {"near-duplicates"} else []), AllowLeakage()),
        leaks=" and ".join(count(n_of[kind]) for kind, count in counts.items() if n_of[kind]),
        examples="; ".join(examples),
        has_more=len(leaks) > _MOST_LEAKS,
        grouping="".join(f" {each.text}" for each in grouping),
        n_leaks=len(leaks),
        notes=[each.code for each in grouping],
    )
