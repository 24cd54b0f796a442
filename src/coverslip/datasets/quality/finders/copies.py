"""Findings about duplicates, near-duplicates, and what stands on two sides of a split that comes with the images."""

from collections.abc import Callable, Iterator, Sequence

from coverslip.datasets.index import Dataset, ImageRecord, counted
from coverslip.datasets.quality.components import kept_together, labels_of
from coverslip.datasets.quality.finding import Cluster, Found
from coverslip.datasets.quality.leaks import Leak, predefined_split_leaks
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import ImageFacts


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
        values={"groups": list(groups)},
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
            values={"n_clusters": len(clusters), "n_images": n},
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
        values={
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
