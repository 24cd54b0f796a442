"""Findings about labels: classes, groups, names, duplicates and leakage.

Names that may be one name with several spellings: of classes, of groups, and of the classes of several readers.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from coverslip.datasets.index.channel_files import channel_names
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import natural_key, one_line, some
from coverslip.datasets.quality.facts import (
    FEW_GROUPS_FOR_ONE_SPLIT,
    SOME_GROUPS,
    class_sizes,
    group_facts,
    single_groups,
    units_per_class,
)
from coverslip.datasets.quality.finding import Cluster, FindingCase, finding_case
from coverslip.datasets.quality.name_groups import NameGroups, groups_in_names
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.quality.units import Leak, labels_of, predefined_split_leaks, undivided_clusters
from coverslip.images import PixelFacts
from coverslip.messages import GroupBy, JoinGroups, Set

# White space, punctuation and invisible characters. Symbols, such as + and <, distinguish names.
_SEPARATOR = "[\\s_.,;:'\"()\\[\\]{}/\\\\\\u2010-\\u2015\\u00ad\\u200b-\\u200f\\u2060\\ufeff-]"
_BETWEEN_NUMBERS = re.compile(rf"(?<=\d){_SEPARATOR}+(?=\d)")
_SEPARATORS = re.compile(f"{_SEPARATOR}+")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_NUMBER = re.compile(r"([+-]?)\s*(\d+)(?:[.,]0{0,2})?")  # 1, 01, 1.0; three zeros may be thousands
_MARK = "|"  # keeps numbers apart: 1-2 is not 12
_MINUS = "\u2212"  # a sign, as in -1 and CD4-
_FEWEST_IMAGES = 3  # of a class: one for each set
_FEW_IMAGES = 20  # of a class: below, its metrics are imprecise
_IMBALANCED = 5.0


def similar_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the sets of different names that may be one name with several spellings, in the order of `names`.

    They differ in capitals, leading zeros, white space and punctuation, the form of Unicode characters, or the format
    of a number (1, 01, 1.0). They can be different names all the same: only a person can tell.
    """
    spellings: dict[str, dict[str, None]] = {}
    for name in names:
        spellings.setdefault(_plain(name), {})[name] = None
    return [tuple(each) for each in spellings.values() if len(each) > 1]


def merge_of(spellings: Sequence[str], n_images: dict[str, int]) -> dict[str, list[str]]:
    """Return the spellings as a choice to join them: under the name of most images, the first of them."""
    return {max(spellings, key=lambda name: n_images.get(name, 0)): list(spellings)}


def _plain(name: str) -> str:
    """Return what the spellings of a name have in common."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    name = name.casefold().strip()
    if number := _NUMBER.fullmatch(name):
        return f"{_MINUS if number[1] == '-' else ''}{number[2].lstrip('0') or '0'}"
    sign = _MINUS if re.match(r"-\s*\d", name) else ""
    end = _MINUS if name.endswith("-") else ""
    plain = _SEPARATORS.sub("", _BETWEEN_NUMBERS.sub(_MARK, name))
    return f"{sign}{_LEADING_ZEROS.sub('', plain)}{end}" if plain else name


def no_labels(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find datasets without labels."""
    if not dataset.classes:
        yield finding_case("finding-no-labels")


