"""Divide images into sets without dividing units: a pure function of arrays.

A unit is a collection of images that must stay together (the images of a patient, duplicates). Units of one
image are assigned class by class, which is exact and fast. Larger units are assigned by randomized greedy choice and
local improvement, many times, and one of the near-best results is drawn. scikit-learn's StratifiedGroupKFold with
shuffling is not used: with few groups it returned the same partition for every seed.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

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
