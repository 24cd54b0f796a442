"""Report sections with images: the dataset's classes and sets, examples of predictions, and heat-map checks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.images.output import small_pixels
from coverslip.images.reader import PixelSize
from coverslip.messages import ENGLISH, language, localized_note, text
from coverslip.reports import figures
from coverslip.reports.blocks import Drawing, Gallery, Quotation, Section, SectionText, Tile
from coverslip.reports.figures import INK, MUTED, WASH, FigureData, shortened
from coverslip.reports.metric_rows import Cell, column_titles
from coverslip.reports.reported import (
    DUPLICATES,
    MANY_CLASSES,
    ReportedRun,
    number,
    percent,
    reason_title,
    set_title,
    signed,
)
from coverslip.runs.results import MapCheck
from coverslip.runs.status import DomainImages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.patches import Rectangle

N_EXAMPLES, MOST_CLASSES = 6, 24
_MOST_SIDE_PX = 96  # maximum side of an image in the figure; printed images are smaller
_ROUND_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Example:
    """An image as drawn in the figure."""

    label: str
    image_id: str
    width_px: int
    height_px: int
    um_per_px: float | None
    pixels: np.ndarray  # (height, width, 1 or 3) uint8, at most `_MOST_SIDE_PX` wide and high


@dataclass(frozen=True, slots=True)
class Examples:
    """Images of each class, and their common scale."""

    of_class: dict[str, list[Example]]
    unit: str  # µm if the pixel size of every image is known, else px

    @property
    def every(self) -> list[Example]:
        return [example for examples in self.of_class.values() for example in examples]

    def size(self, example: Example) -> tuple[float, float]:
        """Return width and height in the unit."""
        scale = (example.um_per_px or 1.0) if self.unit == "µm" else 1.0
        return scale * example.width_px, scale * example.height_px

    @property
    def side(self) -> float:
        """Side of the square for each image, in the unit: that of the largest image."""
        return max((side for example in self.every for side in self.size(example)), default=1.0)

    @property
    def bar(self) -> int:
        """Length of the scale bar in the unit: a round number, at most half a square."""
        return max((length for length in _ROUND_LENGTHS if length <= self.side / 2), default=1)


def shown_classes(run: ReportedRun) -> list[str]:
    """Return all classes, or the most frequent ones if there are many."""
    if len(run.classes) <= MOST_CLASSES:
        return list(run.classes)
    most = {name for name, _ in Counter(row.label for row in run.used).most_common(MOST_CLASSES)}
    return [name for name in run.classes if name in most]


def examples_of(run: ReportedRun) -> Examples:
    """Return the first readable images of each class, in a random order set by the run's seed."""
    of_class = {name: _class_examples(run, k, name) for k, name in enumerate(run.classes) if name in shown_classes(run)}
    every = [example for examples in of_class.values() for example in examples]
    is_known = bool(every) and all(example.um_per_px is not None for example in every)
    return Examples(of_class, "µm" if is_known else "px")


def _class_examples(run: ReportedRun, k: int, name: str) -> list[Example]:
    rows = sorted(row.image_id for row in run.used if row.label == name)
    order = np.random.default_rng([run.recipe.seed, k]).permutation(len(rows))
    available_images = (rows[i] for i in order if run.images.find(rows[i]) is not None)
    examples = (
        _example(run, name, image_id) for image_id in islice(available_images, 4 * N_EXAMPLES)
    )  # limits the reads if no file is readable any more
    return list(islice((example for example in examples if example is not None), N_EXAMPLES))


def _example(run: ReportedRun, label: str, image_id: str) -> Example | None:
    """Return an example; None if the file can no longer be read."""
    picture = run.images.picture(image_id)
    if picture is None:
        return None
    size, um_per_px = (picture.width_px, picture.height_px), _um_per_px(picture.pixel_size_um)
    return Example(label, image_id, *size, um_per_px, small_pixels(picture.pixels, _MOST_SIDE_PX))


def _um_per_px(size: PixelSize | None) -> float | None:
    """Return the side of a pixel; None if it is unknown, or not a square."""
    return None if size is None or abs(size[0] - size[1]) > 0.01 * size[0] else size[0]


