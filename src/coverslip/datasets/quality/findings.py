"""Findings about a dataset: findings about images and about labels, and the registry of their kinds."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.config import JsonDict

from coverslip.datasets.index.folders import channel_names
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import natural_key, one_line, some
from coverslip.datasets.quality.related_images import (
    Leak,
    NameGroups,
    clusters_in_split,
    contained_names,
    groups_in_names,
    labels_of,
    near_duplicates_in_split,
    predefined_split_leaks,
    undivided_clusters,
)
from coverslip.datasets.quality.scanning import (
    FEW_GROUPS_FOR_ONE_SPLIT,
    NOT_IN_PIXELS,
    Scan,
    Signal,
    Unreadable,
    class_sizes,
    frequencies,
    group_facts,
    single_groups,
    units_per_class,
)
from coverslip.documented_fields import DocumentedModel
from coverslip.images.preprocessing import (
    PixelFacts,
    are_numbers,
    channel_order,
    in_orders,
    normalized_names,
    usual_orders,
)
from coverslip.images.reader import PIXEL_SIZE_FACTOR, pixel_side
from coverslip.messages import (
    EACH_FILE,
    GroupBy,
    JoinGroups,
    Message,
    Remedies,
    Remedy,
    Set,
    has_entry,
    joined,
    json_values,
    localized,
    message,
    text,
)
from coverslip.registry import Registry

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")  # most severe first

Cluster = tuple[str, ...]
# Labels, groups and sets are texts, errors are messages.
_Label = Annotated[str | Message, Field(union_mode="left_to_right"), WithJsonSchema({"type": "string"})]
Notes = tuple[tuple[_Label, ...], ...]


def _describe_codes(schema: JsonDict) -> None:
    codes = "; ".join(f"`{kind.name}` ({kind.severity}): {kind.heading}" for kind in FINDINGS.values())
    schema["description"] = f"Kind of the finding. {codes}."


class Finding(DocumentedModel):
    """A property of the dataset that matters for training. Further fields depend on the code."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    code: str = Field(json_schema_extra=_describe_codes)
    severity: Severity
    """error: training is refused, or its metrics would be invalid; warning: images are excluded, or metrics may be
    unreliable; advice: a possible improvement."""
    message: str = ""
    """Code of the text in the catalogue of messages; empty for a text of another package."""
    title: str
    """Heading of findings of this kind."""
    text: str
    """Description of the finding."""
    do: str
    """Recommended action."""
    remedies: tuple[Remedy, ...] = ()
    """Recommended action as data, if it is a supported one."""
    images: tuple[Cluster, ...] = ()
    """The image_ids of the affected images, a list per cluster."""
    notes: Notes = ()
    """For each image its label, group, set or error; empty if not applicable."""
    limit: str = ""
    """Consequence for metrics of a training on these images, for the report; may be empty."""

    @property
    def parameters(self) -> Mapping[str, JsonValue]:
        """The fields that only findings of this code have."""
        return self.__pydantic_extra__

    def localized(self) -> "Finding":
        """Return the finding in the current language."""
        kind = FINDINGS.get(self.code)
        texts = {"text": localized(self.text, self.message, self.parameters)}
        for name in ("do", "limit"):
            texts[name] = localized(getattr(self, name), f"{self.message}.{name}", self.parameters)
        title = self.title if kind is None else kind.heading
        return self.model_copy(update={**texts, "title": title})


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCase:
    """One case that a finder reports. Code, severity and title are those of its kind."""

    text: str
    do: str
    message: str = ""  # the code of the text in the catalogue of messages
    remedies: Remedies = ()
    images: tuple[Cluster, ...] = ()
    notes: Notes = ()
    limit: str = ""
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)


