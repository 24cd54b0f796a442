"""The built-in object finder: threshold, distance transform and size, without training.

The finder suits separate or touching objects (nuclei, blood cells, colonies) that are brighter or darker than an even
background. The steps are:

1.  A quadratic surface, fitted to the background, is subtracted. It removes uneven illumination.
2.  The field is smoothed with a Gaussian filter.
3.  A threshold separates objects from background. The default, Otsu's threshold of intensities on a scale that is
    logarithmic above the noise, also separates dim objects from the background if others are bright.
4.  Touching objects are divided where the distance to the background has a neck. A neck counts if it is narrower than
    a fixed share of the smaller object, so that the rule depends neither on size nor on resolution.
5.  The outline of each object is moved to half its own brightness (threshold `log`).
6.  Small objects are removed.

Every setting that is empty is estimated from the field. Large fields are processed in overlapping tiles: an object
belongs to the tile that contains its innermost pixel. What the finder cannot do is stated by the warnings of the
result.

Sources: Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979); Malpica et al., Cytometry 28, 289 (1997), for the division by
distance.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from coverslip.documented_fields import DocumentedModel
from coverslip.errors import CoverslipError
from coverslip.events import OnProgress
from coverslip.images.reader import Channel
from coverslip.images.reading import channel_number
from coverslip.machine import n_cores
from coverslip.messages import Note, note

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
Slices = tuple[slice, slice]

# Tuned on half of the fields of benchmarks/finder.py, as are the limits of the warnings.
_LOG_FROM_NOISE = 10.0  # the intensity scale is linear up to this multiple of the noise, and logarithmic above
_NECK = (
    0.75,
    0.93,
)  # of the radius of the smaller object; a wider neck does not divide: an object of usual size, a large one
_LARGE = 1.6  # from this multiple of the area of a typical object
_OUTLINE_AT = 0.42  # of an object's own brightness
_ROUND = 1.3  # area of a small hole, in areas of the circle that fits in it; a gap between objects has more
_CONVEX = 0.88  # share of its convex hull that a hole fills; a gap between objects fills less
_SHAPED = 24  # pixels of a hole whose convex hull says something
_FEW = 2.2  # objects of typical area: they enclose no gap
_HOLE_SHARE = (0.08, 0.5)  # of the area within the outline
_LEAST_AREA = 0.15  # of the area of a typical object
_SMOOTH_DISTANCE = 0.1  # standard deviation, in radii of a typical object
_SMOOTHING = (0.04, 0.7, 2.0)  # standard deviation in diameters; least and most in pixels

_LOW_CONTRAST = (5.0, 10.0)  # in standard deviations of the background: always, and if the field is like noise
_NOISE_SEPARATION = 0.67  # Otsu's threshold separates 2/pi of the variance of Gaussian noise
_CROWDED = 0.5  # share of object pixels
_SMALL = 6.5  # pixels
_TISSUE = 0.6  # share of pixels in the colors of hematoxylin and eosin

_EDGE_PIXELS, _LEAST_INNER = 4, 200  # pixels at the edge of bright and dark regions, and inner ones for a median
_LEAST_EVIDENCE = 0.1  # for bright or dark objects
_FIRST_SMOOTHING = 1.5  # pixels, while the diameter is unknown
_ENOUGH_CONTRAST, _MOST_SMOOTHING = 6.0, 4.0  # a noisy field is smoothed more, up to this number of pixels
_NOISE_FLOOR = 0.002  # of the range of the signal; images without noise have noise 0
_FEWEST = 5  # objects that determine the typical diameter
_NO_DEBRIS = 0.2  # of the area of the first estimate, from which objects count for it
_LEAST_PIXELS = 12  # of an object that counts for the typical diameter
_OVERVIEW_PIXELS = 250_000
_SAMPLE_PIXELS = 4_200_000  # a field of at most this many pixels is its own sample
_SAMPLE_SIDE, _N_SAMPLES = 512, 16
_TILE_SIDE = 1536
_MOST_THREADS = 4  # each needs about 200 MiB for its tile
_MOST_MARGIN = 512


class FinderSettings(DocumentedModel):
    """What to search for. Each empty setting is estimated from the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    diameter: float | None = Field(default=None, gt=0)
    """Typical diameter of an object."""
    unit: Literal["px", "um"] = "px"
    """Unit of the diameters: pixels or micrometers."""
    objects: Literal["bright", "dark"] | None = None
    """Whether objects are brighter or darker than the background."""
    threshold: Literal["log", "otsu", "local"] = "log"
    """log: objects may differ in brightness; otsu: one threshold on linear intensities; local: objects on a background
    that varies at short range."""
    smoothing: float | None = Field(default=None, ge=0, le=50)
    """Standard deviation of the Gaussian filter in pixels."""
    split: bool = True
    """Whether to divide touching objects."""
    channel: Channel | None = None
    """Channel to search: its number from 0, or its name in the files. Empty: the luminance of a color image."""
    smallest: float | None = Field(default=None, ge=0)
    """Diameter of the smallest object that is kept, as that of a circle of the same area. Empty: no limit."""
    largest: float | None = Field(default=None, gt=0)
    """Diameter of the largest object that is kept."""
    at_edge: bool = True
    """Whether to keep objects that touch the edge of the field."""

    def of_field(self, path: Path, names: Sequence[str]) -> Self:
        """Return the settings with the number of the channel in a field whose channels have these names.

        Raises:
            UnreadableImage: no channel has the name.
        """
        number = None if self.channel is None else channel_number(path, self.channel, names)
        return self.model_copy(update={"channel": number})