def draw_examples(examples: Examples) -> "Figure":
    """Draw a row of images per class, in two columns for many classes, with a scale bar below."""
    names = list(examples.of_class)
    n_columns = 1 if len(names) <= 3 else 2
    n_rows = -(-len(names) // n_columns)
    tile = 8.2 / (n_columns * N_EXAMPLES)
    figure = figures.new_figure(8.6, n_rows * (tile + 0.28) + 0.3)
    heights = [*[tile + 0.28] * n_rows, 0.3]
    *rows, last = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for r, row in enumerate(rows):
        for c, axes in enumerate(np.ravel(row.subplots(1, n_columns))):
            k = r * n_columns + c
            _class_row(axes, examples, names[k] if k < len(names) else None)
    _scale_bar(last, examples, n_columns)
    return figure


def _class_row(axes: "Axes", examples: Examples, name: str | None) -> None:
    side = examples.side
    axes.set_axis_off()
    axes.set(xlim=(0, N_EXAMPLES * side * 1.04), ylim=(0, side), aspect="equal")
    if name is None:
        return
    axes.set_title(shortened(name, 48), pad=3, color=INK)
    for k, example in enumerate(examples.of_class[name]):
        (width, height), x_left = examples.size(example), k * side * 1.04
        x, y = x_left + (side - width) / 2, (side - height) / 2
        picture = example.pixels if example.pixels.shape[2] == 3 else example.pixels[..., 0]
        axes.imshow(picture, extent=(x, x + width, y, y + height), cmap="gray", vmin=0, vmax=255, interpolation="none")
    if not examples.of_class[name]:
        axes.add_patch(_square(side))
        axes.text(side / 2, side / 2, text("figure-files-not-found"), ha="center", va="center", fontsize=6)
    axes.set(xlim=(0, N_EXAMPLES * side * 1.04), ylim=(0, side))  # `imshow` changes the limits


def _square(side: float) -> "Rectangle":
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), side, side, facecolor=WASH)


