"""Pictures and a table of explanations: heat maps that passed their checks, and the nearest training images."""

import io
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from coverslip.datasets.index.in_memory import Axes
from coverslip.datasets.index.opening import ImageSource, open_dataset
from coverslip.datasets.index.records import UNCERTAIN, UNFAMILIAR, UNREADABLE, Dataset, first_positions
from coverslip.datasets.names import one_line
from coverslip.datasets.pixels import read_preprocessed
from coverslip.errors import CoverslipError, UnreadableImage
from coverslip.events import Emit, Noted, ignore, paced, show
from coverslip.files import atomic_write, write_csv
from coverslip.images.output import caption_font, fit_caption
from coverslip.images.preprocessing import PreprocessedImage
from coverslip.inference.classifier import load_classifier
from coverslip.inference.explain.explainer import Explainer, Neighbor, run_of
from coverslip.inference.explain.heat_maps import Method
from coverslip.machine import FOR_TRAINING, select_device
from coverslip.messages import ChooseOther, note, text
from coverslip.notebooks import html_table
from coverslip.runs.classifier import fingerprint_of
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.predictions import Prediction
from coverslip.runs.results import CheckedOn, MapCheck, MapVerdict
from coverslip.stopping import BY_SIGNAL

Colors = Literal["viridis", "jet"]
Pixels = npt.NDArray[np.unsignedinteger]
Map = npt.NDArray[np.float32]

TILE_PX = 192
_GAP_PX, _TEXT_PX, _FONT_PX, _LINES = 8, 16, 12, 3
_INK, _PAPER, _WITHHELD = (29, 37, 41), (255, 255, 255), (225, 230, 230)
_OPACITY = 0.55  # of the colors over the image


@dataclass(frozen=True, slots=True)
class SheetPicture:
    """A picture of a sheet with its caption; a gray square replaces a missing picture."""

    lines: tuple[str, ...]
    picture: Image.Image | None


def as_picture(pixels: Pixels) -> Image.Image:
    """Convert (S, S, C) integers to a picture: three channels as red, green and blue, otherwise the first in gray."""
    levels = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max * 255
    shown = levels if levels.shape[2] == 3 else np.repeat(levels[:, :, :1], 3, axis=2)
    return Image.fromarray(shown.round().astype(np.uint8)).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR)


def strength(evidence: Map, *, is_centered: bool) -> Map:
    """Return the positive evidence of a signed (h, w) map, scaled to [0, 1].

    Args:
        evidence: as of `maps`.
        is_centered: subtract the mean first, for maps of shares of a whole.
    """
    positive = np.maximum(evidence - evidence.mean() if is_centered else evidence, 0)
    top = float(positive.max())
    return (positive / top if top > 0 else positive).astype(np.float32)


def overlay(pixels: Pixels, shown: Map, colors: Colors = "viridis") -> Image.Image:
    """Draw a map in [0, 1] as colors over the gray image."""
    from matplotlib import colormaps

    gray = as_picture(pixels).convert("L").convert("RGB")
    fine = Image.fromarray(shown).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR)
    colored = colormaps[colors](np.asarray(fine).clip(0, 1))[:, :, :3] * 255
    return Image.blend(gray, Image.fromarray(colored.round().astype(np.uint8)), _OPACITY)


def draw_sheet(rows: Sequence[Sequence[SheetPicture]], tiles_per_row: int | None = None) -> Image.Image:
    """Draw a row of tiles for each classifier, or several rows of `tiles_per_row`, with a caption above each tile."""
    if tiles_per_row is not None:
        rows = [row[i : i + tiles_per_row] for row in rows for i in range(0, len(row), tiles_per_row)]
    header = _LINES * _TEXT_PX + _GAP_PX
    step, height = TILE_PX + _GAP_PX, header + TILE_PX + _GAP_PX
    size = (max(map(len, rows)) * step + _GAP_PX, len(rows) * height + _GAP_PX)
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), caption_font(_FONT_PX)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            x, y = _GAP_PX + j * step, _GAP_PX + i * height
            for k, line in enumerate(tile.lines[:_LINES]):
                pen.text((x, y + k * _TEXT_PX), fit_caption(line, font, TILE_PX), _INK, font)
            position = (x, y + header)
            sheet.paste(tile.picture or Image.new("RGB", (TILE_PX, TILE_PX), _WITHHELD), position)
    return sheet


