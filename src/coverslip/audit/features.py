"""The features of whole datasets by a network: distances between datasets, and the map of a dataset."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.audit.selecting import unit_vectors
from coverslip.counts import count_groups
from coverslip.datasets.index.opening import ImageSource, open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import dataset_names, one_line
from coverslip.datasets.pixels import DecodedPixels, PixelKeys
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.engines import Features, embed
from coverslip.errors import BadDataset
from coverslip.evaluation.distances import Distances, PairDistance, SetFacts, coral, median_distance, mmd
from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.results import Metric
from coverslip.events import Emit, OnProgress, ignore_progress, progress_reporter, show
from coverslip.images.preprocessing import PixelFacts, Preprocessing
from coverslip.inference import load_classifier
from coverslip.machine import n_cores, select_device
from coverslip.messages import text
from coverslip.models import model_info
from coverslip.models.backbone import Architecture, Backbone
from coverslip.models.graphs import pretrained_backbone
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.recipe import Recipe
from coverslip.stopping import BY_SIGNAL
from coverslip.training.linear_probe import principal_components
from coverslip.training.preprocessing import learn_preprocessing

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """The features of the readable images of a dataset, which are read from the cache on access."""

    positions: tuple[int, ...]  # of these images among all
    digests: tuple[str, ...]  # hashes of their pixels
    features: Features  # (n, D)


@dataclass(frozen=True, slots=True)
class FeatureExtractor:
    """A frozen network with the preprocessing of its images.

    Args:
        backbone: the network.
        preprocessing: of all datasets.
        tta: number of augmented copies to average.
    """

    backbone: Backbone
    preprocessing: Preprocessing
    tta: int

    @contextmanager
    def open_features(self, data: Dataset, scan: Scan, context: RunContext) -> Iterator["StoredFeatures"]:
        """Yield the features of a dataset, which stay in the cache file.

        Raises:
            Stopped: on request; the features computed so far stay in the cache.
        """
        readable = [(i, fact) for i, fact in enumerate(scan.facts) if isinstance(fact, PixelFacts)]
        positions, digests = [i for i, _ in readable], [fact.pixel_hash for _, fact in readable]
        decoded = DecodedPixels(data, scan, self.preprocessing)
        with embed(
            self.backbone,
            PixelKeys(data, scan, positions, self.preprocessing),
            lambda indices: decoded([positions[i] for i in indices]),
            preprocessing=self.preprocessing.model_dump(mode="json"),
            tta=self.tta,
            device=context.device,
            emit=context.emit,
            stop=context.stop,
        ) as (features, _):
            yield StoredFeatures(tuple(positions), tuple(digests), features)


def feature_extractor(
    scans: Sequence[Scan],
    *,
    run: Run | Path | str | None = None,
    model: str | None = None,
    image_size: int | None = None,
    is_first_look: bool = False,
) -> FeatureExtractor:
    """Return the network of a run, or a pretrained network with the preprocessing that these images need.

    Args:
        scans: of all datasets.
        run: the run; None: a pretrained network.
        model: that network; None: the recipe's.
        image_size: side in pixels of its input; None: its own.
        is_first_look: the features of a training with the preset `first-look`, of several layers and small images.

    Raises:
        WeightsUnavailable: the pretrained weights are not available.
    """
    if run is not None:
        classifier = load_classifier(run, "cpu")
        return FeatureExtractor(classifier.backbone, classifier.card.preprocessing, classifier.card.tta)
    recipe = Recipe(model=model or Recipe().model, image_size=image_size, head="native")
    if is_first_look:
        recipe = Recipe(image_size=model_info(recipe.model).first_look_px)
    facts = [fact for scan in scans for fact in scan.facts if isinstance(fact, PixelFacts)]
    preprocessing = learn_preprocessing(facts, recipe)
    architecture = Architecture(recipe.model, recipe.head, preprocessing.channels, preprocessing.image_size)
    return FeatureExtractor(pretrained_backbone(architecture), preprocessing, recipe.n_views if is_first_look else 1)


# Distances between datasets in the features of a network.


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

    They show how differently a network represents the datasets, not which of them is best for pretraining
    (`benchmarks/NOT_KEPT.md`).

    Args:
        datasets: two or more: folders, tables, opened datasets. Labels are optional, so any folder of images can be a
            reference.
        names: their names; default: those of their folders or tables.
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
    names = _number_equal_names(names or _dataset_names(opened))
    context = RunContext(Path(), select_device(device), emit)
    scans = [scan_images(each, emit=emit) for each in opened]
    for name, scan in zip(names, scans, strict=True):
        if scan.n_readable < FEWEST_IMAGES:
            raise BadDataset("too-few-images-for-distance", name=name, n_images=scan.n_readable, n_needed=FEWEST_IMAGES)
    extractor = feature_extractor(scans, run=run, model=model, image_size=image_size)
    feature_sets = [
        _features_of(name, each, scan, extractor, context)
        for name, each, scan in zip(names, opened, scans, strict=True)
    ]
    sigma = _kernel_width([each.features for each in feature_sets])
    pairs = tuple(_pair(a, b, sigma, n_resamples, emit) for a, b in combinations(feature_sets, 2))
    network = extractor.backbone.architecture.model
    return Distances(
        network if run is None else f"{network} as trained in {Path(run).name}",
        feature_sets[0].features.shape[1],
        sigma,
        tuple(each.facts for each in feature_sets),
        pairs,
        f"{_shared_images(feature_sets)}{text('meaning-of-distances')}",
    )


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
    if errors and (group or group_pattern) and not any(each.has_groups for each in opened):
        raise errors[0]
    return opened


def _open_ungrouped(source: ImageSource) -> Dataset:
    try:
        return open_dataset(source)
    except BadDataset:  # images without classes
        return open_dataset(source, labeled=False, distinct=True)


def _dataset_names(opened: Sequence[Dataset]) -> list[str]:
    """Return the names of the datasets, after their folders or tables."""
    sources = (Path(str(each.opening.sources[0])) for each in opened if not each.is_in_memory)
    names = iter(dataset_names([*sources]))
    return ["in memory" if each.is_in_memory else next(names) for each in opened]


def _number_equal_names(names: Sequence[str]) -> list[str]:
    """Return the names; equal names are numbered."""
    names = [one_line(name, 60) for name in names]
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, start=1)]


def _features_of(
    name: str, data: Dataset, scan: Scan, extractor: FeatureExtractor, context: RunContext
) -> _DatasetFeatures:
    with extractor.open_features(data, scan, context) as images:
        features = images.features[slice(0, len(images.positions))]
    group, n_groups = None, None
    if data.has_groups:
        names = [data.records[i].group for i in images.positions]
        n_groups, group = count_groups(names).n_groups, group_codes(np.array(names, dtype=object))
    facts = SetFacts(name, len(images.positions), n_groups)
    return _DatasetFeatures(facts, frozenset(images.digests), features, group)


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


def _shared_images(feature_sets: Sequence[_DatasetFeatures]) -> str:
    """Return sentences about images that two of the datasets share, with a space after each."""
    return "".join(
        f"{text('images-in-both-datasets', n_images=n, first=a.facts.name, second=b.facts.name)} "
        for a, b in combinations(feature_sets, 2)
        if (n := len(a.pictures & b.pictures))
    )


# A map of a dataset: a point for each image, near those of similar images, and clusters of similar images.
#
# The map is t-SNE (van der Maaten and Hinton 2008) of principal components of pretrained features. The time of openTSNE
# is proportional to the number of images (Linderman et al. 2019).

_MOST_CLUSTERED = 20_000  # images that the centers of clusters are computed from
_IMAGES_PER_CLUSTER = 40
_MOST_CLUSTERS = 100
_IMAGES_AT_ONCE = 2_000
_FEW = 2_000  # images, of which several threads would mostly wait for each other
_PERPLEXITY = 30.0
_N_ITERATIONS, _N_EARLY, _EVERY = 750, 250, 10  # of t-SNE; with early exaggeration; between two reports
_SEED = 0


@dataclass(frozen=True, slots=True)
class DatasetMap:
    """The places of images on a map, and clusters of similar images."""

    image_ids: tuple[str, ...]  # of readable images
    places: Floats  # (n, 2), in [0, 1]
    cluster: Ints  # (n,) from 0, the largest cluster first


def dataset_map(data: Dataset, *, emit: Emit) -> DatasetMap:
    """Return the map of a dataset, which depends on its images only.

    Args:
        data: the dataset.
        emit: receives progress.

    Raises:
        BadDataset: there are too few readable images.
        Stopped: on request; features that were computed stay in the cache.
    """
    scan = scan_images(data, emit=emit)
    context = RunContext(Path(), select_device("auto"), emit)
    with feature_extractor([scan]).open_features(data, scan, context) as images:
        if len(images.positions) < FEWEST_IMAGES:
            raise BadDataset("map-needs-images", n_images=len(images.positions), n_needed=FEWEST_IMAGES)
        components = principal_components(images.features)
    image_ids = tuple(data.records[i].image_id for i in images.positions)
    report = progress_reporter(emit, "arranging-images")
    n_clusters = min(max(len(components) // _IMAGES_PER_CLUSTER, 2), _MOST_CLUSTERS)
    return DatasetMap(image_ids, arranged(components, report=report), clusters_of(components, n_clusters))


def arranged(components: Floats, *, report: OnProgress = ignore_progress) -> Floats:
    """Return (n, 2) places in [0, 1] of images by their principal components.

    Args:
        components: (n, C), at least `FEWEST_IMAGES`.
        report: called with the numbers of completed and of all iterations.
    """
    from openTSNE import TSNE

    n_done = 0

    def count(*_: object) -> None:
        nonlocal n_done
        n_done += _EVERY
        BY_SIGNAL.check()
        report(min(n_done, _N_ITERATIONS), _N_ITERATIONS)

    tsne = TSNE(
        perplexity=min(_PERPLEXITY, (len(components) - 1) / 3),
        early_exaggeration_iter=_N_EARLY,
        n_iter=_N_ITERATIONS - _N_EARLY,
        random_state=_SEED,
        n_jobs=n_cores() if len(components) > _FEW else 1,
        callbacks=count,
        callbacks_every_iters=_EVERY,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # images without any difference have no components
        places = np.asarray(tsne.fit(components), np.float32)
    low, high = places.min(axis=0), places.max(axis=0)
    in_square: Floats = (places - (low + high) / 2) / max(float((high - low).max()), 1e-12) + np.float32(0.5)
    return in_square


def clusters_of(components: Floats, n_clusters: int) -> Ints:
    """Return (n,) the cluster of each image, from 0, the largest first; k-means of the directions of images.

    Args:
        components: (n, C).
        n_clusters: at most as many clusters.
    """
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(_SEED)
    directions = unit_vectors(components)
    some = directions[np.sort(rng.permutation(len(directions))[:_MOST_CLUSTERED])]
    k = min(n_clusters, len(np.unique(some.round(4), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster has no image
        centers, _ = kmeans2(some, k, minit="++", rng=rng)
    cluster = np.concatenate(
        [
            _squared_distances(directions[start : start + _IMAGES_AT_ONCE], centers).argmin(axis=1)
            for start in range(0, len(directions), _IMAGES_AT_ONCE)
        ]
    )
    names, number, size = np.unique(cluster, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-size, kind="stable")] = np.arange(len(names))
    by_size: Ints = rank[number]
    return by_size


def _squared_distances(rows: Floats, others: Floats) -> Floats:
    squares: Floats = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * rows @ others.T
    return np.maximum(squares, 0)