def one_class(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find datasets with a single class."""
    if len(dataset.classes) == 1:
        yield finding_case("finding-one-class", class_name=some(dataset.classes))


def classes_not_trained(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find classes whose usable images are all outside the training set of a predefined split."""
    if "train" not in {record.predefined_split for record in dataset.records}:
        return
    usable, trained = set(), set()
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if record.label is not None and dataset.has_class(record) and isinstance(fact, PixelFacts):
            usable.add(record.label)
            if record.predefined_split in (None, "train"):
                trained.add(record.label)
    missing = [name for name in dataset.classes if name in usable - trained]
    if missing:
        yield finding_case("finding-class-not-in-training", names=some(missing), classes=list(missing))


def unlabeled(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find images without a label among labeled images."""
    n = sum(record.label is None for record in dataset.records)
    if n and dataset.classes:
        yield finding_case("finding-unlabeled", n=n)


def small_classes(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find classes that cannot be in every set, and classes whose metrics will be imprecise."""
    sizes = class_sizes(dataset, scan)
    tiny = [label for label, n in sizes.items() if n < _FEWEST_IMAGES]
    few = [label for label, n in sizes.items() if _FEWEST_IMAGES <= n < _FEW_IMAGES]
    if tiny:
        yield finding_case(
            "finding-small-class-not-in-all-sets", names=some(tiny), n_needed=_FEWEST_IMAGES, classes=tiny
        )
    if few:
        yield finding_case("finding-small-class", names=some(few), n_needed=_FEW_IMAGES, classes=few)


def imbalance(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find classes of very different sizes."""
    sizes = [n for n in class_sizes(dataset, scan).values() if n]
    ratio = max(sizes) / min(sizes) if len(sizes) > 1 else 1.0
    if ratio >= _IMBALANCED:
        yield finding_case("finding-imbalance", remedies=(Set("class_weights", "balanced"),), ratio=ratio)


def similar_class_names(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find class names that may be one class with several spellings."""
    sizes = class_sizes(dataset, scan)
    for spellings in similar_names(dataset.classes):
        yield finding_case(
            "finding-similar-class-names",
            remedies=(Set("classes.merge", merge_of(spellings, sizes)),),
            images=_first_images(dataset, [spellings], lambda record: record.label),
            notes=(spellings,),
            names=some(spellings),
            classes=list(spellings),
        )


def similar_group_names(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find groups that may be one group with several spellings. A split would put its images into several sets."""
    sizes = Counter(record.named_group for record in dataset.records if record.named_group is not None)
    clusters = similar_names(sorted(sizes, key=natural_key))
    if clusters:
        merges = [merge_of(spellings, sizes) for spellings in clusters]
        yield finding_case(
            "finding-similar-group-names",
            remedies=(JoinGroups({name: names for merge in merges for name, names in merge.items()}),),
            images=_first_images(dataset, clusters, lambda record: record.named_group),
            notes=tuple(clusters),
            n=len(clusters),
            names=some(clusters[0]),
            groups=[list(spellings) for spellings in clusters],
        )


def _first_images(
    dataset: Dataset, clusters: Sequence[Sequence[str]], name_of: Callable[[ImageRecord], str | None]
) -> tuple[Cluster, ...]:
    """Return the first image of each name."""
    first = {name: record.image_id for record in reversed(dataset.records) if (name := name_of(record)) is not None}
    return tuple(tuple(first[name] for name in names) for names in clusters)


_FEWEST_GROUPS = 3  # of a class: one for each set
_LARGE_GROUP = 10  # images: a slide or patient rather than one field of view


def no_groups(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find datasets without groups."""
    if not dataset.has_groups:
        yield finding_case("finding-no-groups", remedies=(GroupBy(),))


def classes_in_few_groups(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find classes that cannot be in every set."""
    n_units = units_per_class(dataset) if group_facts(dataset) else {}
    scarce = [label for label, n in n_units.items() if n < _FEWEST_GROUPS]
    if scarce:
        yield finding_case("finding-class-in-few-groups", names=some(scarce), n_needed=_FEWEST_GROUPS, classes=scarce)


def confounded_groups(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find datasets with each class in one group, so that class and group cannot be distinguished."""
    if groups := single_groups(dataset):
        yield finding_case("finding-confounded-groups", group_names=some(groups, 3), groups=list(groups))


def few_groups(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find so few groups that the choice of test groups determines the result."""
    groups = group_facts(dataset)
    if not groups or groups.n_groups >= SOME_GROUPS:
        return
    needs_folds = _FEWEST_GROUPS <= groups.n_groups < FEW_GROUPS_FOR_ONE_SPLIT and not dataset.has_predefined_split
    is_cross_validated_by_default = (
        needs_folds and min(units_per_class(dataset).values(), default=0) > 1
    )  # else there may be none
    remedies = () if is_cross_validated_by_default else (Set("split.folds", 5),)
    yield finding_case(
        "finding-few-groups",
        remedies=remedies,
        n_groups=groups.n_groups,
        is_cross_validated=is_cross_validated_by_default,
    )


def group_is_class(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find large groups of one class each: what distinguishes groups also distinguishes classes."""
    groups = group_facts(dataset)
    if not groups or groups.images_per_group.median < _LARGE_GROUP or len(dataset.classes) < 2:
        return
    if groups.classes_per_group.max == 1:
        yield finding_case("finding-group-is-class")


_MOST_SHOWN = 5  # patterns
_LEAST_GRAY = 0.8  # of images, for their files to count as channels


def hidden_groups(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images with related names that share labels or appearance beyond chance, if no groups are defined."""
    if dataset.has_groups:
        return
    significant = [groups for groups in groups_in_names(dataset, scan) if groups.is_significant]
    if confounded := [groups for groups in significant if groups.is_confounded]:
        yield _confounded(confounded)
    if usable := [groups for groups in significant if not groups.is_confounded]:
        yield _hidden(usable)


def _confounded(candidates: Sequence[NameGroups]) -> FindingCase:
    first = candidates[0]
    return finding_case(
        "finding-hidden-groups-confounded",
        is_column=first.column is not None,
        column_name=one_line(first.column or "", 60),
        n_groups=first.n_groups,
        example=one_line(first.example, 60),
        **_values(candidates),
    )


def _hidden(candidates: Sequence[NameGroups]) -> FindingCase:
    first = candidates[0]
    other_columns = [f"'{one_line(each.column, 60)}' ({each.n_groups:,})" for each in candidates[1:] if each.column]
    return finding_case(
        "finding-hidden-groups" if first.column is None else "finding-hidden-groups-in-column",
        remedies=(GroupBy(first.column, first.pattern),),
        column_name=one_line(first.column or "", 60),
        n_groups=first.n_groups,
        example=one_line(first.example, 60),
        shared="labels" if first.strength > first.appearance else "appearance",
        has_other_columns=bool(other_columns),
        other_columns=", ".join(other_columns[:_MOST_SHOWN]),
        **_values(candidates),
    )


def _values(candidates: Sequence[NameGroups]) -> dict[str, Any]:  # Any: JSON values
    first = candidates[0]
    return {
        "pattern": first.pattern,
        "column": first.column,
        "p": first.p,
        "patterns": [asdict(groups) for groups in candidates[:_MOST_SHOWN]],
    }


def channel_files(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find gray files whose names differ by marks of channels, each read as an image."""
    names = channel_names(dataset.records)
    readable = scan.readable()
    n_gray = sum(fact.n_channels == 1 for fact in readable)
    if names is None or n_gray < _LEAST_GRAY * len(readable):
        return
    files = ", ".join(f"'{one_line(name, 60)}'" for name in names.example)
    yield finding_case(
        "finding-channel-files",
        remedies=(Set("channel_files", list(names.marks)),),
        n_files=names.n_files,
        n=names.n_images,
        files=files,
        marks=list(names.marks),
    )


def leakage(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find groups and equal pixels in several sets; of a group, show the first image of each set."""
    leaks = predefined_split_leaks(dataset, scan)
    if not leaks:
        return
    groups = [leak.name for leak in leaks if leak.kind == "group"]
    n_equal, n_near, n_chains = (
        sum(leak.kind == kind for leak in leaks) for kind in ("pixels", "near-duplicates", "chain")
    )
    clusters = [_shown_images(dataset, leak) for leak in leaks]
    yield finding_case(
        "finding-leakage",
        images=_image_ids(dataset, clusters),
        notes=_describe_images(dataset, clusters, lambda record: record.predefined_split or ""),
        n_groups=len(groups),
        n_equal=n_equal,
        n_near=n_near,
        n_chains=n_chains,
        groups=groups,
    )


def conflicting_labels(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find equal pixels with several labels, with the label of each image."""
    clusters = [members for members in scan.equal_pixels if len(labels_of(dataset, members)) > 1]
    if clusters:
        yield finding_case(
            "finding-conflicting-labels",
            images=_image_ids(dataset, clusters),
            notes=_describe_images(dataset, clusters, lambda record: record.label or ""),
            n=sum(map(len, clusters)),
        )


def exact_duplicates(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find equal pixels whose labels do not conflict."""
    clusters = [members for members in _with_labels(dataset, scan.equal_pixels) if len(labels_of(dataset, members)) < 2]
    if clusters:
        yield finding_case(
            "finding-duplicates",
            images=_image_ids(dataset, clusters),
            n_clusters=len(clusters),
            n_images=sum(map(len, clusters)),
        )


def near_duplicates(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find near-duplicates, with the label of each image."""
    near = _with_labels(dataset, scan.near_duplicates or ())
    clusters = [members for members in near if _n_distinct(scan, members) > 1]
    if not clusters:
        return
    n_together = len(set(undivided_clusters(dataset, scan)).intersection(clusters))
    yield finding_case(
        "finding-near-duplicates",
        images=_image_ids(dataset, clusters),
        notes=_describe_images(dataset, clusters, lambda record: record.label or ""),
        n_clusters=len(clusters),
        n_images=sum(map(len, clusters)),
        n_clusters_of_several_classes=sum(len(labels_of(dataset, members)) > 1 for members in clusters),
        n_clusters_together=n_together,
        are_all_together=n_together == len(clusters),
    )


def duplicates_in_several_groups(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find duplicates and near-duplicates in several groups, with the group of each image."""
    in_near_duplicates = {i for members in scan.near_duplicates or () for i in members}
    equal = (members for members in scan.equal_pixels if in_near_duplicates.isdisjoint(members))
    near = scan.near_duplicates or ()
    clusters = [members for members in (*equal, *near) if len({dataset.records[i].group for i in members}) > 1]
    if clusters:
        yield finding_case(
            "finding-groups-divide-copies",
            images=_image_ids(dataset, clusters),
            notes=_describe_images(dataset, clusters, lambda record: record.group or ""),
            n_clusters=len(clusters),
            are_kept_together=undivided_clusters(dataset, scan) == (scan.near_duplicates or ()),
        )


def _with_labels(dataset: Dataset, clusters: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the clusters with at least two labeled images; all clusters if no image has a label yet."""
    has_label = [record.label is not None for record in dataset.records]
    if not any(has_label):
        return list(clusters)
    return [members for members in clusters if sum(has_label[i] for i in members) > 1]


def _n_distinct(scan: Scan, members: Sequence[int]) -> int:
    return len({fact.pixel_hash for i in members if isinstance(fact := scan.facts[i], PixelFacts)})


def _shown_images(dataset: Dataset, leak: Leak) -> Sequence[int]:
    if leak.kind != "group":
        return leak.images
    return leak.images[: len({dataset.records[i].predefined_split for i in leak.images})]  # one of each set comes first


def _image_ids(dataset: Dataset, clusters: Sequence[Sequence[int]]) -> tuple[Cluster, ...]:
    return _describe_images(dataset, clusters, lambda record: record.image_id)


def _describe_images(
    dataset: Dataset, clusters: Sequence[Sequence[int]], describe: Callable[[ImageRecord], str]
) -> tuple[Cluster, ...]:
    return tuple(tuple(describe(dataset.records[i]) for i in members) for members in clusters)
