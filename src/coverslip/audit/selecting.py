"""Which images to label next: first those that represent many others, then those that a classifier cannot decide.

Selected images are no random sample of all images: they contain more rare and ambiguous ones. Metrics on them are
biased. A random part of the images is therefore reserved as test set; its images are never selected, and their labels
are not used to select others.

The first images are the most typical ones of clusters (Hacohen, Dekel and Weinshall 2022, Active Learning on a Budget).
Later ones have a small margin between two classes. They are taken from the predicted classes in turn, of those with few
labels first: a linear probe needs the mean of each class, and the smallest margins of all images are of few classes.
benchmarks/NOT_KEPT.md has the orders that were no better.
"""

import hashlib
import warnings
from collections import deque
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from coverslip.datasets.index.records import Dataset
from coverslip.runs.folder import Run

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

RESERVED_SHARE = 0.2  # of the images, or of their groups
FEWEST_LABELS = 20  # before images are selected by what a classifier cannot decide
_MOST_COMPARED = 5_000  # images of which typical ones are selected, at random, to limit time and memory
_MOST_CLUSTERS = 60
_N_NEIGHBORS = 20  # over which typicality is averaged
_SEED = 0


def unit_vectors(rows: Floats) -> Floats:
    """Return the rows with a length of 1."""
    directions: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return directions


def reserved(data: Dataset, run: Run | None = None) -> npt.NDArray[np.bool_]:
    """Return (n,) whether each image belongs to the test set, which depends on names and predefined sets only.

    Args:
        data: all images.
        run: its test images are reserved, and its training and validation images are not. After cross-validation, the
            classifier was trained on all its images.
    """
    split_of: dict[str, str] = {}
    if run is not None:
        used = [row for row in run.split if row.split != "excluded"]
        split_of = {row.image_id: "train" if run.is_cross_validated else row.split for row in used}
    units = [record.unit for record in data.records]
    draw_of = {unit: draw_of_name(unit[0] or unit[1]) for unit in units}
    side_of_unit = {
        unit: side
        for unit, record in zip(units, data.records, strict=True)
        if (side := record.predefined_split or split_of.get(record.image_id)) is not None
    }
    if not data.has_predefined_split and "test" not in side_of_unit.values():
        free = [unit for unit in draw_of if unit not in side_of_unit]
        if len(free) > 1 and not any(draw_of[unit] < RESERVED_SHARE for unit in free):
            draw_of[min(free, key=draw_of.__getitem__)] = 0.0  # with few groups, at least one
    is_test = [
        side_of_unit[unit] == "test"
        if unit in side_of_unit
        else not data.has_predefined_split and draw_of[unit] < RESERVED_SHARE
        for unit in units
    ]
    return np.array(is_test, bool)


def still_reserved(
    data: Dataset, is_drawn: npt.NDArray[np.bool_], reserved_before: Collection[str]
) -> npt.NDArray[np.bool_]:
    """Return (n,) whether each image belongs to a test set that was reserved before.

    Names of images change if a further source is opened, and with them their draws. Images of the test set stay in it.
    Others are added only if neither they nor an image of their group were labeled since then: labeled images may have
    been suggested, or chosen otherwise than at random.

    Args:
        data: all images.
        is_drawn: of `reserved`.
        reserved_before: image_ids of the test set; empty: none was reserved.
    """
    units = [record.unit for record in data.records]
    is_before = [record.image_id in reserved_before for record in data.records]
    settled = {
        unit
        for unit, record, was_reserved in zip(units, data.records, is_before, strict=True)
        if record.label is not None and not was_reserved
    }
    return np.array(
        [
            was_reserved or (drawn and unit not in settled)
            for unit, drawn, was_reserved in zip(units, is_drawn.tolist(), is_before, strict=True)
        ],
        bool,
    )


def draw_of_name(name: str) -> float:
    """Return a number in [0, 1) that depends on a name only: of a group, or of an image without a group."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def typical(components: Floats, labeled: Ints, unlabeled: Ints, n: int) -> list[tuple[int, float, int]]:
    """Return the most typical images of clusters, those of clusters with few labels and many images first.

    Args:
        components: (N, C), principal components of the features.
        labeled, unlabeled: rows of the components.
        n: number of images.

    Returns:
        Row, share of the unlabeled images in its cluster, and their number; `n` at most.
    """
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(_SEED)
    some = np.sort(rng.permutation(len(unlabeled))[:_MOST_COMPARED])
    covering = labeled[np.sort(rng.permutation(len(labeled))[:_MOST_COMPARED])]
    directions = unit_vectors(components[np.concatenate([unlabeled[some], covering])])
    k = min(len(covering) + n, _MOST_CLUSTERS, len(directions) // 2, len(np.unique(directions.round(4), axis=0)))
    cluster = np.zeros(len(directions), np.int64)
    if k > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty cluster has no image to suggest
            _, cluster = kmeans2(directions, k, minit="++", rng=rng)
    of_unlabeled = cluster[: len(some)]
    size = np.bincount(of_unlabeled, minlength=max(k, 1))
    n_covered = np.bincount(cluster[len(some) :], minlength=max(k, 1))
    members = [_by_typicality(directions, np.flatnonzero(of_unlabeled == c)) for c in range(len(size))]
    selected: list[tuple[int, float, int]] = []
    while len(selected) < min(n, len(some)):
        c = min((c for c in range(len(size)) if members[c]), key=lambda c: (n_covered[c], -size[c]))
        n_covered[c] += 1
        share = float(size[c]) / len(some)
        selected.append((int(unlabeled[some[members[c].pop(0)]]), share, round(share * len(unlabeled))))
    return selected


def _by_typicality(directions: Floats, members: Ints) -> list[int]:
    """Return the members of a cluster, those with the most similar nearest neighbors first."""
    if not len(members):
        return []
    similarity = directions[members] @ directions[members].T
    nearest = -np.partition(-similarity, min(_N_NEIGHBORS, len(members) - 1), axis=1)[:, : _N_NEIGHBORS + 1]
    order = np.argsort(-nearest.mean(axis=1), kind="stable")
    return [int(row) for row in members[order]]


def undecided(logits: Floats, n_labels: Ints, unlabeled: Ints, n: int) -> list[tuple[int, float, tuple[int, int]]]:
    """Return images with a small margin between two classes: of each predicted class, those with few labels first.

    Args:
        logits: (len(unlabeled), K).
        n_labels: (K,) labels of each class. A selected image counts as one of its predicted class.
        unlabeled: rows of the images.
        n: number of images.

    Returns:
        Row, difference of the probabilities of the two most probable classes, and these classes; `n` at most.
    """
    order = np.argsort(-logits, axis=1, kind="stable")[:, :2]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    first, second = np.take_along_axis(logits, order, axis=1).T
    of_first, of_second = np.take_along_axis(probabilities, order, axis=1).T
    by_margin = np.argsort(first - second, kind="stable")
    waiting = [deque(by_margin[order[by_margin, 0] == k].tolist()) for k in range(len(n_labels))]
    counts, selected = n_labels.tolist(), list[tuple[int, float, tuple[int, int]]]()
    while len(selected) < min(n, len(unlabeled)):
        k = min((k for k, images in enumerate(waiting) if images), key=lambda k: (counts[k], -len(waiting[k])))
        i = waiting[k].popleft()
        counts[k] += 1
        selected.append((int(unlabeled[i]), float(of_first[i] - of_second[i]), (int(order[i, 0]), int(order[i, 1]))))
    return selected
