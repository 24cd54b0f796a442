"""A map of a dataset: a point for each image, near those of similar images, and clusters of similar images.

The map is t-SNE (van der Maaten and Hinton 2008) of principal components of pretrained features. The time of openTSNE
is proportional to the number of images (Linderman et al. 2019).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.audit.features import feature_extractor, principal_components
from coverslip.datasets import Dataset, scan_images
from coverslip.errors import BadDataset
from coverslip.events import Emit, OnProgress, ignore_progress, progress_reporter
from coverslip.machine import n_cores, select_device
from coverslip.runs import RunContext
from coverslip.stopping import BY_SIGNAL

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEWEST_IMAGES = 10
_MOST_CLUSTERED = 20_000  # images that the centers of clusters are computed from
_IMAGES_PER_CLUSTER = 40
_MOST_CLUSTERS = 100
_ROWS_AT_ONCE = 2_000
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


def dataset_map(data: Dataset, *, device: str = "auto", emit: Emit) -> DatasetMap:
    """Return the map of a dataset, which depends on its images only.

    Args:
        data: the dataset.
        device: the device of the network, as of `load_classifier`.
        emit: receives progress.

    Raises:
        BadDataset: there are too few readable images.
        Stopped: on request; features that were computed stay in the cache.
    """
    scan = scan_images(data, emit=emit)
    context = RunContext(Path(), select_device(device), emit)
    with feature_extractor([scan]).open_features(data, scan, context) as images:
        if len(images.positions) < FEWEST_IMAGES:
            raise BadDataset("map-needs-images", n_images=len(images.positions), n_needed=FEWEST_IMAGES)
        components = principal_components(images.features)
    image_ids = tuple(data.records[i].image_id for i in images.positions)
    report = progress_reporter(emit, "arranging-images")
    n_clusters = min(max(len(components) // _IMAGES_PER_CLUSTER, 2), _MOST_CLUSTERS)
    return DatasetMap(image_ids, arranged(components, report=report), clusters_of(components, n_clusters))


def arranged(components: Floats, *, seed: int = _SEED, report: OnProgress = ignore_progress) -> Floats:
    """Return (n, 2) places in [0, 1] of images by their principal components.

    Args:
        components: (n, C), at least `FEWEST_IMAGES`.
        seed: of t-SNE.
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
        random_state=seed,
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


def clusters_of(components: Floats, n_clusters: int, *, seed: int = _SEED) -> Ints:
    """Return (n,) the cluster of each image, from 0, the largest first; k-means of the directions of images.

    Args:
        components: (n, C).
        n_clusters: at most as many clusters.
        seed: of the random selection of images and of the first centers.
    """
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(seed)
    directions = components / np.maximum(np.linalg.norm(components, axis=1, keepdims=True), 1e-12)
    some = directions[np.sort(rng.permutation(len(directions))[:_MOST_CLUSTERED])]
    k = min(n_clusters, len(np.unique(some.round(4), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster has no image
        centers, _ = kmeans2(some, k, minit="++", rng=rng)
    cluster = np.concatenate(
        [
            _squared_distances(directions[start : start + _ROWS_AT_ONCE], centers).argmin(axis=1)
            for start in range(0, len(directions), _ROWS_AT_ONCE)
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