def finding_case(
    code: str,
    *,
    remedies: Remedies = (),
    images: tuple[Cluster, ...] = (),
    notes: Notes = (),
    **parameters: Any,
) -> FindingCase:
    """Return a case with the text, `.do` and optional `.limit` of a message in the catalogue.

    Args:
        code, parameters: as of `messages.text`; the parameters become fields of the finding.
        remedies, images, notes: as of `Finding`.
    """
    limit = text(f"{code}.limit", **parameters) if has_entry(f"{code}.limit") else ""
    return FindingCase(
        text=text(code, **parameters),
        do=text(f"{code}.do", **parameters),
        message=code,
        remedies=remedies,
        images=images,
        notes=notes,
        limit=limit,
        parameters=json_values(parameters),
    )


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding.

    To add a kind, add it to `FINDINGS`, and its texts to `findings.ftl` in all languages. `find` yields any number of
    cases from the records of the images and the facts of the scan. It reads no files.
    """

    name: str  # the code of its findings: in lower case, words joined by "-"
    severity: Severity
    find: Callable[[Dataset, Scan], Iterable[FindingCase]]
    unless: str | None = None  # name of a kind whose findings replace these
    title: str = ""  # of a kind of another package; empty: `finding-NAME.title` of the catalogue

    @property
    def heading(self) -> str:
        """The heading of its findings."""
        return self.title or text(f"finding-{self.name}.title")


# Findings about images: unreadable files, pixels and shortcuts.


def unreadable_files(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find files that do not exist or cannot be read, with the reason of each."""
    pairs = zip(dataset.records, scan.facts, strict=True)
    unreadable = [(record.image_id, fact.reason) for record, fact in pairs if isinstance(fact, Unreadable)]
    if unreadable:
        image_id, reason = unreadable[0]
        yield finding_case(
            "finding-unreadable",
            images=tuple((image_id,) for image_id, _ in unreadable),
            notes=tuple((reason,) for _, reason in unreadable),
            n=len(unreadable),
            first=one_line(image_id, 80),
            reason=reason,
        )


def overwritten_files(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose files other content has overwritten since users labeled them in the app."""
    if scan.overwritten:
        ids, labels = zip(*scan.overwritten.items(), strict=True)
        notes = tuple((label or "",) for label in labels)
        yield finding_case("finding-overwritten", images=tuple((each,) for each in ids), notes=notes, n=len(ids))


_MOST_CHANNELS = 16  # a file with more pages is probably a stack or a movie


_MOST_SIZES = 6  # in the text of the finding


def mixed_pixel_sizes(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose pixel sizes differ, and whether their usual size differs between classes."""
    sides: dict[str | None, list[float]] = defaultdict(list)
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, PixelFacts) and fact.pixel_size_um is not None:
            sides[record.label].append(pixel_side(fact.pixel_size_um))
    every = [side for of_label in sides.values() for side in of_label]
    if not every or max(every) <= PIXEL_SIZE_FACTOR * min(every):
        return
    counts = frequencies(f"{side:.3g}" for side in every)
    listed = [message("images-of-pixel-size", n_images=n, um=float(um)) for um, n in counts.items()]
    usual = {label: median(sides[label]) for label in dataset.classes if sides[label]}
    differs = bool(usual) and max(usual.values()) > PIXEL_SIZE_FACTOR * min(usual.values())
    of_classes = [message("pixel-size-of-class", label=one_line(label, 40), um=um) for label, um in usual.items()]
    yield finding_case(
        "finding-mixed-pixel-sizes",
        counts=_first_of(listed),
        differs_by_class=differs,
        classes=_first_of(of_classes),
    )


def _first_of(messages: Sequence[Message]) -> Message | None:
    """Return a list of the first messages, as one message."""
    first = joined(messages[:_MOST_SIZES], "list-of-messages")
    return first if len(messages) <= _MOST_SIZES else message("list-and-more", first=first)


