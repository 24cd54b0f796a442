"""Related images: groups in names, images that a split must not divide, and leakage of predefined splits."""

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import erfc, fsum, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from coverslip.datasets.index.records import Dataset, ImageRecord, Side
from coverslip.datasets.names import natural_key, one_line
from coverslip.datasets.quality.scanning import FEW_GROUPS_FOR_ONE_SPLIT, Scan, Unreadable
from coverslip.images.preprocessing import PixelFacts
from coverslip.messages import Note, joined, message, note

# Groups in names: parts of file and folder names that related images share, and columns of tables.
#
# A name such as `C100P61ThinF_20150918_cell_12.png` is divided at `_`, `-` and spaces. Tokens at the same positions in
# many names are candidate groups, as are their numbers with the word before, such as `C100`, `P61` and `C100P61`. So
# are folders, and numbers without their last digits, since images that were cut from one slide are often numbered
# consecutively. A permutation test decides whether images of such a group belong together: whether they share labels,
# or size and brightness (among images of one class), more often than by chance.

Ints = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]
Clusters = tuple[tuple[int, ...], ...]  # positions of images

_MOST_TOKENS = 8
_FEWEST_GROUPS = 3
_FEWEST_MATCHES = 0.9  # of the images in which a pattern must find a group
_FEWEST_VALUES = 0.5  # of the images that must have a value in a column: added images may have none
_SHORTEST_WORD = 3  # letters before a name that another name contains
_SMALLEST = 1.5  # images of a group, on average
_N_PERMUTATIONS = 49
_LEAST_SHARE = 0.03  # of the variance beyond chance that groups must explain
_HIGHEST_P = 0.001  # all patterns together
_IS_CLASS = 0.9  # of the information in groups, or in classes, that both share
_MOST_SUBTYPES = 3  # groups per class, if each contains one class: these are subtypes of classes rather than slides
_FEWEST_RIGHT = 0.7  # of the labels that agree with a class in the name, if some labels are wrong
_FIRST_LETTERS = r"(?:^|/)([^\W\d_]+)[^/]*$"
_NEARLY_AS_STRONG = (
    0.75  # of the largest strength, from which coarser groups precede finer ones: patients before slides
)
_MOST_IMAGES = 10_000
_N_SLICES = 10
_ONE_CLASS = 0.99  # correlation of labels if each group contains one class
_NUMBER_RANGE = r"(?:^|/)([^/]*\d)"  # a number without its last digits


@dataclass(frozen=True, slots=True)
class NameGroups:
    """A pattern that finds groups in paths, or a column of a table, and what its groups share beyond chance."""

    pattern: str  # empty for a column
    n_groups: int
    example: str  # one of the groups
    is_class: bool  # its groups are the classes themselves, so that no split by them is possible
    labels: float  # intraclass correlation of labels: 0 by chance, 1 if each group has one label
    appearance: float  # intraclass correlation of size and brightness, among images of one class
    strength: float  # the larger of the two, without labels if names contain the class
    p: float  # of this correlation
    column: str | None = None
    is_confounded: bool = False  # each class is in only one group, so that no split can keep groups together
    divided_unit: str = ""  # a name that images of several groups contain, which may be one patient, slide or day
    is_partial: bool = False  # some images are in no group

    @property
    def is_significant(self) -> bool:
        """Whether images of a group share more than expected by chance."""
        return not self.is_class and self.p <= _HIGHEST_P and self.strength >= _LEAST_SHARE


