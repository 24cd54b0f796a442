"""Splits into training, validation and test set by connected images, and checks of classes, groups and splits.

Crops of one slide resemble each other, and duplicates are equal. With a random split of images, the network would be
tested on cells that are nearly the same as those in the training set.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index.records import DECISIONS, SIDES, Dataset, Part, Side
from coverslip.datasets.names import counted, natural_key, one_line, some
from coverslip.datasets.quality.related_images import (
    ON_REQUEST,
    Leak,
    LeakKind,
    connected_components,
    dropped_notes,
    exclusion_notes,
    exclusion_reasons,
    labels_of,
    predefined_split_leaks,
)
from coverslip.datasets.quality.scanning import Scan, Unreadable, single_groups
from coverslip.errors import BadDataset, BadRecipe, LeakageFound
from coverslip.messages import AllowLeakage, GroupBy, Note, Set, note, text

# Divide images into sets without dividing units: a pure function of arrays.
#
# A unit is a collection of images that must stay together (the images of a patient, duplicates). Units of one
# image are assigned class by class, which is exact and fast. Larger units are assigned by randomized greedy choice and
# local improvement, many times, and one of the near-best results is drawn. scikit-learn's StratifiedGroupKFold with
# shuffling is not used: with few groups it returned the same partition for every seed.

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# The cost of a class that is missing from training, validation or test set; it exceeds any unevenness. A class with two
# units is in training and test set, since a class without training or test images is worse.
_MISSING = np.array([1500.0, 1000.0, 1100.0])
_MISSING_FROM_FOLD = 1000.0
_MISSING_CELL = 0.01  # relative to a missing class: a class of one domain that another domain has too
_EMPTY_PART = 10.0  # relative to a missing class
_UNITS_WEIGHT = 0.1  # a set should contain its share of units too, or the test set may be a single large patient
_NEAR = (0.01, 0.02, 0.04)  # largest distances from the best of results that may be drawn, in shares of a class
_ENOUGH = 8  # near-best results, sufficient for a random choice
_EXHAUSTIVE = 9  # up to this number of units, every partition is evaluated
_SWAPS_UP_TO = 400  # units; with more, single moves are sufficient


def split_units(
    labels: Ints, unit_of_image: Ints, shares: tuple[float, float, float], seed: int, domains: Ints | None = None
) -> NDArray[np.int8]:
    """Assign each image to a set, so that no unit is divided and every class keeps its shares.

    Args:
        labels: (n_images,) any integers; equal integers are one class.
        unit_of_image: (n_images,) any integers; images with equal integers stay together.
        shares: of training, validation and test set; they sum to 1. A set of share 0 stays empty.
        seed: equal seeds give equal sets; different seeds give different sets if there is a choice.
        domains: (n_images,) any integers; equal integers are one domain, within which classes then keep their shares.
            None: there is one.

    Returns:
        (n_images,) 0 training, 1 validation, 2 test. Every class is in each set if it has enough units, and so is every
        domain, and every class of a domain.

    Raises:
        ValueError: shapes differ, shares do not sum to 1, or there are fewer units than sets.
    """
    share = np.asarray(shares, dtype=np.float64)
    if share.shape != (3,) or share.min() < 0 or abs(share.sum() - 1) > 1e-9:
        raise ValueError(f"shares {shares} must be three numbers of 0 or more that sum to 1")
    active = np.flatnonzero(share)
    return active[_divide(labels, unit_of_image, share[active], _MISSING[active], seed, domains)].astype(np.int8)


def fold_units(labels: Ints, unit_of_image: Ints, n_folds: int, seed: int, domains: Ints | None = None) -> Ints:
    """Assign each image to one of `n_folds` equal folds, so that no unit is divided and classes are divided evenly.

    Args:
        labels, unit_of_image, seed, domains: as for `split_units`.
        n_folds: 2 or more.

    Returns:
        (n_images,) in [0, n_folds). A class is in as many folds as it has units, up to all, and so is a domain.

    Raises:
        ValueError: shapes differ, or there are fewer units than folds.
    """
    share = np.full(n_folds, 1 / n_folds)
    return _divide(labels, unit_of_image, share, np.full(n_folds, _MISSING_FROM_FOLD), seed, domains)


def _divide(labels: Ints, unit_of_image: Ints, share: Floats, missing: Floats, seed: int, domains: Ints | None) -> Ints:
    """Return (n_images,) in [0, P) for sets of these shares; `missing` is the cost of a class that a set lacks."""
    if labels.shape != unit_of_image.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and unit_of_image {unit_of_image.shape} need one and the same length")
    unit_names, unit = np.unique(unit_of_image, return_inverse=True)
    if len(unit_names) < len(share):
        raise ValueError(f"{len(unit_names)} units cannot fill {len(share)} parts")
    levels = _levels(labels, domains)
    cell = levels[0]
    n_cells = cell.max() + 1
    rng = np.random.default_rng(seed)

    # Single images can fill any gap, so they are assigned last. Classes with fewer of them than sets are searched.
    is_single = np.bincount(unit)[unit] == 1
    has_enough = np.bincount(cell[is_single], minlength=n_cells) >= len(share)
    is_stratified = is_single & has_enough[cell]
    part = np.full(len(cell), -1, dtype=np.intp)
    if not is_stratified.all():
        searched_units, searched = np.unique(unit[~is_stratified], return_inverse=True)
        counts, filled = [], []
        for level in levels:
            counts.append(np.zeros((len(searched_units), level.max() + 1)))
            np.add.at(counts[-1], (searched, level[~is_stratified]), 1)
            filled.append(np.bincount(level[is_stratified], minlength=level.max() + 1) > 0)
        part[~is_stratified] = _solve(_Problem.of(counts, share, missing, filled), rng, seed)[searched]
    n_assigned = np.zeros((n_cells, len(share)))
    for p in range(len(share)):
        n_assigned[:, p] = np.bincount(cell[part == p], minlength=n_cells)
    part[is_stratified] = _assign_single_images(cell[is_stratified], n_assigned, share, rng)
    return part


def _levels(labels: Ints, domains: Ints | None) -> list[Ints]:
    """Return the numberings to divide evenly: classes, or with several domains first the classes of each domain."""
    label = np.unique(labels, return_inverse=True)[1]
    if domains is None or len(set(domains.tolist())) < 2:
        return [label]
    domain = np.unique(domains, return_inverse=True)[1]
    cell = np.unique(domain * (label.max() + 1) + label, return_inverse=True)[1]
    return [cell, label, domain]


def _assign_single_images(label: Ints, n_assigned: Floats, share: Floats, rng: np.random.Generator) -> Ints:
    """Return sets for single images that complete the shares of each class, of which `n_assigned` are assigned."""
    part = np.empty(len(label), dtype=np.intp)
    n_of_class = np.bincount(label, minlength=len(n_assigned))
    order = rng.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    ends = np.cumsum(n_of_class)
    carry = np.zeros(len(share))  # cumulative rounding error, which is balanced over many small classes
    for k in rng.permutation(np.flatnonzero(n_of_class)):
        n = n_of_class[k]
        target = np.clip(share * (n_assigned[k].sum() + n) - n_assigned[k], 0, None)
        target *= n / target.sum()
        quota = np.floor(target + 1e-9).astype(np.intp)
        deficit = target - quota + carry + rng.uniform(0, 1e-6, len(share))
        quota[np.argsort(-deficit)[: n - quota.sum()]] += 1
        carry += target - quota
        for p in np.flatnonzero(n_assigned[k] + quota == 0):
            quota[np.argmax(np.where(quota > 0, n_assigned[k] + quota, 0))] -= 1
            quota[p] = 1
        part[order[ends[k] - n : ends[k]]] = np.repeat(np.arange(len(share)), quota)
    return part


@dataclass(frozen=True, slots=True)
class _Problem:
    """Units to divide into P sets, and the criteria of a division.

    Unevenness is the squared distance, over classes, all images and units, between the shares of the sets and their
    targets. Missing is the weighted number of (class, set) pairs without a unit. With several domains, the domains and
    their classes count like classes.
    """

    x: Floats  # (S, C) weighted share of each class, of all images and of all units that a unit contains
    target: Floats  # (C, P) target sums of each set
    present: Floats  # (S, K + 1) 1 if the unit contains the class; the last column is 1: the set is not empty
    missing_cost: Floats  # (K + 1, P)

    @staticmethod
    def of(counts: list[Floats], share: Floats, missing: Floats, filled: list[NDArray[np.bool_]]) -> "_Problem":
        """Return the problem of (units, classes) counts per level; single images put `filled` classes into all."""
        n_units = len(counts[0])
        columns = np.column_stack([*counts, counts[0].sum(axis=1), np.ones(n_units)])
        weights = [np.full(level.shape[1], 1 / level.shape[1]) for level in counts]
        weight = np.concatenate([*weights, [1, _UNITS_WEIGHT]])
        x = columns / np.maximum(columns.sum(axis=0), 1) * np.sqrt(weight)
        present = np.column_stack([*(level > 0 for level in counts), np.ones(n_units)]).astype(np.float64)
        costs = [1.0] if len(counts) == 1 else [_MISSING_CELL, *[1.0] * (len(counts) - 1)]
        factors = [np.where(is_filled, 0.0, cost) for is_filled, cost in zip(filled, costs, strict=True)]
        factor = np.append(np.concatenate(factors), 0.0 if filled[0].any() else _EMPTY_PART)
        return _Problem(x, np.outer(x.sum(axis=0), share), present, np.outer(factor, missing))

    def judge(self, part: Ints) -> tuple[float, float]:
        """Return missing and unevenness."""
        membership = np.eye(self.target.shape[1])[part]
        missing = self.missing_cost[self.present.T @ membership == 0].sum()
        return float(missing), float(np.square(self.x.T @ membership - self.target).sum())


def _solve(problem: _Problem, rng: np.random.Generator, seed: int) -> Ints:
    n_units, n_parts = len(problem.x), problem.target.shape[1]
    if n_units <= _EXHAUSTIVE and n_parts**n_units * problem.target.size < 2e7:
        all_partitions = np.array(list(product(range(n_parts), repeat=n_units)), dtype=np.intp)
        membership = np.eye(n_parts)[all_partitions]  # (N, S, P)
        missing = np.einsum(
            "kp,nkp->n", problem.missing_cost, np.einsum("sk,nsp->nkp", problem.present, membership) == 0
        )
        sums = np.einsum("sc,nsp->ncp", problem.x, membership)
        unevenness = np.square(sums - problem.target).sum(axis=(1, 2))
        near = _near_best(missing, unevenness)
        # A fixed order for all seeds, so that consecutive seeds never draw the same partition.
        near = np.random.default_rng(0).permutation(near)
        partition: Ints = all_partitions[near[seed % len(near)]]
        return partition
    n_starts = int(np.clip(2400 // n_units, 2, 48))
    distinct = {}
    for start in _greedy(problem, rng, n_starts):
        part = _improved(problem, start)
        distinct[part.tobytes()] = part
    partitions = list(distinct.values())
    judged = np.array([problem.judge(part) for part in partitions])
    return partitions[int(rng.choice(_near_best(judged[:, 0], judged[:, 1])))]


def _near_best(missing: Floats, unevenness: Floats) -> Ints:
    """Return the indices of results with the least missing that are hardly more uneven than the best."""
    complete = np.flatnonzero(missing <= missing.min() + 1e-6)
    distance = np.sqrt(unevenness[complete])
    near = complete
    for tolerance in _NEAR:
        near = complete[distance <= distance.min() + tolerance]
        if len(near) >= _ENOUGH:
            break
    return near


def _greedy(problem: _Problem, rng: np.random.Generator, n_starts: int) -> Ints:
    """Return (n_starts, S) divisions: units assigned one by one, each to the set that needs it most.

    Rare classes and large units come first, in an order that is partly random. All divisions grow together, since the
    arrays of one are so small that calls of NumPy would take most of the time.
    """
    n_units, n_parts = len(problem.x), problem.target.shape[1]
    units_of_class = problem.present.sum(axis=0)
    rarity = np.minimum(np.where(problem.present > 0, units_of_class, np.inf).min(axis=1), 10)
    log_size = np.log(np.maximum(problem.x[:, -2], 1e-12))
    orders, noise = np.empty((n_starts, n_units), dtype=np.intp), np.empty((n_starts, n_units, n_parts))
    for start in range(n_starts):
        orders[start] = np.lexsort((-(log_size + rng.normal(0, 0.5, n_units)), rarity))
        noise[start] = rng.uniform(0, 1e-9, (n_units, n_parts))
    starts = np.arange(n_starts)
    part = np.empty((n_starts, n_units), dtype=np.intp)
    excess = np.tile(-problem.target, (n_starts, 1, 1))  # (n_starts, C, P)
    absent = np.tile(problem.missing_cost, (n_starts, 1, 1))
    for units in orders.T:
        x, present = problem.x[units], problem.present[units]
        cost = 2 * x[:, np.newaxis] @ excess - present[:, np.newaxis] @ absent
        p = np.argmin(cost[:, 0] + noise[starts, units], axis=1)
        part[starts, units] = p
        excess[starts, :, p] += x
        absent[starts, :, p] *= present == 0
    return part


def _improved(problem: _Problem, part: Ints) -> Ints:
    """Improve a division by single moves, then by exchanges of two units, as long as possible."""
    part = part.copy()
    n_units, n_parts = len(part), problem.target.shape[1]
    rows = np.arange(n_units)
    self_cost = np.square(problem.x).sum(axis=1)
    gram = problem.x @ problem.x.T if n_units <= _SWAPS_UP_TO else None
    membership = np.eye(n_parts)[part]
    sums = problem.x.T @ membership - problem.target  # (C, P) excess
    holders = problem.present.T @ membership  # (K + 1, P) units that contain a class

    def move(u: int, p: int) -> None:
        sums[:, part[u]] -= problem.x[u]
        holders[:, part[u]] -= problem.present[u]
        sums[:, p] += problem.x[u]
        holders[:, p] += problem.present[u]
        part[u] = p

    for _ in range(4 * n_units + 100):
        projection = problem.x @ sums  # (S, P)
        lost = problem.present @ ((holders == 1) * problem.missing_cost)
        gained = problem.present @ ((holders == 0) * problem.missing_cost)
        uneven = 2 * (projection - projection[rows, part][:, None] + self_cost[:, None])
        change = uneven + lost[rows, part][:, None] - gained
        change[rows, part] = 0
        best = int(np.argmin(change))
        if change.flat[best] < -1e-9:
            move(best // n_parts, best % n_parts)
            continue
        swap = _best_swap(problem, part, holders, projection, self_cost, gram) if gram is not None else None
        if swap is None:
            break
        u, v = swap
        to_u, to_v = int(part[v]), int(part[u])
        move(u, to_u)
        move(v, to_v)
    return part


def _best_swap(
    problem: _Problem, part: Ints, holders: Floats, projection: Floats, self_cost: Floats, gram: Floats
) -> tuple[int, int] | None:
    """Return the two units of different sets whose exchange improves most, or None."""
    best, swap = -1e-9, None
    n_parts = problem.target.shape[1]
    is_scarce = np.any((holders <= 1) & (problem.missing_cost > 0), axis=0)  # sets that can lose or gain a class
    for a in range(n_parts):
        for b in range(a + 1, n_parts):
            us, vs = np.flatnonzero(part == a), np.flatnonzero(part == b)
            if not len(us) or not len(vs):
                continue
            uneven_u = projection[us, b] - projection[us, a] + self_cost[us]
            uneven_v = projection[vs, a] - projection[vs, b] + self_cost[vs]
            change = 2 * (uneven_u[:, None] + uneven_v[None, :] - 2 * gram[np.ix_(us, vs)])
            if is_scarce[a] or is_scarce[b]:
                has_u, has_v = problem.present[us], problem.present[vs]
                # A set loses a class if its last unit with it leaves and the unit that replaces it lacks the class.
                last_a = has_u * ((holders[:, a] == 1) * problem.missing_cost[:, a])
                last_b = has_v * ((holders[:, b] == 1) * problem.missing_cost[:, b])
                change += last_a.sum(axis=1)[:, None] - last_a @ has_v.T
                change += last_b.sum(axis=1)[None, :] - has_u @ last_b.T
                change -= (has_u @ ((holders[:, b] == 0) * problem.missing_cost[:, b]))[:, None]
                change -= (has_v @ ((holders[:, a] == 0) * problem.missing_cost[:, a]))[None, :]
            at = int(np.argmin(change))
            if change.flat[at] < best:
                best, swap = change.flat[at], (int(us[at // len(vs)]), int(vs[at % len(vs)]))
    return swap


# Splits into training, validation and test set by connected images, and checks of classes, groups and splits.

_IGNORE_NEAR_DUPLICATES = Set("split.near_duplicates", "ignore")
_MOST_NOTES = 8  # on classes and domains
_MOST_LEAKS = 3  # in the message


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
        subject: kind of the names.
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
    """Return the error for fewer units than sets."""
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
    """Return the error for leaks of a predefined split, with examples."""
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
        remedies=(*([_IGNORE_NEAR_DUPLICATES] if set(n_of) == {"near-duplicates"} else []), AllowLeakage()),
        leaks=" and ".join(count(n_of[kind]) for kind, count in counts.items() if n_of[kind]),
        examples="; ".join(examples),
        has_more=len(leaks) > _MOST_LEAKS,
        grouping="".join(f" {each.text}" for each in grouping),
        n_leaks=len(leaks),
        notes=[each.code for each in grouping],
    )


_UNEVEN = 0.05  # difference of a set from its share that causes a note


@dataclass(frozen=True)
class Split:
    """The set of each image, in the order of the dataset's records."""

    parts: tuple[Part, ...]
    reasons: tuple[str, ...]  # why an image is excluded; "" for all others
    notes: tuple[Note, ...]


