"""Findings about labels: classes, groups, names, duplicates and leakage."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from pydantic import JsonValue

from coverslip.datasets.index import Dataset, ImageRecord, channel_names, counted, one_line, some
from coverslip.datasets.quality.components import kept_together, labels_of
from coverslip.datasets.quality.facts import (
    FEW_GROUPS_FOR_ONE_SPLIT,
    SOME_GROUPS,
    class_sizes,
    group_facts,
    single_groups,
)
from coverslip.datasets.quality.finding import Cluster, Found
from coverslip.datasets.quality.leaks import Leak, predefined_split_leaks
from coverslip.datasets.quality.name_groups import NameGroups, groups_in_names
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import ImageFacts
from coverslip.messages import GroupBy, Set

_FEWEST_IMAGES = 3  # of a class: one for each part
_FEW_IMAGES = 20  # of a class: below, its numbers say little
_IMBALANCED = 5.0


def no_labels(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """No image of a class."""
    if not dataset.classes:
        yield Found(
            text="No image has a label.",
            do="Label images in the app, put each class into a folder, or give a table with a label column.",
        )


def one_class(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Nothing to tell apart."""
    if len(dataset.classes) == 1:
        yield Found(
            text=f"There is one class, {some(dataset.classes)}. A classifier needs at least two.",
            do="Add images of another class, in a folder of their own.",
        )


