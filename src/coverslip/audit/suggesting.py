"""Which images to label next: first those that represent many others, then those that a classifier cannot decide.

Suggested images are no random sample of all images: they contain more rare and ambiguous ones. Metrics on them are
biased. A random part of the images is therefore reserved as test set; its images are never suggested, and their labels
are not used to select others.

The first images are the most typical ones of clusters (Hacohen, Dekel and Weinshall 2022, Active Learning on a Budget).
Later ones are uncertain and differ from each other, after Ash et al. 2020 (BADGE), with the margin between two classes
and the distance of features instead of gradients.
"""

import hashlib
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.audit.features import feature_extractor, unit_vectors
from coverslip.datasets.index.opening import ImageSource, open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.engines import Features
from coverslip.errors import BadDataset, CoverslipError
from coverslip.evaluation.calibration import apply_temperature
from coverslip.events import Emit, show
from coverslip.files import check_replaceable
from coverslip.inference import load_classifier
from coverslip.machine import select_device
from coverslip.messages import Message, message
from coverslip.runs.documents import write_table
from coverslip.runs.folder import Run, RunContext, open_run
from coverslip.training.linear_probe import fit_linear_probe, principal_components

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

RESERVED_SHARE = 0.2  # of the images, or of their groups
FEWEST_LABELS = 20  # before images are selected by what a classifier cannot decide
SUGGESTION_COLUMNS = ("rank", "image_id", "path", "score", "reason")
_N_COMPONENTS = 64  # principal components of standardized features, in which images are compared
_MOST_COMPARED = 5_000  # images of which typical ones are selected, at random, to limit time and memory
_MOST_LABELED = 4_000  # images that the probe is fitted on
_MOST_CLUSTERS = 60
_ROWS_AT_ONCE = 4_096  # of features that are read together, to limit memory
_N_NEIGHBORS = 20  # over which typicality is averaged
_SHRINKAGE = 1.0  # of the probe
_SEED = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An image to label."""

    rank: int  # from 1
    image_id: str
    path: str
    score: float  # share of the images without a label that it represents, or 1 - margin between two classes
    reason: Message


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Images to label, the most useful first, and the images that are reserved as test set."""

    suggestions: tuple[Suggestion, ...]
    reserved_test: tuple[str, ...]  # image_ids
    n_labeled: int  # images with a label, without reserved ones
    n_reserved_labeled: int
    n_unlabeled: int  # images without a label, without reserved ones


def suggest(
    data: Dataset | ImageSource,
    *,
    run: Run | Path | str | None = None,
    n: int = 20,
    out: Path | str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    device: str = "auto",
    emit: Emit = show,
) -> Suggestions:
    """Suggest images to label next, the most useful first.

    A random fifth of the images, or of their groups, is reserved as test set and never suggested. It depends on names
    only, so it stays the same while images are labeled or added. Images of the set `test` of a folder or table, or of
    the test set of the run, are reserved too; their training and validation images are not.

    Args:
        data: images of which some, or none, have a label.
        run: the run of a classifier, whose features and probabilities are used; None: pretrained features, and a
            linear probe on the images with a label.
        n: number of images to suggest.
        out: a CSV table of the suggestions, which replaces an earlier one, but no other file.
        group, group_pattern: as of `open_dataset`.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress.

    Raises:
        BadDataset: there are no images, or no image without a label.
        CoverslipError: `n` is below 1, or `out` is another file.
        Stopped: on request; features that were computed stay in the cache.

    Examples:
        >>> suggested = cs.suggest("new/", n=2, device="cpu")
        >>> [each.rank for each in suggested.suggestions]
        [1, 2]
    """
    if n < 1:
        raise CoverslipError("no-number-of-suggestions", n=n)
    if out is not None:
        check_replaceable(Path(out), ",".join(SUGGESTION_COLUMNS).encode())  # before minutes of work
    opened = None if run is None else run if isinstance(run, Run) else open_run(run)
    dataset = _open_pool(data, group, group_pattern)
    is_reserved = reserved(dataset, opened)
    result = suggest_among(dataset, is_reserved, run=opened, n=n, device=device, emit=emit)
    if out is not None:
        write_table(
            Path(out),
            SUGGESTION_COLUMNS,
            (
                {
                    "rank": s.rank,
                    "image_id": s.image_id,
                    "path": s.path,
                    "score": f"{s.score:.6f}",
                    "reason": s.reason.english,
                }
                for s in result.suggestions
            ),
        )
    return result