@dataclass(frozen=True, slots=True)
class FinderResult:
    """Objects of a field."""

    labels: Labels  # (H, W): 0 is background; 1 to n are objects
    warnings: tuple[Note, ...]  # reasons why the objects may be wrong; empty if there is none
    settings: FinderSettings  # with the estimates of settings that were empty
    n_excluded: int = 0  # objects outside the limits of size, or at the edge

    @property
    def n_objects(self) -> int:
        """The number of objects."""
        return int(self.labels.max(initial=0))


def find_objects(
    pixels: NDArray[np.generic],
    settings: FinderSettings | None = None,
    pixel_size_um: float | None = None,
    report: OnProgress = lambda done, total: None,
) -> FinderResult:
    """Find the objects of a field.

    Args:
        pixels: (H, W) or (H, W, channels), of any integer or real type. Pixels that are not finite are background.
        settings: None: all are estimated.
        pixel_size_um: side of a pixel in micrometers, for a diameter in micrometers.
        report: receives the number of searched pixels, and of all pixels, after each tile of a large field.

    Raises:
        CoverslipError: the array is no image, the channel does not exist, or the pixel size is unknown while the
            diameter is in micrometers.
    """
    settings = settings or FinderSettings()
    field = _Field.of(pixels, settings.channel)
    px_per_unit = _px_per_unit(settings, pixel_size_um)
    if field.span == 0:
        return FinderResult(np.zeros(field.shape, np.int32), (note("finder-nothing", level="warning"),), settings)
    model = _estimate(field, settings, px_per_unit)
    labels, tally = _segment(field, model, settings, report)
    estimated = settings.model_copy(
        update={
            "objects": "bright" if model.sign > 0 else "dark",
            "smoothing": round(model.smoothing, 2),
            "diameter": settings.diameter or round(model.diameter / px_per_unit, 2),
        }
    )
    return FinderResult(labels, tuple(_warnings(field, model, tally, _stained_share(np.asarray(pixels)))), estimated)


def filter_objects(labels: Labels, settings: FinderSettings, pixel_size_um: float | None) -> Labels:
    """Return the labels of the objects whose size and position the settings allow, numbered without gaps.

    Raises:
        CoverslipError: a limit is in micrometers, and the pixel size is unknown.
    """
    if settings.smallest is None and settings.largest is None and settings.at_edge:
        return labels
    px_per_unit = _px_per_unit(settings, pixel_size_um)
    diameters = 2 * np.sqrt(np.bincount(labels.ravel()) / math.pi) / px_per_unit
    is_kept = (diameters >= (settings.smallest or 0)) & (diameters <= (settings.largest or math.inf))
    if not settings.at_edge:
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            is_kept[edge] = False
    is_kept[0] = False
    numbers: Labels = np.where(is_kept, np.cumsum(is_kept), 0).astype(np.int32)
    return numbers[labels]


def _px_per_unit(settings: FinderSettings, pixel_size_um: float | None) -> float:
    if settings.unit == "px":
        return 1.0
    if pixel_size_um is None or not 0 < pixel_size_um < math.inf:
        raise CoverslipError("finder-no-pixel-size")
    return 1 / pixel_size_um