def unlike_channels(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images of several numbers of channels, except gray ones: no network can process them unchanged."""
    n_of = Counter(fact.n_channels for fact in _readable(scan))
    if len(set(n_of) - {1}) > 1:
        counts = joined(
            (message("channels-of-number", n_images=n_of[n], n_channels=n) for n in sorted(n_of)), "list-of-messages"
        )
        advice, remedies = channel_advice(n_of)
        yield finding_case("finding-unlike-channels", remedies=remedies, counts=counts, advice=advice)


def channel_advice(n_of: Mapping[int, int]) -> tuple[Message, Remedies]:
    """Return advice for images that differ in channels; `n_of` counts the images of each number of channels."""
    if 1 in n_of:
        return message("channels-of-gray-and-color"), ()
    common = list(range(min(n_of)))
    return message("channels-in-common"), (Set("images.channels", common),)


def channel_orders(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose files name the same channels in another order than most."""
    orders = usual_orders(fact.channel_names for fact in _readable(scan))
    of_names: dict[tuple[str, ...], list[ImageRecord]] = defaultdict(list)
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, PixelFacts) and channel_order(fact.channel_names, orders) is not None:
            of_names[fact.channel_names].append(record)
    for names, records in of_names.items():
        (usual,) = (order for order in orders if channel_order(names, [order]) is not None)
        are_chosen = any(record.plan.channels is not None for record in records)
        yield finding_case(
            "finding-channel-order",
            images=tuple((record.image_id,) for record in records),
            remedies=(Set("images.channels", list(usual)),) if are_chosen else (),
            n_images=len(records),
            names=one_line(", ".join(names), 80),
            usual=one_line(", ".join(usual), 80),
            are_chosen=are_chosen,
        )


