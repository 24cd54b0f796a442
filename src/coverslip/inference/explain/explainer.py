"""Explanations of one classifier: the kind of heat map that passes its checks, and the nearest training images."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.pixels import DecodedPixels, PixelKeys, read_preprocessed
from coverslip.datasets.quality.scanning import scan_images
from coverslip.engines import Features, as_input, embed, run_tta
from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Noted, progress_reporter
from coverslip.images.preprocessing import PixelFacts, PreprocessedImage
from coverslip.inference.classifier import Classifier
from coverslip.inference.explain.heat_maps import (
    FEWEST_CHECKED,
    CheckResult,
    Method,
    averaged,
    check_maps,
    maps_by,
    methods_of,
    with_random_weights,
)
from coverslip.inference.loading import network_of
from coverslip.messages import note
from coverslip.models.backbone import Backbone
from coverslip.models.networks import Network
from coverslip.runs.classifier import ClassifierCard, open_classifier
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.images import unchanged_images
from coverslip.runs.results import CheckedOn, MapCheck, MapChecks

Pixels = npt.NDArray[np.unsignedinteger]
Floats = npt.NDArray[np.float32]

_MAX_CHECKED = 24  # images
_ROWS_AT_ONCE = 1024
_MAX_HELD = 256 * 2**20  # bytes of features in memory; larger arrays are read again for each image


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A training image and the distance of its features."""

    record: ImageRecord
    distance: float  # root mean square over features, in standard deviations of the training images


class NearestTraining:
    """Nearest-neighbor search among the features of a run's training images, to be closed after use.

    Args:
        run: its training images are searched.
        backbone: of its classifier.
        card: of its classifier.
        context: its device computes features that are not in the cache; its listener receives the progress.

    Raises:
        BadRun: the images of the run have changed.
        Stopped: on request.
    """

    def __init__(self, run: Run, backbone: Backbone, card: ClassifierCard, context: RunContext) -> None:
        data = unchanged_images(run)
        scan = scan_images(data, emit=context.emit, stop=context.stop)
        trained_on = training_ids(run)
        positions, self._digests = [], list[str]()
        for i, (record, facts) in enumerate(zip(data.records, scan.facts, strict=True)):
            if record.image_id in trained_on and isinstance(facts, PixelFacts):
                positions.append(i)
                self._digests.append(facts.pixel_hash)
        self._records = [data.records[i] for i in positions]
        decoded = DecodedPixels(data, scan, card.preprocessing)
        with ExitStack() as opened:
            self._features, _ = opened.enter_context(
                embed(
                    backbone,
                    PixelKeys(data, scan, positions, card.preprocessing),
                    lambda rows: decoded([positions[i] for i in rows]),
                    preprocessing=card.preprocessing.model_dump(mode="json"),
                    tta=card.tta,
                    device=context.device,
                    emit=context.emit,
                    stop=context.stop,
                )
            )
            self._mean, self._sd = _mean_and_sd(self._features)
            n_rows, n_features = self._features.shape
            self._held = list(_chunks(self._features)) if n_rows * n_features * 4 <= _MAX_HELD else None
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close the features."""
        self._opened.close()

    def of(self, features: Floats, digest: str, n: int) -> list[Neighbor]:
        """Return the n nearest training images, the nearest first, without images with the same pixels.

        Args:
            features: (D,) of the image.
            digest: the hash of its pixels.
            n: number of neighbors.
        """
        standardized = (features - self._mean) / self._sd
        chunks = self._held if self._held is not None else _chunks(self._features)
        distance = np.concatenate(
            [np.sqrt(np.square((rows - self._mean) / self._sd - standardized).mean(axis=1)) for rows in chunks]
        )
        distance[[i for i, each in enumerate(self._digests) if each == digest]] = np.inf
        nearest = [int(i) for i in np.argsort(distance, kind="stable")[:n] if np.isfinite(distance[i])]
        return [Neighbor(self._records[i], float(distance[i])) for i in nearest]


def training_ids(run: Run) -> set[str]:
    """Return the ids of the classifier's training images; with folds, all images, because it is refitted on all."""
    parts: Sequence[str] = ("train", "val", "test") if run.is_cross_validated else ("train",)
    return {row.image_id for row in run.split if row.split in parts}


def _chunks(features: Features) -> Iterator[Floats]:
    for start in range(0, features.shape[0], _ROWS_AT_ONCE):
        yield features[start : start + _ROWS_AT_ONCE]