@dataclass(frozen=True, slots=True)
class _Field:
    """The pixels of one field, read tile by tile as intensities between 0 and 1."""

    pixels: NDArray[np.generic]  # (H, W, channels): a channel, or colors
    n_channels: int  # of the image
    low: float
    span: float  # 0: all pixels are equal, or none is finite

    @classmethod
    def of(cls, pixels: NDArray[np.generic], channel: Channel | None) -> Self:
        pixels = np.asarray(pixels)
        if pixels.ndim not in (2, 3) or 0 in pixels.shape or pixels.dtype.kind not in "biuf":
            raise CoverslipError("finder-no-image", shape=str(pixels.shape), dtype=str(pixels.dtype))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        n_channels = pixels.shape[2]
        if isinstance(channel, str) or (channel is not None and not 0 <= channel < n_channels):
            raise CoverslipError("finder-no-channel", channel=channel, n_channels=n_channels)
        if channel is not None:
            pixels = pixels[..., channel : channel + 1]
        elif n_channels != 3 and not (n_channels == 4 and pixels.dtype == np.uint8):
            pixels = pixels[..., :1]
        unscaled = cls(pixels, n_channels if channel is None else 1, 0.0, 1.0)
        low, high = math.inf, -math.inf
        for rows in _strips(pixels.shape):
            gray = unscaled._luminance((rows, slice(None)))
            finite = gray[np.isfinite(gray)]
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        span = high - low if high > low else 0.0
        return cls(pixels, unscaled.n_channels, low, span)

    @property
    def is_first_of_several(self) -> bool:
        """Whether the first channel was taken because none was selected."""
        return self.n_channels > 1 and self.pixels.shape[2] == 1

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]

    def read(self, window: Slices) -> Float32:
        """Return a window, scaled by the range of the whole field; NaN where a pixel is not finite."""
        gray = (self._luminance(window) - self.low) / self.span
        return np.where(np.isfinite(gray), gray, np.nan).astype(np.float32)

    def _luminance(self, window: Slices) -> NDArray[np.float64]:
        pixels = self.pixels[window].astype(np.float64)
        if self.pixels.dtype.kind == "f":
            pixels *= 2.0**-60  # the range of the largest numbers is then finite
        return pixels[..., :3] @ np.array([0.299, 0.587, 0.114]) if pixels.shape[2] >= 3 else pixels[..., 0]


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    n_rows = max(1, _OVERVIEW_PIXELS // shape[1])
    return (slice(top, min(top + n_rows, shape[0])) for top in range(0, shape[0], n_rows))


@dataclass(frozen=True, slots=True)
class _Model:
    """What is estimated from a field before objects are searched."""

    sign: int  # 1: objects are bright; -1: dark
    background: NDArray[np.float64]  # coefficients of the quadratic surface, by the powers of row and column
    smoothing: float
    noise: float  # standard deviation of the smoothed background
    threshold: float
    diameter: float  # pixels
    contrast: float  # mean intensity of the objects, in standard deviations of the background
    separation: float  # Otsu's: share of the variance that lies between objects and background


def _signal(field: _Field, window: Slices, sign: int, background: NDArray[np.float64], smoothing: float) -> Float32:
    """Return the smoothed intensities above the background, positive in objects."""
    from scipy.ndimage import gaussian_filter

    above = sign * (field.read(window) - _surface(background, field.shape, window))
    smooth: Float32 = gaussian_filter(np.nan_to_num(above, nan=0.0), smoothing)
    return smooth


# Estimates from the field


def _estimate(field: _Field, settings: FinderSettings, px_per_unit: float) -> _Model:
    overview, factor = _overview(field)
    windows = _sample_windows(overview, factor, field.shape)
    sign = {"bright": 1, "dark": -1}[settings.objects] if settings.objects else _polarity(field, windows[0])
    background = _fit_background(sign * overview, factor, field.shape) * sign
    diameter = None if settings.diameter is None else settings.diameter * px_per_unit

    def measured(smoothing: float) -> _Model:
        return _measure(field, windows, settings.threshold, sign, background, smoothing, diameter)

    if settings.smoothing is not None:
        return measured(settings.smoothing)
    model = measured(_FIRST_SMOOTHING)
    share, least, most = _SMOOTHING
    while model.contrast < _ENOUGH_CONTRAST and model.smoothing < _MOST_SMOOTHING:
        least = model.smoothing * 1.5
        model = measured(least)
    return measured(max(least, min(share * model.diameter, most)))


def _overview(field: _Field) -> tuple[Float32, int]:
    """Return the field reduced to about a million pixels by means of blocks, smoothed, and the side of a block."""
    from scipy.ndimage import gaussian_filter

    height, width = field.shape
    factor = min(max(1, math.isqrt(height * width // _OVERVIEW_PIXELS)), height, width)
    n_rows, n_columns = height // factor, width // factor
    reduced = np.empty((n_rows, n_columns), np.float32)
    at_once = max(1, _OVERVIEW_PIXELS // (width * factor))
    for top in range(0, n_rows, at_once):
        rows = slice(top * factor, min(top + at_once, n_rows) * factor)
        block = field.read((rows, slice(0, n_columns * factor)))
        means = block.reshape(-1, factor, n_columns, factor).mean((1, 3))
        reduced[top : top + at_once] = means
    missing = ~np.isfinite(reduced)
    if missing.any():
        reduced[missing] = np.median(reduced[~missing]) if not missing.all() else 0.0
    smooth: Float32 = gaussian_filter(reduced, max(0.5, _FIRST_SMOOTHING / factor))
    return smooth, factor


def _polarity(field: _Field, window: Slices) -> int:
    """Return 1 if objects are bright, -1 if they are dark.

    Two signs count alike. The background is connected, and objects are in several components: the difference of the
    shares of the largest component. The background is even, and objects have structure: the logarithm of the ratio of
    the median slopes. If both together do not decide, objects are the class with fewer pixels.
    """
    from scipy import ndimage

    sample = _signal(field, window, 1, np.zeros((3, 3)), _FIRST_SMOOTHING)
    sample -= _majority_surface(sample)
    threshold, _ = _otsu(sample)
    slope = ndimage.gaussian_gradient_magnitude(sample, 1)
    bright = sample > threshold
    connected, slopes = [], []
    for mask in (bright, ~bright):
        components, n_components = ndimage.label(mask)
        areas = np.bincount(components.ravel(), minlength=n_components + 1)[1:]
        connected.append(areas.max(initial=0) / max(1, mask.sum()))
        inner = slope[ndimage.binary_erosion(mask, iterations=_EDGE_PIXELS)]
        slopes.append(float(np.median(inner)) if inner.size > _LEAST_INNER else 0.0)
    structure = math.log(slopes[0] / slopes[1]) if min(slopes) > 0 else 0.0
    evidence = connected[1] - connected[0] + structure
    if abs(evidence) > _LEAST_EVIDENCE:
        return 1 if evidence > 0 else -1
    return 1 if bright.mean() < 0.5 else -1


def _fit_background(overview: Float32, factor: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the coefficients of the quadratic surface through the pixels without bright objects."""
    from scipy.ndimage import binary_dilation

    threshold, _ = _otsu(overview)
    coefficients = np.zeros((3, 3))
    coefficients[0, 0] = np.median(overview[overview <= threshold])
    rows, columns = (
        _powers(slice(0, n * factor, factor), length, offset=factor / 2)
        for n, length in zip(overview.shape, shape, strict=True)
    )
    for _ in range(3):
        above = overview - (rows.T @ coefficients @ columns).astype(np.float32)
        threshold, _ = _log_threshold(above.ravel())
        objects = binary_dilation(above > threshold, iterations=3)
        if (~objects).mean() < 0.05:
            break
        coefficients = _quadratic_fit(overview, ~objects, rows, columns)
    return coefficients


def _majority_surface(sample: Float32) -> Float32:
    """Return the quadratic surface through most of the pixels, be they brighter or darker than the others."""
    window = (slice(0, sample.shape[0]), slice(0, sample.shape[1]))
    rows, columns = (_powers(side, length) for side, length in zip(window, sample.shape, strict=True))
    fitted = np.ones(sample.shape, bool)
    for _ in range(4):
        surface: Float32 = (rows.T @ _quadratic_fit(sample, fitted, rows, columns) @ columns).astype(np.float32)
        distances = np.abs(sample - surface)
        fitted = distances <= 2 * np.median(distances)
    return surface


def _quadratic_fit(
    values: Float32, mask: Mask, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the coefficients of the least-squares quadratic surface through the pixels of a mask."""
    y, x = np.nonzero(mask)
    step = max(1, len(y) // 20_000)
    y, x = y[::step], x[::step]
    powers = [(i, j) for i in range(3) for j in range(3 - i)]
    design = np.stack([rows[i, y] * columns[j, x] for i, j in powers], axis=1)
    solution = np.linalg.lstsq(design, values[y, x].astype(np.float64), rcond=None)[0]
    coefficients = np.zeros((3, 3))
    for (i, j), value in zip(powers, solution, strict=True):
        coefficients[i, j] = value
    return coefficients


def _powers(side: slice, length: int, offset: float = 0.5) -> NDArray[np.float64]:
    """Return powers 0 to 2 of the positions along one side, which are between -1 and 1."""
    positions = (np.arange(side.start, side.stop, side.step or 1) + offset) * 2 / length - 1
    return np.stack([positions**power for power in range(3)])


def _surface(coefficients: NDArray[np.float64], shape: tuple[int, int], window: Slices) -> Float32:
    rows, columns = (_powers(side, length) for side, length in zip(window, shape, strict=True))
    return (rows.T @ coefficients @ columns).astype(np.float32)


def _sample_windows(overview: Float32, factor: int, shape: tuple[int, int]) -> list[Slices]:
    """Return the windows by which thresholds and sizes are estimated: the whole field, or those of most contrast."""
    height, width = shape
    if height * width <= _SAMPLE_PIXELS:
        return [(slice(0, height), slice(0, width))]
    windows, contrasts = [], []
    for top in range(0, height, _SAMPLE_SIDE):
        for left in range(0, width, _SAMPLE_SIDE):
            window = (slice(top, min(top + _SAMPLE_SIDE, height)), slice(left, min(left + _SAMPLE_SIDE, width)))
            part = overview[tuple(slice(side.start // factor, -(-side.stop // factor)) for side in window)]
            windows.append(window)
            contrasts.append(float(part.std()) if part.size else 0.0)
    order = np.argsort(contrasts, kind="stable")[::-1][:_N_SAMPLES]
    return [windows[i] for i in order]


def _measure(
    field: _Field,
    windows: list[Slices],
    threshold_name: str,
    sign: int,
    background: NDArray[np.float64],
    smoothing: float,
    diameter: float | None,
) -> _Model:
    """Return threshold, noise and diameter, measured in the windows."""
    samples = [_signal(field, window, sign, background, smoothing) for window in windows]
    signal = np.concatenate([sample.ravel() for sample in samples])
    threshold, noise = _log_threshold(signal)
    linear, separation = _otsu(signal)
    if threshold_name == "otsu":
        threshold = linear
    bright = signal[signal > threshold]
    contrast = float(bright.mean()) / noise if bright.size else 0.0
    if diameter is None:
        diameter = _typical_diameter([sample > threshold for sample in samples])
    return _Model(sign, background, smoothing, noise, threshold, diameter, contrast, separation)


def _otsu(values: Float32) -> tuple[float, float]:
    """Return Otsu's threshold, and the share of the variance that lies between the two classes."""
    counts, edges = np.histogram(values, bins=512)
    centers = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    sums = np.cumsum(counts * centers)
    above = counts.sum() - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below / counts.sum() - sums[:-1]) ** 2 / (below * above)
    between = np.nan_to_num(between, nan=0.0, posinf=0.0)
    best = int(np.flatnonzero(between == between.max()).mean())  # the middle of a gap between the classes
    total = float((counts * (centers - sums[-1] / counts.sum()) ** 2).sum())
    share = float(between.max()) * counts.sum() / total if total else 0.0
    return float(edges[best + 1]), share


def _log_threshold(signal: Float32) -> tuple[float, float]:
    """Return Otsu's threshold on a scale that is logarithmic above the noise, and the noise.

    The noise is the standard deviation of the background, from its median absolute deviation.
    """
    threshold, _ = _otsu(signal)
    low, high = np.percentile(signal[:: max(1, signal.size // _OVERVIEW_PIXELS)], [0.1, 99.9])
    floor = _NOISE_FLOOR * float(high - low)
    noise = floor
    for _ in range(2):
        background = signal[signal <= threshold]
        deviation = np.median(np.abs(background - np.median(background))) if background.size else 0.0
        noise = max(1.4826 * float(deviation), floor, 1e-9)
        scale = _LOG_FROM_NOISE * noise
        on_scale, _ = _otsu(np.maximum(np.arcsinh(signal / scale), -2))
        threshold = math.sinh(on_scale) * scale
    return threshold, noise


def _typical_diameter(masks: list[Mask]) -> float:
    """Return the median diameter of the objects, as that of circles of the same area.

    The first estimate is the circle that fits in the piece with the median object pixel: one object even if two or
    three touch, but more where many do. The pieces are then divided into objects of about this size; those at the edge
    of a mask, which may be cut, and debris do not count.
    """
    from scipy import ndimage

    areas, radii = [], []
    for mask in masks:
        mask = _fill_holes(mask, None)
        components, n_components = ndimage.label(mask)
        if n_components and not mask.all():
            distances = ndimage.distance_transform_edt(mask)
            areas.append(np.bincount(components.ravel())[1:])
            radii.append(ndimage.maximum(distances, components, np.arange(1, n_components + 1)))
    if not areas:
        return 2.0
    area, radius = np.concatenate(areas), np.concatenate(radii)
    if (area >= _LEAST_PIXELS).any():
        area, radius = area[area >= _LEAST_PIXELS], radius[area >= _LEAST_PIXELS]
    order = np.argsort(radius)
    cumulative = np.cumsum(area[order])
    first = float(radius[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
    divided = [np.empty(0)]
    for mask in masks:
        mask = _fill_holes(mask, math.pi * first**2)
        if mask.any() and not mask.all():
            objects, _ = _divide(mask.astype(np.int32), first, split=True)
            areas_of = np.bincount(objects.ravel()).astype(np.float64)
            for edge in (objects[0], objects[-1], objects[:, 0], objects[:, -1]):
                areas_of[edge] = 0  # the window may cut it
            divided.append(areas_of[1:])
    area = np.concatenate(divided)
    area = area[area >= _NO_DEBRIS * math.pi * first**2]
    return 2 * math.sqrt(float(np.median(area)) / math.pi) if area.size >= _FEWEST else 2 * first


# Objects


@dataclass(slots=True)
class _Tally:
    """What is counted while tiles are processed."""

    n_objects: int = 0
    n_object_pixels: int = 0


def _segment(field: _Field, model: _Model, settings: FinderSettings, report: OnProgress) -> tuple[Labels, _Tally]:
    height, width = field.shape
    labels = np.zeros(field.shape, np.int32)
    tally = _Tally()
    margin = min(_MOST_MARGIN, math.ceil(3 * model.diameter + 4 * model.smoothing))
    side = max(height, width) if height * width <= _SAMPLE_PIXELS else _TILE_SIDE
    tiles = list(tiles_of(field.shape, side, margin))
    n_done, n_threads = 0, min(n_cores(), len(tiles), _MOST_THREADS)
    with ThreadPoolExecutor(n_threads, thread_name_prefix="find") as pool:
        ahead: deque[Future[_TileObjects]] = deque()
        try:
            for position, (core, tile) in enumerate(tiles):
                while len(ahead) < n_threads and position + len(ahead) < len(tiles):
                    ahead.append(pool.submit(_find_in_tile, field, model, settings, *tiles[position + len(ahead)]))
                # In the order of the tiles, so that the result does not depend on the number of threads.
                _add_objects(ahead.popleft().result(), model, core, tile, labels, tally)
                n_done += (core[0].stop - core[0].start) * (core[1].stop - core[1].start)
                report(n_done, height * width)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return labels, tally


def tiles_of(shape: tuple[int, int], side: int, margin: int) -> Iterator[tuple[Slices, Slices]]:
    """Yield the tiles of a field: the core, which is in no other tile's core, and the core with its margin."""
    height, width = shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            core = (slice(top, min(top + side, height)), slice(left, min(left + side, width)))
            rows, columns = (
                slice(max(0, each.start - margin), min(each.stop + margin, length))
                for each, length in zip(core, shape, strict=True)
            )
            yield core, (rows, columns)


@dataclass(frozen=True, slots=True)
class _TileObjects:
    """Objects in a tile with its margin."""

    n_object_pixels: int  # in the core of the tile, before objects are divided
    labels: Labels | None  # 0 is background; None: there are no objects
    innermost: NDArray[np.int64]  # flat position of the innermost pixel of objects 1 to n


def _find_in_tile(field: _Field, model: _Model, settings: FinderSettings, core: Slices, tile: Slices) -> _TileObjects:
    """Return the objects in a tile."""
    from scipy import ndimage

    signal = _signal(field, tile, model.sign, model.background, model.smoothing)
    mask = signal > model.threshold
    if settings.threshold == "local":
        mask &= signal > ndimage.gaussian_filter(signal, 1.5 * model.diameter)
    mask = _fill_holes(mask, math.pi / 4 * model.diameter**2)
    n_object_pixels = int(mask[_within(core, tile)].sum())
    if not mask.any() or mask.all():
        return _TileObjects(n_object_pixels, None, np.empty(0, np.int64))
    objects, innermost = _divide(mask.astype(np.int32), model.diameter / 2, settings.split)
    if settings.threshold == "log":
        # A neck that the first outline hides may appear in the tighter one.
        objects = _at_own_brightness(objects, signal)
        objects, innermost = _divide(objects, model.diameter / 2, settings.split)
        objects = _at_own_brightness(objects, signal)
    return _TileObjects(n_object_pixels, objects, innermost)


def _add_objects(
    objects: _TileObjects, model: _Model, core: Slices, tile: Slices, labels: Labels, tally: _Tally
) -> None:
    """Write the objects whose innermost pixel is in the core of a tile."""
    tally.n_object_pixels += objects.n_object_pixels
    if objects.labels is None:
        return
    innermost = objects.innermost
    row, column = np.unravel_index(innermost, objects.labels.shape)
    row, column = row + tile[0].start, column + tile[1].start
    is_owned = (row >= core[0].start) & (row < core[0].stop) & (column >= core[1].start) & (column < core[1].stop)
    target = labels[tile]
    areas = np.bincount(objects.labels[target == 0], minlength=len(innermost) + 1)[1:]
    is_kept = is_owned & (areas >= max(1.0, _LEAST_AREA * math.pi / 4 * model.diameter**2))
    numbers = np.zeros(len(innermost) + 1, np.int32)
    numbers[1:][is_kept] = np.arange(1, is_kept.sum() + 1) + tally.n_objects
    tally.n_objects += int(is_kept.sum())
    new = numbers[objects.labels]
    np.copyto(target, new, where=(new > 0) & (target == 0))


def _within(core: Slices, tile: Slices) -> Slices:
    rows, columns = (slice(c.start - t.start, c.stop - t.start) for c, t in zip(core, tile, strict=True))
    return rows, columns


def _fill_holes(mask: Mask, typical_area: float | None) -> Mask:
    """Fill holes up to the area of an object: the pale center of a red blood cell, not a gap between cells.

    A gap between touching cells is enclosed by at least three of them, so that it is small beside them. It has cusps:
    its area is at least 1.6 times that of the circle that fits in it, and much smaller than that of its convex hull.

    Args:
        mask: object pixels.
        typical_area: of an object, in pixels; None if it is unknown.
    """
    from scipy import ndimage

    gaps, n_gaps = ndimage.label(~mask)
    areas = np.bincount(gaps.ravel(), minlength=n_gaps + 1)
    is_hole = areas <= (typical_area or math.inf)
    is_hole[np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]])] = False
    is_hole[0] = False
    if not is_hole.any():
        return mask
    components, n_components = ndimage.label(mask, structure=np.ones((3, 3)))
    component_areas = np.bincount(components.ravel(), minlength=n_components + 1)
    windows = ndimage.find_objects(gaps)
    for number in np.flatnonzero(is_hole & (areas > _LEAST_PIXELS)):
        window = windows[number - 1]
        inside = gaps[window] == number
        around = components[window[0].start, window[1].start + int(inside[0].argmax()) - 1]
        filled_area = areas[number] + component_areas[around]
        share = areas[number] / filled_area
        is_in_few = typical_area is not None and filled_area < _FEW * typical_area
        if not is_in_few and not _HOLE_SHARE[0] < share < _HOLE_SHARE[1]:
            is_hole[number] = share < _HOLE_SHARE[1] and _is_round_or_convex(inside)
    filled: Mask = mask | is_hole[gaps]
    return filled


def _is_round_or_convex(mask: Mask) -> bool:
    """Return whether pixels nearly fill the circle that fits in them, or their convex hull."""
    from scipy import ndimage
    from scipy.spatial import ConvexHull

    area = int(mask.sum())
    radius = ndimage.distance_transform_edt(np.pad(mask, 1)).max() - 0.5  # from pixel centers to the edge
    if area < _ROUND * math.pi * radius**2:
        return True
    if area <= _SHAPED:
        return False
    rows = np.flatnonzero(mask.any(axis=1))
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [np.stack([rows + below, columns], axis=1) for below in (0, 1) for columns in (first, last)]
    return area > _CONVEX * float(ConvexHull(np.concatenate(corners)).volume)


def _divide(regions: Labels, radius: float, split: bool) -> tuple[Labels, NDArray[np.int64]]:
    """Divide regions, which may touch, into objects; return them and flat positions of their innermost pixels."""
    from scipy import ndimage

    mask = (regions > 0) & ~_beside_another(regions)
    distances = ndimage.gaussian_filter(
        ndimage.distance_transform_edt(mask).astype(np.float32), _SMOOTH_DISTANCE * radius
    )
    if split:
        basins, peaks = _basins(distances, mask)
        roots, numbers = np.unique(_merge_without_neck(basins, distances, peaks, radius), return_inverse=True)
        objects = np.concatenate([[0], numbers + 1]).astype(np.int32)[basins]
        innermost = peaks[roots]
    else:
        objects, n_objects = ndimage.label(mask, structure=np.ones((3, 3)))
        at = ndimage.maximum_position(distances, objects, np.arange(1, n_objects + 1))
        innermost = np.ravel_multi_index(np.array(at).T, mask.shape)
    lines = (regions > 0) & ~mask
    if lines.any():
        nearest = ndimage.grey_dilation(np.where(lines, 0, objects), size=(3, 3))
        objects = np.where(lines, nearest, objects)
    return objects.astype(np.int32), innermost


def _beside_another(regions: Labels) -> Mask:
    """Return the pixels of regions to the right of or below another region."""
    beside = np.zeros(regions.shape, bool)
    beside[:, 1:] |= (regions[:, 1:] != regions[:, :-1]) & (regions[:, :-1] > 0)
    beside[1:] |= (regions[1:] != regions[:-1]) & (regions[:-1] > 0)
    return beside & (regions > 0)


def _basins(distances: Float32, mask: Mask) -> tuple[Labels, NDArray[np.int64]]:
    """Return for each pixel of the mask the maximum that is reached by steepest ascent, and the maxima's positions."""
    height, width = mask.shape
    padded = np.full((height + 2, width + 2), -1, np.float32)
    padded[1:-1, 1:-1] = np.where(mask, distances, -1)
    positions = np.arange(padded.size, dtype=np.int32).reshape(padded.shape)
    center = (slice(1, -1), slice(1, -1))
    highest, uphill = padded[center].copy(), positions[center].copy()
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        window = (slice(1 + dy, height + 1 + dy), slice(1 + dx, width + 1 + dx))
        value, position = padded[window], positions[window]
        # Of equal pixels, the later one is uphill, so that each plateau has one maximum.
        is_higher = (value > highest) | ((value == highest) & (position > uphill))
        np.copyto(highest, value, where=is_higher)
        np.copyto(uphill, position, where=is_higher)
    target = positions.copy()
    target[center] = np.where(mask, uphill, positions[center])
    flat = target.ravel()
    while not np.array_equal(further := flat[flat], flat):
        flat = further
    reached = flat.reshape(padded.shape)[center][mask]
    maxima, numbers = np.unique(reached, return_inverse=True)
    basins = np.zeros(mask.shape, np.int32)
    basins[mask] = numbers + 1
    row, column = maxima // (width + 2) - 1, maxima % (width + 2) - 1
    return basins, row.astype(np.int64) * width + column


def _merge_without_neck(
    basins: Labels, distances: Float32, peaks: NDArray[np.int64], radius: float
) -> NDArray[np.int64]:
    """Return for each basin the basin with which it forms one object.

    Two basins are divided if the widest passage between them is a neck: narrower than a share of the smaller one. The
    share is higher if the object would be larger than a typical one.
    """
    areas = np.bincount(basins.ravel(), minlength=len(peaks) + 1)[1:].tolist()
    large = _LARGE * math.pi * radius**2
    n_basins = len(peaks)
    keys, passages = [], []
    for a, b in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(1, None), slice(1, None)), (slice(None, -1), slice(None, -1))),
        ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))),
    ):
        touches = (basins[a] != basins[b]) & (basins[a] > 0) & (basins[b] > 0)
        pair = np.stack([basins[a][touches], basins[b][touches]]).astype(np.int64) - 1
        keys.append(pair.min(0) * n_basins + pair.max(0))
        passages.append(np.minimum(distances[a][touches], distances[b][touches]))
    pairs, numbers = np.unique(np.concatenate(keys), return_inverse=True)
    widest = np.zeros(len(pairs), np.float32)
    np.maximum.at(widest, numbers, np.concatenate(passages))
    root_of = list(range(n_basins))
    depth = distances.ravel()[peaks].tolist()

    def root(i: int) -> int:
        while root_of[i] != i:
            root_of[i] = root_of[root_of[i]]
            i = root_of[i]
        return i

    for k in np.argsort(-widest, kind="stable"):
        a_root, b_root = (root(int(i)) for i in divmod(int(pairs[k]), n_basins))
        if a_root == b_root:
            continue
        area = areas[a_root] + areas[b_root]
        if widest[k] > _NECK[area > large] * min(depth[a_root], depth[b_root]):
            if depth[a_root] < depth[b_root]:
                a_root, b_root = b_root, a_root
            root_of[b_root] = a_root
            areas[a_root] = area
    return np.array([root(i) for i in range(n_basins)], np.int64)


def _at_own_brightness(objects: Labels, signal: Float32) -> Labels:
    """Return the objects without the pixels that are dimmer than a share of the object's brighter half."""
    from scipy import ndimage

    n_objects = int(objects.max())
    flat, values = objects.ravel(), signal.ravel()
    sums = np.bincount(flat, values, n_objects + 1)
    means = sums / np.maximum(np.bincount(flat, minlength=n_objects + 1), 1)
    bright = values > means[flat]
    bright_sums = np.bincount(flat[bright], values[bright], n_objects + 1)
    tops = bright_sums / np.maximum(np.bincount(flat[bright], minlength=n_objects + 1), 1)
    result = np.where(signal > _OUTLINE_AT * tops[objects], objects, 0).astype(np.int32)
    for number, window in enumerate(ndimage.find_objects(result), start=1):
        if window is None:
            continue
        inside = result[window] == number
        pieces, n_pieces = ndimage.label(inside)
        if n_pieces > 1:
            largest = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
            result[window][inside & ~largest] = 0
            inside = largest
        filled = ndimage.binary_fill_holes(inside)
        result[window][filled & (objects[window] == number)] = number
    return result


# Reasons for doubt


def _warnings(field: _Field, model: _Model, tally: _Tally, stained: float) -> Iterator[Note]:
    """Yield the reasons why the objects may be wrong."""
    if field.is_first_of_several:
        yield note("finder-first-channel", n_channels=field.n_channels)
    if not tally.n_objects:
        yield note("finder-nothing", level="warning")
        return
    is_like_noise = model.contrast < _LOW_CONTRAST[1] and model.separation < _NOISE_SEPARATION
    if model.contrast < _LOW_CONTRAST[0] or is_like_noise:
        yield note("finder-low-contrast", level="warning", contrast=round(model.contrast, 1))
    share = tally.n_object_pixels / (field.shape[0] * field.shape[1])
    if share > _CROWDED:
        yield note("finder-crowded", level="warning", percent=round(100 * share))
    if model.diameter < _SMALL:
        yield note("finder-small-objects", level="warning", diameter=round(model.diameter, 1))
    if stained > _TISSUE:
        yield note("finder-tissue", level="warning", percent=round(100 * stained))


def _stained_share(pixels: NDArray[np.generic]) -> float:
    """Return the share of pixels with the colors of hematoxylin and eosin: blue-violet to pink.

    In a blood smear, these are the cells. In a section of tissue, they are nearly all pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim < 3 or pixels.shape[2] < 3:
        return 0.0
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // _OVERVIEW_PIXELS))
    red, green, blue = np.moveaxis(pixels[::step, ::step, :3].astype(np.float32), -1, 0)
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    is_stained = (green == lowest) & (highest - lowest > 0.12 * highest) & (blue > green + (highest - lowest) / 12)
    return float(is_stained.mean())