def suggest_among(
    dataset: Dataset,
    is_reserved: npt.NDArray[np.bool_],
    *,
    run: Run | None = None,
    n: int,
    device: str = "auto",
    emit: Emit,
) -> Suggestions:
    """Suggest images to label next; none of those in the reserved test set.

    Args:
        dataset: images of which some, or none, have a label.
        is_reserved: (number of images,) whether each belongs to the test set, as of `reserved`.
        run, n, device, emit: as of `suggest`.

    Raises:
        BadDataset: there is no image without a label.
        Stopped: on request; features that were computed stay in the cache.
    """
    if all(is_test or record.label is not None for record, is_test in zip(dataset.records, is_reserved, strict=True)):
        raise BadDataset("no-image-to-suggest", n_reserved=int(is_reserved.sum()))
    scan = scan_images(dataset, emit=emit)
    context = RunContext(Path(), select_device(device), emit)
    with feature_extractor([scan], run=run).open_features(dataset, scan, context) as images:
        positions = images.positions
        pool = _Pool.of(dataset, positions, is_reserved)
        if not len(pool.unlabeled):
            raise BadDataset("no-readable-image-to-suggest")
        probabilities, names = _probabilities(images.features, pool, run)
        components = principal_components(images.features, _N_COMPONENTS)
    selected = (
        [
            (i, share, message("suggestion-typical", n_images=n_represented))
            for i, share, n_represented in typical(components, pool.labeled, pool.unlabeled, n)
        ]
        if probabilities is None
        else [
            (i, 1 - margin, message("suggestion-undecided", first=names[a], second=names[b]))
            for i, margin, (a, b) in undecided(components, probabilities, pool.unlabeled, n)
        ]
    )
    records = [dataset.records[positions[i]] for i, _, _ in selected]
    suggestions = tuple(
        Suggestion(rank, record.image_id, str(record.path), score, reason)
        for rank, (record, (_, score, reason)) in enumerate(zip(records, selected, strict=True), start=1)
    )
    reserved_records = [record for record, is_test in zip(dataset.records, is_reserved, strict=True) if is_test]
    return Suggestions(
        suggestions=suggestions,
        reserved_test=tuple(record.image_id for record in reserved_records),
        n_labeled=len(pool.labeled),
        n_reserved_labeled=sum(dataset.has_class(record) for record in reserved_records),
        n_unlabeled=len(pool.unlabeled),
    )


def _open_pool(data: Dataset | ImageSource, group: str | None, group_pattern: str | None) -> Dataset:
    if isinstance(data, Dataset):
        return data
    try:
        return open_dataset(data, group=group, group_pattern=group_pattern)
    except BadDataset:  # images without classes
        return open_dataset(data, group=group, group_pattern=group_pattern, labeled=False, distinct=True)


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
    draw_of = {unit: _draw(unit) for unit in units}
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
    if not reserved_before:
        return is_drawn
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


def _draw(unit: tuple[str | None, str]) -> float:
    """Return a number in [0, 1) that depends on the name only, of a group or of an image without a group."""
    group, image_id = unit
    name = (group or image_id).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") / 2**64


@dataclass(frozen=True, slots=True)
class _Pool:
    """Rows of features of images that are not reserved."""

    labeled: Ints
    unlabeled: Ints
    labels: list[str] = field(default_factory=list)  # of the labeled images

    @classmethod
    def of(cls, data: Dataset, positions: Sequence[int], is_reserved: npt.NDArray[np.bool_]) -> "_Pool":
        records = [data.records[i] for i in positions]
        rows = [i for i, position in enumerate(positions) if not is_reserved[position]]
        labeled = [i for i in rows if data.has_class(records[i])]
        unlabeled = [i for i in rows if records[i].label is None]
        return cls(np.array(labeled, np.int64), np.array(unlabeled, np.int64), [str(records[i].label) for i in labeled])


def _probabilities(features: Features, pool: _Pool, run: Run | None) -> tuple[Floats | None, Sequence[str]]:
    """Return (n, K) probabilities of the images without a label, and the classes; None: too few labels.

    Features are read in parts, which limits memory.
    """
    parts = [pool.unlabeled[start : start + _ROWS_AT_ONCE] for start in range(0, len(pool.unlabeled), _ROWS_AT_ONCE)]
    if run is not None:
        classifier = load_classifier(run, "cpu")
        by_run = [classifier.probabilities_of(_features_at(features, part)) for part in parts]
        return np.concatenate(by_run).astype(np.float32), classifier.classes
    rng = np.random.default_rng(_SEED)
    some = np.sort(rng.permutation(len(pool.labeled))[:_MOST_LABELED])
    names, label = np.unique([pool.labels[i] for i in some.tolist()], return_inverse=True)
    if len(some) < FEWEST_LABELS or len(names) < 2:
        return None, ()
    labeled = _features_at(features, pool.labeled[some])
    probe = fit_linear_probe(
        labeled,
        label,
        labeled[:0],
        label[:0],
        n_classes=len(names),
        balanced=True,
        better=lambda logits, of_label: 0.0,  # with one amount of shrinkage, nothing is selected
        shrinkages=[_SHRINKAGE],
    )
    logits = [probe.logits(_features_at(features, part)) for part in parts]
    return apply_temperature(np.concatenate(logits), 1.0).astype(np.float32), names.tolist()


def _features_at(features: Features, rows: Ints) -> Floats:
    return features.part(rows)[slice(0, len(rows))]


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


def undecided(
    components: Floats, probabilities: Floats, unlabeled: Ints, n: int
) -> list[tuple[int, float, tuple[int, int]]]:
    """Return images with a small margin between two classes that differ from each other.

    Args:
        components: (N, C), principal components of the features.
        probabilities: (len(unlabeled), K).
        unlabeled: rows of the components.
        n: number of images.

    Returns:
        Row, margin between the two most probable classes, and these classes; `n` at most.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    first, second = np.take_along_axis(probabilities, order, axis=1).T
    margin = first - second
    directions = unit_vectors(components[unlabeled])
    weight = 1 - margin + np.float32(1e-6)
    distance = np.ones(len(unlabeled), np.float32)
    is_free = np.ones(len(unlabeled), bool)
    selected: list[tuple[int, float, tuple[int, int]]] = []
    for _ in range(min(n, len(unlabeled))):
        i = int(np.argmax(np.where(is_free, weight * distance, -1)))
        is_free[i] = False
        to_this = np.maximum(2 - 2 * (directions @ directions[i]), 0)
        distance = to_this if not selected else np.minimum(distance, to_this)
        selected.append((int(unlabeled[i]), float(margin[i]), (int(order[i, 0]), int(order[i, 1]))))
    return selected
