"""Explanations of predictions, image by image: maps that passed their checks, and training images that look alike."""

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
from PIL import Image, ImageDraw, ImageFont

from coverslip.datasets import (
    UNCERTAIN,
    UNFAMILIAR,
    UNREADABLE,
    Axes,
    Dataset,
    ImageSource,
    PreprocessedImage,
    one_line,
    open_dataset,
    read_preprocessed,
)
from coverslip.errors import CoverslipError, UnreadableImage
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.files import CsvWriter, atomic_write, safe_cell
from coverslip.inference.classifier import load_classifier
from coverslip.inference.explain.explainer import Explainer, run_of
from coverslip.inference.explain.maps import Method
from coverslip.inference.explain.neighbors import Neighbor
from coverslip.machine import select_device
from coverslip.messages import ChooseOther, note
from coverslip.progress import show
from coverslip.runs import CheckedOn, MapCheck, MapVerdict, Prediction, Run, RunContext, fingerprint_of
from coverslip.stopping import BY_SIGNAL

Colors = Literal["viridis", "jet"]
Pixels = npt.NDArray[np.unsignedinteger]
Map = npt.NDArray[np.float32]

TILE_PX = 192
_GAP_PX, _TEXT_PX, _LINES = 8, 16, 3
_INK, _PAPER, _WITHHELD = (29, 37, 41), (255, 255, 255), (225, 230, 230)
_OPACITY = 0.55  # of the colors above the image


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of a sheet and what stands above it; without one the reason stands in its place."""

    lines: tuple[str, ...]
    picture: Image.Image | None


def as_picture(pixels: Pixels) -> Image.Image:
    """(S, S, C) integers as shown to people: three channels as red, green and blue, else the first in gray."""
    levels = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max * 255
    shown = levels if levels.shape[2] == 3 else np.repeat(levels[:, :, :1], 3, axis=2)
    return Image.fromarray(shown.round().astype(np.uint8)).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR)


def strength(drawn: Map, *, centerd: bool) -> Map:
    """(h, w) in [0, 1] of a signed map: 0 where nothing speaks for the class, 1 where most does.

    Args:
        drawn: as `maps` gives it.
        centerd: places count by what they say beyond the average place: for shares of a whole.
    """
    positive = np.maximum(drawn - drawn.mean() if centerd else drawn, 0)
    top = float(positive.max())
    return (positive / top if top > 0 else positive).astype(np.float32)


def overlay(pixels: Pixels, shown: Map, colors: Colors = "viridis") -> Image.Image:
    """A map in [0, 1] as colors over the image in gray."""
    from matplotlib import colormaps

    gray = as_picture(pixels).convert("L").convert("RGB")
    fine = Image.fromarray(shown).resize((TILE_PX, TILE_PX), Image.Resampling.BILINEAR)
    colored = colormaps[colors](np.asarray(fine).clip(0, 1))[:, :, :3] * 255
    return Image.blend(gray, Image.fromarray(colored.round().astype(np.uint8)), _OPACITY)


def draw_sheet(rows: Sequence[Sequence[Tile]], tiles_per_row: int | None = None) -> Image.Image:
    """A row of tiles for each classifier, or several where so many do not fit; words above each tile."""
    if tiles_per_row is not None:
        rows = [row[i : i + tiles_per_row] for row in rows for i in range(0, len(row), tiles_per_row)]
    header = _LINES * _TEXT_PX + _GAP_PX
    step, height = TILE_PX + _GAP_PX, header + TILE_PX + _GAP_PX
    size = (max(map(len, rows)) * step + _GAP_PX, len(rows) * height + _GAP_PX)
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), _font()
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            x, y = _GAP_PX + j * step, _GAP_PX + i * height
            for k, line in enumerate(tile.lines[:_LINES]):
                pen.text((x, y + k * _TEXT_PX), _shortened(line, font), _INK, font)
            place = (x, y + header)
            sheet.paste(tile.picture or Image.new("RGB", (TILE_PX, TILE_PX), _WITHHELD), place)
    return sheet


def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans as Matplotlib brings it, which has more alphabets than Pillow's own."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), 12)


def _shortened(text: str, font: ImageFont.FreeTypeFont) -> str:
    """The text, its end replaced by an ellipsis where the tile is too narrow."""
    if font.getlength(text) <= TILE_PX:
        return text
    while text and font.getlength(f"{text}…") > TILE_PX:
        text = text[:-1]
    return f"{text}…"


TABLE = "explanations.csv"
_COLUMNS = (
    *("image_id", "path", "label", "run", "predicted", "probability", "decision", "explained", "method", "check"),
    *("is_shown", "picture", "nearest"),
)
_SECONDS_BETWEEN_EVENTS = 0.5


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is shown of one image, one classifier and one class."""

    image_id: str
    path: str
    label: str | None  # where it is known
    run: str
    predicted: str | None  # None: the image could not be read
    probability: float | None
    decision: str  # the class, or that it is uncertain, unfamiliar or unreadable, as `predict` says
    explained: str | None  # the class that the map speaks for: the predicted one, or the label
    method: Method
    check: MapVerdict
    is_shown: bool  # a map that failed its checks is withheld unless it was asked for
    picture: str | None  # a PNG file in the folder
    nearest: tuple[str, ...]  # classes and ids of the training images that look most like it, the nearest first