def _scale_bar(figure: "SubFigure", examples: Examples, n_columns: int) -> None:
    """Draw the scale bar in axes as wide as the rows above, so that the scale is the same."""
    axes = np.ravel(figure.subplots(1, n_columns))
    for panel in axes:
        panel.set_axis_off()
        panel.set(xlim=(0, N_EXAMPLES * examples.side * 1.04), ylim=(0, 1))
    axes[0].plot([0, examples.bar], [0.75, 0.75], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes[0].text(0, 0.5, f"{examples.bar} {examples.unit}", va="top", color=MUTED, fontsize=7.5)


def _example_table(examples: Examples) -> FigureData:
    rows = [
        (example.label, example.image_id, example.width_px, example.height_px, example.um_per_px)
        for example in examples.every
    ]
    return FigureData(("class", "image_id", "width_px", "height_px", "um_per_px"), rows)


def _words(run: ReportedRun) -> list[str]:
    words = [text("report-examples", seed=str(run.recipe.seed))]
    if len(run.classes) > MOST_CLASSES:
        words.append(text("report-largest-classes", n_shown=MOST_CLASSES, n_classes=len(run.classes)))
    return words


def _drawings(run: ReportedRun) -> list[Drawing]:
    title = text("report-examples-drawing", n_images=N_EXAMPLES, n_classes=len(shown_classes(run)))
    examples = cache(lambda: examples_of(run))  # the figure and its table use the same images
    return [Drawing("examples", title, lambda: draw_examples(examples()), lambda: _example_table(examples()))]


EXAMPLES = Section(
    name="examples",
    title=lambda: text("report-title-examples"),
    order=870,
    is_about_training=True,
    subtitle=lambda run: text("report-title-examples.subtitle"),
    blocks=lambda run: [SectionText(_words(run), drawings=_drawings(run))],
)


def image_kind(run: ReportedRun) -> str:
    """Return sizes, formats and bit depths of the images in one line; empty if they are not recorded."""
    facts = [] if run.run.inspection is None else run.run.inspection.file_facts()
    return "; ".join(f"{fact.title}: {fact.text}" for fact in facts)


def n_duplicates(run: ReportedRun) -> int:
    """Return the number of used images with a duplicate or near-duplicate; 0 without an inspection."""
    inspection = run.run.inspection
    findings = () if inspection is None else (finding for code in DUPLICATES for finding in inspection.of(code))
    duplicates = {image for finding in findings for cluster in finding.images for image in cluster}
    return sum(row.image_id in duplicates for row in run.used)


def _dataset_words(run: ReportedRun) -> Iterator[str]:
    """Yield what is to know of duplicates and of images that no fold could test."""
    if n := n_duplicates(run):
        n_together, n_sets = run.n_near_duplicates
        may_be_divided = run.is_split_leaky or n_together < n_sets
        yield text("report-duplicates", n_images=n, may_be_divided=may_be_divided)
    inspection = run.run.inspection
    if inspection is not None and not inspection.are_copies_known:
        yield text("report-no-near-duplicate-search")
    if run.untested:
        yield text("report-untested", n_images=len(run.untested))


def _dataset_verdict(run: ReportedRun) -> str:
    """Return how many images are in each set."""
    if run.n_folds:
        return text("verdict-folds", n_images=len(run.used), n_folds=run.n_folds, n_untested=len(run.untested))
    n_train, n_val, n_test = (run.parts[name] for name in ("train", "val", "test"))
    return text("verdict-split", n_images=n_train + n_val + n_test, n_train=n_train, n_val=n_val, n_test=n_test)


def _parts(run: ReportedRun) -> dict[str, str]:
    """Return the sets of the split that have images, with their titles."""
    names = ("train", "val", "test", "untested", "excluded")
    titles = {part: set_title(part) for part in names if run.parts[part]}
    return titles | {"test": set_title("tested-once")} if run.n_folds and "test" in titles else titles


def _counts_row(name: str, counts: Sequence[int]) -> list[Cell]:
    return [name, *(n or "–" for n in (*counts, sum(counts)))]


def _blocks(run: ReportedRun) -> Iterator[SectionText | Quotation]:
    sets, inspection, is_folded = _parts(run), run.run.inspection, len(run.classes) > MANY_CLASSES
    by_class: Counter[tuple[str, str]] = Counter((row.label, run.set_of(row)) for row in run.run.split)
    names = [*run.classes, *sorted({row.label for row in run.run.split} - {*run.classes, ""})]
    if any(row.label == "" for row in run.run.split):
        names.append("")
    rows = [
        _counts_row(name or text("excluded-without-label"), [by_class[name, part] for part in sets]) for name in names
    ]
    columns, summary = (*sets.values(), text("column-total")), text("report-class-count", n_classes=len(rows))
    yield SectionText(
        words=[*_dataset_words(run)],
        columns=(text("column-class"), *columns),
        rows=rows,
        totals=_totals(run),
        summary=summary if is_folded else "",
    )
    if run.domains:
        by_domain: Counter[tuple[str, str]] = Counter((row.domain, run.set_of(row)) for row in run.run.split)
        rows = [_counts_row(name, [by_domain[name, part] for part in sets]) for name in run.domains]
        yield SectionText((), (text("column-domain"), *columns), rows, heading=text("report-images-per-domain"))
    if reasons := _reasons(run):
        yield SectionText(
            [text("report-excluded-images-note")],
            column_titles("column-reason", "column-images"),
            reasons,
            heading=text("report-excluded-images", n_images=sum(n for _, n in reasons)),
        )
    notes = () if inspection is None else (localized_note(note).text for note in inspection.notes)
    yield SectionText([*notes, *filter(None, [image_kind(run)])])
    sources = [_source(images, is_named=bool(run.domains)) for images in run.environment.data]
    yield Quotation(sources, text("report-image-sources"))


def _totals(run: ReportedRun) -> list[list[Cell]]:
    """Return the foot of the table: all images, and their groups."""
    sets = _parts(run)
    n_groups = [run.groups[part].n_groups if part in run.groups else 0 for part in sets]
    rows = [_counts_row(text("report-all-images"), [run.parts[part] for part in sets])]
    if n := run.n_excluded_by_hand:
        rows.insert(0, _counts_row(text("report-excluded-by-hand"), [n if part == "excluded" else 0 for part in sets]))
    if any(n_groups):
        rows.append([text("column-groups"), *(n or "–" for n in n_groups), run.n_groups])
    return rows


def _reasons(run: ReportedRun) -> list[tuple[str, int]]:
    """Return the most frequent reasons why images are excluded, with the number of images, and that of the others."""
    in_words = _shortened if language() == ENGLISH else reason_title
    reasons = Counter(in_words(row.reason) for row in run.run.split if row.split == "excluded")
    if run.n_excluded_by_hand:
        reasons[text("excluded-by-hand")] = run.n_excluded_by_hand
    rows = reasons.most_common(6)
    n_more = reasons.total() - sum(n for _, n in rows)
    return [*rows, *([(text("excluded-other-reasons"), n_more)] if n_more else [])]


def _source(images: DomainImages, *, is_named: bool) -> str:
    """Return the location of a domain's images, in a line."""
    name = f"{images.domain or Path(images.root).name}: " if is_named else ""
    has_fingerprint = bool(images.fingerprint)
    fingerprint = (images.fingerprint or "")[:12]
    source = text("report-source", root=images.root, has_fingerprint=has_fingerprint, fingerprint=fingerprint)
    return f"{name}{source}"


def _shortened(reason: str) -> str:
    reason = reason or text("report-no-reason")
    return reason if len(reason) <= 160 else reason[:159] + "…"


IMAGES = Section(
    name="images",
    title=lambda: text("report-title-images"),
    order=900,
    is_about_training=True,
    verdict=_dataset_verdict,
    subtitle=lambda run: text("report-title-images.subtitle"),
    blocks=_blocks,
)


N_MISCLASSIFIED = 12


def n_mistakes(run: ReportedRun) -> int:
    """Return the number of misclassified images."""
    return 0 if run.tested is None else int((run.tested.predicted != run.tested.label).sum())


def _misclassified(run: ReportedRun) -> Gallery:
    """Return the most confident misclassifications."""
    assert run.tested is not None, "the section applies to runs with errors"
    tested, confidence = run.tested, run.tested.probability_of_predicted
    wrong = np.flatnonzero(tested.predicted != tested.label)
    tiles = [
        Tile(
            tested.rows[i].image_id,
            run.classes[tested.label[i]],
            run.classes[tested.predicted[i]],
            float(confidence[i]),
        )
        for i in wrong[np.argsort(-confidence[wrong], kind="stable")][:N_MISCLASSIFIED]
    ]
    return Gallery(tiles, run.images.picture)


def _misclassified_subtitle(run: ReportedRun) -> str:
    n = n_mistakes(run)
    return text("report-misclassifications-shown", n_shown=min(n, N_MISCLASSIFIED), n_images=n)


def _misclassified_verdict(run: ReportedRun) -> str:
    n, n_images = n_mistakes(run), run.metrics.n
    if not n:
        return text("verdict-no-confusion")
    return text("verdict-misclassified", n=n, n_images=n_images, share=percent(n / max(1, n_images)))


MISCLASSIFIED = Section(
    name="misclassified",
    title=lambda: text("report-title-misclassified"),
    order=400,
    subtitle=_misclassified_subtitle,
    verdict=_misclassified_verdict,
    applies=lambda run: n_mistakes(run) > 0,
    blocks=lambda run: [_misclassified(run)],
)


def map_check_table(checks: Sequence[MapCheck], words: Sequence[str] = ()) -> SectionText:
    """Return the sanity checks of methods of heat maps."""
    columns = column_titles(
        "column-method", "column-correlation-with-random-weights", "column-gain-with-bound", "column-checks"
    )
    rows = [
        (
            check.method,
            number(check.similarity, 2),
            f"{signed(check.gain)} ({signed(check.gain_low)})",
            text("report-passed") if check.passes else text("report-failed"),
        )
        for check in checks
    ]
    return SectionText(words, columns, rows)


def _map_checks(run: ReportedRun) -> SectionText:
    map_checks = run.run.map_checks
    assert map_checks is not None, "the section applies to runs with checks"
    about = text("report-map-checks", n_images=map_checks.n_images, checked_on=map_checks.checked_on)
    return map_check_table(map_checks.checks, [about, text("report-shown-map")])


MAP_CHECKS = Section(
    name="map_checks",
    title=lambda: text("report-title-map-checks"),
    order=785,
    is_about_training=True,
    applies=lambda run: run.run.map_checks is not None,
    blocks=lambda run: [_map_checks(run)],
)