def other_channels(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images whose files name other channels than most files: they are read by position.

    Names that only count channels are no names. Of images without names, it is unknown which channels they show; they
    are reported if files with names have several orders.
    """
    orders = usual_orders(fact.channel_names for fact in _readable(scan))
    has_mixed_orders = any(channel_order(fact.channel_names, orders) is not None for fact in _readable(scan))
    of_names: dict[tuple[str, ...], list[ImageRecord]] = defaultdict(list)
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, PixelFacts) and record.plan.channels is None:
            names = () if are_numbers(normalized_names(fact.channel_names)) else in_orders(fact.channel_names, orders)
            if names or (has_mixed_orders and fact.n_channels > 1):
                of_names[names].append(record)
    usual, *others = sorted(of_names, key=lambda names: (not names, -len(of_names[names]), names)) or [()]
    if others and orders:
        images = [record for names in others for record in of_names[names]]
        listed = (one_line(", ".join(names), 80) for names in (usual, *others) if names)
        yield finding_case(
            "finding-other-channels",
            images=tuple((record.image_id,) for record in images),
            n_images=len(images),
            n_unnamed=len(of_names.get((), ())),
            names="; ".join(listed),
        )


def several_planes(_: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find images of which only one plane is used."""
    n_of = Counter(fact.n_planes for fact in _readable(scan))
    n = n_of.total() - n_of[1]
    if n:
        is_one_kind = len(n_of) == 1 and max(n_of) <= _MOST_CHANNELS
        remedies = (Set("images.z", "channels"),) if is_one_kind else ()
        yield finding_case("finding-several-planes", remedies=remedies, n=n, is_one_kind=is_one_kind)


def _readable(scan: Scan) -> Iterator[PixelFacts]:
    return (fact for fact in scan.facts if isinstance(fact, PixelFacts))


WARNING_SHARE = 0.5  # of the whole image's gain over chance
ADVICE_SHARE = 0.25


def no_signal(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find labels that whole images do not predict."""
    if scan.signal is not None and not scan.signal.is_significant:
        whole = scan.signal.whole
        yield finding_case(
            "finding-no-signal",
            balanced_accuracy=whole.balanced_accuracy,
            chance=scan.signal.chance,
            p=whole.p,
        )


def shortcuts(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find sources that reach at least half of the whole image's gain over chance."""
    return _shortcuts_between(scan.signal, WARNING_SHARE, float("inf"))


def slight_shortcuts(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find sources that reach a quarter of it; clean images of large cells do too."""
    return _shortcuts_between(scan.signal, ADVICE_SHARE, WARNING_SHARE)


def _shortcuts_between(signal: Signal | None, least: float, most: float) -> Iterator[FindingCase]:
    if signal is None or not signal.is_significant:
        return
    yield from _batches_between(signal, least, most)
    for source, score in signal.by_source.items():
        share = min(signal.share(source), ADVICE_SHARE) if source in NOT_IN_PIXELS else signal.share(source)
        if least <= share < most:
            parameters: dict[str, Any] = {
                "from": source,
                "balanced_accuracy": score.balanced_accuracy,
                "whole_image": signal.whole.balanced_accuracy,
                "chance": signal.chance,
                "p": score.p,
            }
            yield finding_case("finding-shortcut", **parameters)


def _batches_between(signal: Signal, least: float, most: float) -> Iterator[FindingCase]:
    for column, by_column in signal.by_column.items():
        if least <= signal.share_of_column(column) < most:
            parameters: dict[str, Any] = {
                "from": "batch",
                "column": column,
                "balanced_accuracy": by_column.score.balanced_accuracy,
                "whole_image": signal.whole.balanced_accuracy,
                "chance": signal.chance,
                "p": by_column.score.p,
                "visibility": by_column.visibility,
            }
            yield finding_case("finding-shortcut-batch", **parameters)


# Findings about labels: classes, groups, names, duplicates and leakage.

# White space, punctuation and invisible characters. Symbols, such as + and <, distinguish names.
_SEPARATOR = "[\\s_.,;:'\"()\\[\\]{}/\\\\\\u2010-\\u2015\\u00ad\\u200b-\\u200f\\u2060\\ufeff-]"
_BETWEEN_NUMBERS = re.compile(rf"(?<=\d){_SEPARATOR}+(?=\d)")
_SEPARATORS = re.compile(f"{_SEPARATOR}+")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_NUMBER = re.compile(r"([+-]?)\s*(\d+)(?:[.,]0{0,2})?")  # 1, 01, 1.0; three zeros may be thousands
_MARK = "|"  # keeps numbers apart: 1-2 is not 12
_MINUS = "\u2212"  # a sign, as in -1 and CD4-
_FEWEST_OF_A_CLASS = 3  # of a class: one for each set
_FEW_IMAGES = 20  # of a class: below, its metrics are imprecise
_IMBALANCED = 5.0


def similar_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the sets of different names that may be one name with several spellings, in the order of `names`.

    They differ in capitals, leading zeros, white space and punctuation, the form of Unicode characters, or the format
    of a number (1, 01, 1.0). They can be different names all the same: only a person can tell.
    """
    spellings: dict[str, dict[str, None]] = {}
    for name in names:
        spellings.setdefault(_spelling_key(name), {})[name] = None
    return [tuple(each) for each in spellings.values() if len(each) > 1]


def merge_of(spellings: Sequence[str], n_images: dict[str, int]) -> dict[str, list[str]]:
    """Return the spellings as a choice to join them: under the name of most images, the first of them."""
    return {max(spellings, key=lambda name: n_images.get(name, 0)): list(spellings)}


def _spelling_key(name: str) -> str:
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


def unlabeled(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find readable images without a label among labeled images."""
    pairs = zip(dataset.records, scan.facts, strict=True)
    n = sum(record.label is None and not isinstance(fact, Unreadable) for record, fact in pairs)
    if n and dataset.classes:
        yield finding_case("finding-unlabeled", n=n)


def small_classes(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find classes that cannot be in every set, and classes whose metrics will be imprecise."""
    sizes = class_sizes(dataset, scan)
    tiny = [label for label, n in sizes.items() if n < _FEWEST_OF_A_CLASS]
    few = [label for label, n in sizes.items() if _FEWEST_OF_A_CLASS <= n < _FEW_IMAGES]
    if tiny:
        yield finding_case(
            "finding-small-class-not-in-all-sets", names=some(tiny), n_needed=_FEWEST_OF_A_CLASS, classes=tiny
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
    sizes = Counter(record.group for record in dataset.records if record.group is not None)
    clusters = similar_names(sorted(sizes, key=natural_key))
    if clusters:
        merges = [merge_of(spellings, sizes) for spellings in clusters]
        yield finding_case(
            "finding-similar-group-names",
            remedies=(JoinGroups({name: names for merge in merges for name, names in merge.items()}),),
            images=_first_images(dataset, clusters, lambda record: record.group),
            notes=tuple(clusters),
            n=len(clusters),
            names=some(clusters[0]),
            groups=[list(spellings) for spellings in clusters],
        )


def groups_that_may_divide(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find groups whose names contain each other: they may be one patient or slide, which a split would divide."""
    sizes = Counter(record.group for record in dataset.records if record.group is not None)
    by_unit: dict[str, list[str]] = {}
    for name, unit in contained_names(sorted(sizes, key=natural_key)).items():
        by_unit.setdefault(unit, []).append(name)
    clusters = [
        names for names in by_unit.values() if len(names) > len(max(similar_names(names), default=("",), key=len))
    ]
    if clusters:
        merges = [merge_of(names, sizes) for names in clusters]
        yield finding_case(
            "finding-groups-may-divide",
            remedies=(JoinGroups({name: names for merge in merges for name, names in merge.items()}),),
            images=_first_images(dataset, clusters, lambda record: record.group),
            notes=tuple(map(tuple, clusters)),
            n=len(clusters),
            names=some(clusters[0]),
            groups=clusters,
        )


def _first_images(
    dataset: Dataset, clusters: Sequence[Sequence[str]], name_of: Callable[[ImageRecord], str | None]
) -> tuple[Cluster, ...]:
    """Return the first image of each name."""
    first = {name: record.image_id for record in reversed(dataset.records) if (name := name_of(record)) is not None}
    return tuple(tuple(first[name] for name in names) for names in clusters)


_FEWEST_GROUPS = 3  # of a class: one for each set
_SOME_GROUPS = 30  # with fewer, cross-validation is recommended
_LARGE_GROUP = 10  # images: a slide or patient rather than one field of view


def no_groups(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find datasets without groups."""
    if not dataset.has_groups:
        yield finding_case("finding-no-groups", remedies=(GroupBy(), GroupBy(pattern=EACH_FILE)))


def classes_in_few_groups(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find classes that cannot be in every set."""
    n_units = units_per_class(dataset, scan) if group_facts(dataset, scan) else {}
    scarce = [label for label, n in n_units.items() if n < _FEWEST_GROUPS]
    if scarce:
        yield finding_case("finding-class-in-few-groups", names=some(scarce), n_needed=_FEWEST_GROUPS, classes=scarce)


def confounded_groups(dataset: Dataset, _: Scan) -> Iterator[FindingCase]:
    """Find datasets with each class in one group, so that class and group cannot be distinguished."""
    if groups := single_groups(dataset):
        yield finding_case("finding-confounded-groups", group_names=some(groups, 3), groups=list(groups))


def few_groups(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find so few groups that the choice of test groups determines the result."""
    groups = group_facts(dataset, scan)
    if not groups or groups.n_groups >= _SOME_GROUPS:
        return
    needs_folds = _FEWEST_GROUPS <= groups.n_groups < FEW_GROUPS_FOR_ONE_SPLIT and not dataset.has_predefined_split
    is_cross_validated_by_default = (
        needs_folds and min(units_per_class(dataset, scan).values(), default=0) > 1
    )  # else there may be none
    remedies = () if is_cross_validated_by_default else (Set("split.folds", 5),)
    yield finding_case(
        "finding-few-groups",
        remedies=remedies,
        n_groups=groups.n_groups,
        is_cross_validated=is_cross_validated_by_default,
    )


def group_is_class(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find large groups of one class each: what distinguishes groups also distinguishes classes."""
    groups = group_facts(dataset, scan)
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
    code = "finding-hidden-groups" if first.column is None else "finding-hidden-groups-in-column"
    return finding_case(
        "finding-hidden-groups-divided" if first.divided_unit else code,
        remedies=(GroupBy() if first.divided_unit else GroupBy(first.column, first.pattern),),
        unit=one_line(first.divided_unit, 60),
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
    in_split = clusters_in_split(dataset, scan, scan.equal_pixels)
    clusters = [members for members in in_split if len(labels_of(dataset, members)) < 2]
    if clusters:
        yield finding_case(
            "finding-duplicates",
            images=_image_ids(dataset, clusters),
            n_clusters=len(clusters),
            n_images=sum(map(len, clusters)),
        )


def near_duplicates(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
    """Find near-duplicates, with the label of each image."""
    clusters = near_duplicates_in_split(dataset, scan)
    if not clusters:
        return
    n_together = len(undivided_clusters(dataset, scan))
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
    near = near_duplicates_in_split(dataset, scan)
    in_near_duplicates = {i for members in near for i in members}
    in_split = clusters_in_split(dataset, scan, scan.equal_pixels)
    equal = (members for members in in_split if in_near_duplicates.isdisjoint(members))
    clusters = [members for members in (*equal, *near) if len({dataset.records[i].group for i in members} - {None}) > 1]
    if clusters:
        yield finding_case(
            "finding-groups-divide-copies",
            remedies=(GroupBy(),),
            images=_image_ids(dataset, clusters),
            notes=_describe_images(dataset, clusters, lambda record: record.group or ""),
            n_clusters=len(clusters),
            are_kept_together=undivided_clusters(dataset, scan) == near,
        )


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


# Within a severity, the most important first: this is the order of findings.
FINDINGS: Registry[FindingKind] = Registry(
    "finding",
    (
        FindingKind("leakage", "error", leakage),
        FindingKind("no-labels", "error", no_labels),
        FindingKind("one-class", "error", one_class),
        FindingKind("unlike-channels", "error", unlike_channels),
        FindingKind("confounded-groups", "error", confounded_groups),
        FindingKind("overwritten", "warning", overwritten_files),
        FindingKind("unreadable", "warning", unreadable_files),
        FindingKind("conflicting-labels", "warning", conflicting_labels),
        FindingKind("duplicates", "warning", exact_duplicates),
        FindingKind("class-not-in-training", "warning", classes_not_trained),
        FindingKind("small-class", "warning", small_classes),
        FindingKind("near-duplicates", "warning", near_duplicates),
        FindingKind("hidden-groups", "warning", hidden_groups),
        FindingKind("no-groups", "warning", no_groups, unless="hidden-groups"),
        FindingKind("class-in-few-groups", "warning", classes_in_few_groups, unless="confounded-groups"),
        FindingKind("few-groups", "warning", few_groups, unless="confounded-groups"),
        FindingKind("similar-group-names", "warning", similar_group_names),
        FindingKind("groups-may-divide", "warning", groups_that_may_divide),
        FindingKind("channel-files", "warning", channel_files),
        FindingKind("groups-divide-copies", "warning", duplicates_in_several_groups),
        FindingKind("group-is-class", "warning", group_is_class, unless="confounded-groups"),
        FindingKind("no-signal", "warning", no_signal),
        FindingKind("shortcut", "warning", shortcuts),
        FindingKind("channel-order", "warning", channel_orders),
        FindingKind("other-channels", "warning", other_channels),
        FindingKind("mixed-pixel-sizes", "warning", mixed_pixel_sizes),
        FindingKind("slight-shortcut", "advice", slight_shortcuts),
        FindingKind("unlabeled", "advice", unlabeled),
        FindingKind("imbalance", "advice", imbalance),
        FindingKind("similar-class-names", "advice", similar_class_names),
        FindingKind("several-planes", "advice", several_planes),
    ),
)
