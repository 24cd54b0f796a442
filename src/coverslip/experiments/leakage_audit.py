"""The leakage audit before a training: shortcuts, and the leakage estimate, which are cached together."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from coverslip.audit.leakage_estimate import LeakageAudit, cache_leakage_audit, estimate_leakage
from coverslip.audit.learning_curve import nested_order
from coverslip.audit.shortcuts import (
    background_features,
    batch_columns,
    border_features,
    file_tags,
    name_features,
    signal_of,
)
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.pixels import DecodedPixels, PixelKeys
from coverslip.datasets.quality.related_images import connected_components, exclusion_reasons
from coverslip.datasets.quality.scanning import Scan, SignalSource
from coverslip.engines import embed
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.images.preprocessing import PixelFacts, effective_channels, in_order, usual_orders
from coverslip.machine import n_cores
from coverslip.models.backbone import Architecture
from coverslip.models.graphs import pretrained_backbone
from coverslip.runs.recipe import Recipe
from coverslip.stopping import BY_SIGNAL, Stop
from coverslip.training.preprocessing import learn_preprocessing

_MOST_IMAGES = 2000  # in whole groups; more images take longer and hardly change the result
_FEWEST_IMAGES = 40
_MOST_VALUES = 30  # distinct values of a file tag
_LARGEST_SIDE = 128  # px: shortcuts are visible at low resolution

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]


def audit_leakage(data: Dataset, scan: Scan, *, emit: Emit = ignore, stop: Stop = BY_SIGNAL) -> LeakageAudit:
    """Return the shortcuts and the leakage estimate of a dataset.

    The default network computes features of some 2,000 images, in whole groups. The result is cached for trainings,
    whatever their recipes.

    Args:
        data, scan: the images.
        emit: receives progress events.
        stop: checked with each progress event.

    Raises:
        BadDataset, BadRecipe: the images cannot form one training set.
        Stopped: on request.
    """
    audit = _audit(data, scan, emit, stop)
    cache_leakage_audit(data, scan, audit)
    return audit


def _audit(data: Dataset, scan: Scan, emit: Emit, stop: Stop) -> LeakageAudit:
    positions, label, unit = _sample(data, scan)
    if len(positions) < _FEWEST_IMAGES or len(np.unique(label)) < 2:
        return LeakageAudit(None, None)
    facts = [fact for i in positions if isinstance(fact := scan.facts[i], PixelFacts)]
    features = _features(data, scan, positions, facts, emit, stop)
    sources = _sources(data, positions, facts, emit, stop)
    emit_progress = progress_reporter(emit, "searching-shortcuts", "probes")

    def on_progress(done: int, total: int) -> None:
        stop.check()
        emit_progress(done, total)

    columns = batch_columns([dict(data.records[i].about) for i in positions], label, unit)
    signal = signal_of(features, sources, label, unit, columns=columns, on_progress=on_progress)
    has_units = len(np.unique(unit)) < len(unit)
    return LeakageAudit(signal, estimate_leakage(features, label, unit) if has_units else None)


def _sample(data: Dataset, scan: Scan) -> tuple[list[int], Ints, Ints]:
    """Return the positions of a sample of usable images, their class numbers, and the numbers of their groups."""
    reasons = exclusion_reasons(data, scan)
    usable = [i for i, reason in enumerate(reasons) if not reason]
    if not usable:
        return [], np.zeros(0, np.int64), np.zeros(0, np.int64)
    label = np.unique([data.records[i].label or "" for i in usable], return_inverse=True)[1]
    unit = np.unique(connected_components(data, scan, usable), return_inverse=True)[1]
    is_sampled = nested_order(label, unit, np.random.default_rng(0)) < _MOST_IMAGES / len(usable)
    positions = np.array(usable)[is_sampled].tolist()
    return positions, *(np.unique(numbers[is_sampled], return_inverse=True)[1] for numbers in (label, unit))


def _features(
    data: Dataset,
    scan: Scan,
    positions: Sequence[int],
    facts: Sequence[PixelFacts],
    emit: Emit,
    stop: Stop,
) -> Singles:
    """Return (n, D) features of the frozen network."""
    recipe = Recipe(image_size=_LARGEST_SIDE)
    preprocessing = learn_preprocessing(facts, recipe)
    architecture = Architecture(recipe.model, recipe.head, preprocessing.channels, _LARGEST_SIDE)
    decoded = DecodedPixels(data, scan, preprocessing)
    with embed(
        pretrained_backbone(architecture),
        PixelKeys(data, scan, positions, preprocessing),
        lambda rows: decoded([positions[i] for i in rows]),
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=1,
        emit=emit,
        stop=stop,
    ) as (features, _):
        return features[slice(0, len(positions))]


def _sources(
    data: Dataset, positions: Sequence[int], facts: Sequence[PixelFacts], emit: Emit, stop: Stop
) -> dict[SignalSource, Singles]:
    """Return (n, d) features by source that should not predict the class."""
    n_channels, orders = max(fact.n_channels for fact in facts), usual_orders(fact.channel_names for fact in facts)

    def read(position: int) -> tuple[Singles, Singles, dict[str, str]]:
        stop.check()
        array = effective_channels(in_order(data.records[position].read(), orders))
        top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1.0
        image = (array / np.float32(top)).astype(np.float32)
        if image.shape[2] != n_channels:  # gray among color
            image = np.repeat(image[:, :, :1], n_channels, axis=2)
        record = data.records[position]
        return border_features(image), background_features(image), {} if record.in_memory else file_tags(record.path)

    with ThreadPoolExecutor(n_cores(), thread_name_prefix="leakage-audit") as pool:
        emit_progress, features = progress_reporter(emit, "reading-backgrounds", "images"), []
        for done, of_image in enumerate(pool.map(read, positions), start=1):
            features.append(of_image)
            emit_progress(done, len(positions))
    borders, backgrounds, tags = zip(*features, strict=True)
    return {
        "border": np.stack(borders),
        "background": np.stack(backgrounds),
        "size": np.log([(fact.width_px, fact.height_px) for fact in facts]).astype(np.float32),
        "format": np.array([(f.bit_depth, f.n_channels, f.n_planes) for f in facts], np.float32),
        "metadata": _one_hot(tags),
        "name": name_features(*_names_and_labels(data, positions)),
    }


def _names_and_labels(data: Dataset, positions: Sequence[int]) -> tuple[list[str], list[str]]:
    """Return file names without suffix and labels. The name is empty for an image in memory."""
    records = [data.records[i] for i in positions]
    return ["" if record.in_memory else record.path.stem for record in records], [
        record.label or "" for record in records
    ]


def _one_hot(tags: Sequence[Mapping[str, str]]) -> Singles:
    """Return (n, d) indicators of tag values, for tags with 2 to 30 distinct values."""
    columns = [np.ones(len(tags), np.float32)]
    for name in sorted({name for each in tags for name in each}):
        values = np.array([each.get(name, "") for each in tags])
        distinct = np.unique(values)
        if 2 <= len(distinct) <= _MOST_VALUES:
            columns += [(values == value).astype(np.float32) for value in distinct]
    return np.stack(columns, axis=1)
