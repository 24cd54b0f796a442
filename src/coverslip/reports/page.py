"""Writes `report.html`: one file that needs nothing else, with its drawings beside it in `figures/`."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.control_characters import escape_controls_in_lines
from coverslip.events import Emit, OnProgress, ignore, telling
from coverslip.files import write_text
from coverslip.messages import text
from coverslip.reports import content, tokens, words
from coverslip.reports.figures import draw
from coverslip.reports.model_card import model_card_text
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run
from coverslip.reports.sections import Drawing, Section, sections_of
from coverslip.reports.tables import table
from coverslip.runs import Run
from coverslip.runs.documents import write_table

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class _Part:
    """A section as the page takes it."""

    title: str
    subtitle: str
    body: "Markup"


@dataclass(frozen=True, slots=True)
class _Drawn:
    name: str
    caption: str
    file: str  # without its ending, seen from the report
    svg: "Markup"


def write_report(run: Run | Path | str, emit: Emit = ignore) -> Path:
    """Write `report.html`, `figures/` and `model_card.md` of a run folder from what lies in it, plus some thumbnails.

    An evaluation's folder (`RUN/evaluations/NAME`) gets a report of its own, without a card, of the images that were
    measured there.
    Images are looked for where they were opened; where one is gone, the report says so.

    Args:
        run: its folder.
        emit: receives progress events.

    Returns:
        The path of the report.

    Raises:
        BadRun: not a run folder, no numbers in it yet, or a file of it cannot be read.

    Examples:
        >>> cs.write_report("runs/first").name
        'report.html'
    """
    reported = _read(Path(run))
    sections = _parts(reported, telling(emit, "writing the report", "sections"))
    page = template(Path(__file__).with_name("report.html")).render(
        **look(),
        name=_name(reported),
        date="" if reported.evaluation else reported.environment.started[:10],
        headline=words.headline(reported),
        lead=words.lead(reported),
        facts=content.facts(reported),
        sections=sections,
        made_by=_made_by(reported),
    )
    write_text(reported.measured.report_file, escape_controls_in_lines(page))
    if reported.evaluation is None:
        write_text(reported.run.model_card_file, escape_controls_in_lines(model_card_text(reported)))
    return reported.measured.report_file


def look() -> "dict[str, Markup]":
    """The styles of a report, as its template takes them."""
    from markupsafe import Markup

    files = {"tokens": tokens.FILE, "look": Path(__file__).with_name("report.css")}
    return {name: Markup(file.read_text(encoding="utf-8")) for name, file in files.items()}  # noqa: S704 - made here; texts in it are escaped


def _read(folder: Path) -> ReportedRun:
    return read_evaluation(folder) if Run(folder).is_evaluation else read_run(folder)


def _name(reported: ReportedRun) -> str:
    run = reported.run.folder.resolve().name
    if reported.evaluation is None:
        return run
    return text("report-evaluation-name", run=run, evaluation=reported.evaluation.folder.resolve().name)


@cache
def template(file: Path) -> "Template":
    """A page or section; what is put into it is escaped, and nothing may be missing."""
    from jinja2 import Environment, StrictUndefined

    templates = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    templates.globals.update(count=words.count, number=words.number, table=table)
    return templates.from_string(file.read_text(encoding="utf-8"))


def _parts(run: ReportedRun, tell: OnProgress) -> list[_Part]:
    sections, parts = sections_of(run), list[_Part]()
    for section in sections:
        parts.append(_part(run, section))
        tell(len(parts), len(sections))
    return parts


def _part(run: ReportedRun, section: Section) -> _Part:
    from markupsafe import Markup

    text = section.text(run)
    drawings = [_drawn(drawing, run.measured.figures_folder) for drawing in section.drawings(run)]
    values = {"text": text, "drawings": drawings}
    body = template(section.template).render({**values, **section.shown(run)})
    return _Part(section.title, section.subtitle(run), Markup(body))  # noqa: S704 - made here; texts in it are escaped


def _drawn(drawing: Drawing, folder: Path) -> _Drawn:
    from markupsafe import Markup

    numbers = drawing.numbers()
    rows = (dict(zip(numbers.columns, row, strict=True)) for row in numbers.rows)
    write_table(folder / f"{drawing.name}.csv", numbers.columns, rows)
    svg = draw(drawing.name, drawing.figure, folder, title=drawing.title)
    return _Drawn(drawing.name, drawing.title, f"{folder.name}/{drawing.name}", Markup(svg))  # noqa: S704 - made here; texts in it are escaped


def _made_by(run: ReportedRun) -> str:
    environment = run.environment
    parts = [
        f"coverslip {environment.coverslip}",
        f"Python {environment.python}",
        environment.platform,
        f"device {environment.device}",
        f"seed {run.recipe.seed}",
    ]
    return " · ".join(parts)
