"""Distances between datasets in the features of a network, and which dataset to pretrain on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.audit.features import FeatureSet, feature_extractor
from coverslip.counts import count_groups
from coverslip.datasets import Dataset, ImageSource, one_line, open_dataset, scan_images
from coverslip.errors import BadDataset
from coverslip.evaluation import Metric
from coverslip.evaluation.distances import Distances, PairDistance, SetFacts, coral, median_distance, mmd
from coverslip.evaluation.transferability import logme
from coverslip.events import Emit, progress_reporter
from coverslip.images import PixelFacts
from coverslip.machine import select_device
from coverslip.messages import text
from coverslip.progress import show
from coverslip.runs import Run, RunContext
from coverslip.stopping import BY_SIGNAL

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEWEST_IMAGES = 10
_BY_GROUPS, _BY_IMAGES = "bootstrap over groups", "bootstrap over images"


@dataclass(frozen=True, slots=True)
class _DatasetFeatures:
    """The features, groups and pixel hashes of one dataset."""

    facts: SetFacts
    pictures: frozenset[str]  # hashes of their pixels
    features: Floats  # (n, D)
    group: Ints | None  # (n,)


def distance(
    datasets: Sequence[Dataset | ImageSource],
    *,
    names: Sequence[str] = (),
    run: Run | Path | str | None = None,
    model: str | None = None,
    image_size: int | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    n_resamples: int = 1000,
    device: str = "auto",
    emit: Emit = show,
) -> Distances:
    """Return distances between feature distributions: the squared maximum mean discrepancy (MMD²), and CORAL.

    Args:
        datasets: two or more, the dataset of interest first: folders, tables, opened datasets. Labels are optional, so
            any folder of images can be a reference.
        names: their names; default: those of their folders.
        run: the run whose classifier computes the features; default: pretrained features of a network's last layer.
        model: that network; default: the recipe's.
        image_size: side in pixels of its input; default: its own.
        group, group_pattern: groups, as of `open_dataset`, in the datasets that have such a column or such paths.
        n_resamples: number of bootstraps, and number of random permutations of groups.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress.

    Raises:
        BadDataset: there are fewer than two datasets, too few images in one, no dataset with such groups, datasets with
            different channels, or most images have the same features.
        WeightsUnavailable: the network's pretrained weights are not available.
        Stopped: on request.

    Examples:
        >>> distances = cs.distance(["my_cells/", "other_hospital/"], run="runs/first", n_resamples=50, device="cpu")
        >>> len(distances.pairs)
        1
    """
    if len(datasets) < 2:
        raise BadDataset("one-dataset")
    opened = _open_all(datasets, group, group_pattern)
    names = _number_equal_names(names or _names(opened))
    context = RunContext(Path(), select_device(device), emit)
    scans = [scan_images(each, emit=emit) for each in opened]
    for name, scan in zip(names, scans, strict=True):
        if scan.n_readable < FEWEST_IMAGES:
            raise BadDataset("too-few-images-for-distance", name=name, n_images=scan.n_readable, n_needed=FEWEST_IMAGES)
    extractor = feature_extractor(scans, run=run, model=model, image_size=image_size)
    feature_sets = [
        _with_groups(name, each, extractor.features_of(each, scan, context))
        for name, each, scan in zip(names, opened, scans, strict=True)
    ]
    sigma = _kernel_width([each.features for each in feature_sets])
    pairs = tuple(_pair(a, b, sigma, n_resamples, emit) for a, b in combinations(feature_sets, 2))
    nearest = _nearest(names[0], pairs)
    network = extractor.network.record.name
    return Distances(
        network if run is None else f"{network} as trained in {Path(run).name}",
        feature_sets[0].features.shape[1],
        sigma,
        tuple(each.facts for each in feature_sets),
        pairs,
        nearest,
        f"{_shared_images(feature_sets)}{_advice(names[0], nearest, pairs)}",
    )


def logme_of(data: Dataset, run: Run | Path | str, *, device: str = "auto", emit: Emit = show) -> float:
    """Return LogME of the labels of a dataset, in the features of a run's network.

    Args:
        data: with labels.
        run: whose classifier computes the features.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress.

    Raises:
        BadClassifier: the run has no classifier.
        Stopped: on request.
        ValueError: there are fewer than two classes.
    """
    scan = scan_images(data, emit=emit)
    labels = [
        record.label or ""
        for record, fact in zip(data.records, scan.facts, strict=True)
        if isinstance(fact, PixelFacts)
    ]
    context = RunContext(Path(), select_device(device), emit)
    features = feature_extractor([scan], run=run).features_of(data, scan, context).features
    return logme(features, np.unique(labels, return_inverse=True)[1])


def _open_all(datasets: Sequence[Dataset | ImageSource], group: str | None, group_pattern: str | None) -> list[Dataset]:
    """Return all datasets, with groups if they have them; at least one must have requested groups."""
    opened, errors = list[Dataset](), list[BadDataset]()
    for each in datasets:
        if isinstance(each, Dataset):
            opened.append(each)
            continue
        try:
            opened.append(open_dataset(each, group=group, group_pattern=group_pattern))
        except BadDataset as error:  # no such group column, or images without classes
            errors.append(error)
            opened.append(_open_ungrouped(each))
    if (group or group_pattern) and not any(each.has_groups for each in opened):
        raise errors[0]
    return opened


def _open_ungrouped(source: ImageSource) -> Dataset:
    try:
        return open_dataset(source)
    except BadDataset:  # images without classes
        return open_dataset(source, labeled=False, distinct=True)


def _names(opened: Sequence[Dataset]) -> list[str]:
    """Return the names of the datasets, after their folders."""
    names = []
    for each in opened:
        source = "in memory" if each.is_in_memory else Path(str(each.opening.sources[0]))
        name = source if isinstance(source, str) else source.parent.name if source.is_file() else source.name
        names.append(name)
    return names


def _number_equal_names(names: Sequence[str]) -> list[str]:
    """Return the names; equal names are numbered."""
    names = [one_line(name, 60) for name in names]
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, start=1)]


def _with_groups(name: str, data: Dataset, features: FeatureSet) -> _DatasetFeatures:
    group, n_groups = None, None
    if data.has_groups:
        n_groups = count_groups(data.records[i].named_group for i in features.positions).n_groups
        group_names = [data.records[i].group or f"image {data.records[i].image_id}" for i in features.positions]
        group = np.unique(group_names, return_inverse=True)[1]
    facts = SetFacts(name, len(features.positions), n_groups)
    return _DatasetFeatures(facts, frozenset(features.digests), features.features, group)


def _kernel_width(features: Sequence[Floats]) -> float:
    """Return the kernel width, the median distance.

    Raises:
        BadDataset: the median distance is zero.
    """
    try:
        return median_distance(np.concatenate(features))
    except ValueError as error:
        raise BadDataset("datasets-look-the-same") from error


def _pair(a: _DatasetFeatures, b: _DatasetFeatures, sigma: float, n_resamples: int, emit: Emit) -> PairDistance:
    report_progress = progress_reporter(emit, "comparing-datasets", "images", first=a.facts.name, second=b.facts.name)

    def report_and_check_stop(done: int, total: int) -> None:
        BY_SIGNAL.check()
        report_progress(done, total)

    mmd_result = mmd(
        a.features,
        b.features,
        sigma,
        x_group=a.group,
        y_group=b.group,
        n_resamples=n_resamples,
        on_progress=report_and_check_stop,
    )
    has_groups = a.group is not None or b.group is not None
    method = _BY_GROUPS if has_groups else _BY_IMAGES
    value = Metric(value=mmd_result.value, low=mmd_result.low, high=mmd_result.high, method=method)
    published = replace(
        value, low=mmd_result.paper_low, high=mmd_result.paper_high, method="bootstrap over images, with repeats"
    )
    return PairDistance(
        a.facts.name, b.facts.name, value, published, mmd_result.p, Metric(value=coral(a.features, b.features))
    )


def _nearest(first: str, pairs: Sequence[PairDistance]) -> str | None:
    pairs_with_first = [pair for pair in pairs if pair.a == first]
    return min(pairs_with_first, key=lambda pair: pair.mmd2.value or 0).b if len(pairs_with_first) > 1 else None


def _shared_images(feature_sets: Sequence[_DatasetFeatures]) -> str:
    """Return sentences about images that two of the datasets share, with a space after each."""
    return "".join(
        f"{text('images-in-both-datasets', n_images=n, first=a.facts.name, second=b.facts.name)} "
        for a, b in combinations(feature_sets, 2)
        if (n := len(a.pictures & b.pictures))
    )


def _advice(first: str, nearest: str | None, pairs: Sequence[PairDistance]) -> str:
    """Return advice on the dataset for pretraining, with its limits."""
    limits = text("distance-is-little-evidence")
    if nearest is None:
        return limits
    by_distance = sorted((pair for pair in pairs if pair.a == first), key=lambda pair: pair.mmd2.value or 0)
    second = by_distance[1]
    is_clear = (by_distance[0].mmd2.high or 0) < (second.mmd2.low or 0)
    return f"{text('nearest-dataset', dataset=first, nearest=nearest, second=second.b, is_clear=is_clear)} {limits}"