TABLE = "explanations.csv"
_COLUMNS = (
    *("image_id", "path", "label", "run", "predicted", "probability", "decision", "explained", "method", "check"),
    *("is_shown", "picture", "nearest"),
)
_SECONDS_BETWEEN_EVENTS = 0.5


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one image by one classifier for one class."""

    image_id: str
    path: str
    label: str | None  # if known
    run: str
    predicted: str | None  # None if the image could not be read
    probability: float | None
    decision: str  # the class, or uncertain, unfamiliar or unreadable, as of `predict`
    explained: str | None  # class of the map: the predicted class, or the label
    method: Method
    check: MapVerdict
    is_shown: bool  # maps that failed their checks are shown on request only
    picture: str | None  # a PNG file in the folder
    nearest: tuple[str, ...]  # classes and ids of the nearest training images, the nearest first


@dataclass(frozen=True, slots=True)
class ChecksOfRun:
    """The kind of map of a classifier, and the results of its checks."""

    run: str
    method: Method
    verdict: MapVerdict
    checked_on: CheckedOn
    checks: tuple[MapCheck, ...]


@dataclass(frozen=True, slots=True)
class Explanations:
    """The results of `explain`."""

    folder: Path
    table: Path
    checks: tuple[ChecksOfRun, ...]
    images: tuple[Explanation, ...]

    def __repr__(self) -> str:
        """Return the number of images and of shown maps, and the folder."""
        return (
            f"{len(self.images):,} images, {sum(each.is_shown for each in self.images):,} maps shown, in {self.folder}"
        )

    def _repr_html_(self) -> str:
        """Return the first explained images, for notebooks."""
        names = ("image_id", "predicted", "probability", "explained", "method", "check", "picture")
        rows = [tuple(getattr(image, name) for name in names) for image in self.images[:10]]
        return html_table(repr(self), names, rows)


def explain(
    runs: Run | Path | str | Sequence[Run | Path | str],
    sources: Dataset | ImageSource,
    *,
    out: Path | str,
    names: Sequence[str] = (),
    method: Method | None = None,
    show_failed: bool = False,
    n_nearest: int = 4,
    colors: Colors = "viridis",
    axes: Axes = "HWC",
    device: str = "auto",
    emit: Emit = show,
) -> Explanations:
    """Draw heat maps of the evidence for the predicted class and, if known, for the true class.

    Every kind of map is checked first: it must change if the network's weights are random, and blurring an image where
    the map is highest must lower the probability sooner than blurring from the center. The first kind that passes is
    drawn. If none passes, maps are withheld. A map shows which positions the prediction depends on, not whether the
    prediction is correct.

    Args:
        runs: run folders or packaged classifiers, with one row each on every sheet.
        sources: images, as of `predict`; true classes are read from tables.
        out: a new or empty folder for a picture (PNG) of each image, and their table.
        names: of the runs; default: names of their folders.
        method: the only kind of map to try; default: the first that passes.
        show_failed: also draw maps that failed their checks, with a remark.
        n_nearest: number of training images with the most similar features; duplicates of the image are excluded.
        colors: of the maps.
        axes: of arrays of color images: channels last or first.
        device: `cpu`, `cuda`, `mps`, or `auto` for `cuda` if it is available, otherwise `cpu`.
        emit: receives progress events.

    Raises:
        BadClassifier, BadDataset, BadRun: a file is missing or damaged.
        CoverslipError: the folder is in use, or a network does not have this kind of map.
        Stopped: on Ctrl-C or SIGTERM. The finished pictures are in the folder and its table.

    Examples:
        >>> explained = cs.explain("runs/first", ["new/1.tif"], out="maps", device="cpu")
        >>> explained.table.name
        'explanations.csv'
    """
    folder = _new_folder(Path(out))
    paths = [Path(runs)] if isinstance(runs, Run | Path | str) else [Path(run) for run in runs]
    opened = sources if isinstance(sources, Dataset) else open_dataset(sources, labeled=False, axes=axes)
    data = opened.subset(np.unique(first_positions(opened.records)).tolist())  # a picture of each image
    explainers = _explainers(paths, names or _run_names(paths), _device(device), emit)
    drawn: list[Explanation] = []
    try:
        checked = [_checks(each, path, method, data) for each, path in zip(explainers, paths, strict=True)]
        choice = _Options(colors, show_failed=show_failed, n_nearest=n_nearest)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for sheet in _all_images(explainers, checked, data, choice, emit):
                if sheet.tiles:
                    with atomic_write(folder / sheet.name) as part:
                        draw_sheet(sheet.tiles).save(part, "PNG")
                else:
                    path = sheet.explanations[0].path
                    emit(Noted.of(note("image-not-drawn", level="warning", image=one_line(path), path=path)))
                drawn += sheet.explanations
        finally:
            _write_table(folder / TABLE, drawn)
    finally:
        for each in explainers:
            each.close()
    return Explanations(folder, folder / TABLE, tuple(checked), tuple(drawn))


def explanation_of(
    run: Run | Path | str,
    image: Dataset,
    *,
    tested: bool = False,
    n_nearest: int = 4,
    tiles_per_row: int | None = None,
    device: str = "auto",
    emit: Emit = ignore,
) -> bytes:
    """Return the picture (PNG) that `explain` draws of one image, without writing a file.

    Args:
        run: a run folder or a packaged classifier.
        image: a dataset, of which the first image is explained.
        tested: as of `load_classifier`, for a test image of the run.
        n_nearest, tiles_per_row, device, emit: as of `explain`.

    Raises:
        BadClassifier, BadRun: a file is missing or damaged.
        CoverslipError: the image cannot be read.
    """
    explainers = _explainers([Path(run)], _run_names([Path(run)]), _device(device), emit, tested=tested)
    try:
        checked = [_checks(each, Path(run), None, image) for each in explainers]
        choice = _Options("viridis", show_failed=False, n_nearest=n_nearest)
        sheet = next(_all_images(explainers, checked, image, choice, emit))
    finally:
        for each in explainers:
            each.close()
    if not sheet.tiles:
        raise CoverslipError("image-not-explained")
    with io.BytesIO() as png:
        draw_sheet(sheet.tiles, tiles_per_row).save(png, "PNG")
        return png.getvalue()


def _device(name: str) -> str:
    """Return the device for explanations. They were not tested on Apple GPUs, so they run there on request only."""
    return select_device(name, automatic=FOR_TRAINING)


def _run_names(paths: Sequence[Path]) -> list[str]:
    names = [path.stem if path.is_file() else path.absolute().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _explainers(
    paths: Sequence[Path], names: Sequence[str], device: str, emit: Emit, *, tested: bool = False
) -> list[Explainer]:
    return [
        Explainer(name, load_classifier(path, device, tested=tested), run_of(path), RunContext(path, device, emit))
        for name, path in zip(names, paths, strict=True)
    ]


def _checks(explainer: Explainer, path: Path, method: Method | None, data: Dataset) -> ChecksOfRun:
    explained = explainer.classifier.open_images(data)
    method_used = explainer.choose(method, fingerprint_of(path, tested=True), explained)
    check = explainer.checks.get(method_used)
    verdict: MapVerdict = "not checked" if check is None else "passed" if check.passes else "failed"
    return ChecksOfRun(explainer.name, method_used, verdict, explainer.checked_on, tuple(explainer.checks.values()))


@dataclass(frozen=True, slots=True)
class _Options:
    """Options of the pictures."""

    colors: Colors
    show_failed: bool
    n_nearest: int


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The explanations and tiles of one image by all runs."""

    name: str  # of the file
    explanations: list[Explanation]
    tiles: list[list[SheetPicture]]  # a row for each run; empty for an unreadable image


