"""The flow of images: found, excluded and why, duplicates, and the sets of the split."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverslip.messages import text
from coverslip.reports import figures
from coverslip.reports.blocks import Drawing, Section, SectionText
from coverslip.reports.figures import HAIR, INK, MUTED, PAPER, WASH, FigureData
from coverslip.reports.reported import ReportedRun
from coverslip.reports.words import count, set_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Prefixes of the reasons for exclusion in split.csv, and the messages of their titles in the report.
_REASONS = {
    "unreadable:": "flow-unreadable",
    "no label": "flow-without-label",
    "same pixels": "flow-duplicates",
    "on request:": "flow-on-request",
    "no training image": "flow-class-not-in-training",
}
_SETS = ("train", "val", "test")
_DUPLICATES = ("duplicates", "near-duplicates")


@dataclass(frozen=True, slots=True)
class FlowSet:
    """A set of the split."""

    title: str
    n: int
    n_groups: int  # 0 if no groups are known


@dataclass(frozen=True, slots=True)
class Flow:
    """Numbers of images from the dataset to the sets of the split."""

    n_found: int
    excluded: dict[str, int]  # by reason, the most frequent first
    n_used: int
    n_duplicates: int | None  # used images with a duplicate or near-duplicate; None if not searched
    sets: list[FlowSet]


def flow_of(run: ReportedRun) -> Flow:
    """Return the flow of images, from the run's split and its data inspection."""
    reasons = Counter(_reason_title(row.reason) for row in run.run.split if row.split == "excluded")
    if run.n_excluded_by_hand:
        reasons[text("flow-by-hand")] = run.n_excluded_by_hand
    n_found = len(run.used) + reasons.total()
    return Flow(n_found, dict(reasons.most_common()), len(run.used), _n_duplicates(run), _sets(run))


def _reason_title(reason: str) -> str:
    code = next((code for start, code in _REASONS.items() if reason.startswith(start)), "flow-other-reasons")
    return text(code)


def _n_duplicates(run: ReportedRun) -> int | None:
    inspection = run.run.inspection
    if inspection is None:
        return None
    findings = (finding for code in _DUPLICATES for finding in inspection.of(code))
    duplicates = {image for finding in findings for cluster in finding.images for image in cluster}
    return sum(row.image_id in duplicates for row in run.used)


def _sets(run: ReportedRun) -> list[FlowSet]:
    if run.n_folds:
        return [FlowSet(text("flow-cross-validation", n_folds=run.n_folds), len(run.used), run.n_groups)]
    return [
        FlowSet(set_title(split), run.parts[split], run.groups[split].n_groups) for split in _SETS if run.parts[split]
    ]


def _words(run: ReportedRun) -> list[str]:
    flow = flow_of(run)
    words = []
    if flow.n_duplicates:
        words.append(text("report-duplicates", n_images=flow.n_duplicates, is_leaky=run.environment.allow_leakage))
    inspection = run.run.inspection
    if inspection is not None and not inspection.are_copies_known:
        words.append(text("report-no-near-duplicate-search"))
    return words


def _numbers(flow: Flow) -> FigureData:
    rows: list[tuple[str, int, int | None]] = [("found", flow.n_found, None)]
    rows += [(f"excluded: {reason}", n, None) for reason, n in flow.excluded.items()]
    rows.append(("included", flow.n_used, None))
    if flow.n_duplicates is not None:
        rows.append(("included, with duplicates", flow.n_duplicates, None))
    rows += [(image_set.title, image_set.n, image_set.n_groups or None) for image_set in flow.sets]
    return FigureData(("what", "images", "groups"), rows)


def draw_flow(flow: Flow) -> "Figure":
    """Draw boxes with numbers from left to right; excluded images are listed below their arrow."""
    n_rows = max(len(flow.sets), 2 + len(flow.excluded))
    height = 0.62 * n_rows
    figure = figures.new_figure(8.6, height)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, 8.6), ylim=(0, height))
    middle = height - 0.31 * max(len(flow.sets), 1)
    _box(axes, 0.0, middle, [count(flow.n_found), text("flow-images-found")], width=1.6)
    _box(axes, 3.5, middle, [count(flow.n_used), text("flow-images-included")], width=1.6)
    _arrow(axes, (1.6, middle), (3.5, middle))
    for k, image_set in enumerate(flow.sets):
        y = height - 0.31 - 0.62 * k
        _box(
            axes,
            5.8,
            y,
            [count(image_set.n), text("report-flow-set", name=image_set.title, n_groups=image_set.n_groups)],
            width=2.8,
        )
        _arrow(axes, (5.1, middle), (5.8, y))
    if flow.excluded:
        _draw_excluded(axes, flow.excluded, middle)
    return figure


def _draw_excluded(axes: "Axes", excluded_counts: dict[str, int], middle: float) -> None:
    top = middle - 0.55
    axes.plot([2.55, 2.55], [middle, top], color=MUTED, linewidth=0.8)
    title = text("flow-excluded", n_images=sum(excluded_counts.values()))
    axes.text(2.55, top - 0.16, title, ha="center", color=INK, fontsize=8.5)
    for k, (reason, n) in enumerate(excluded_counts.items()):
        line = f"{count(n)} {reason}" if len(excluded_counts) > 1 else reason
        axes.text(2.55, top - 0.36 - 0.2 * k, line, ha="center", color=MUTED, fontsize=7.5)


def _box(axes: "Axes", x: float, y: float, lines: list[str], width: float) -> None:
    """Draw a box whose left center is at (x, y), with a number and its title."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y - 0.25), width, 0.5, facecolor=WASH, edgecolor=HAIR, linewidth=0.8))
    axes.text(x + width / 2, y + 0.05, lines[0], ha="center", color=INK, fontsize=10, fontweight="bold")
    axes.text(x + width / 2, y - 0.17, lines[1], ha="center", color=INK, fontsize=8)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style, color=PAPER)


def _drawings(run: ReportedRun) -> list[Drawing]:
    flow = flow_of(run)
    title = text("report-flow-drawing")
    return [Drawing("flow", title, lambda: draw_flow(flow), lambda: _numbers(flow))]


def _verdict(run: ReportedRun) -> str:
    """Return how many images are in each set."""
    if run.n_folds:
        return text("verdict-folds", n_images=run.metrics.n, n_folds=run.n_folds)
    n_train, n_val, n_test = (run.parts[name] for name in ("train", "val", "test"))
    return text("verdict-split", n_images=n_train + n_val + n_test, n_train=n_train, n_val=n_val, n_test=n_test)


FLOW = Section(
    name="flow",
    title=lambda: text("report-title-flow"),
    order=860,
    is_about_training=True,
    subtitle=lambda run: text("report-title-flow.subtitle"),
    verdict=_verdict,
    blocks=lambda run: [SectionText(_words(run), drawings=_drawings(run))],
)