def classes_not_trained(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Classes whose usable images all stand in other parts of a predefined split than training."""
    if "train" not in {record.predefined_split for record in dataset.records}:
        return
    usable, trained = set(), set()
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if record.label is not None and dataset.has_class(record) and isinstance(fact, ImageFacts):
            usable.add(record.label)
            if record.predefined_split in (None, "train"):
                trained.add(record.label)
    missing = [name for name in dataset.classes if name in usable - trained]
    if missing:
        yield Found(
            text=f"The predefined split has no training image of {some(missing)}, so this cannot be learnt and its "
            "images will be excluded.",
            do="Move some of them to training, or leave the split to coverslip.",
            parameters={"classes": list(missing)},
        )


def unlabelled(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Images without a label among others that have one."""
    n = sum(record.label is None for record in dataset.records)
    if n and dataset.classes:
        yield Found(
            text=f"{counted(n, 'image')} without a label will be excluded.",
            do="Label those that the classifier should learn from.",
            parameters={"n": n},
        )


def small_classes(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Classes that cannot be in every part, and classes whose numbers will say little."""
    sizes = class_sizes(dataset, scan)
    tiny = [label for label, n in sizes.items() if n < _FEWEST_IMAGES]
    few = [label for label, n in sizes.items() if _FEWEST_IMAGES <= n < _FEW_IMAGES]
    if tiny:
        yield Found(
            text=f"{some(tiny)}: fewer than {_FEWEST_IMAGES} images, so such a class cannot be in training, validation "
            "and test at once.",
            do="Add images or exclude it.",
            parameters={"classes": list(tiny)},
        )
    if few:
        yield Found(
            text=f"{some(few)}: fewer than {_FEW_IMAGES} images, so the metrics of such a class will be imprecise.",
            do="Add images if you can, and look at the confidence intervals of its metrics.",
            parameters={"classes": list(few)},
        )


def imbalance(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """One class many times as large as another."""
    sizes = [n for n in class_sizes(dataset, scan).values() if n]
    ratio = max(sizes) / min(sizes) if len(sizes) > 1 else 1.0
    if ratio >= _IMBALANCED:
        yield Found(
            text=f"The largest class has {ratio:.0f} times as many images as the smallest.",
            do="Judge by balanced accuracy or macro-F1, and consider letting rare classes count more in training.",
            remedies=(Set("class_weights", "balanced"),),
            parameters={"ratio": ratio},
        )


def similar_class_names(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Names that differ only in capitals, spaces or marks."""
    sizes = class_sizes(dataset, scan)
    spellings_of: dict[str, list[str]] = defaultdict(list)
    for label in dataset.classes:
        spellings_of[re.sub(r"[\W_]+", "", label.casefold()) or label].append(label)
    for spellings in spellings_of.values():
        if len(spellings) > 1:
            name = max(spellings, key=sizes.__getitem__)
            yield Found(
                text=f"The labels {some(spellings)} may be one class in several spellings.",
                do="If they are one class, merge them. Or use one spelling in the names of the folders or in the "
                "label column of the table.",
                remedies=(Set("classes.merge", {name: spellings}),),
                parameters={"classes": list(spellings)},
            )


_FEWEST_GROUPS = 3  # of a class: one for each part
_LARGE_GROUP = 10  # images: a slide or patient rather than one field of view


def no_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Nobody said which images belong together."""
    if not dataset.has_groups:
        yield Found(
            text="No groups are known. If several images come from one patient, slide or well, they stand in training "
            "and test, which flatters the numbers.",
            do="Say what belongs together, by a column of the table or a pattern in the names of files and folders.",
            remedies=(GroupBy(),),
        )


def classes_in_few_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Classes that cannot be in every part."""
    groups = group_facts(dataset)
    scarce = [label for label, n in groups.groups_per_class.items() if n < _FEWEST_GROUPS] if groups else []
    if scarce:
        yield Found(
            text=f"{some(scarce)}: images from fewer than {_FEWEST_GROUPS} groups, so such a class cannot be in "
            "training, validation and test at once.",
            do="Add images of such a class from other groups, or leave it out.",
            parameters={"classes": list(scarce)},
        )


def confounded_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Each class in one group: nothing tells a class from its group."""
    if groups := single_groups(dataset):
        yield Found(
            text=f"Each class lies in a single group ({some(groups, 3)}), so class and group cannot be told apart, and "
            "no class can be in both training and test.",
            do="Add images so that each class comes from several groups. Without them, train without groups: the "
            "classifier may then learn the group in place of the class, and the results cannot show it.",
            parameters={"groups": list(groups)},
        )


def few_groups(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """So few that the choice of those tested on decides."""
    groups = group_facts(dataset)
    if not groups or groups.n_groups >= SOME_GROUPS:
        return
    is_for_folds = _FEWEST_GROUPS <= groups.n_groups < FEW_GROUPS_FOR_ONE_SPLIT and not dataset.has_predefined_split
    are_folds_usual = is_for_folds and min(groups.groups_per_class.values(), default=0) > 1  # else there may be none
    yield Found(
        text=f"There are only {counted(groups.n_groups, 'group')}: which of them fall into the test part matters much, "
        "and intervals will be wide and still approximate."
        + (" A training therefore tests on each of them once, in folds." if are_folds_usual else ""),
        do="Add images of other groups if you can." if are_folds_usual else "Folds test on every group once.",
        remedies=() if are_folds_usual else (Set("split.folds", 5),),
        parameters={"n_groups": groups.n_groups},
    )


def group_is_class(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Large groups of one class each: what tells groups apart tells classes apart."""
    groups = group_facts(dataset)
    if not groups or groups.images_per_group.median < _LARGE_GROUP or len(dataset.classes) < 2:
        return
    if groups.classes_per_group.max == 1:
        yield Found(
            text="Every group holds one class only, so the network could learn to tell the groups' staining or "
            "exposure apart instead of the classes.",
            do="Add groups that hold several classes: they show whether it does.",
        )


_MOST_SHOWN = 5  # patterns
_LEAST_GREY = 0.8  # of images, for their files to be taken for channels


def hidden_groups(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Images with related names share labels or looks beyond chance, and nobody named groups."""
    if dataset.has_groups:
        return
    telling = [groups for groups in groups_in_names(dataset, scan) if groups.is_telling]
    if confounded := [groups for groups in telling if groups.is_confounded]:
        yield _confounded(confounded)
    if usable := [groups for groups in telling if not groups.is_confounded]:
        yield _hidden(usable)


def _confounded(telling: Sequence[NameGroups]) -> Found:
    first = telling[0]
    example, where = one_line(first.example, 60), "File or folder names suggest"
    if first.column is not None:
        where = f"The column '{one_line(first.column, 60)}' suggests"
    same = f"each class lies in one of {first.n_groups:,} groups such as '{example}'"
    risk = "If they are patients, slides or batches, class and group cannot be told apart"
    return Found(
        text=f"{where} that {same}. {risk}, and the classifier may learn the group in place of the class.",
        do="Add images so that each class comes from several groups. Training cannot use these groups: no class could "
        "be in both training and test.",
        limit=f"{where} that {same}. {risk}: these results cannot show whether the classifier recognizes the class.",
        parameters=_values(telling),
    )


def _hidden(telling: Sequence[NameGroups]) -> Found:
    first = telling[0]
    what = "labels" if first.strength > first.looks else "size or brightness"
    groups = f"{first.n_groups:,} groups such as '{one_line(first.example, 60)}'"
    if first.column is None:
        where = f"File or folder names suggest {groups}. Patterns: {_patterns(telling[:_MOST_SHOWN])}."
    else:
        where = f"The column '{one_line(first.column, 60)}' suggests {groups}."
        if others := [f"'{one_line(each.column, 60)}' ({each.n_groups:,})" for each in telling[1:] if each.column]:
            where += f" Other columns: {', '.join(others[:_MOST_SHOWN])}."
    return Found(
        text=f"{where} Images of one group share {what} far more than expected by chance. They may come from one "
        "patient, slide or field.",
        do="Find out what the names mean. If they name patients, slides or fields, define groups; otherwise the "
        "results are too good.",
        remedies=(GroupBy(first.column),),
        limit=f"Images with related names (such as '{one_line(first.example, 60)}') share {what} far more than by "
        "chance, and no groups were named. If they come from one patient, slide or field, test images resemble "
        "training images, and the results here cannot be believed.",
        parameters=_values(telling),
    )


def _values(telling: Sequence[NameGroups]) -> dict[str, JsonValue]:
    first = telling[0]
    return {
        "pattern": first.pattern,
        "column": first.column,
        "p": first.p,
        "patterns": [asdict(groups) for groups in telling[:_MOST_SHOWN]],
    }


def _patterns(telling: Sequence[NameGroups]) -> str:
    """Patterns in single quotes, as a shell takes them, each with what it finds."""
    shown = (f"'{g.pattern}' ({g.n_groups:,} groups such as '{one_line(g.example, 60)}')" for g in telling if g.pattern)
    return ", ".join(shown)


def channel_files(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Grey files that differ by the marks of channels in their names, each taken for an image."""
    names = channel_names(dataset.records)
    readable = [fact for fact in scan.facts if isinstance(fact, ImageFacts)]
    n_grey = sum(fact.n_channels == 1 for fact in readable)
    if names is None or n_grey < _LEAST_GREY * len(readable):
        return
    files = ", ".join(f"'{one_line(name, 60)}'" for name in names.example)
    yield Found(
        text=f"{names.n_files:,} files look like the channels of {names.n_images:,} images (such as {files}), but each "
        "is taken for an image of its own: channels of one image can then stand on both sides of a split.",
        do="If they are, take the files of an image as its channels.",
        remedies=(Set("channel_files", list(names.marks)),),
        limit="Files look like channels of the same images, but each was taken for an image; where they are, test "
        "images were partly seen in training.",
        parameters={"n_files": names.n_files, "n": names.n_images, "marks": list(names.marks)},
    )


def leakage(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Groups and equal pixels on two sides; of a group the first image of each side, since it may be large."""
    leaks = predefined_split_leaks(dataset, scan)
    if not leaks:
        return
    groups = [leak.name for leak in leaks if leak.kind == "group"]
    n_pixels, n_changed, n_chains = (sum(leak.kind == kind for leak in leaks) for kind in ("pixels", "copies", "chain"))
    chains = f", {counted(n_changed, 'cluster')} of near-duplicates" if n_changed else ""
    chains += f" and {counted(n_chains, 'chain')} of groups connected by duplicates" if n_chains else ""
    clusters = [_shown(dataset, leak) for leak in leaks]
    yield Found(
        text=f"The predefined split has {counted(len(groups), 'group')} and "
        f"{counted(n_pixels, 'cluster')} of equal images{chains} in several parts. Results on it would be too good.",
        do="Move them to one side, or let coverslip split the images.",
        images=_image_ids(dataset, clusters),
        notes=_beside(dataset, clusters, lambda record: record.predefined_split or ""),
        parameters={"groups": list(groups)},
    )


def conflicting_labels(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Equal pixels under several labels; beside each image its own."""
    clusters = [members for members in scan.equal_pixels if len(labels_of(dataset, members)) > 1]
    if clusters:
        yield Found(
            text=f"{counted(sum(map(len, clusters)), 'image')} have the same pixels as an image with another label. "
            "All of them will be excluded until the labels agree.",
            do="Decide which label is right.",
            images=_image_ids(dataset, clusters),
            notes=_beside(dataset, clusters, lambda record: record.label or ""),
        )


def exact_copies(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Equal pixels whose labels do not contradict each other."""
    clusters = [members for members in _with_labels(dataset, scan.equal_pixels) if len(labels_of(dataset, members)) < 2]
    if clusters:
        n = sum(map(len, clusters))
        yield Found(
            text=f"{counted(n, 'image')} in {counted(len(clusters), 'cluster')} have the same pixels as another one.",
            do="Delete these duplicates if they are there by accident: the split keeps them together, but the image "
            "counts more than once.",
            images=_image_ids(dataset, clusters),
            limit="The split kept such duplicates together.",
            parameters={"n_clusters": len(clusters), "n_images": n},
        )


def changed_copies(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """The same picture with other pixels; beside each image its label."""
    near = _with_labels(dataset, scan.near_duplicates or ())
    clusters = [members for members in near if _n_pictures(scan, members) > 1]
    if not clusters:
        return
    kept = set(kept_together(dataset, scan)).intersection(clusters)
    n, n_unlike = sum(map(len, clusters)), sum(len(labels_of(dataset, members)) > 1 for members in clusters)
    unlike = f" In {counted(n_unlike, 'cluster', 'clusters')} the classes differ." if n_unlike else ""
    yield Found(
        text=f"{counted(n, 'image')} in {counted(len(clusters), 'cluster')} are near-duplicates: copies of another "
        f"one that were compressed, resized, brightened, rotated, mirrored, shifted or cropped.{unlike}",
        do="Look at the clusters. A training keeps each cluster in the same set; an image that is there several times "
        "counts more than once." + (" Decide which label is right where classes differ." if n_unlike else ""),
        images=_image_ids(dataset, clusters),
        notes=_beside(dataset, clusters, lambda record: record.label or ""),
        limit="The split kept each cluster of near-duplicates together."
        if len(kept) == len(clusters)
        else f"The split kept {len(kept):,} of the clusters together.",
        parameters={
            "n_clusters": len(clusters),
            "n_images": n,
            "n_clusters_of_several_classes": n_unlike,
            "n_clusters_together": len(kept),
        },
    )


def copies_in_several_groups(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Duplicates and near-duplicates in several groups; beside each image its own."""
    in_changed = {i for members in scan.near_duplicates or () for i in members}
    equal = (members for members in scan.equal_pixels if in_changed.isdisjoint(members))
    near = scan.near_duplicates or ()
    clusters = [members for members in (*equal, *near) if len({dataset.records[i].group for i in members}) > 1]
    if clusters:
        n, are_kept = len(clusters), kept_together(dataset, scan) == (scan.near_duplicates or ())
        told = (
            ", which are therefore kept together."
            if are_kept
            else ": so many that most groups would become one. Those whose pixels differ are taken for images that "
            "merely resemble each other, and the groups are kept apart as they were named."
        )
        yield Found(
            text=f"{counted(n, 'cluster of duplicates lies', 'clusters of duplicates lie')} in several groups{told}",
            do="Check whether the groups are right.",
            images=_image_ids(dataset, clusters),
            notes=_beside(dataset, clusters, lambda record: record.group or ""),
        )


def _with_labels(dataset: Dataset, clusters: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The clusters with two labeled images or more; all, where no image has a label yet."""
    has_label = [record.label is not None for record in dataset.records]
    if not any(has_label):
        return list(clusters)
    return [members for members in clusters if sum(has_label[i] for i in members) > 1]


def _n_pictures(scan: Scan, members: Sequence[int]) -> int:
    return len({fact.pixel_hash for i in members if isinstance(fact := scan.facts[i], ImageFacts)})


def _shown(dataset: Dataset, leak: Leak) -> Sequence[int]:
    if leak.kind != "group":
        return leak.images
    return leak.images[
        : len({dataset.records[i].predefined_split for i in leak.images})
    ]  # one of each side stands first


def _image_ids(dataset: Dataset, clusters: Sequence[Sequence[int]]) -> tuple[Cluster, ...]:
    return _beside(dataset, clusters, lambda record: record.image_id)


def _beside(
    dataset: Dataset, clusters: Sequence[Sequence[int]], tell: Callable[[ImageRecord], str]
) -> tuple[Cluster, ...]:
    return tuple(tuple(tell(dataset.records[i]) for i in members) for members in clusters)