def _mean_and_sd(features: Features) -> tuple[Floats, Floats]:
    """Return (D,) mean and standard deviation; the latter is infinite for constant features, which then are ignored."""
    n, n_features = features.shape
    total, squares = np.zeros(n_features), np.zeros(n_features)
    for rows in _chunks(features):
        total += rows.sum(axis=0, dtype=np.float64)
        squares += np.square(rows, dtype=np.float64).sum(axis=0)
    mean = total / n
    sd = np.sqrt(np.maximum(squares / n - mean**2, 0))
    is_constant = sd <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return mean.astype(np.float32), np.where(is_constant, np.inf, sd).astype(np.float32)


class Explainer:
    """A classifier with its heat maps, their checks, and its nearest training images.

    Args:
        name: displayed name.
        classifier: ready to predict.
        run: its training; None if only the classifier is available.
        context: its device and listener.
    """

    def __init__(self, name: str, classifier: Classifier, run: Run | None, context: RunContext) -> None:
        self.name, self.classifier, self.run = name, classifier, run
        self._context = context
        self.checks: dict[Method, MapCheck] = {}
        self.checked_on: CheckedOn = "validation"

    @cached_property
    def network(self) -> Network:
        """A copy of the network in evaluation mode, on the device; predictions need the network on the processor."""
        return copy.deepcopy(self.classifier.network).to(self._context.device).eval()

    def choose(self, method: Method | None, fingerprint: str, explained: Dataset) -> Method:
        """Return the first kind of map that passes both checks, or the first kind if none passes.

        Checks use validation images, otherwise training images, otherwise the explained images. The results of the
        first two are stored in the run folder.

        Args:
            method: the only kind of map to check; None for all kinds.
            fingerprint: of the tested classifier, which is checked.
            explained: the images to explain.

        Raises:
            CoverslipError: the network does not have this kind of map.
            Stopped: on request.
        """
        possible = methods_of(self.network)
        if method is not None and method not in possible:
            raise CoverslipError("method-not-available", name=self.name, method=method, methods=", ".join(possible))
        candidates = possible if method is None else (method,)
        stored_checks = self._stored_checks(fingerprint)
        x: Tensor | None = None  # read if a kind must be checked
        randomized: list[Network] = []
        for position, each in enumerate(candidates, start=1):
            if each in stored_checks:
                self.checks[each] = stored_checks[each]
            else:
                x = self._images_to_check(explained) if x is None else x
                if len(x) >= FEWEST_CHECKED:
                    randomized = randomized or with_random_weights(lambda: network_of(self.classifier.card), x)
                    self.checks[each] = self._check(each, x, randomized, of=(position, len(candidates)))
                    self._store_checks(fingerprint, len(x), stored_checks)  # at once: the next check may be stopped
            if each in self.checks and self.checks[each].passes:
                break
        return next((each for each in candidates if each in self.checks and self.checks[each].passes), candidates[0])

    def map_of(self, method: Method, pixels: Pixels, class_name: str) -> npt.NDArray[np.float32]:
        """Return the (h, w) evidence for a class by position.

        Args:
            method: one of `methods_of`.
            pixels: (S, S, C), preprocessed.
            class_name: a class of the classifier.
        """
        x = self._as_input(pixels[None])
        number = torch.tensor([self.classifier.classes.index(class_name)], device=x.device)
        maps = averaged(maps_by(method), self.network, x, number, self.classifier.card.tta)
        return maps[0].float().cpu().numpy()

    def neighbors(self, pixels: Pixels, digest: str, n: int) -> list[Neighbor]:
        """Return the n training images with the most similar features; none if the training images are missing."""
        if self._nearest is None:
            return []
        card = self.classifier.card
        features = run_tta(self.classifier.engine, pixels[None], card.tta)
        return self._nearest.of(features[0], digest, n)

    def close(self) -> None:
        """Close the training images."""
        if "_nearest" in self.__dict__ and self._nearest is not None:
            self._nearest.close()

    @cached_property
    def _nearest(self) -> NearestTraining | None:
        if self.run is None:
            return None
        try:
            return NearestTraining(self.run, self.classifier.backbone, self.classifier.card, self._context)
        except Stopped:
            raise
        except CoverslipError as error:
            self._context.emit(Noted.of(note("no-neighbors", level="warning", name=self.name, reason=error.message)))
            return None

    def _as_input(self, pixels: Pixels) -> Tensor:
        return torch.from_numpy(as_input(pixels)).to(self._context.device)

    def _check(self, method: Method, x: Tensor, randomized: list[Network], of: tuple[int, int]) -> MapCheck:
        position, n_kinds = of  # kinds after the first one that passes are not checked
        report = progress_reporter(
            self._context.emit, "checking-heat-maps", "images", method=method, position=position, n_methods=n_kinds
        )

        def report_unless_stopped(done: int, total: int) -> None:
            self._context.stop.check()
            report(done, total)

        with self._tested_head():
            return as_record(method, check_maps(self.network, maps_by(method), x, randomized, report_unless_stopped))

    @contextmanager
    def _tested_head(self) -> Iterator[None]:
        """Use the last layer of the tested classifier, so that the checks do not depend on a fit on test images."""
        heads = (open_classifier(self.classifier.path, tested=True), self.classifier)
        tested, delivered = (each.read_head() for each in heads)
        self.network.set_head(tested["head.weight"], tested["head.bias"])
        try:
            yield
        finally:
            self.network.set_head(delivered["head.weight"], delivered["head.bias"])

    def _stored_checks(self, fingerprint: str) -> dict[Method, MapCheck]:
        """Return earlier checks of the same weights, from the run folder."""
        record = None if self.run is None else self.run.map_checks
        if record is None or record.classifier != fingerprint:
            return {}
        self.checked_on = record.checked_on
        return {check.method: check for check in record.checks}

    def _store_checks(self, fingerprint: str, n_images: int, stored_checks: dict[Method, MapCheck]) -> None:
        if self.run is None or self.checked_on == "explained":
            return
        record = MapChecks(
            classifier=fingerprint,
            checked_on=self.checked_on,
            n_images=n_images,
            checks=tuple((stored_checks | self.checks).values()),
        )
        with suppress(CoverslipError):  # the disk is not writable: the check is repeated next time
            record.write(self.run.map_checks_file)

    def _images_to_check(self, explained: Dataset) -> Tensor:
        """Return (n, C, S, S) images of each class, without test images of the run."""
        records: Sequence[ImageRecord] = ()
        if self.run is not None:
            with suppress(CoverslipError):  # the images were moved or changed
                records = _some(_not_tested(self.run))
                is_val = {row.image_id for row in self.run.split if row.split == "val"}
                self.checked_on = "validation" if records and records[0].image_id in is_val else "training"
        if not records:
            records, self.checked_on = _some(list(explained.records)), "explained"
        images = read_preprocessed(records, self.classifier.card.preprocessing)
        pixels = [image.pixels for image in images if isinstance(image, PreprocessedImage)]
        side, channels = self.classifier.card.preprocessing.image_size, self.classifier.card.preprocessing.channels
        return self._as_input(np.stack(pixels)) if pixels else torch.zeros(0, channels, side, side)


