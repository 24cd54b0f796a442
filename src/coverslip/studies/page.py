"""`report.html` of a study."""

from pathlib import Path

from coverslip.evaluation import ProcedureDifference
from coverslip.files import write_text
from coverslip.reports import template, tokens
from coverslip.studies.comparing import StudyComparison, VariantDifference


def write_study_report(comparison: StudyComparison, file: Path) -> None:
    """Write the page: one file that needs nothing else."""
    from markupsafe import Markup

    look = Markup(tokens.FILE.read_text(encoding="utf-8"))  # our own
    page = template(Path(__file__).with_name("report.html")).render(
        tokens=look,
        comparison=comparison,
        name=file.absolute().parent.name,
        number=_number,
        verdict=verdict,
        interval=interval,
        share=_share,
    )
    write_text(file, page)


def verdict(found: VariantDifference) -> str:
    """What the comparison shows, in words; never more than it does."""
    difference = found.difference
    if difference.p is None:
        return "too few splits to tell" if difference.n_splits < 2 else "the same on every split"
    if found.is_shown:
        is_better = (difference.p_better or 0) > (difference.p_worse or 0)
        return "better" if is_better else "worse"
    if (difference.p_equal or 0) >= 0.95:
        return "practically the same"
    return "no difference could be shown"


def interval(difference: ProcedureDifference) -> str:
    """`-0.012 to 0.034`; empty where there is none."""
    if difference.low is None or difference.high is None:
        return ""
    return f"{difference.low:+.3f} to {difference.high:+.3f}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
