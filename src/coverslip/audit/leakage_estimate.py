"""The leakage estimate: the same classifier tested by an image-level split and by a grouped split.

If images of one patient, slide or field, or duplicates, are in both training and test set, the test images are nearly
the same as training images. The effect on metrics is measured: with either split, each image is predicted by a
classifier fitted on other images, both by a linear probe on frozen features and by the label of the nearest image.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from coverslip.audit.learning_curve import gram_matrix, nested_order, probe_logits
from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import name_as_text
from coverslip.datasets.quality.inspecting import Inspection, inspect_dataset
from coverslip.datasets.quality.related_images import connected_components, exclusion_reasons
from coverslip.datasets.quality.scanning import Scan, Signal, Unreadable
from coverslip.evaluation.comparison import Answers, paired_differences
from coverslip.evaluation.table import metric_intervals
from coverslip.runs.results import InspectionWithLeakageEstimate, LeakageEstimate, SplitComparison

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_N_FOLDS = 5
_METRIC = "macro_f1"
_SHRINKAGE = 1.0  # median of those in training; equal for both splits


def estimate_leakage(features: Singles, label: Ints, unit: Ints) -> LeakageEstimate:
    """Return the results of an image-level split and of a grouped split.

    Args:
        features: (n, D) float32, frozen.
        label: (n,) int in [0, K).
        unit: (n,) int: images with equal numbers stay together; fewer units than images.
    """
    gram = gram_matrix(features)
    orders = [nested_order(label, way, np.random.default_rng(0)) for way in (np.arange(len(label)), unit)]
    image_level, grouped = ((order * _N_FOLDS).astype(np.int64) for order in orders)
    probe, nearest = (
        _compared(predicted_by(image_level), predicted_by(grouped), label, unit)
        for predicted_by in (
            partial(_predicted_by_probe, gram, label, n_features=features.shape[1]),
            partial(_predicted_by_nearest, gram, label),
        )
    )
    return LeakageEstimate(
        metric=_METRIC,
        image_level=probe.image_level,
        grouped=probe.grouped,
        difference=probe.difference,
        nearest_image=nearest,
        n_images=len(label),
        n_units=len(np.unique(unit)),
    )


def _compared(image_level: Ints, grouped: Ints, label: Ints, unit: Ints) -> SplitComparison:
    """Return the metric of both splits and their difference, with intervals over units."""
    one_hot = np.eye(int(label.max()) + 1)
    image_level_answers, grouped_answers, group = (
        Answers(one_hot[image_level], image_level),
        Answers(one_hot[grouped], grouped),
        unit.astype(str),
    )
    return SplitComparison(
        image_level=metric_intervals(image_level_answers.probability, label, group, metrics=[_METRIC])[_METRIC],
        grouped=metric_intervals(grouped_answers.probability, label, group, metrics=[_METRIC])[_METRIC],
        difference=paired_differences(grouped_answers, image_level_answers, label, group, metrics=[_METRIC])[_METRIC],
    )


def _predicted_by_probe(gram: Singles, label: Ints, fold: Ints, *, n_features: int) -> Ints:
    """Return (n,) class numbers predicted by linear probes fitted on the other folds."""
    predicted = np.empty_like(label)
    for k in range(_N_FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        logits = probe_logits(
            gram[np.ix_(train, train)],
            gram[np.ix_(test, train)],
            label[train],
            n_classes=int(label.max()) + 1,
            n_features=n_features,
            shrinkage=_SHRINKAGE,
            balanced=False,
        )
        predicted[test] = logits.argmax(axis=1)
    return predicted


def _predicted_by_nearest(gram: Singles, label: Ints, fold: Ints) -> Ints:
    """Return (n,) class numbers of the nearest image of the other folds, by distance of standardized features."""
    squares = np.diag(gram)
    distance = squares[:, None] + squares - 2 * gram
    predicted: Ints = label[np.where(fold[:, None] == fold, np.inf, distance).argmin(axis=1)]
    return predicted


@dataclass(frozen=True, slots=True)
class LeakageAudit:
    """Signal and leakage estimate of a dataset; both are None with too few labeled images."""

    signal: Signal | None
    leakage_estimate: LeakageEstimate | None  # None also without groups and duplicates: both splits are then the same


LEAKAGE_AUDITS = Kind("leakage-audits")

_VERSION = 6  # increases if equal images would give other results
_ADAPTER = TypeAdapter(LeakageAudit)


def cached_leakage_audit(data: Dataset, scan: Scan) -> LeakageAudit | None:
    """Return the cached audit of equal pixels, labels, names, cells, groups and duplicates; None if there is none."""
    key = _audit_key(data, scan)
    with RecordStore(LEAKAGE_AUDITS, "images") as store:
        stored = store.find([key]).get(key)
    try:
        return None if stored is None else _ADAPTER.validate_json(stored)
    except ValidationError:  # stored by another version
        return None


def cache_leakage_audit(data: Dataset, scan: Scan, audit: LeakageAudit) -> None:
    """Store an audit in the cache."""
    with RecordStore(LEAKAGE_AUDITS, "images") as store:
        store.keep({_audit_key(data, scan): _ADAPTER.dump_json(audit, round_trip=True)})


def _audit_key(data: Dataset, scan: Scan) -> str:
    """Return a key of what an audit reads: pixels, labels, names, cells of the table, and units.

    It is independent of folders and of the names of groups. Tags of files are not in it, since scans do not read them.
    """
    usable = [i for i, reason in enumerate(exclusion_reasons(data, scan)) if not reason]
    unit = connected_components(data, scan, usable)

    def digest(i: int) -> bytes:
        fact = scan.facts[i]
        assert not isinstance(fact, Unreadable)  # unreadable images have an exclusion reason
        record = data.records[i]
        name = "" if record.in_memory else name_as_text(record.path.stem)
        cells = sorted((column, cell) for column, cell in record.about if cell)
        text = f"{fact.pixel_hash} {record.label} {name} {cells}"
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    digests = np.fromiter(map(digest, usable), dtype="S16", count=len(usable))
    order = np.lexsort((digests, unit))
    of_units = np.split(digests[order], np.flatnonzero(np.diff(unit[order])) + 1)
    units = sorted(hashlib.blake2b(members.tobytes(), digest_size=16).digest() for members in of_units)
    return hashlib.blake2b(b"".join([str(_VERSION).encode(), *units]), digest_size=16).hexdigest()


def inspect_with_leakage_audit(data: Dataset, scan: Scan, audit: LeakageAudit | None) -> Inspection:
    """Return the inspection of a dataset; with an audit, an `InspectionWithLeakageEstimate`."""
    if audit is None:
        return inspect_dataset(data, scan)
    inspection = inspect_dataset(data, replace(scan, signal=audit.signal))
    return InspectionWithLeakageEstimate(
        **dict(inspection), leakage_estimate=audit.leakage_estimate, signal=audit.signal
    )