def as_record(method: Method, result: CheckResult) -> MapCheck:
    """Return the record of a check for the run folder."""
    values = {name: value for name, value in asdict(result).items() if name != "n_images"}
    verdicts = {name: getattr(result, name) for name in ("changes", "beats_center", "passes")}
    return MapCheck(method=method, **values, **verdicts)


def run_of(folder: Path) -> Run | None:
    """Return the run of a classifier; None if only the classifier is available."""
    run = Run(folder)
    return run if run.recipe_file.is_file() and run.split_file.is_file() else None


def _not_tested(run: Run) -> list[ImageRecord]:
    """Return the validation images of a run, or its training images if there are too few."""
    data = unchanged_images(run)
    for image_ids in ({row.image_id for row in run.split if row.split == "val"}, training_ids(run)):
        records = [record for record in data.records if record.image_id in image_ids]
        if len(records) >= FEWEST_CHECKED:
            return records
    return []


def _some(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Return at most `_MAX_CHECKED` records, alternating between classes and spread evenly over their images."""
    by_class: dict[str | None, list[ImageRecord]] = {}
    for record in records:
        by_class.setdefault(record.label, []).append(record)
    n_each = -(-_MAX_CHECKED // max(len(by_class), 1))
    spread = [some[:: max(1, len(some) // n_each)][:n_each] for some in by_class.values()]
    alternating = [some[i] for i in range(n_each) for some in spread if i < len(some)]
    return alternating[:_MAX_CHECKED]