@dataclass(frozen=True, slots=True)
class ChecksOfRun:
    """Which kind of map is drawn of a classifier, and what the checks gave."""

    run: str
    method: Method
    verdict: MapVerdict
    checked_on: CheckedOn
    checks: tuple[MapCheck, ...]


@dataclass(frozen=True, slots=True)
class Explanations:
    """What `explain` wrote."""

    folder: Path
    table: Path
    checks: tuple[ChecksOfRun, ...]
    images: tuple[Explanation, ...]


def explain(
    runs: Run | Path | str | Sequence[Run | Path | str],
    sources: Dataset | ImageSource,
    *,
    out: Path | str,
    names: Sequence[str] = (),
    method: Method | None = None,
    show_failed: bool = False,
    n_nearest: int = 4,
    tiles_per_row: int | None = None,
    colors: Colors = "viridis",
    axes: Axes = "HWC",
    device: str = "auto",
    emit: Emit = show,
) -> Explanations:
    """Draw where in images the evidence for the predicted class lies, and for the true one where it is known.

    Every kind of map is checked first: it must change when the network's weights are random, and blurring an image
    where it is highest must take the prediction away sooner than blurring from the center does. The first kind that
    passes is drawn; where none does, maps are withheld. A map shows where the network looked, not whether it is right.

    Args:
        runs: run folders or packaged classifiers, a row each on every sheet.
        sources: images as `predict` takes them; true classes come from tables.
        out: a new or empty folder for a picture (PNG) of each image, and a table of them.
        names: what to call the runs; default: after their folders.
        method: the only kind of map to try; default: the first that passes.
        show_failed: draw maps that failed their checks too, stamped so.
        n_nearest: training images beside it with the most similar features; duplicates of the image are excluded.
        tiles_per_row: of a picture; None: a run's stand in one row.
        colors: of the maps.
        axes: of arrays of color images: channels last or first.
        device: what runs the networks, as of `load_classifier`.
        emit: receives progress events.

    Raises:
        BadClassifier, BadDataset, BadRun: something is not there, or damaged.
        CoverslipError: the folder is in use, or a network has no such map.
        Stopped: on Ctrl-C or SIGTERM; the images that were drawn until then are in the folder and its table.

    Examples:
        >>> explained = cs.explain("runs/first", ["new/1.tif"], out="maps", device="cpu")
        >>> explained.table.name
        'explanations.csv'
    """
    folder = _new_folder(Path(out))
    places = [Path(runs)] if isinstance(runs, Run | Path | str) else [Path(run) for run in runs]
    data = sources if isinstance(sources, Dataset) else open_dataset(sources, labeled=False, axes=axes)
    explainers = _explainers(places, names or _names(places), select_device(device), emit)
    drawn: list[Explanation] = []
    try:
        checked = [_checks(each, place, method, data) for each, place in zip(explainers, places, strict=True)]
        choice = _Choice(colors, show_failed=show_failed, n_nearest=n_nearest)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for sheet in _all_images(explainers, checked, data, choice, emit):
                if sheet.tiles:
                    with atomic_write(folder / sheet.name) as part:
                        draw_sheet(sheet.tiles, tiles_per_row).save(part, "PNG")
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
    n_nearest: int = 4,
    tiles_per_row: int | None = None,
    device: str = "auto",
    emit: Emit = ignore,
) -> bytes:
    """The picture that `explain` draws of one image, a PNG, without any file.

    Args:
        run: a run folder or a packaged classifier.
        image: the first of these.
        n_nearest, tiles_per_row, device, emit: as of `explain`.

    Raises:
        BadClassifier, BadRun: something is not there, or damaged.
        CoverslipError: the image cannot be read.
    """
    explainers = _explainers([Path(run)], _names([Path(run)]), select_device(device), emit)
    try:
        checked = [_checks(each, Path(run), None, image) for each in explainers]
        choice = _Choice("viridis", show_failed=False, n_nearest=n_nearest)
        sheet = next(_all_images(explainers, checked, image, choice, emit))
    finally:
        for each in explainers:
            each.close()
    if not sheet.tiles:
        raise CoverslipError("image-not-explained")
    with io.BytesIO() as png:
        draw_sheet(sheet.tiles, tiles_per_row).save(png, "PNG")
        return png.getvalue()


