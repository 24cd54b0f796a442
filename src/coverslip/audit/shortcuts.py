"""Shortcuts: whether borders, backgrounds, file names, file tags or batches predict the labels.

A linear probe predicts the labels of held-out images from the border of the image, its background, its size or its
format alone, and, for comparison, from features of the whole image. Images without shortcuts have some signal in these
sources too (the border of a crop may contain a part of a large cell). The measure is therefore the share of the whole
image's gain over chance that a source reaches (Geirhos et al. 2020, Shortcut learning in deep neural networks).

Names are not an input of networks. But names that differ between classes indicate different sources, days or lists,
which may also be visible in images.

Columns of the dataset's table other than groups are tested too. An unequal distribution of classes over plates does no
harm if plates are similar, and plates with different classes differ because of the classes. So the value of a column is
predicted among images of one class at a time.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from coverslip.audit.learning_curve import nested_order
from coverslip.datasets.quality.scanning import ColumnProbe, ProbeScore, Signal, SignalSource
from coverslip.evaluation.intervals import share_of_images
from coverslip.evaluation.results import Metric
from coverslip.events import OnProgress, ignore_progress
from coverslip.training.linear_probe import HeldOutProbes, principal_components

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_LONGEST_SIDE = 128  # px; larger images are reduced
_BORDER_SHARE = 1 / 8  # of the shorter side
_BLOCKS_A_SIDE = 5  # that the border is divided into, corners included
_MOST_DEVIATIONS = 3.0  # from the border's median, within which a pixel is background
_DEVIATIONS_OF_NORMAL = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
_FEWEST_BACKGROUND_PX = 16
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def border_features(image: Floats) -> Floats:
    """Return (80 C,): mean, standard deviation, least, largest and roughness of the 16 blocks along the border.

    Args:
        image: (H, W, C), at least 2 pixels a side.
    """
    image = reduced(image)
    height, width, _ = image.shape
    rows, columns = _block_edges(height), _block_edges(width)
    last = _BLOCKS_A_SIDE - 1
    described = [
        _block_statistics(image[rows[i] : rows[i + 1], columns[j] : columns[j + 1]])
        for i in range(_BLOCKS_A_SIDE)
        for j in range(_BLOCKS_A_SIDE)
        if i in (0, last) or j in (0, last)
    ]
    return np.concatenate(described)


def border_probe(images: Iterable[Floats], label: Ints, fold_index: Ints) -> list[tuple[Metric, Metric]]:
    """Return recall and specificity of each class by a linear probe on the borders of held-out images.

    Args:
        images: (H, W, C) each, of equal sizes.
        label: (n,) in [0, K); every class occurs.
        fold_index: (n,) fold in which each image is held out; negative for never.
    """
    borders = np.stack([border_features(image) for image in images])
    borders = (borders - borders.mean(axis=0)) / np.maximum(borders.std(axis=0), 1e-6)
    order, n_classes = np.argsort(fold_index, kind="stable"), int(label.max()) + 1
    components, label = principal_components(borders, _MOST_COMPONENTS)[order], label[order]
    probes = HeldOutProbes(components, label, fold_index[order], n_classes=n_classes, balanced=True, standardize=False)
    logits = probes.logits(_SHRINKAGE)
    is_checked = np.isfinite(logits).all(axis=1)
    predicted, label = logits[is_checked].argmax(axis=1), label[is_checked]
    of_class = [(label == k, predicted == k) for k in range(n_classes)]
    return [
        (
            share_of_images(int((is_class & has).sum()), int(is_class.sum())),
            share_of_images(int((~is_class & ~has).sum()), int((~is_class).sum())),
        )
        for is_class, has in of_class
    ]


def background_features(image: Floats) -> Floats:
    """Return (7 C,): quantiles, standard deviation and roughness of the pixels that are similar to the border.

    Their positions and number are excluded, since they depend on the shape and size of the object.

    Args:
        image: (H, W, C), at least 2 pixels a side.
    """
    image = reduced(image)
    border = image[_is_border(image.shape[0], image.shape[1])]
    middle = np.median(border, axis=0)
    deviation = _DEVIATIONS_OF_NORMAL * np.median(np.abs(border - middle), axis=0)
    # A flat border has no deviation: pixels within one gray level of 8 bits are background.
    is_background = (np.abs(image - middle) <= np.maximum(_MOST_DEVIATIONS * deviation, 1 / 255)).all(axis=2)
    if is_background.sum() < _FEWEST_BACKGROUND_PX:
        is_background = _is_border(image.shape[0], image.shape[1])
    background = image[is_background]
    beside = is_background[:, 1:] & is_background[:, :-1]
    steps = np.abs(np.diff(image, axis=1))[beside]
    roughness = steps.mean(axis=0) if len(steps) else np.zeros(image.shape[2], np.float32)
    quantiles = np.quantile(background, _QUANTILES, axis=0).ravel()
    return np.concatenate([quantiles, background.std(axis=0), roughness]).astype(np.float32)


def reduced(image: Floats) -> Floats:
    """Return the (H, W, C) image reduced by means of square blocks, to limit computing time."""
    factor = max(image.shape[:2]) // _LONGEST_SIDE + 1
    height, width = (side // factor * factor for side in image.shape[:2])
    if factor == 1 or not height or not width:
        return image
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, image.shape[2])
    means: Floats = blocks.mean(axis=(1, 3))
    return means


def _block_edges(side: int) -> list[int]:
    """Return the starts of blocks along a side, and the end of the last; blocks of few pixels may overlap."""
    border = max(1, round(side * _BORDER_SHARE))
    inner = np.linspace(border, max(side - border, border + 1), _BLOCKS_A_SIDE - 1).round().astype(int)
    edges = [0, *inner.tolist(), side]
    return [min(edge, side - 1) for edge in edges[:-1]] + [side]


def _block_statistics(block: Floats) -> Floats:
    if not block.size:  # sides of a few pixels have fewer than five blocks
        return np.zeros(5 * block.shape[2], np.float32)
    pixels = block.reshape(-1, block.shape[2])
    steps = np.abs(np.diff(block, axis=1)).reshape(-1, block.shape[2])
    roughness = steps.mean(axis=0) if len(steps) else np.zeros(block.shape[2], np.float32)
    return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), pixels.min(axis=0), pixels.max(axis=0), roughness])


def _is_border(height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return (H, W), true along the edge."""
    inside = max(1, round(min(height, width) * _BORDER_SHARE))
    border = np.ones((height, width), dtype=np.bool_)
    border[inside : height - inside, inside : width - inside] = False
    return border