def split_images(
    dataset: Dataset,
    scan: Scan,
    *,
    val: float,
    test: float,
    seed: int,
    allow_leakage: bool = False,
    keeps_split: bool = False,
    balanced: bool = False,
) -> Split:
    """Divide readable, labeled images into training, validation and test set.

    Images that a group or duplicates connect stay in the same set. Classes are divided as evenly as that allows. Each
    class is in all three sets if it has enough groups (without groups: images). Excluded, with a reason, are
    unreadable images, images without a label or of an excluded class, equal pixels with different labels (all of them,
    since it is unknown which label is right), and images of a class without training images. The order of records does
    not matter.

    A predefined split is unchanged. Missing sets are taken from its training set, and rows without a set are added to
    the training set. Domains without a predefined split are split like a separate dataset. With `keeps_split`, the
    predefined split is that of an earlier run, and all other images are added to the training set. With `balanced`,
    each class is first reduced to the size of the smallest, as of `balance_classes`.

    Raises:
        BadDataset: no image can be trained on, or all images belong together.
        LeakageFound: a predefined split has duplicates or a group in two sets, and `allow_leakage` is False.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise BadRecipe("no-training-share", val=val, test=test)
    reasons = exclusion_reasons(dataset, scan)
    notes = [*dropped_notes(dataset), *exclusion_notes(reasons)]
    if balanced:
        notes += balance_classes(dataset, reasons, seed)
    used = (i for i, reason in enumerate(reasons) if not reason)
    order = sorted(used, key=lambda i: dataset.records[i].image_id)
    if not order:
        reason = " ".join(each.text for each in notes).rstrip(".")
        raise BadDataset("no-usable-image", file=dataset.root, n_images=len(dataset.records), reason=reason)
    leaks = predefined_split_leaks(dataset, scan)
    if leaks and not allow_leakage:
        raise leakage_error(dataset, leaks)
    if leaks:
        notes.append(note("leakage", level="warning", n_leaks=len(leaks)))
    units = connected_components(dataset, scan, order)
    side_of: dict[int, Side] = {}
    if dataset.has_predefined_split:
        side_of = _predefined_parts(dataset, units, order)
        domains_with_split = {
            dataset.records[i].domain for i in order if dataset.records[i].predefined_split is not None
        }
        n_free = sum(
            r.predefined_split is None and (r.domain in domains_with_split or keeps_split)
            for r in (dataset.records[i] for i in order)
        )
        if n_free:
            notes.append(note("without-part", n_images=n_free))
    for selected, has_split in [] if keeps_split else _domains_by_split(dataset, order):
        _assign_parts(dataset, order, units, side_of, selected, has_split, (val, test), seed, notes)
    _exclude_untrained(dataset, side_of, reasons, notes)
    notes += class_notes(dataset, order, units, side_of)
    assigned: list[Part] = [side_of.get(i, "excluded") if not reasons[i] else "excluded" for i in range(len(reasons))]
    return Split(tuple(assigned), tuple(reasons), tuple(notes))


_BALANCED = f"{ON_REQUEST} all classes have"  # begins the reason of an image that balancing excludes


def balance_classes(dataset: Dataset, reasons: list[str], seed: int) -> list[Note]:
    """Exclude images before the split, so that each class has as many as the smallest; return a note on them.

    All sets then have equal classes, so that metrics do not describe the proportions of the dataset. The random order
    depends only on the seed and the image_id.

    Args:
        dataset: the images.
        reasons: why each image is excluded; extended in place.
        seed: different seeds exclude different images.
    """
    positions: dict[str, list[int]] = defaultdict(list)
    for i, (record, reason) in enumerate(zip(dataset.records, reasons, strict=True)):
        if not reason:
            positions[record.label or ""].append(i)
    if not positions:
        return []
    n_per_class, n_over = min(map(len, positions.values())), 0
    for of_class in positions.values():
        for i in in_random_order(dataset, of_class, seed)[n_per_class:]:
            reasons[i] = f"{_BALANCED} {counted(n_per_class, 'image')}"
            n_over += 1
    return [note("balanced-before-split", level="warning", n_images=n_over, n_per_class=n_per_class)]


def in_random_order(dataset: Dataset, positions: Sequence[int], seed: int) -> list[int]:
    """Return the positions in an order that depends only on the seed and the image_id, not on the order of records."""

    def order_key(i: int) -> bytes:
        return hashlib.sha256(f"{seed} {dataset.records[i].image_id}".encode()).digest()

    return sorted(positions, key=order_key)


def _predefined_parts(dataset: Dataset, units: NDArray[np.intp], order: Sequence[int]) -> dict[int, Side]:
    """Return the predefined sets. An image without one joins its duplicates and its group, else training."""
    side_of = {i: side for i in order if (side := dataset.records[i].predefined_split) is not None}
    side_of_unit: dict[int, Side] = {}
    for side in SIDES:  # test set last: images connected with a test image must not be trained on
        side_of_unit.update({int(u): side for i, u in zip(order, units, strict=True) if side_of.get(i) == side})
    return {i: side_of.get(i) or side_of_unit.get(int(u), "train") for i, u in zip(order, units, strict=True)}


def _domains_by_split(dataset: Dataset, order: Sequence[int]) -> list[tuple[NDArray[np.bool_], bool]]:
    """Return which images of `order` are divided together, and whether they have a predefined split.

    These are the images of all domains whose predefined splits have the same sets, and of all domains without one.
    """
    records = [dataset.records[i] for i in order]
    sides_of_domain: dict[str, set[Side | None]] = {record.domain: set() for record in records}
    for record in records:
        sides_of_domain[record.domain].add(record.predefined_split)
    kinds = {domain: frozenset(sides - {None}) for domain, sides in sides_of_domain.items()}
    return [
        (np.array([kinds[record.domain] == kind for record in records], dtype=bool), bool(kind))
        for kind in sorted(set(kinds.values()), key=lambda sides: sorted(map(str, sides)))
    ]


def _assign_parts(
    dataset: Dataset,
    order: Sequence[int],
    units: NDArray[np.intp],
    side_of: dict[int, Side],
    selected: NDArray[np.bool_],
    has_split: bool,
    val_and_test: tuple[float, float],
    seed: int,
    notes: list[Note],
) -> None:
    """Assign a set to every image: to all, or to the training images of an incomplete predefined split."""
    val, test = val_and_test
    if has_split:
        existing = {side_of[i] for i, is_selected in zip(order, selected, strict=True) if is_selected}
        val, test = (0.0 if "val" in existing else val), (0.0 if "test" in existing else test)
        if "train" not in existing or not val + test:
            return
        # Shares are of all images, so the shares of the remaining sets refer to the images outside the existing sets.
        remaining_share = (
            1 - (val_and_test[0] if "val" in existing else 0) - (val_and_test[1] if "test" in existing else 0)
        )
        val, test = val / remaining_share, test / remaining_share
        domains = sorted(
            {dataset.records[i].domain for i, is_selected in zip(order, selected, strict=True) if is_selected}
        )
        notes.append(
            note(
                "part-taken",
                missing="-and-".join(side for side, share in (("val", val), ("test", test)) if share),
                has_domains=not selected.all(),
                domains=some(domains),
            )
        )
    is_free = selected & np.array([side_of.get(i, "train") == "train" for i in order], dtype=bool)
    is_free &= ~np.isin(units, units[~selected])  # images connected with another domain stay in its set
    positions = [i for i, is_selected in zip(order, is_free, strict=True) if is_selected]
    label, domain = classes_and_domains(dataset, positions)
    shares = (1 - val - test, val, test)
    n_units, n_parts = len(set(units[is_free].tolist())), sum(share > 0 for share in shares)
    if n_units < n_parts and selected.all():
        raise too_few_units(dataset, positions, n_units, n_parts)
    if n_units < n_parts:
        side_of.update(dict.fromkeys(positions, "train"))
        return
    assigned = split_units(label, units[is_free], shares, seed, domain)
    side_of.update({i: SIDES[side] for i, side in zip(positions, assigned.tolist(), strict=True)})
    actual_shares = np.bincount(assigned, minlength=3) / len(assigned)
    if np.abs(actual_shares - shares).max() > _UNEVEN:
        percent_reached, percent_requested = (
            ", ".join(f"{100 * share:.0f}" for share in of_sides) for of_sides in (actual_shares, shares)
        )
        notes.append(
            note(
                "uneven-parts",
                has_groups=dataset.has_groups,
                reached=percent_reached,
                requested=percent_requested,
            )
        )


def classes_and_domains(dataset: Dataset, positions: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (n,) numbers of the labels, and (n,) numbers of the domains, of the images at these positions."""
    records = [dataset.records[i] for i in positions]
    label = np.unique([record.label or "" for record in records], return_inverse=True)[1]
    return label, np.unique([record.domain for record in records], return_inverse=True)[1]