def _names(places: Sequence[Path]) -> list[str]:
    names = [place.stem if place.is_file() else place.absolute().name for place in places]
    return names if len(set(names)) == len(names) else [str(place) for place in places]


def _explainers(places: Sequence[Path], names: Sequence[str], device: str, emit: Emit) -> list[Explainer]:
    return [
        Explainer(name, load_classifier(place, device), run_of(place), RunContext(place, device, emit))
        for name, place in zip(names, places, strict=True)
    ]


def _checks(explainer: Explainer, place: Path, method: Method | None, data: Dataset) -> ChecksOfRun:
    explained = explainer.classifier.open_images(data)
    method_used = explainer.choose(method, fingerprint_of(place), explained)
    check = explainer.checks.get(method_used)
    verdict: MapVerdict = "not checked" if check is None else "passed" if check.passes else "failed"
    return ChecksOfRun(explainer.name, method_used, verdict, explainer.checked_on, tuple(explainer.checks.values()))


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is drawn of an image."""

    colors: Colors
    show_failed: bool
    n_nearest: int


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What is shown of one image by all runs."""

    name: str  # of its file
    explanations: list[Explanation]
    tiles: list[list[Tile]]  # a row for each run; none of an unreadable image


def _all_images(
    explainers: Sequence[Explainer], checked: Sequence[ChecksOfRun], data: Dataset, choice: _Choice, emit: Emit
) -> Iterator[_Sheet]:
    """What is shown of each image."""
    opened = [each.classifier.open_images(data) for each in explainers]
    if len({len(of_run) for of_run in opened}) > 1:
        raise CoverslipError("different-numbers-of-images")
    # Decoded once for each classifier: hashes tell copies among the training images.
    rows = [
        each.classifier.predict_with_pixels(of_run.records, is_hashed=True)
        for each, of_run in zip(explainers, opened, strict=True)
    ]
    began = last_emitted = time.monotonic()
    for i, records in enumerate(zip(*(of_run.records for of_run in opened), strict=True)):
        BY_SIGNAL.check()
        shown, tiles = [], []
        name = f"{i + 1:04d}_{_plain(Path(records[0].image_id).stem)}.png"
        for explainer, of_run, (row, image) in zip(explainers, checked, (next(each) for each in rows), strict=True):
            explanations, tiles_of_run = _explained(explainer, of_run, row, image, choice, name)
            shown += explanations
            tiles += [tiles_of_run] if tiles_of_run else []
        yield _Sheet(name, shown, tiles)
        now, n = time.monotonic(), len(opened[0])
        if now - last_emitted > _SECONDS_BETWEEN_EVENTS or i + 1 == n:
            last_emitted, pace = now, (i + 1) / max(now - began, 1e-9)
            left = (n - i - 1) / pace
            emit(Progressed(stage="explaining", done=i + 1, total=n, per_second=pace, seconds_left=left))


