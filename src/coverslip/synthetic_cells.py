"""Synthetic images of stained blood cells, for trying coverslip without own images.

The images are drawn, not photographed. The steps are:

1.  A *slide* has its own stain (color and strength of four dyes), focus, magnification, illumination and camera
    noise, so that images of one slide resemble each other, as they do under a microscope.
2.  A *cell* is drawn from its class's table of sizes and dyes (`_KINDS`): a body, a nucleus (a thick curve: a disc
    if it is short, a kidney or a chain of lobes if it is long), chromatin texture, granules, vacuoles. Every property
    varies, and the properties of similar classes overlap: a few cells are drawn half-way to the most similar class. As
    with real cells, no classifier should reach 100%.
3.  Red cells are around the cell and partly under it.
4.  Dyes add up to optical densities per color channel. They attenuate light (Beer-Lambert), which is blurred by the
    slide's focus and recorded with noise.

Sizes of cells and nuclei follow textbook ranges for a Wright-Giemsa stained blood film, in micrometers. The images must
not be used to draw conclusions about real cells.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from coverslip.events import Emit, Progressed, ignore
from coverslip.files import atomic_write, write_bytes, write_text

N_SLIDES = 60  # at most; a fifth of them are test slides, enough for useful intervals
_LEAST_PER_SLIDE = 7  # images

README = """\
These images are SYNTHETIC: they were drawn by coverslip's sample generator, not photographed.
They look a little like stained blood cells so that one can try coverslip without images of one's own.
Do not use them, or a classifier trained on them, to draw conclusions about real cells.
"""


@dataclass(frozen=True, slots=True)
class Design:
    """The classes that are drawn, and their distribution over slides."""

    similar: dict[str, str]  # class -> its most similar class
    intermediate_fraction: float  # of cells, drawn about half-way to the most similar class
    evenness: float | None  # of the classes of a slide: concentration of a Dirichlet distribution; None: equal numbers
    n_mislabeled: int  # images in the folder of a wrong class

    @property
    def classes(self) -> tuple[str, ...]:
        """The names in alphabetical order."""
        return tuple(sorted(self.similar))


FIVE_CLASSES = Design(
    similar={
        "eosinophil": "neutrophil",
        "erythroblast": "lymphocyte",
        "lymphocyte": "erythroblast",
        "monocyte": "lymphocyte",
        "neutrophil": "eosinophil",
    },
    intermediate_fraction=1 / 16,
    evenness=None,
    n_mislabeled=0,
)
# Two stages of neutrophils and two of lymphocytes, which are harder to distinguish.
SEVEN_CLASSES = Design(
    similar={
        "band neutrophil": "segmented neutrophil",
        "eosinophil": "segmented neutrophil",
        "erythroblast": "lymphocyte",
        "lymphocyte": "reactive lymphocyte",
        "monocyte": "reactive lymphocyte",
        "reactive lymphocyte": "monocyte",
        "segmented neutrophil": "band neutrophil",
    },
    intermediate_fraction=1 / 50,
    evenness=1.0,
    n_mislabeled=1,
)


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The files that were written.

    `n_images` counts every image file, including the duplicates and the broken file. `duplicates` are pairs of files
    (the copy, then the original) with equal pixels; the last pair is in two classes. `mislabeled` are files in the
    folder of a wrong class. `drawn` has the class of the cell in each file, apart from duplicates.
    """

    folder: Path
    n_images: int
    classes: tuple[str, ...]
    slides: tuple[str, ...]
    duplicates: tuple[tuple[Path, Path], ...]
    broken: tuple[Path, ...]
    mislabeled: tuple[Path, ...]
    drawn: dict[Path, str]


