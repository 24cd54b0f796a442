"""The features of whole datasets, by a pretrained network or the classifier of a run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coverslip.audit.learning_curve import SD_FLOOR
from coverslip.datasets import Dataset, DecodedPixels, Scan
from coverslip.engines import Features, embed
from coverslip.images import PixelFacts, Preprocessing
from coverslip.inference import load_classifier
from coverslip.models.networks import Network, create_network
from coverslip.runs import Recipe, Run, RunContext
from coverslip.training.preprocessing import learn_preprocessing


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The features of the readable images of a dataset."""

    positions: tuple[int, ...]  # of these images among all
    digests: tuple[str, ...]  # hashes of their pixels
    features: npt.NDArray[np.float32]  # (n, D)


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
        network: its head is not used.
        preprocessing: of all datasets.
        tta: number of augmented copies to average.
    """

    network: Network
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
            self.network,
            digests,
            lambda indices: decoded([positions[i] for i in indices]),
            preprocessing=self.preprocessing.model_dump(mode="json"),
            tta=self.tta,
            device=context.device,
            emit=context.emit,
            stop=context.stop,
        ) as (features, _):
            yield StoredFeatures(tuple(positions), tuple(digests), features)

    def features_of(self, data: Dataset, scan: Scan, context: RunContext) -> FeatureSet:
        """Return the features of a dataset.

        Raises:
            Stopped: on request; the features computed so far stay in the cache.
        """
        with self.open_features(data, scan, context) as images:
            return FeatureSet(images.positions, images.digests, images.features[slice(0, len(images.positions))])


def feature_extractor(
    scans: Sequence[Scan],
    *,
    run: Run | Path | str | None = None,
    model: str | None = None,
    image_size: int | None = None,
) -> FeatureExtractor:
    """Return the network of a run, or a pretrained network with the preprocessing that these images need.

    Args:
        scans: of all datasets.
        run: the run; None: a pretrained network.
        model: that network; None: the recipe's.
        image_size: side in pixels of its input; None: its own.

    Raises:
        WeightsUnavailable: the pretrained weights are not available.
    """
    if run is not None:
        classifier = load_classifier(run, "cpu")
        return FeatureExtractor(classifier.network, classifier.card.preprocessing, classifier.card.tta)
    recipe = Recipe(model=model or Recipe().model, image_size=image_size, head="native")
    facts = [fact for scan in scans for fact in scan.facts if isinstance(fact, PixelFacts)]
    preprocessing = learn_preprocessing(facts, recipe)
    network = create_network(
        recipe.model, n_classes=2, head="native", channels=preprocessing.channels, image_size=preprocessing.image_size
    )
    return FeatureExtractor(network.eval(), preprocessing, 1)


_ROWS_AT_ONCE = 4_096


def principal_components(
    features: Features | npt.NDArray[np.float32], n_components: int = 64
) -> npt.NDArray[np.float32]:
    """Return (n, C) principal components of standardized features, the first ones first.

    Features are read in parts: those of 100,000 images would need half a GiB of memory, and several times as much to
    standardize them.
    """
    n, n_features = features.shape
    parts = [slice(start, min(start + _ROWS_AT_ONCE, n)) for start in range(0, n, _ROWS_AT_ONCE)]
    total, products = np.zeros(n_features), np.zeros((n_features, n_features))
    shift = features[parts[0]].mean(axis=0, dtype=np.float64)  # sums of squares around 0 would not be exact
    for part in parts:
        rows = features[part] - shift
        total += rows.sum(axis=0)
        products += rows.T @ rows
    mean = total / n
    covariance = products / n - np.outer(mean, mean)
    sd = np.sqrt(np.maximum(np.diag(covariance), 0))
    sd = np.maximum(sd, max(SD_FLOOR * float(np.median(sd)), 1e-12))
    _, directions = np.linalg.eigh(covariance / np.outer(sd, sd))
    first = (directions[:, ::-1][:, :n_components] / sd[:, None]).astype(np.float32)
    center = (mean + shift).astype(np.float32)
    projected: npt.NDArray[np.float32] = np.concatenate([(features[part] - center) @ first for part in parts])
    return projected