def _explained(
    explainer: Explainer,
    checked: ChecksOfRun,
    row: Prediction,
    image: PreprocessedImage | UnreadableImage,
    choice: _Choice,
    name: str,
) -> tuple[list[Explanation], list[Tile]]:
    """What is shown of an image and a classifier, and its row of tiles; none of an unreadable one."""
    nothing = (None, checked.method, checked.verdict, False, None, ())
    if row.decision == UNREADABLE or not isinstance(image, PreprocessedImage) or row.predicted is None:
        return [Explanation(row.image_id, row.path, row.label, explainer.name, None, None, row.decision, *nothing)], []
    is_shown = checked.verdict != "failed" or choice.show_failed
    wanted = dict.fromkeys([row.predicted, *([row.label] if row.label in explainer.classifier.classes else [])])
    probability = row.probability or 0.0
    doubt = f", {row.decision}" if row.decision in (UNCERTAIN, UNFAMILIAR) else ""
    first = (explainer.name, f"predicted {one_line(row.predicted)}", f"probability {probability:.2f}{doubt}")
    tiles = [Tile(first, as_picture(image.pixels))]
    for class_name in wanted:
        tiles.append(_map_tile(explainer, checked, image, class_name or "", is_shown, choice.colors))
    nearest = explainer.neighbors(image.pixels, image.pixel_hash or "", choice.n_nearest) if choice.n_nearest else []
    tiles += [_nearest_tile(explainer, neighbor, first=i == 0) for i, neighbor in enumerate(nearest)]
    ids = tuple(f"{neighbor.record.label}: {neighbor.record.image_id}" for neighbor in nearest)
    of_image = (row.image_id, row.path, row.label, explainer.name, row.predicted, row.probability, row.decision)
    explanations = [
        Explanation(*of_image, class_name, checked.method, checked.verdict, is_shown, name, ids)
        for class_name in wanted
    ]
    return explanations, tiles


def _map_tile(
    explainer: Explainer,
    checked: ChecksOfRun,
    image: PreprocessedImage,
    class_name: str,
    is_shown: bool,
    colors: Colors,
) -> Tile:
    stamp = {"passed": "passed its checks", "failed": "failed the check", "not checked": "not checked"}
    lines = (f"speaks for {one_line(class_name)}", checked.method, stamp[checked.verdict])
    if not is_shown:
        return Tile((*lines[:2], "withheld: failed the check"), None)
    drawn = explainer.map_of(checked.method, image.pixels, class_name)
    shown = strength(drawn, centerd=checked.method == "contributions")
    return Tile(lines, overlay(image.pixels, shown, colors))


def _nearest_tile(explainer: Explainer, neighbor: Neighbor, *, first: bool) -> Tile:
    record = neighbor.record
    lines = ("looks like these:" if first else "", one_line(record.label or ""), one_line(record.image_id))
    with closing(read_preprocessed([record], explainer.classifier.card.preprocessing)) as images:  # type: ignore[type-var]  # a generator
        image = next(images)
    return Tile(lines, as_picture(image.pixels) if isinstance(image, PreprocessedImage) else None)


def _plain(name: str) -> str:
    """What of a name can be a file's."""
    return re.sub(r"[^\w.-]+", "_", name)[:60]


def _new_folder(folder: Path) -> Path:
    """Raises CoverslipError where something is in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CoverslipError("explanation-folder-in-use", file=folder, remedies=(ChooseOther("output"),))
    return folder


def _write_table(file: Path, images: Sequence[Explanation]) -> None:
    with atomic_write(file) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = CsvWriter(stream)
        writer.writerow(_COLUMNS)
        for image in images:
            probability = "" if image.probability is None else f"{image.probability:.6f}"
            explanations = {"probability": probability, "nearest": "; ".join(image.nearest)}
            cells = {name: getattr(image, name) for name in _COLUMNS} | explanations
            writer.writerow(safe_cell(cell) if isinstance(cell, str) else cell for cell in cells.values())