_MOST_NAME_VALUES = 30
_N_RANGES = 10  # of numbers, with equal numbers of images


def name_features(names: Sequence[str], labels: Sequence[str]) -> Floats:
    """Return (n, d) features of file names without suffix, without words and numbers of the label.

    Args:
        names: (n,).
        labels: (n,). If each form of a name occurs in one class only, forms are excluded, since they contain the class.
    """
    tokens = [_without(_tokens(name), _tokens(label)) for name, label in zip(names, labels, strict=True)]
    written = [" ".join("#" if token.isdigit() else token for token in tokens_of_name) for tokens_of_name in tokens]
    columns = [np.ones((len(names), 1), np.float32)]
    if len({*zip(written, labels, strict=True)}) > len(set(written)):
        columns.append(_one_hot(written))
    columns.append(_one_hot([str(sum(map(len, tokens_of_name))) for tokens_of_name in tokens]))
    last = [
        next((float(token) for token in reversed(tokens_of_name) if token.isdigit()), -1.0) for tokens_of_name in tokens
    ]
    edges = np.quantile(last, np.arange(1, _N_RANGES) / _N_RANGES)
    columns.append(_one_hot([str(k) for k in np.searchsorted(edges, last)]))
    return np.concatenate(columns, axis=1)


def _tokens(name: str) -> list[str]:
    """Return words and numbers; numbers without leading zeros."""
    return [token.lstrip("0") or "0" for token in re.findall(r"[^\W\d_]+|\d+", name.casefold())]


def _without(tokens: Sequence[str], label_tokens: Sequence[str]) -> list[str]:
    return [token for token in tokens if token not in label_tokens]


def _one_hot(values: Sequence[str]) -> Floats:
    """Return (n, d); no columns if there is only one value, or too many."""
    distinct, index = np.unique(values, return_inverse=True)
    n_columns = len(distinct) if 2 <= len(distinct) <= _MOST_NAME_VALUES else 0
    one_hot: Floats = (index[:, None] == np.arange(n_columns)).astype(np.float32)
    return one_hot