def _exclude_untrained(dataset: Dataset, side_of: dict[int, Side], reasons: list[str], notes: list[Note]) -> None:
    """Exclude images of classes without training images, which only a predefined split can cause."""
    trained = labels_of(dataset, (i for i, side in side_of.items() if side == "train"))
    if not trained:
        return  # only a test set, for evaluation
    untrained_classes: Counter[str] = Counter()
    for i in side_of:
        label = dataset.records[i].label or ""
        if label not in trained:
            reasons[i] = f"no training image of the class {label}"
            untrained_classes[label] += 1
    if untrained_classes:
        names = some(sorted(untrained_classes, key=natural_key))
        notes.append(note("untrained-classes", n_images=untrained_classes.total(), names=names))


def trained_classes(dataset: Dataset, split: Split) -> tuple[str, ...]:
    """Return the classes with training images, in the dataset's order: the outputs of a network."""
    trained = {r.label for r, part in zip(dataset.records, split.parts, strict=True) if part == "train"}
    return tuple(label for label in dataset.classes if label in trained)


def check_class_names(dataset: Dataset, classes: Sequence[str]) -> None:
    """Refuse classes on which no classifier can be trained, without decoding images.

    Raises:
        BadDataset: there are fewer than two classes, or one has a name with another meaning in predictions.
    """
    if len(classes) < 2:
        raise BadDataset(
            "too-few-classes",
            file=dataset.root,
            n_usable=len(classes),
            label=one_line(classes[0], 60) if classes else "",
            n_classes=len(dataset.classes),
            is_of_several=len(dataset.classes) > 1,
        )
    if reserved := sorted({*DECISIONS}.intersection(classes)):
        raise BadDataset("class-name-is-a-decision", file=dataset.root, label=reserved[0])


