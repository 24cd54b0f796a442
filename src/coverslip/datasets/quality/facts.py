"""Facts about a dataset: class sizes, the distribution of groups, and frequencies of values."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import median

from pydantic import BaseModel, ConfigDict

from coverslip.counts import count_groups
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import natural_key
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import PixelFacts

FEW_GROUPS_FOR_ONE_SPLIT = (
    10  # with fewer, a single split tests on one or two patients, so cross-validation is the default
)
SOME_GROUPS = 30  # with fewer, cross-validation is recommended


class Spread(BaseModel):
    """Minimum, median and maximum of some numbers."""

    model_config = ConfigDict(frozen=True)

    min: float
    median: float
    max: float

    @staticmethod
    def of(numbers: Iterable[float]) -> "Spread | None":
        """Return the spread of numbers; None without numbers."""
        values = sorted(numbers)
        return Spread(min=values[0], median=median(values), max=values[-1]) if values else None


class GroupFacts(BaseModel):
    """The distribution of images over groups."""

    model_config = ConfigDict(frozen=True)

    n_groups: int
    n_ungrouped: int = 0  # images without a group
    images_per_group: Spread
    classes_per_group: Spread
    groups_per_class: dict[str, int]


def class_sizes(dataset: Dataset, scan: Scan) -> dict[str, int]:
    """Return the number of readable images per class, in the order of the dataset's classes."""
    pairs = zip(dataset.records, scan.facts, strict=True)
    labels = Counter(record.label for record, fact in pairs if isinstance(fact, PixelFacts))
    return {label: labels[label] for label in dataset.classes}


def group_facts(dataset: Dataset) -> GroupFacts | None:
    """Return the distribution of images over groups; None without groups. Images without a group are not counted."""
    labels_of_group: dict[str, set[str]] = defaultdict(set)
    groups_of_label: dict[str, set[str]] = defaultdict(set)
    n_of_group: Counter[str] = Counter()
    used = [record for record in dataset.records if record.label not in dataset.dropped]
    groups = count_groups(record.named_group for record in used)
    for record in used:
        if record.named_group is None:
            continue
        n_of_group[record.named_group] += 1
        if record.label is not None and dataset.has_class(record):
            labels_of_group[record.named_group].add(record.label)
            groups_of_label[record.label].add(record.named_group)
    images = Spread.of(n_of_group.values())
    per_group = Spread.of(len(labels_of_group[group]) for group in n_of_group)
    if images is None or per_group is None:
        return None
    return GroupFacts(
        n_groups=groups.n_groups,
        n_ungrouped=groups.n_ungrouped,
        images_per_group=images,
        classes_per_group=per_group,
        groups_per_class={label: len(groups_of_label[label]) for label in dataset.classes},
    )


def units_per_class(dataset: Dataset) -> dict[str, int]:
    """Return the number of groups, and of images without a group, of each class: what a split divides at most."""
    names: dict[str, list[str | None]] = {label: [] for label in dataset.classes}
    for record in dataset.records:
        if record.label is not None and dataset.has_class(record):
            names[record.label].append(record.named_group)
    return {label: count_groups(groups).n_units for label, groups in names.items()}


def single_groups(dataset: Dataset) -> list[str]:
    """Return the groups if each class is in only one group, so that no split has a class in two sets; else nothing.

    With a predefined split, the result is empty.
    """
    groups_of: dict[str, set[str]] = defaultdict(set)
    for record in dataset.records:
        if record.label is not None and dataset.has_class(record):
            groups_of[record.label].add(record.image_id if record.group is None else record.group)
    groups = sorted(set().union(*groups_of.values()), key=natural_key)
    is_grouped = dataset.has_groups and not dataset.has_predefined_split
    is_confounded = is_grouped and len(groups) > 1 and all(len(of_class) == 1 for of_class in groups_of.values())
    return groups if is_confounded else []


def frequencies(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs: most frequent first, equal ones in natural order."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], natural_key(item[0]))))