def groups_in_names(dataset: Dataset, scan: Scan) -> tuple[NameGroups, ...]:
    """Return candidate groups from the names of files and folders and from table columns, the most likely first.

    Labeled, readable images count, copies once: they resemble each other in any case. A column comes before a pattern
    that finds the same groups.
    """
    labeled = [
        (record, fact)
        for record, fact in zip(dataset.records, scan.facts, strict=True)
        if isinstance(fact, PixelFacts) and dataset.has_class(record)
    ]
    labeled = list({fact.pixel_hash: (record, fact) for record, fact in reversed(labeled)}.values())
    keys = {name: natural_key(name) for name in {record.path.name for record, _ in labeled}}
    labeled = _slices(sorted(labeled, key=lambda item: keys[item[0].path.name]))
    if len(labeled) < 2 * _FEWEST_GROUPS or len({record.label for record, _ in labeled}) < 2:
        return ()
    paths = [dataset.relative_path(record) for record, _ in labeled]
    label = np.unique([record.label or "" for record, _ in labeled], return_inverse=True)[1]
    appearance = _standardized(_appearance_of([fact for _, fact in labeled]), label)
    candidates: dict[bytes, tuple[str | None, str, list[str]]] = {}
    by_pattern = ((None, pattern, _groups_by_pattern(pattern, paths)) for pattern in _patterns(paths))
    for column, pattern, names in (*_grouping_columns([record for record, _ in labeled]), *by_pattern):
        if names is not None:
            candidates.setdefault(np.unique(names, return_inverse=True)[1].tobytes(), (column, pattern, names))
    units = _units_in_names([names for column, _, names in candidates.values() if column is None])
    code = _class_code([*(names for _, _, names in candidates.values()), _names_of(_FIRST_LETTERS, paths)], label)
    tested = [
        replace(
            _test_candidate(pattern, names, label, code, appearance, len(candidates)),
            column=column,
            divided_unit=_divided_unit(units, names) if column is None else "",
            is_partial="" in names,
        )
        for column, pattern, names in candidates.values()
    ]
    names_of = {groups.pattern: names for groups, (_, _, names) in zip(tested, candidates.values(), strict=True)}
    units_of_split = [each for each in _strong(tested) if each.column is None and not each.is_confounded]
    joined = {
        fine.pattern: _joined_unit(
            names_of[fine.pattern],
            [names_of[coarse.pattern] for coarse in units_of_split if coarse.n_groups < fine.n_groups],
            label,
            appearance,
            len(candidates),
        )
        for fine in tested
        if fine.is_significant and fine.column is None and not fine.divided_unit
    }
    return _ranked([replace(each, divided_unit=joined.get(each.pattern) or each.divided_unit) for each in tested])


def divided_unit(names: Sequence[str]) -> str:
    """Return a name of a group that the name of another group contains, as `NameGroups.divided_unit`; empty: none.

    `ParasitizedC48P9thinF` contains `C48P9thinF`: a word before it, and perhaps other capitals, do not make another
    patient. Names without a number are excluded.

    Args:
        names: the group of each image; empty: no group.
    """
    return _divided_unit(_units_in_names([names]), names)


def contained_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each of these names with a number the one that it contains, as `divided_unit` does, or itself."""
    numbered = sorted({name for name in names if re.search(r"\d", name)}, reverse=True)
    by_plain = {name.casefold(): name for name in numbered}
    return {name: _contained_name(name, by_plain) for name in numbered}


def _units_in_names(groupings: Iterable[Sequence[str]]) -> list[str]:
    """Return the name that the group of each image contains, of the grouping with the fewest such names."""
    all_units = []
    for names in groupings:
        unit_of = contained_names(names)
        if len(set(unit_of.values())) < len(unit_of):
            all_units.append([unit_of.get(name, "") for name in names])
    return min(all_units, key=lambda units: len(set(units)), default=[])


def _contained_name(name: str, by_plain: dict[str, str]) -> str:
    letters = re.match(r"[^\W\d_]*", name)
    starts = range(_SHORTEST_WORD, letters.end() + 1 if letters else 0)
    ends = (by_plain.get(re.sub(r"^[-_ ]+", "", name[start:]).casefold()) for start in starts)
    return next(filter(None, ends), by_plain.get(name.casefold(), name))


def _divided_unit(units: Sequence[str], names: Sequence[str]) -> str:
    groups_of: dict[str, set[str]] = defaultdict(set)
    for unit, name in zip(units, names, strict=False):  # no units: no names contain others
        groups_of[unit].add(name)
    return min((unit for unit, groups in groups_of.items() if unit and len(groups) > 1), default="")


def patterns_in_names(paths: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield patterns that find groups in paths, and the group of each path, without a test; empty: no group.

    Each grouping is yielded once, those that have a group for each path first. Ranges of numbers are not yielded, since
    only a test can show that they are related, nor are groups that may divide a patient or a slide.
    """
    groupings: dict[bytes, tuple[str, list[str]]] = {}
    for pattern in _patterns(paths) if paths else ():
        names = None if pattern.startswith(_NUMBER_RANGE) else _groups_by_pattern(pattern, paths)
        if names is not None:
            groupings.setdefault(np.unique(names, return_inverse=True)[1].tobytes(), (pattern, names))
    units = _units_in_names([names for _, names in groupings.values()])
    for pattern, names in sorted(groupings.values(), key=lambda grouping: "" in grouping[1]):
        if not _divided_unit(units, names):
            yield pattern, names


