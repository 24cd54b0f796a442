"""What became of the images: found, left out and why, copies of each other, and the part that each one takes."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverslip.reports import figures
from coverslip.reports.figure_numbers import Numbers
from coverslip.reports.figures import HAIR, INK, MUTED, PAPER, WASH
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import count, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# How the reason of an image that is left out begins in split.csv, and what that is called here.
_REASONS = {
    "unreadable:": "could not be read",
    "no label": "without a label",
    "same pixels": "same pixels, other label",
    "on request:": "left out on request",
    "no training image": "class not in training",
}
_OTHER = "other reasons"
_PARTS = {"train": "training", "val": "validation", "test": "test"}
_COPIES = ("duplicates", "near-duplicates")


@dataclass(frozen=True, slots=True)
class FlowPart:
    """A part of the images that are used."""

    title: str
    n: int
    n_groups: int  # 0 where none are known


@dataclass(frozen=True, slots=True)
class Flow:
    """Numbers of images on their way from the folder to the numbers."""

    n_found: int
    left_out: dict[str, int]  # by reason, the most frequent first
    n_used: int
    n_copies: int | None  # used ones that show the same as another one; None where nobody looked
    parts: list[FlowPart]


def flow_of(run: ReportedRun) -> Flow:
    """From the run's split, and from what was found when its images were looked at."""
    reasons = Counter(_kind(row.reason) for row in run.run.split if row.split == "left-out")
    return Flow(len(run.run.split), dict(reasons.most_common()), len(run.used), _n_copies(run), _parts(run))


def _kind(reason: str) -> str:
    return next((words for start, words in _REASONS.items() if reason.startswith(start)), _OTHER)


def _n_copies(run: ReportedRun) -> int | None:
    inspection = run.run.inspection
    if inspection is None:
        return None
    findings = (finding for code in _COPIES for finding in inspection.of(code))
    copies = {image for finding in findings for cluster in finding.images for image in cluster}
    return sum(row.image_id in copies for row in run.used)


def _parts(run: ReportedRun) -> list[FlowPart]:
    if run.n_folds:
        return [FlowPart(f"tested in turn, in {run.n_folds} folds", len(run.used), run.n_groups)]
    rows_of = {part: [row for row in run.used if row.split == part] for part in _PARTS}
    return [
        FlowPart(_PARTS[part], len(rows), len({row.group for row in rows if row.group}))
        for part, rows in rows_of.items()
        if rows
    ]


def _words(run: ReportedRun) -> list[str]:
    flow = flow_of(run)
    words = []
    if flow.n_copies:
        together = "may stand in several parts" if run.environment.allow_leakage else "stand in one part"
        shows = "shows" if flow.n_copies == 1 else "show"
        words.append(f"Of the images used, {count(flow.n_copies)} {shows} the same as another one; such {together}.")
    inspection = run.run.inspection
    if inspection is not None and not inspection.are_copies_known:
        words.append("Near-duplicates (turned, cropped, saved again) were not searched for.")
    if flow.left_out:
        words.append("Each image that was left out, and why, stands in split.csv.")
    return words


def _numbers(flow: Flow) -> Numbers:
    rows: list[tuple[str, int, int | None]] = [("found", flow.n_found, None)]
    rows += [(f"left out: {reason}", n, None) for reason, n in flow.left_out.items()]
    rows.append(("used", flow.n_used, None))
    if flow.n_copies is not None:
        rows.append(("used, showing the same as another one", flow.n_copies, None))
    rows += [(part.title, part.n, part.n_groups or None) for part in flow.parts]
    return Numbers(("what", "images", "groups"), rows)


def draw_flow(flow: Flow) -> "Figure":
    """Boxes with numbers from left to right; what is left out hangs below the arrow that it leaves by."""
    n_rows = max(len(flow.parts), 2 + len(flow.left_out))
    height = 0.62 * n_rows
    figure = figures.new_figure(8.6, height)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, 8.6), ylim=(0, height))
    middle = height - 0.31 * max(len(flow.parts), 1)
    _box(axes, 0.0, middle, [count(flow.n_found), "images found"])
    _box(axes, 3.4, middle, [count(flow.n_used), "used"])
    _arrow(axes, (1.8, middle), (3.4, middle))
    for k, part in enumerate(flow.parts):
        y = height - 0.31 - 0.62 * k
        groups = f", {plural(part.n_groups, 'group')}" if part.n_groups else ""
        _box(axes, 6.2, y, [count(part.n), f"{part.title}{groups}"], width=2.4)
        _arrow(axes, (5.2, middle), (6.2, y))
    if flow.left_out:
        _left_out(axes, flow.left_out, middle)
    if flow.n_copies:
        axes.text(4.3, middle - 0.42, f"{count(flow.n_copies)} of them show", ha="center", color=MUTED, fontsize=7.5)
        axes.text(4.3, middle - 0.57, "the same as another one", ha="center", color=MUTED, fontsize=7.5)
    return figure


def _left_out(axes: "Axes", left_out: dict[str, int], middle: float) -> None:
    top = middle - 0.55
    axes.plot([2.6, 2.6], [middle, top], color=MUTED, linewidth=0.8)
    axes.text(2.6, top - 0.16, f"{count(sum(left_out.values()))} left out", ha="center", color=INK, fontsize=8.5)
    for k, (reason, n) in enumerate(left_out.items()):
        text = f"{count(n)} {reason}" if len(left_out) > 1 else reason
        axes.text(2.6, top - 0.36 - 0.2 * k, text, ha="center", color=MUTED, fontsize=7.5)


def _box(axes: "Axes", x: float, y: float, lines: list[str], width: float = 1.8) -> None:
    """A box whose middle left is at (x, y), with a number and what it is of."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y - 0.25), width, 0.5, facecolor=WASH, edgecolor=HAIR, linewidth=0.8))
    axes.text(x + width / 2, y + 0.05, lines[0], ha="center", color=INK, fontsize=10, fontweight="bold")
    axes.text(x + width / 2, y - 0.17, lines[1], ha="center", color=INK, fontsize=8)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style, color=PAPER)


def _drawings(run: ReportedRun) -> list[Drawing]:
    flow = flow_of(run)
    title = "Flow of images: " + ", ".join(f"{row[0]} {row[1]}" for row in _numbers(flow).rows)
    return [Drawing("flow", title, lambda: draw_flow(flow), lambda: _numbers(flow))]


FLOW = Section(
    name="flow",
    title="From the images to the numbers",
    order=860,
    is_about_training=True,
    subtitle=lambda run: "what was found, left out and used",
    text=lambda run: SectionText(_words(run)),
    drawings=_drawings,
)