def _all_images(
    explainers: Sequence[Explainer], checked: Sequence[ChecksOfRun], data: Dataset, choice: _Options, emit: Emit
) -> Iterator[_Sheet]:
    """Yield the sheet of each image."""
    opened = [each.classifier.open_images(data) for each in explainers]
    if len({len(of_run) for of_run in opened}) > 1:
        raise CoverslipError("different-numbers-of-images")
    # Decoded once for each classifier, with hashes to exclude copies among the training images.
    rows = [
        each.classifier.predict_with_pixels(of_run.records, is_hashed=True)
        for each, of_run in zip(explainers, opened, strict=True)
    ]
    began = last_emitted = time.monotonic()
    for i, records in enumerate(zip(*(of_run.records for of_run in opened), strict=True)):
        BY_SIGNAL.check()
        shown, tiles = [], []
        stem = re.sub(r"[^\w.-]+", "_", Path(records[0].image_id).stem)[:60]  # characters that all file systems allow
        name = f"{i + 1:04d}_{stem}.png"
        for explainer, of_run, (row, image) in zip(explainers, checked, (next(each) for each in rows), strict=True):
            explanations, tiles_of_run = _explained(explainer, of_run, row, image, choice, name)
            shown += explanations
            tiles += [tiles_of_run] if tiles_of_run else []
        yield _Sheet(name, shown, tiles)
        now, n = time.monotonic(), len(opened[0])
        if now - last_emitted > _SECONDS_BETWEEN_EVENTS or i + 1 == n:
            last_emitted = now
            emit(paced(stage="explaining-predictions", done=i + 1, total=n, n=i + 1, seconds=now - began))