def _grouping_columns(records: Sequence[ImageRecord]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield columns of the table that may name groups, with the value of each image; decimal numbers are excluded."""
    cells = [dict(record.about) for record in records]
    for column in dict.fromkeys(name for about in cells for name in about):
        values = [about.get(column, "") for about in cells]
        if sum(map(bool, values)) < _FEWEST_VALUES * len(values) or any(map(_is_measure, values)):
            continue
        if _can_be_groups(values):
            yield column, "", values


def _can_be_groups(names: Sequence[str]) -> bool:
    """Return whether these groups are neither too few nor mostly single images; an empty name is no group."""
    nonempty = list(filter(None, names))
    return _FEWEST_GROUPS <= len(set(nonempty)) <= len(nonempty) / _SMALLEST


def _is_measure(value: str) -> bool:
    return re.fullmatch(r"[-+]?\d*[.,]\d+([eE][-+]?\d+)?", value) is not None


def _joined_unit(
    names: Sequence[str],
    coarser: Iterable[Sequence[str]],
    label: Ints,
    appearance: Doubles,
    n_candidates: int,
) -> str:
    """Return a group of a coarser grouping that these groups divide, although its parts resemble each other; or "".

    If images of `RPE1_3` and `RPE1_4` of one day resemble each other more than those of other days, such groups divide
    days. For this test, the images that share a group and a day are permuted as a whole.
    """
    one_hot = np.eye(label.max() + 1)[label]
    for names_of_coarser in coarser:
        both = np.array([names_of_coarser, names])
        is_named = (both != "").all(axis=0)
        part_names, part = np.unique(both[:, is_named], axis=1, return_inverse=True)
        units, unit = np.unique(part_names[0], return_inverse=True)
        n_parts = np.bincount(unit)
        if n_parts.max(initial=0) <= 1:
            continue
        whole = np.zeros_like(unit)
        for values in (appearance, one_hot):
            means = _centered(_means(values[is_named], part.reshape(-1)), whole)
            _, p = _intraclass_correlation(means, unit, whole, np.random.default_rng(0))
            if 2 * n_candidates * p <= _HIGHEST_P:
                return str(units[n_parts.argmax()])
    return ""


def _strong(candidates: Sequence[NameGroups]) -> list[NameGroups]:
    """Return the significant candidates that are nearly as strong as the strongest."""
    major = [groups for groups in candidates if groups.is_significant and not _is_minor(groups)]
    strongest = max((groups.strength for groups in major), default=0.0)
    return [groups for groups in major if groups.strength >= _NEARLY_AS_STRONG * strongest]


def _ranked(candidates: Sequence[NameGroups]) -> tuple[NameGroups, ...]:
    """Return strong groups first, coarse ones before fine ones; then weaker ones, number ranges and unrelated groups.

    Columns precede patterns, since a person has written them. Of strong patterns, those that may divide a patient or a
    slide, or that have no group for some images, are last. Before them are those with few groups, fine ones first.
    """
    strong = _strong(candidates)

    def sort_key(groups: NameGroups) -> tuple[bool, bool, bool, bool, bool, bool, float]:
        is_strong, has_few = groups in strong, groups.n_groups < FEW_GROUPS_FOR_ONE_SPLIT
        return (
            not groups.is_significant,
            groups.column is None,
            _is_minor(groups),
            not is_strong,
            is_strong and (groups.is_partial or bool(groups.divided_unit)),
            is_strong and has_few,
            (-groups.n_groups if has_few else groups.n_groups) if is_strong else -groups.strength,
        )

    return tuple(sorted(candidates, key=sort_key))


def _is_minor(groups: NameGroups) -> bool:
    """Return whether other patterns take precedence: ranges of numbers, and names that contain the class."""
    return groups.pattern.startswith(_NUMBER_RANGE) or groups.labels > _ONE_CLASS


def _slices(items: list[tuple[ImageRecord, PixelFacts]]) -> list[tuple[ImageRecord, PixelFacts]]:
    """Return all items, or slices of them in the order of their names."""
    if len(items) <= _MOST_IMAGES:
        return items
    length, step = _MOST_IMAGES // _N_SLICES, len(items) // _N_SLICES
    return [item for k in range(_N_SLICES) for item in items[k * step : k * step + length]]


def _patterns(paths: Sequence[str]) -> Iterator[str]:
    """Yield regular expressions that may find groups in paths, simple ones first."""
    depth = min(path.count("/") for path in paths)
    for k in range(depth):
        yield rf"^(?:[^/]+/){{{k}}}([^/]+)/" if k else r"^([^/]+)/"
    n_tokens_of = {len(re.split(r"[-_ ]+", path.rpartition("/")[2])) for path in paths}
    n_tokens = min(_MOST_TOKENS, max(n_tokens_of))
    token, gap = r"[^-_ /]+", "[-_ ]+"
    for start in range(n_tokens - 1):
        before = rf"(?:{token}{gap}){{{start}}}" if start else ""
        for n in range(1, n_tokens - start):
            more = rf"(?:{gap}{token}){{{n - 1}}}" if n > 1 else ""
            yield rf"(?:^|/){before}({token}{more}){gap}[^/]*$"
    word, number = r"[^-_ /\d]*", r"\d+(?!\d)"
    for start in range(n_tokens if len(n_tokens_of) == 1 else 1):
        before = rf"(?:{token}{gap}){{{start}}}" if start else ""
        after = r"[^/]*\d[^/]*\.[^./]+$" if start == n_tokens - 1 else "[^/]*$"  # not the last number of the name
        yield rf"(?:^|/){before}{word}?([A-Z]*[a-z]*{number}){after}"
        yield rf"(?:^|/){before}{word}{number}{word}?([A-Z]*[a-z]*{number}){after}"
        yield rf"(?:^|/){before}{word}?([A-Z]*[a-z]*{number}{word}{number}){after}"
    if len(n_tokens_of) > 1:
        for n_after in range(1, n_tokens - 1):
            for n in range(1, min(n_tokens - n_after, 3)):
                yield rf"(?:^|[-_ /])({token}(?:{gap}{token}){{{n - 1}}})(?:{gap}{token}){{{n_after}}}$"
    for n_digits in (1, 2):
        yield rf"{_NUMBER_RANGE}\d{{{n_digits}}}\.[^./]+$"


def _groups_by_pattern(pattern: str, paths: Sequence[str]) -> list[str] | None:
    """Return the group of each path; None if these cannot be groups."""
    names = _names_of(pattern, paths)
    return names if sum(map(bool, names)) >= _FEWEST_MATCHES * len(paths) and _can_be_groups(names) else None


def _names_of(pattern: str, paths: Sequence[str]) -> list[str]:
    """Return the group of each path; empty: no group."""
    search: Callable[[str], re.Match[str] | None] = re.compile(pattern).search
    return [match[1] if (match := search(path)) else "" for path in paths]


def _class_code(groupings: Iterable[Sequence[str]], label: Ints) -> Ints:
    """Return the class that the names of images contain, although some labels differ from it; 0 for all if none do.

    If names contain the class, wrong labels make parts of the names share labels: `MO_12` and `MO_13` are monocytes.
    """
    for names in groupings:
        group = np.unique(names, return_inverse=True)[1]
        if all(names) and _is_class_with_wrong_labels(names, group, label):
            return group
    return np.zeros_like(label)


def _is_class_with_wrong_labels(names: Sequence[str], group: Ints, label: Ints) -> bool:
    """Return whether each group is mostly of one class, each class is that of a group, and some labels differ.

    Groups whose names contain numbers may be slides: there must be as many of them as classes.
    """
    n_groups, n_classes = int(group.max()) + 1, int(label.max()) + 1
    most = n_classes if any(any(map(str.isdigit, name)) for name in set(names)) else _MOST_SUBTYPES * n_classes
    if n_groups > most:
        return False
    joint = np.zeros((n_groups, n_classes), np.intp)
    np.add.at(joint, (group, label), 1)
    n_right = int(joint.max(axis=1).sum())
    covers_classes = len(set(joint.argmax(axis=1).tolist())) == n_classes
    return covers_classes and _FEWEST_RIGHT * len(label) <= n_right < len(label)


def _test_candidate(
    pattern: str, names: list[str], label: Ints, code: Ints, appearance: Doubles, n_candidates: int
) -> NameGroups:
    """Test whether images of groups with these names are related; images without a name are excluded.

    If the names contain the class (`code`), images of parts of it are compared with others of the same code.
    """
    is_named = np.array([bool(name) for name in names])
    names, label, appearance = list(filter(None, names)), label[is_named], appearance[is_named]
    groups, group = np.unique(names, return_inverse=True)
    code = np.unique(code[is_named], return_inverse=True)[1]
    is_code = _is_class_with_wrong_labels(names, group, label)
    if len({*zip(group.tolist(), code.tolist(), strict=True)}) > len(groups):
        code = np.zeros_like(label)
    stratum = np.unique(np.stack([label, code]), axis=1, return_inverse=True)[1].reshape(-1)
    generator = np.random.default_rng(0)
    one_hot = np.eye(label.max() + 1)[label]
    of_code = np.stack([np.bincount(code, column) for column in one_hot.T], axis=1) / np.bincount(code)[:, None]
    by_label, p_labels = _intraclass_correlation(one_hot - of_code[code], group, code, generator)
    if _names_class(pattern, names, by_label, label):
        p_labels = 1.0  # names that contain the class share it for that reason
    by_appearance, p_appearance = _intraclass_correlation(_centered(appearance, stratum), group, stratum, generator)
    return NameGroups(
        pattern=pattern,
        n_groups=len(groups),
        example=str(groups[len(groups) // 2]),
        is_class=is_code or _is_class(group, label),
        labels=round(by_label, 3),
        strength=round(by_appearance if p_labels == 1 else max(by_label, by_appearance), 3),
        appearance=round(by_appearance, 3),
        p=min(1.0, 2 * n_candidates * min(p_labels, p_appearance)),
        is_confounded=len({*zip(label.tolist(), group.tolist(), strict=True)}) == len(set(label.tolist())),
    )


def _intraclass_correlation(
    values: Doubles, group: Ints, stratum: Ints, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the intraclass correlation of (n, d) values beyond chance, from 0 to 1, and its p-value.

    Images are permuted within their stratum. The variance between groups is then approximately normally distributed.
    """
    total = float((values**2).sum())
    n_groups = int(group.max()) + 1
    if total == 0:
        return 0.0, 1.0
    size = np.bincount(group, minlength=n_groups)

    def between(of: Doubles) -> float:
        sums = np.stack([np.bincount(group, column, n_groups) for column in of.T], axis=1)
        return float((sums**2 / size[:, None]).sum()) / total

    by_stratum = np.argsort(stratum, kind="stable")
    within_stratum = np.argsort(stratum + generator.random((_N_PERMUTATIONS, len(group))), axis=1)
    permutations = np.empty_like(within_stratum)
    permutations[:, by_stratum] = within_stratum
    permuted = [between(values[permutation]) for permutation in permutations]
    expected, sd = float(np.mean(permuted)), max(float(np.std(permuted, ddof=1)), 1e-9)
    share = (between(values) - expected) / max(1 - expected, 1e-9)
    return max(0.0, share), erfc((between(values) - expected) / sd / sqrt(2)) / 2


def _centered(values: Doubles, stratum: Ints) -> Doubles:
    """Return (n, d) values minus their means in each stratum."""
    centered: Doubles = values - _means(values, stratum)[stratum]
    return centered


def _means(values: Doubles, group: Ints) -> Doubles:
    """Return the mean of (n, d) values in each group."""
    sums = np.stack([np.bincount(group, column) for column in values.T], axis=1)
    means: Doubles = sums / np.bincount(group)[:, None]
    return means


def _names_class(pattern: str, names: Sequence[str], labels: float, label: Ints) -> bool:
    """Return whether groups share labels because names contain the class, or are numbered class by class."""
    if not pattern.startswith(_NUMBER_RANGE):
        return labels > _ONE_CLASS
    if int(np.count_nonzero(np.diff(label))) < _MOST_SUBTYPES * (int(label.max()) + 1):
        return True
    classes_of: dict[str, set[int]] = {}
    for name, k in zip(names, label.tolist(), strict=True):
        classes_of.setdefault(name.rstrip("0123456789"), set()).add(k)
    return all(len(classes) == 1 for classes in classes_of.values())


def _is_class(group: Ints, label: Ints) -> bool:
    """Return whether groups and classes are nearly the same division, or groups are kinds of one class each."""
    joint = np.zeros((group.max() + 1, label.max() + 1))
    np.add.at(joint, (group, label), 1 / len(group))
    entropy_of_groups, entropy_of_classes = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    shared = entropy_of_groups + entropy_of_classes - _entropy(joint.reshape(-1))
    if shared > _IS_CLASS * max(entropy_of_groups, entropy_of_classes):
        return True
    n_groups, n_classes = joint.shape
    return n_groups <= _MOST_SUBTYPES * n_classes and shared > _IS_CLASS * entropy_of_classes


def _entropy(share: Doubles) -> float:
    positive = share[share > 0]
    return float(-(positive * np.log(positive)).sum())


def _appearance_of(facts: Sequence[PixelFacts]) -> Doubles:
    """Return (n, 4): width, height, darkest and brightest value of each image."""
    rows = [(f.width_px, f.height_px, fsum(f.low) / len(f.low), fsum(f.high) / len(f.high)) for f in facts]
    return np.array(rows, dtype=np.float64)


def _standardized(appearance: Doubles, label: Ints) -> Doubles:
    """Return ranks, without the differences between classes."""
    ranks = appearance.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable").astype(np.float64)
    for k in range(appearance.shape[1]):  # equal values share a rank
        _, value, n = np.unique(appearance[:, k], return_inverse=True, return_counts=True)
        ranks[:, k] = (np.bincount(value, ranks[:, k]) / n)[value]
    n_of = np.bincount(label)
    for k in range(appearance.shape[1]):
        ranks[:, k] -= (np.bincount(label, ranks[:, k]) / n_of)[label]
    deviation = ranks.std(axis=0)
    standardized: Doubles = ranks[:, deviation > 0] / deviation[deviation > 0]
    return standardized if standardized.shape[1] else np.zeros((len(label), 1))


# Units of a split: connected images, reasons for exclusion, and data leakage of predefined splits.
#
# Images of one group, with equal pixels or near-duplicates are connected: crops of one slide resemble each other.


def labels_of(dataset: Dataset, positions: Iterable[int]) -> set[str]:
    """Return the labels at these positions, without those of excluded classes."""
    records = (dataset.records[i] for i in positions)
    return {record.label for record in records if record.label is not None and dataset.has_class(record)}


def clusters_in_split(dataset: Dataset, scan: Scan, clusters: Clusters) -> Clusters:
    """Return the clusters without images that no split contains; a cluster has at least two images.

    If no image has a label yet, all images count.
    """
    if not clusters:
        return ()
    is_in_split = _are_in_split(dataset, scan)
    in_split = (tuple(i for i in members if is_in_split[i]) for members in clusters)
    return tuple(members for members in in_split if len(members) > 1)


def near_duplicates_in_split(dataset: Dataset, scan: Scan) -> Clusters:
    """Return the clusters of near-duplicates as `clusters_in_split`, without clusters of equal pixels only."""
    clusters = clusters_in_split(dataset, scan, scan.near_duplicates or ())
    hashes = [fact.pixel_hash if isinstance(fact, PixelFacts) else "" for fact in scan.facts]
    return tuple(members for members in clusters if len({hashes[i] for i in members}) > 1)


def _are_in_split(dataset: Dataset, scan: Scan) -> list[bool]:
    if all(record.label is None for record in dataset.records):
        return [True] * len(dataset.records)
    return [not reason for reason in exclusion_reasons(dataset, scan)]


def undivided_clusters(dataset: Dataset, scan: Scan) -> Clusters:
    """Return the clusters of near-duplicates that no split divides: all, except clusters in too many groups.

    Simple shapes, such as spots, can be as similar as near-duplicates. If clusters would merge the groups of a split
    into half as many or fewer, clusters in several groups are ignored as such shapes. Images that no split contains,
    such as blank ones of an excluded class, do not count.
    """
    clusters = near_duplicates_in_split(dataset, scan)
    if not clusters:
        return ()
    group_of = [
        record.group if is_in_split else None
        for record, is_in_split in zip(dataset.records, _are_in_split(dataset, scan), strict=True)
    ]
    number = {group: k for k, group in enumerate(dict.fromkeys(group for group in group_of if group is not None))}
    groups = [{number[group] for i in members if (group := group_of[i]) is not None} for members in clusters]
    components = _DisjointSets(len(number))
    for first, *others in filter(None, groups):
        for other in others:
            components.join(first, other)
    if components.n > len(number) / 2:
        return clusters
    return tuple(
        members for members, groups_of_cluster in zip(clusters, groups, strict=True) if len(groups_of_cluster) < 2
    )


class _DisjointSets:
    """Disjoint sets of the integers 0 to n - 1."""

    def __init__(self, n: int) -> None:
        self.n = n  # number of sets
        self._parent = array("q", range(n))

    def root(self, i: int) -> int:
        """Return the least number in the set of `i`."""
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        a, b = self.root(i), self.root(j)
        self._parent[max(a, b)] = min(a, b)
        self.n -= a != b


def connected_components(dataset: Dataset, scan: Scan, order: Sequence[int]) -> NDArray[np.intp]:
    """Return for each image in `order` the number of its connected component.

    Groups, equal pixels and near-duplicates connect. Images outside `order` do not: users exclude blank images that
    would connect all groups.
    """
    components = _DisjointSets(len(order))
    group_of = (dataset.records[position].group for position in order)
    _join_equal(components, group_of)
    for clusters in (scan.equal_pixels, undivided_clusters(dataset, scan)):
        cluster_of = {i: k for k, members in enumerate(clusters) for i in members}
        _join_equal(components, (cluster_of.get(position) for position in order))
    return np.array([components.root(i) for i in range(len(order))], dtype=np.intp)


def _join_equal(components: _DisjointSets, values: Iterable[Hashable]) -> None:
    """Join the numbers of equal values; None equals no other."""
    first: dict[Hashable, int] = {}
    for i, value in enumerate(values):
        if value is not None:
            components.join(first.setdefault(value, i), i)


ON_REQUEST = "on request:"  # begins the reason of an image that is valid but that the recipe excludes


def exclusion_reasons(dataset: Dataset, scan: Scan) -> list[str]:
    """Return the reason why each image is excluded from the split; "" for images that are not."""
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
        first_of_label: dict[str, ImageRecord] = {}
        for i in members:
            record = dataset.records[i]
            if record.label in labels:
                first_of_label.setdefault(record.label, record)
        for i in members:
            if not reasons[i]:
                twin = next(each for name, each in first_of_label.items() if name != dataset.records[i].label)
                reasons[i] = f"same pixels as {twin.image_id}, labeled {twin.label}"
    return reasons


def dropped_notes(dataset: Dataset) -> list[Note]:
    """Return a note on the images of classes that the recipe excludes."""
    n_of = Counter(record.label for record in dataset.records if record.label in dataset.dropped)
    if not n_of:
        return []
    counts = (
        message("images-of-class", n_images=n, label=one_line(label or "", 60)) for label, n in n_of.most_common()
    )
    return [note("dropped", n_images=n_of.total(), classes=joined(counts, "list-of-messages"))]


def exclusion_notes(reasons: Sequence[str]) -> list[Note]:
    """Return a note for each kind of reason from `exclusion_reasons`, except excluded classes."""
    n_of = Counter(reason.split(" ")[0] for reason in reasons if reason)
    reason_of = {"unreadable:": "unreadable", "no": "no-label", "same": "conflicting-labels"}
    return [note("excluded", n_images=n, reason=reason) for word, reason in reason_of.items() if (n := n_of[word])]


LeakKind = Literal["group", "pixels", "near-duplicates", "chain"]  # chain: groups and duplicates that connect images


@dataclass(frozen=True, slots=True)
class Leak:
    """Images that belong together but are in several sets of a predefined split."""

    kind: LeakKind
    name: str  # the group's name, or the first image's
    images: tuple[int, ...]  # positions in the dataset's records; one of each set first


def predefined_split_leaks(dataset: Dataset, scan: Scan) -> list[Leak]:
    """Return duplicates and groups that a predefined split has in several sets, among images that are not excluded.

    An image without a set can connect two sets, if it is in a group of one and equal to an image of the other.
    """
    by_pixels: dict[Hashable, list[int]] = defaultdict(list)
    by_group: dict[Hashable, list[int]] = defaultdict(list)
    by_cluster: dict[Hashable, list[int]] = defaultdict(list)
    cluster_of = {i: k for k, members in enumerate(undivided_clusters(dataset, scan)) for i in members}
    reasons = exclusion_reasons(dataset, scan)
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.predefined_split is None or reasons[i] or isinstance(fact, Unreadable):
            continue
        by_pixels[fact.pixel_hash].append(i)
        if record.group is not None:
            by_group[record.group].append(i)
        if i in cluster_of:
            by_cluster[cluster_of[i]].append(i)
    direct = [*_leaks_among("group", dataset, by_group.values()), *_leaks_among("pixels", dataset, by_pixels.values())]
    in_equal = {i for leak in direct if leak.kind == "pixels" for i in leak.images}
    changed = (members for members in by_cluster.values() if in_equal.isdisjoint(members))
    direct += _leaks_among("near-duplicates", dataset, changed)
    in_direct = {i for leak in direct for i in leak.images}
    chains = (unit for unit in _predefined_components(dataset, scan) if in_direct.isdisjoint(unit))
    return [*direct, *_leaks_among("chain", dataset, chains)]


def _leaks_among(kind: LeakKind, dataset: Dataset, connected: Iterable[Sequence[int]]) -> Iterator[Leak]:
    """Yield a leak for each collection of connected images that is in several sets."""
    for members in connected:
        first_of_side: dict[Side | None, int] = {}
        for i in members:
            first_of_side.setdefault(dataset.records[i].predefined_split, i)
        if len(first_of_side) > 1:
            firsts = list(first_of_side.values())
            first = dataset.records[members[0]]
            rest = (i for i in members if i not in firsts)
            yield Leak(kind, (first.group if kind == "group" else first.image_id) or "", (*firsts, *rest))


def _predefined_components(dataset: Dataset, scan: Scan) -> Iterable[list[int]]:
    """Return the images with a predefined set of each unit that a split must not divide."""
    if not dataset.has_predefined_split:
        return []
    order = [i for i, reason in enumerate(exclusion_reasons(dataset, scan)) if not reason]
    members: dict[int, list[int]] = defaultdict(list)
    for i, unit in zip(order, connected_components(dataset, scan, order).tolist(), strict=True):
        if dataset.records[i].predefined_split is not None:
            members[unit].append(i)
    return members.values()