def write_sample_images(
    folder: Path, *, design: Design = FIVE_CLASSES, seed: int = 0, n_images: int = 480, emit: Emit = ignore
) -> SampleSet:
    """Draw a dataset to train on: one folder per class, with the slide in file names (`slide03_0012.png`).

    As in real folders, four of the images are copies of others (one with another name, one in another format, one with
    another slide in its name, one in another class), one file is truncated, and some designs have images in the folder
    of a wrong class.

    Args:
        folder: created if it does not exist; files of the same names are replaced.
        design: the classes and their distribution.
        seed: equal seeds draw equal pixels.
        n_images: image files in all, at least 60.

    Raises:
        ValueError: `n_images` is too small for the planted faults and every class on several slides.
        CoverslipError: the folder cannot be written to.
    """
    if n_images < 60:
        raise ValueError(f"n_images must be at least 60, not {n_images}")
    n_drawn = n_images - 4
    drawn, mislabeled = {}, []
    n_slides = min(N_SLIDES, n_drawn // _LEAST_PER_SLIDE)
    middle = range(n_drawn // 2, n_drawn // 2 + design.n_mislabeled)
    for i, (name, label, image) in enumerate(_draw_all(design, range(1, n_slides + 1), n_drawn, seed=seed, emit=emit)):
        path = folder / (_wrong_class(design, label) if i in middle else label) / name
        _save(image, path)
        drawn[path] = label
        if i in middle:
            mislabeled.append(path)
    paths = list(drawn)
    duplicates = _plant_duplicates(folder, paths, design.classes, n_slides)
    broken = _cut_off(paths[-1])
    write_text(folder / "README.txt", README)
    slides = tuple(f"slide{n:02d}" for n in range(1, n_slides + 1))
    return SampleSet(folder, n_images, design.classes, slides, duplicates, (broken,), tuple(mislabeled), drawn)


def write_new_images(
    folder: Path,
    *,
    design: Design = FIVE_CLASSES,
    seed: int = 0,
    n_images: int = 24,
    n_slides: int = 2,
    folder_per_slide: bool = False,
    emit: Emit = ignore,
) -> SampleSet:
    """Draw unlabeled images of further slides, as new images to predict; the last file is truncated.

    Args:
        folder: created if it does not exist; files of the same names are replaced.
        design: that of the training set.
        seed: that of the training set gives slides that the training set does not contain.
        n_images: image files in all, at least 2.
        n_slides: at most; a slide has as many images as the design has classes before the next one begins.
        folder_per_slide: whether the images of a slide are in a folder with its name.
    """
    if n_images < 2:
        raise ValueError(f"n_images must be at least 2, not {n_images}")
    numbers = range(N_SLIDES + 1, N_SLIDES + n_slides + 1)
    drawn = {}
    for name, label, image in _draw_all(design, numbers, n_images, seed=seed, emit=emit):
        slide = name.partition("_")[0]
        path = folder / slide / name if folder_per_slide else folder / name  # the classes are to be predicted
        _save(image, path)
        drawn[path] = label
    broken = _cut_off(list(drawn)[-1])
    write_text(folder / "README.txt", README)
    slides = tuple(dict.fromkeys(path.name.partition("_")[0] for path in drawn))
    return SampleSet(folder, n_images, design.classes, slides, (), (broken,), (), drawn)


def _draw_all(
    design: Design, slide_numbers: range, n: int, *, seed: int, emit: Emit
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield file names, classes and (H, W, 3) uint8 images.

    If classes are even, there is an image of each class from a slide, then from the next slide, and so on.
    """
    classes = design.classes
    slides = {number: _draw_slide(np.random.default_rng([seed, number])) for number in slide_numbers}
    proportions = {number: _class_proportions(design, seed, number) for number in slide_numbers}
    for i in range(n):
        number = slide_numbers[i // len(classes) % len(slide_numbers)]
        rng = np.random.default_rng([seed, number, i])
        if design.evenness is None:
            label = classes[i % len(classes)]
        else:
            label = str(rng.choice(classes, p=proportions[number]))
        image = _draw_image(_sample_cell(design, label, rng), slides[number], rng)
        yield f"slide{number:02d}_{i:04d}.png", label, image
        if (i + 1) % 20 == 0 or i + 1 == n:
            emit(Progressed(stage="drawing-sample-images", done=i + 1, total=n))


def _class_proportions(design: Design, seed: int, slide_number: int) -> np.ndarray:
    """Return the (K,) expected proportions of the classes in a slide."""
    n_classes = len(design.classes)
    if design.evenness is None:
        return np.full(n_classes, 1 / n_classes)
    return np.random.default_rng([seed, slide_number, _PROPORTIONS]).dirichlet(np.full(n_classes, design.evenness))


_PROPORTIONS = 1_000_000  # of the seeds of a slide; those of images are smaller


def _wrong_class(design: Design, label: str) -> str:
    """Return a class that is not similar, as if an image had been dropped into the neighboring folder."""
    others = [name for name in design.classes if name not in (label, design.similar[label])]
    return others[0]


def _save(image: np.ndarray, path: Path) -> None:
    with atomic_write(path) as part:
        Image.fromarray(image).save(part, format="PNG", compress_level=4)


def _plant_duplicates(
    folder: Path, paths: list[Path], classes: tuple[str, ...], n_slides: int
) -> tuple[tuple[Path, Path], ...]:
    """Write copies of the first images: with another name, format, slide and class."""
    first, second, third, fourth = paths[:4]
    same_class = first.with_name(f"{first.stem}_copy.png")
    other_format = second.with_suffix(".bmp")
    other_slide = third.with_name(f"slide{n_slides:02d}_{len(paths):04d}.png")
    other_class = folder / next(c for c in classes if c != fourth.parent.name) / fourth.name
    shutil.copyfile(first, same_class)
    with Image.open(second) as image:
        image.save(other_format)
    shutil.copyfile(third, other_slide)
    shutil.copyfile(fourth, other_class)
    return ((same_class, first), (other_format, second), (other_slide, third), (other_class, fourth))


def _cut_off(path: Path) -> Path:
    """Truncate a file to its first half, as an interrupted copy does."""
    data = path.read_bytes()
    write_bytes(path, data[: len(data) // 2])
    return path


# Cells ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """The appearance of cells of one class; lengths in micrometers, dyes in units of optical density.

    The nucleus is a disc of `nucleus_um` radius that moves along an arc of `arc_um` length and `bend` radians; `lobes`
    > 1 pinches it.
    """

    body_um: float  # radius
    nucleus_um: float  # half thickness
    arc_um: float
    bend: float
    lobes: float
    off_center: float  # shift of the nucleus as a fraction of the free space
    chromatin: float  # density of the nucleus
    clumps: float  # contrast of its texture
    blue: float  # basophilic dye of the cytoplasm
    pink: float  # acidophilic dye of the cytoplasm
    granules: float  # coverage by coarse orange granules, 0-1
    dust: float  # contrast of fine granules
    vacuoles: float  # expected number


# Mean of every property. Spread is relative (`_SPREAD`), the same for all.
_KINDS = {
    "eosinophil": _Kind(6.6, 2.05, 5.2, 1.6, 2.2, 0.5, 0.95, 0.22, 0.07, 0.20, 0.55, 0.25, 0.2),
    "erythroblast": _Kind(5.3, 2.65, 0.3, 0.0, 1.0, 0.45, 1.24, 0.36, 0.24, 0.26, 0.0, 0.08, 0.0),
    "lymphocyte": _Kind(5.3, 3.85, 0.9, 0.3, 1.0, 0.5, 1.06, 0.18, 0.40, 0.04, 0.0, 0.10, 0.1),
    "monocyte": _Kind(7.7, 2.75, 7.0, 2.3, 1.1, 0.4, 0.82, 0.26, 0.27, 0.08, 0.0, 0.30, 2.0),
    "neutrophil": _Kind(6.3, 1.65, 9.2, 3.2, 3.4, 0.35, 1.00, 0.24, 0.06, 0.17, 0.01, 0.45, 0.3),
    "band neutrophil": _Kind(6.3, 1.75, 8.4, 3.0, 1.0, 0.35, 1.00, 0.24, 0.06, 0.17, 0.01, 0.45, 0.3),
    "segmented neutrophil": _Kind(6.3, 1.65, 9.2, 3.2, 3.4, 0.35, 1.00, 0.24, 0.06, 0.17, 0.01, 0.45, 0.3),
    "reactive lymphocyte": _Kind(6.6, 4.2, 0.9, 0.3, 1.0, 0.5, 0.94, 0.22, 0.46, 0.04, 0.0, 0.10, 0.6),
}
_SPREAD = _Kind(0.07, 0.07, 0.18, 0.22, 0.20, 0.4, 0.08, 0.25, 0.26, 0.26, 0.26, 0.35, 0.6)


def _sample_cell(design: Design, label: str, rng: np.random.Generator) -> _Kind:
    """Draw the properties of one cell."""
    mean, similar = _KINDS[label], _KINDS[design.similar[label]]
    mix = rng.uniform(0.35, 0.6) if rng.random() < design.intermediate_fraction else abs(rng.normal(0, 0.08))
    properties = {}
    for field in fields(_Kind):
        expected = (1 - mix) * getattr(mean, field.name) + mix * getattr(similar, field.name)
        properties[field.name] = max(0.0, expected * (1 + getattr(_SPREAD, field.name) * rng.normal()))
    return _Kind(**properties)


# Slides --------------------------------------------------------------------------------------------------------------

# Optical density of the dyes in red, green and blue light.
_DYES = {
    "nuclear": (0.90, 1.45, 0.62),
    "blue": (0.80, 0.62, 0.16),
    "pink": (0.20, 0.72, 0.50),
    "orange": (0.14, 0.78, 1.02),
}


@dataclass(frozen=True, slots=True)
class _Slide:
    side_px: int
    px_per_um: float
    dyes: dict[str, np.ndarray]  # name -> (3,) optical density
    white: np.ndarray  # (3,) color of empty glass, 0-1
    slope: np.ndarray  # (2,) change of illumination from edge to edge
    blur_px: float
    noise: float  # standard deviation, 0-1
    crowding: float  # red cells in an image, on average
    plasma: float  # pink of the background


def _draw_slide(rng: np.random.Generator) -> _Slide:
    staining = rng.lognormal(0.0, 0.16)  # time in the stain
    # pH shifts the balance of blue and pink dyes: an acid buffer makes images reddish, an alkaline one bluish.
    ph = rng.normal(0, 0.16)
    balance = {"nuclear": np.exp(0.3 * ph), "blue": np.exp(ph), "pink": np.exp(-ph), "orange": np.exp(-ph)}
    dyes = {
        name: np.asarray(color) * staining * balance[name] * rng.lognormal(0, 0.08, 3) for name, color in _DYES.items()
    }
    return _Slide(
        side_px=int(rng.integers(104, 145)),
        px_per_um=float(rng.uniform(5.4, 6.6)),
        dyes=dyes,
        white=np.clip(rng.normal((0.93, 0.91, 0.90), (0.025, 0.03, 0.04)), 0.78, 0.985),
        slope=rng.normal(0, 0.05, 2),
        blur_px=float(rng.uniform(0.5, 1.7)),
        noise=float(rng.uniform(0.006, 0.02)),
        crowding=float(rng.uniform(2.5, 8)),
        plasma=float(abs(rng.normal(0.0, 0.05))),
    )


# Images --------------------------------------------------------------------------------------------------------------


def _draw_image(cell: _Kind, slide: _Slide, rng: np.random.Generator) -> np.ndarray:
    """Draw an image (H, W, 3) uint8; H and W vary by a few pixels, as in crops."""
    height, width = (slide.side_px + rng.integers(-6, 7, 2)).tolist()
    y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(slide.px_per_um)  # (H, W) in micrometers
    field = _Field(y, x, slide.px_per_um, rng)

    amounts = {name: np.zeros((height, width), np.float32) for name in _DYES}  # (H, W) each
    amounts["pink"] += np.float32(slide.plasma) * (1 + 0.3 * field.noise(6.0))
    middle = np.array([y[-1, 0], x[0, -1]]) / 2 + rng.normal(0, 0.7, 2)
    _add_red_cells(amounts, field, cell, slide, middle)
    _add_cell(amounts, field, cell, middle)
    return _photograph(amounts, field, slide)


def _photograph(amounts: dict[str, np.ndarray], field: "_Field", slide: _Slide) -> np.ndarray:
    """Return the image (H, W, 3) uint8 of (H, W) amounts of each dye."""
    from scipy.ndimage import gaussian_filter

    y, x, rng = field.y, field.x, field.rng
    density = sum(amounts[name][..., None] * slide.dyes[name].astype(np.float32) for name in _DYES)  # (H, W, 3)
    across = (y / y[-1, 0] - 0.5) * slide.slope[0] + (x / x[0, -1] - 0.5) * slide.slope[1]
    light = slide.white.astype(np.float32) * (1 + across[..., None]) * np.exp(-density)
    blur_px = max(0.3, slide.blur_px + rng.normal(0, 0.25))
    light = gaussian_filter(light, (blur_px, blur_px, 0))
    light += rng.normal(0, slide.noise, light.shape).astype(np.float32)
    return np.asarray(np.clip(light * 255 + 0.5, 0, 255), np.uint8)


class _Field:
    """The image plane: coordinates in micrometers, and smooth random patterns."""

    def __init__(self, y: np.ndarray, x: np.ndarray, px_per_um: float, rng: np.random.Generator) -> None:
        self.y, self.x, self.px_per_um, self.rng = y, x, px_per_um, rng

    def noise(self, grain_um: float) -> np.ndarray:
        """Return a (H, W) float32 pattern of mean 0 and standard deviation of about 1 with structures of `grain_um`."""
        height, width = self.y.shape
        step = max(1.0, grain_um * self.px_per_um)
        coarse = self.rng.normal(size=(int(height / step) + 3, int(width / step) + 3)).astype(np.float32)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(smooth, np.float32) * np.float32(1.3)  # compensates the smaller SD after interpolation

    def distance(self, center: np.ndarray) -> np.ndarray:
        """Return the (H, W) distance from a point in micrometers."""
        return np.hypot(self.y - np.float32(center[0]), self.x - np.float32(center[1]))

    def inside(self, depth_um: np.ndarray, *, softness_um: float = 0.18) -> np.ndarray:
        """Return (H, W) 0 outside, 1 inside, with a soft rim; `depth_um` is positive inside."""
        return np.clip(depth_um / np.float32(softness_um) + np.float32(0.5), 0, 1)


def _add_red_cells(
    amounts: dict[str, np.ndarray], field: _Field, cell: _Kind, slide: _Slide, middle: np.ndarray
) -> None:
    """Add discs with a pale center, around the white cell and partly under it; dyes of overlapping discs add up."""
    rng = field.rng
    extent = np.array([field.y[-1, 0], field.x[0, -1]])
    for _ in range(rng.poisson(slide.crowding)):
        center = rng.uniform(-2.5, extent + 2.5)
        radius = rng.normal(3.7, 0.3)
        if np.hypot(*(center - middle)) < cell.body_um + 0.55 * radius:
            continue
        stretch, angle = rng.uniform(0.86, 1.0), rng.uniform(0, np.pi)
        dy, dx = field.y - np.float32(center[0]), field.x - np.float32(center[1])
        along = dy * np.float32(np.sin(angle)) + dx * np.float32(np.cos(angle))
        across = dy * np.float32(np.cos(angle)) - dx * np.float32(np.sin(angle))
        reach = np.hypot(along, across / np.float32(stretch)) / np.float32(radius)  # 1 at the rim
        pallor = 1 - np.float32(rng.uniform(0.25, 0.75)) * np.exp(-((reach / 0.42) ** 2))
        disc = field.inside((1 - reach) * np.float32(radius)) * pallor * np.float32(rng.normal(0.46, 0.05))
        amounts["pink"] += disc
        amounts["orange"] += disc * np.float32(0.25)


def _add_cell(amounts: dict[str, np.ndarray], field: _Field, cell: _Kind, middle: np.ndarray) -> None:
    """Add body, nucleus, granules and vacuoles, which hide what is under them."""
    rng = field.rng
    wobble = field.noise(3.5)
    body_depth = np.float32(cell.body_um) - field.distance(middle) + np.float32(0.035 * cell.body_um) * wobble
    nucleus_depth = _nucleus_depth(field, cell, middle)
    # The cell encloses the nucleus with some cytoplasm around it.
    body = field.inside(np.maximum(body_depth, nucleus_depth + np.float32(0.25)))
    nucleus = field.inside(nucleus_depth)
    cytoplasm = body * (1 - nucleus)

    for amount in amounts.values():
        amount *= 1 - 0.92 * body
    texture = 1 + np.float32(0.16) * field.noise(1.2)
    amounts["blue"] += body * np.float32(cell.blue) * texture
    amounts["pink"] += body * np.float32(cell.pink) * texture
    amounts["nuclear"] += cytoplasm * np.float32(0.12 * cell.dust) * np.clip(field.noise(0.3), 0, None)
    if cell.granules > 0.01:
        amounts["orange"] += cytoplasm * _granules(field, cell.granules)
    for _ in range(rng.poisson(cell.vacuoles)):
        center = middle + rng.normal(0, 0.5 * cell.body_um, 2)
        hole = field.inside(np.float32(rng.uniform(0.3, 0.7)) - field.distance(center), softness_um=0.3) * cytoplasm
        for amount in amounts.values():
            amount *= 1 - 0.75 * hole

    # Chromatin: clumps of two sizes, and a rim along the nuclear membrane.
    clumps = np.float32(cell.clumps) * (0.75 * field.noise(0.9) + 0.5 * field.noise(0.45))
    rim = np.float32(0.12) * np.exp(-((nucleus_depth / np.float32(0.45)) ** 2))
    amounts["nuclear"] += nucleus * np.float32(cell.chromatin) * np.clip(1 + clumps + rim, 0.25, 1.9)


def _nucleus_depth(field: _Field, cell: _Kind, middle: np.ndarray) -> np.ndarray:
    """Return (H, W) micrometers below the surface of the nucleus, the union of discs along an arc."""
    rng = field.rng
    t = np.linspace(-0.5, 0.5, 2 if cell.arc_um < 1 else 22)
    heading = rng.uniform(0, 2 * np.pi) + cell.bend * t
    steps = np.diff(t, prepend=t[0])[:, None] * cell.arc_um
    points = np.cumsum(steps * np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)  # (P, 2)
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    # The constriction between lobes increases with the number of lobes; the ends stay round.
    waves = 0.5 + 0.5 * np.cos(2 * np.pi * round(cell.lobes) * (t + 0.5))  # 1 between two lobes
    pinch = np.clip(0.62 * (cell.lobes - 1), 0, 0.78) * waves
    radii = cell.nucleus_um * (1 - pinch) * (1 + 0.08 * np.sin(7 * t + rng.uniform(0, 6)))
    reach = float(np.max(np.hypot(points[:, 0], points[:, 1]) + radii))
    limit = 0.96 * cell.body_um
    if reach > limit:  # shrink the nucleus to fit into the cell
        points *= max(0.0, (limit - radii.max()) / max(1e-6, reach - radii.max()))
        reach = limit
    shift = rng.normal(0, 0.6, 2) * cell.off_center * max(0.0, cell.body_um - reach)
    depth = np.full(field.y.shape, -np.inf, np.float32)
    for point, radius in zip(points + middle + shift, radii, strict=True):
        np.maximum(depth, np.float32(radius) - field.distance(point), out=depth)
    return depth + np.float32(0.05 * cell.nucleus_um) * field.noise(1.6)


def _granules(field: _Field, coverage: float) -> np.ndarray:
    """Return (H, W) orange dye in round granules of about 0.4 micrometer radius."""
    from scipy.ndimage import gaussian_filter

    sigma = 0.3 * field.px_per_um
    per_px = 0.9 * coverage / (np.pi * (0.45 * field.px_per_um) ** 2)
    seeds = (field.rng.random(field.y.shape) < per_px).astype(np.float32)
    spots = gaussian_filter(seeds, sigma) * np.float32(2 * np.pi * sigma**2)
    dye: np.ndarray = np.clip(spots * np.float32(1.3), 0, 1) * np.float32(0.75)
    return dye