_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")  # other formats have no such tags, or need external programs
# Dates are excluded, since each image has a different one, and so are tags of only the size or position of pixels.
_TAGS = {
    "Make",
    "Model",
    "Software",
    "Artist",
    "HostComputer",
    "XResolution",
    "YResolution",
    "ResolutionUnit",
    "Compression",
    "ExposureTime",
    "ISOSpeedRatings",
    "ColorSpace",
}
_INFO = ("dpi", "jfif_version", "Software", "progressive", "comment")
_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    OverflowError,
    struct.error,
)  # errors of invalid tags
_LONGEST = 200  # characters of a value


def file_tags(path: Path) -> dict[str, str]:
    """Return the tags of a file, of a JPEG also its quantization table; empty if there are none.

    For files that could be decoded. No pixels are read.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            exif = image.getexif()
            by_number = {**exif.get_ifd(ExifTags.IFD.Exif), **exif}
            value_of = {ExifTags.TAGS.get(number, ""): value for number, value in by_number.items()}
            tags = {name: value for name, value in value_of.items() if name in _TAGS}
            tags |= {name: image.info[name] for name in _INFO if name in image.info}
            if tables := getattr(image, "quantization", None):
                tags["quantization"] = hashlib.sha256(repr(sorted(tables.items())).encode()).hexdigest()[:8]
    except (*_DAMAGED, Image.DecompressionBombError):
        return {}
    return {name: str(value)[:_LONGEST] for name, value in tags.items()}


_MOST_VALUES = 30
_MOST_COLUMNS = 8
_FEWEST_OF_VALUE = 5  # images of one class


def batch_columns(about: Sequence[Mapping[str, str]], label: Ints, unit: Ints) -> dict[str, Ints]:
    """Return (n,) numbers of the values of each column that may be a batch: neither the class nor the units.

    Args:
        about: the table row of each image.
        label, unit: (n,) int.
    """
    names = list(dict.fromkeys(name for each in about for name in each))
    columns = {name: np.unique([each.get(name, "") for each in about], return_inverse=True)[1] for name in names}
    return dict(list(_usable_columns(columns, label, unit))[:_MOST_COLUMNS])


def _usable_columns(columns: Mapping[str, Ints], label: Ints, unit: Ints) -> Iterator[tuple[str, Ints]]:
    for name, value in columns.items():
        n_values = int(value.max()) + 1
        is_class = _is_within(value, label) or _is_within(label, value)
        if 2 <= n_values <= _MOST_VALUES and not is_class and not _is_within(value, unit):
            yield name, value


def _is_within(value: Ints, unit: Ints) -> bool:
    """Return whether each value occurs in only one unit."""
    return len(np.unique(np.stack([value, unit]), axis=1).T) == len(np.unique(value))


def of_one_class(value: Ints, label: Ints) -> Iterator[tuple[npt.NDArray[np.intp], Ints]]:
    """Yield the images of each class, and their values from 0, for classes with enough images of several values."""
    for k in range(int(label.max()) + 1):
        of_class = np.flatnonzero(label == k)
        often = np.bincount(value[of_class], minlength=int(value.max()) + 1) >= _FEWEST_OF_VALUE
        eligible = of_class[often[value[of_class]]]
        if often.sum() > 1:
            yield eligible, np.unique(value[eligible], return_inverse=True)[1]


_N_FOLDS = 5
_N_PERMUTATIONS = 40
_MOST_COMPONENTS = 256
_SHRINKAGE = 0.1
_FEWEST_UNITS = 2  # of a class: one for fitting, one for testing


def signal_of(
    whole: Floats,
    sources: Mapping[SignalSource, Floats],
    label: Ints,
    unit: Ints,
    *,
    columns: Mapping[str, Ints] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Signal | None:
    """Return the scores of probes that predict the labels from whole images, and from each source.

    Args:
        whole: (n, D) features of the whole images.
        sources: (n, d) features each; sources with equal features for all images are excluded.
        label: (n,) int in [0, K).
        unit: (n,) int: images with equal numbers are in the same fold.
        columns: (n,) numbers of the values of columns that may be batches, by name.
        on_progress: called for each fitted probe.

    Returns:
        None if fewer than two classes are in several units.
    """
    n_units = np.array([len(np.unique(unit[label == k])) for k in range(int(label.max()) + 1)])
    usable = (n_units >= _FEWEST_UNITS)[label]
    if len(np.unique(label[usable])) < 2:
        return None
    label, unit = (np.unique(numbers[usable], return_inverse=True)[1] for numbers in (label, unit))
    generator = np.random.default_rng(0)
    components_of: dict[SignalSource | None, Floats] = {
        source: principal_components(features[usable], _MOST_COMPONENTS)
        for source, features in [*sources.items(), (None, whole)]
        if source is None or (features != features[0]).any()
    }
    scores, n_probes = dict[SignalSource | None, ProbeScore](), 1 + _N_PERMUTATIONS
    for k, (source, components) in enumerate(components_of.items()):
        report_progress = partial(_report_part, on_progress, k * n_probes, len(components_of) * n_probes)
        scores[source] = _probe_score(components, label, unit, generator, report_progress)
    by_whole = scores.pop(None)
    by_column = {
        name: _column_probe(value[usable], components_of[None], label, unit, generator)
        for name, value in (columns or {}).items()
    }
    by_source = {source: each for source, each in scores.items() if source}
    return Signal(1 / (int(label.max()) + 1), by_whole, by_source, by_column)


def _column_probe(value: Ints, whole: Floats, label: Ints, unit: Ints, generator: np.random.Generator) -> ColumnProbe:
    one_hot = np.eye(int(value.max()) + 1, dtype=np.float32)[value]
    score = _probe_score(principal_components(one_hot), label, unit, generator, lambda done: None)
    gains, sizes = [0.0], [0]
    for images, values in of_one_class(value, label):
        chance = 1 / (int(values.max()) + 1)
        reached = _balanced_accuracy(whole[images], values, np.arange(len(images)), generator)
        gains.append((reached - chance) / (1 - chance))
        sizes.append(len(images))
    visibility = float(np.average(gains, weights=sizes)) if sum(sizes) else 0.0
    return ColumnProbe(score, max(0.0, visibility))


def _report_part(on_progress: OnProgress, before: int, total: int, done: int) -> None:
    on_progress(before + done, total)


def _probe_score(
    components: Floats, label: Ints, unit: Ints, generator: np.random.Generator, report_progress: Callable[[int], None]
) -> ProbeScore:
    observed = _balanced_accuracy(components, label, unit, generator)
    permuted_scores = []
    for done in range(1, 1 + _N_PERMUTATIONS):
        report_progress(done)
        permuted_label = _permuted_labels(label, unit, generator)
        permuted_scores.append(_balanced_accuracy(components, permuted_label, unit, generator))
    report_progress(1 + _N_PERMUTATIONS)
    return ProbeScore(observed, (1 + sum(chance >= observed for chance in permuted_scores)) / (1 + _N_PERMUTATIONS))


def _permuted_labels(label: Ints, unit: Ints, generator: np.random.Generator) -> Ints:
    """Return the labels of the units permuted, assigned to images unit by unit, in random order within each.

    Images of one unit often have the same label. Without such runs, random labels would be harder to predict by chance.
    """
    unit_order = generator.permutation(int(unit.max()) + 1)
    permuted = np.empty_like(label)
    # The order within a unit is random. Otherwise, units of the same composition would get their original labels.
    permuted[np.lexsort((generator.random(len(unit)), unit))] = label[np.argsort(unit_order[unit], kind="stable")]
    return permuted


def _balanced_accuracy(components: Floats, label: Ints, unit: Ints, generator: np.random.Generator) -> float:
    """Return the balanced accuracy on held-out images, in five folds that depend on these labels."""
    fold = (nested_order(label, unit, generator) * _N_FOLDS).astype(np.int64)
    n_classes = int(label.max()) + 1
    n_folds = np.array([len(np.unique(fold[label == k])) for k in range(n_classes)])
    is_testable = (n_folds > 1)[label]  # a class in a single fold has no training images in the fold that tests it
    if len(np.unique(label[is_testable])) < 2:
        return 1 / n_classes
    order = np.flatnonzero(is_testable)[np.argsort(fold[is_testable], kind="stable")]
    label = np.unique(label[order], return_inverse=True)[1]
    n_classes = int(label.max()) + 1
    probes = HeldOutProbes(components[order], label, fold[order], n_classes=n_classes, balanced=True, standardize=False)
    logits = probes.logits(_SHRINKAGE)
    is_correct = logits.argmax(axis=1) == label
    return float(np.mean([is_correct[label == k].mean() for k in range(n_classes)]))