def check_groups(dataset: Dataset) -> None:
    """Refuse groups with which no class can be tested, without decoding images.

    Raises:
        BadDataset: each class is in a single group, for example because the groups are the classes themselves.
    """
    groups = single_groups(dataset)
    if not groups:
        return
    n_classes = len({record.label for record in dataset.records if dataset.has_class(record)})
    raise BadDataset(
        "confounded-groups",
        file=dataset.root,
        remedies=(GroupBy(),),
        are_classes=len(groups) == n_classes,
        groups=some(groups, 3),
    )


def check_no_class_is_empty(dataset: Dataset, trained: Container[str]) -> None:
    """Refuse classes without training images.

    Args:
        dataset: the images.
        trained: the classes with training images.

    Raises:
        BadDataset: a class has no training image: none is usable, or its images are in other sets of the split.
    """
    empty = [name for name in dataset.classes if name not in trained]
    if empty:
        raise BadDataset(
            "class-without-training-images",
            file=dataset.root,
            remedies=(Set("classes.drop", [*sorted(dataset.dropped), *empty]),),
            n_classes=len(empty),
            names=some(empty, 8),
            classes=empty,
        )


def check_trainable(dataset: Dataset, scan: Scan, split: Split, *, needs_validation: bool = True) -> None:
    """Refuse a split on which no classifier can be trained.

    Args:
        dataset, scan, split: the images and their sets.
        needs_validation: refuse an empty validation set.

    Raises:
        BadDataset: there are fewer than two classes to train on, one has a name with another meaning in predictions,
            or the training, validation or test set is empty.
    """
    if not scan.n_readable:
        reasons = [fact.reason for fact in scan.facts if isinstance(fact, Unreadable)]
        if not reasons:
            raise BadDataset("no-images-in-dataset", file=dataset.root)
        raise BadDataset("none-readable", file=dataset.root, n_images=len(reasons), reason=reasons[0])
    check_class_names(dataset, trained_classes(dataset, split))
    n = Counter(split.parts)
    for side in SIDES:
        if not n[side] and (side != "val" or needs_validation):
            raise BadDataset("empty-set", file=dataset.root, set=side)
