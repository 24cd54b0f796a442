"""`report.html` of a study."""

import base64
from collections.abc import Sequence
from pathlib import Path

from coverslip.evaluation import Metric, ProcedureDifference
from coverslip.files import write_text
from coverslip.inference.latency import Timing
from coverslip.reports import template, tokens
from coverslip.studies.comparing import DatasetComparison, StudyComparison, VariantDifference
from coverslip.studies.figures import draw_all
from coverslip.studies.sizes import SizeCurve

_MOST_UNITS = 1_000_000  # beyond it a forecast says nothing


def write_study_report(comparison: StudyComparison, file: Path) -> None:
    """Write the page: one file that needs nothing else; its drawings lie in `figures/` too."""
    from markupsafe import Markup

    look = Markup(tokens.FILE.read_text(encoding="utf-8"))  # our own
    drawn = {name: Markup(svg) for name, svg in draw_all(comparison, file.with_name("figures")).items()}  # our own
    page = template(Path(__file__).with_name("report.html")).render(
        tokens=look,
        comparison=comparison,
        drawn=drawn,
        name=file.absolute().parent.name,
        number=_number,
        verdict=verdict,
        usual_verdict=usual_verdict,
        interval=interval,
        share=_share,
        needed=_needed,
        seconds=seconds,
        pictures=_pictures(comparison, file.parent),
        metric=_metric,
        span=_span,
    )
    write_text(file, page)


def _pictures(comparison: StudyComparison, folder: Path) -> dict[str, str]:
    """Those of heat maps that are there, as addresses that hold the whole file."""
    files = [folder / picture for drawn in comparison.heat_maps for picture in drawn.pictures]
    return {
        file.relative_to(folder).as_posix(): f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
        for file in files
        if file.is_file()
    }


def verdict(found: VariantDifference, part: DatasetComparison) -> str:
    """What the comparison shows, in words; never more than it does.

    Args:
        found: a difference.
        part: that it is of.
    """
    difference = found.difference
    if difference.p is None:
        return "too few splits to tell" if difference.n_splits < 2 else "the same on every split"
    if found.is_shown:
        is_better = (difference.p_better or 0) > (difference.p_worse or 0)
        return "better" if is_better else "worse"
    if (difference.p_equal or 0) >= 0.95:
        return "practically the same"
    if found.units_to_show is None or found.units_to_show > _MOST_UNITS:
        return "no difference could be shown"
    of_what = "groups" if part.has_groups else "images"
    if part.n_units is not None and found.units_to_show <= part.n_units:  # so many there are: the splits are too few
        return "no difference could be shown; more splits might show one so large"
    return f"no difference could be shown; about {_rounded(found.units_to_show):,} {of_what} would show one so large"


def usual_verdict(found: VariantDifference) -> str:
    """What publications' tests would call it; empty where none was possible."""
    if found.usual is None:
        return ""
    if not found.usual_finds:
        return "no difference"
    by = f"a difference, by {' and '.join(found.usual_finds)}"
    return by if found.is_shown else f"{by}; none could be shown above"


def _rounded(n: int) -> int:
    """To two digits: it is a forecast."""
    step = int(10 ** max(0, len(str(n)) - 2))
    return -(-n // step) * step


def interval(difference: ProcedureDifference | Metric) -> str:
    """`-0.012 to 0.034`; empty where there is none."""
    if difference.low is None or difference.high is None:
        return ""
    return f"{difference.low:+.3f} to {difference.high:+.3f}"


def seconds(timing: Timing) -> str:
    """`0.021 (0.019 to 0.034)`."""
    return f"{timing.median:.3g} ({timing.low:.3g} to {timing.high:.3g})"


def _needed(curve: SizeCurve) -> str:
    """`38 (25 to 60)`."""
    if curve.needed is None:
        return f"not reached by {curve.n_splits - curve.n_reached} of {curve.n_splits} splits"
    between = "" if curve.low is None else f" ({curve.low:,} to {curve.high:,})"
    return f"{curve.needed:,}{between}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _metric(found: Metric) -> str:
    """`0.91 (0.85 to 0.95)`."""
    if found.value is None or found.low is None or found.high is None:
        return _number(found.value)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _span(values: Sequence[float]) -> str:
    """`2 to 5`."""
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
