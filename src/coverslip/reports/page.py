"""Write `report.html`, a self-contained file, and its figures in `figures/`."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.events import Emit, OnProgress, ignore, progress_reporter
from coverslip.files import write_text
from coverslip.messages import ENGLISH, escape_controls_in_lines, in_language, text
from coverslip.reports import content, figures, words
from coverslip.reports.figures import draw
from coverslip.reports.model_card import model_card_text
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run
from coverslip.reports.sections import Drawing, Section, sections_of
from coverslip.reports.tables import table
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs import Run
from coverslip.runs.documents import write_table
from coverslip.runs.images import ImageLookup

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class _RenderedSection:
    """A section as HTML, for the template of the page."""

    title: str
    subtitle: str
    verdict: str
    body: "Markup"


@dataclass(frozen=True, slots=True)
class _RenderedFigure:
    name: str
    caption: str
    file: str  # without suffix, relative to the report
    svg: "Markup"


def write_report(run: Run | Path | str, emit: Emit = ignore) -> Path:
    """Write `report.html`, `figures/` and `model_card.md` from the files of a run folder, with some thumbnails.

    The folder of an evaluation (`RUN/evaluations/NAME`) gets a separate report of the evaluated images, without a
    model card. Images are read from their original location; if one is missing, the report says so.

    Args:
        run: the run or its folder.
        emit: receives progress events.

    Returns:
        The path of the report.

    Raises:
        BadRun: not a run folder, no metrics in it yet, or a file of it cannot be read.

    Examples:
        >>> cs.write_report("runs/first").name
        'report.html'
    """
    return _write(_read(Path(run)), emit)


def write_report_of_images(run: Run, images: ImageLookup, emit: Emit) -> None:
    """Write the report of a training or an evaluation whose images are open already."""
    _write(replace(_read(run.folder), opened=images), emit)


def _write(reported_run: ReportedRun, emit: Emit) -> Path:
    with in_language(ENGLISH):  # also if a page in another language asks for it
        verdict = verdict_of_run(reported_run)
        sections = _rendered_sections(reported_run, progress_reporter(emit, "writing-report", "sections"))
        page = template(Path(__file__).with_name("report.html")).render(
            **page_styles(),
            name=_name(reported_run),
            date="" if reported_run.evaluation else reported_run.environment.started[:10],
            use=verdict.use,
            headline=verdict.headline,
            further=[reason.claim for reason in verdict.further],
            lead=lead(reported_run, verdict),
            facts=content.facts(reported_run),
            sections=sections,
            made_by=_made_by(reported_run),
        )
        write_text(reported_run.measured.report_file, escape_controls_in_lines(page))
        if reported_run.evaluation is None:
            write_text(reported_run.run.model_card_file, escape_controls_in_lines(model_card_text(reported_run)))
    return reported_run.measured.report_file


def page_styles() -> "dict[str, Markup]":
    """Return the CSS of a report, as values for its template: design tokens and styles."""
    from markupsafe import Markup

    files = {"tokens": figures.TOKENS_FILE, "styles": Path(__file__).with_name("report.css")}
    return {name: Markup(file.read_text(encoding="utf-8")) for name, file in files.items()}  # noqa: S704 - made here; texts in it are escaped


def _read(folder: Path) -> ReportedRun:
    return read_evaluation(folder) if Run(folder).is_evaluation else read_run(folder)


def _name(reported_run: ReportedRun) -> str:
    run = reported_run.run.folder.resolve().name
    if reported_run.evaluation is None:
        return run
    return text("report-evaluation-name", run=run, evaluation=reported_run.evaluation.folder.resolve().name)


@cache
def template(file: Path) -> "Template":
    """Return the template of a page or section; it escapes all values and rejects missing ones."""
    from jinja2 import Environment, StrictUndefined

    templates = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    templates.globals.update(count=words.count, number=words.number, table=table, text=text)
    return templates.from_string(file.read_text(encoding="utf-8"))


def _rendered_sections(run: ReportedRun, on_progress: OnProgress) -> list[_RenderedSection]:
    sections, rendered_sections = sections_of(run), list[_RenderedSection]()
    for section in sections:
        rendered_sections.append(_rendered_section(run, section))
        on_progress(len(rendered_sections), len(sections))
    return rendered_sections


def _rendered_section(run: ReportedRun, section: Section) -> _RenderedSection:
    from markupsafe import Markup

    drawings = [_rendered_figure(drawing, run.measured.figures_folder) for drawing in section.drawings(run)]
    values = {"content": section.text(run), "drawings": drawings, **section.shown(run)}
    body = template(section.template).render(values)
    verdict = section.verdict(run) if section.verdict else ""
    return _RenderedSection(section.title(), section.subtitle(run), verdict, Markup(body))  # noqa: S704 - made here; texts in it are escaped


def _rendered_figure(drawing: Drawing, folder: Path) -> _RenderedFigure:
    from markupsafe import Markup

    numbers = drawing.numbers()
    rows = (dict(zip(numbers.columns, row, strict=True)) for row in numbers.rows)
    write_table(folder / f"{drawing.name}.csv", numbers.columns, rows)
    svg = draw(drawing.name, drawing.figure, folder, title=drawing.title)
    return _RenderedFigure(drawing.name, drawing.title, f"{folder.name}/{drawing.name}", Markup(svg))  # noqa: S704 - made here; texts in it are escaped


def _made_by(run: ReportedRun) -> str:
    environment = run.environment
    return text(
        "report-made-by",
        version=environment.coverslip,
        python=environment.python,
        platform=environment.platform,
        device=environment.device,
        seed=str(run.recipe.seed),
    )