def _explained(
    explainer: Explainer,
    checked: ChecksOfRun,
    row: Prediction,
    image: PreprocessedImage | UnreadableImage | None,
    choice: _Options,
    name: str,
) -> tuple[list[Explanation], list[SheetPicture]]:
    """Return the explanations of an image by a classifier, and its row of tiles (empty for an unreadable image)."""
    without_map = (None, checked.method, checked.verdict, False, None, ())
    if row.decision == UNREADABLE or not isinstance(image, PreprocessedImage) or row.predicted is None:
        return [
            Explanation(row.image_id, row.path, row.label, explainer.name, None, None, row.decision, *without_map)
        ], []
    is_shown = checked.verdict != "failed" or choice.show_failed
    class_names = dict.fromkeys([row.predicted, *([row.label] if row.label in explainer.classifier.classes else [])])
    probability = row.probability or 0.0
    decision = row.decision if row.decision in (UNCERTAIN, UNFAMILIAR) else "class"
    first = (
        explainer.name,
        text("sheet-predicted", label=one_line(row.predicted)),
        text("sheet-probability", probability=f"{probability:.2f}", decision=decision),
    )
    tiles = [SheetPicture(first, as_picture(image.pixels))]
    for class_name in class_names:
        tiles.append(_map_tile(explainer, checked, image, class_name or "", is_shown, choice.colors))
    nearest = explainer.neighbors(image.pixels, image.pixel_hash or "", choice.n_nearest) if choice.n_nearest else []
    tiles += [_nearest_tile(explainer, neighbor, first=i == 0) for i, neighbor in enumerate(nearest)]
    ids = tuple(f"{neighbor.record.label}: {neighbor.record.image_id}" for neighbor in nearest)
    of_image = (row.image_id, row.path, row.label, explainer.name, row.predicted, row.probability, row.decision)
    explanations = [
        Explanation(*of_image, class_name, checked.method, checked.verdict, is_shown, name, ids)
        for class_name in class_names
    ]
    return explanations, tiles


def _map_tile(
    explainer: Explainer,
    checked: ChecksOfRun,
    image: PreprocessedImage,
    class_name: str,
    is_shown: bool,
    colors: Colors,
) -> SheetPicture:
    evidence_for = text("sheet-evidence", label=one_line(class_name))
    if not is_shown:
        return SheetPicture((evidence_for, checked.method, text("sheet-withheld")), None)
    evidence = explainer.map_of(checked.method, image.pixels, class_name)
    shown = strength(evidence, is_centered=checked.method == "contributions")
    lines = (evidence_for, checked.method, text("sheet-verdict", verdict=checked.verdict))
    return SheetPicture(lines, overlay(image.pixels, shown, colors))


def _nearest_tile(explainer: Explainer, neighbor: Neighbor, *, first: bool) -> SheetPicture:
    record = neighbor.record
    lines = (text("sheet-neighbors") if first else "", one_line(record.label or ""), one_line(record.image_id))
    with closing(read_preprocessed([record], explainer.classifier.card.preprocessing)) as images:  # type: ignore[type-var]  # a generator
        image = next(images)
    return SheetPicture(lines, as_picture(image.pixels) if isinstance(image, PreprocessedImage) else None)


def _new_folder(folder: Path) -> Path:
    """Return the folder; raise CoverslipError if it is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CoverslipError("explanation-folder-in-use", file=folder, remedies=(ChooseOther("output"),))
    return folder


def _write_table(file: Path, images: Sequence[Explanation]) -> None:
    rows = []
    for image in images:
        probability = "" if image.probability is None else f"{image.probability:.6f}"
        explanations = {"probability": probability, "nearest": "; ".join(image.nearest)}
        rows.append(({name: getattr(image, name) for name in _COLUMNS} | explanations).values())
    write_csv(file, _COLUMNS, rows)
