"""Write `report.html`, a self-contained file, its sections as data, and its figures in `figures/`."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.events import Emit, OnProgress, ignore, progress_reporter
from coverslip.files import write_json, write_text
from coverslip.images.output import as_webp
from coverslip.messages import ENGLISH, escape_controls_in_lines, in_language, text
from coverslip.reports import metric_rows
from coverslip.reports.blocks import Drawing, SectionContent, as_data
from coverslip.reports.figures import TOKENS_FILE, draw, drawn_for_page
from coverslip.reports.metric_rows import MetricValue, estimate, reasons, shown
from coverslip.reports.model_card import model_card_text
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run, whole_percent
from coverslip.reports.sections import sections_of
from coverslip.reports.verdict import evidence_of, lead, verdict_of_run
from coverslip.runs.documents import write_table
from coverslip.runs.folder import Run
from coverslip.runs.images import ImageLookup, Picture

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def write_report(run: Run | Path | str, emit: Emit = ignore) -> Path:
    """Write `report.html`, `results.json`, `figures/` and `model_card.md` from the files of a run folder.

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
    return _write_page(_reported_run(Path(run)), emit)


def write_report_of_images(run: Run, images: ImageLookup, emit: Emit) -> None:
    """Write the report of a training or an evaluation whose images are open already."""
    _write_page(replace(_reported_run(run.folder), opened=images), emit)


def _write_page(reported_run: ReportedRun, emit: Emit) -> Path:
    with in_language(ENGLISH):  # also if a page in another language asks for it
        verdict = verdict_of_run(reported_run)
        sections: list[SectionContent] = []
        html = page(
            name=_name(reported_run),
            date="" if reported_run.evaluation else reported_run.environment.started[:10],
            use=verdict.use,
            headline=verdict.headline,
            further=[reason.claim for reason in verdict.further],
            lead=[*lead(reported_run, verdict), verdict.next_sentence],
            facts=metric_rows.facts(reported_run),
            sections=_contents(reported_run, sections, progress_reporter(emit, "writing-report", "sections")),
            figures=reported_run.measured.figures_folder,
            made_by=_made_by(reported_run),
        )
        write_text(reported_run.measured.report_file, html)
        write_results(reported_run.measured.results_file, sections, reported_run.measured.figures_folder)
        if reported_run.evaluation is None:
            evidence_of(reported_run).write(reported_run.run.evidence_file)
            write_text(reported_run.run.model_card_file, escape_controls_in_lines(model_card_text(reported_run)))
    return reported_run.measured.report_file


def _contents(run: ReportedRun, sections: list[SectionContent], on_progress: OnProgress) -> Iterator[SectionContent]:
    """Yield the sections of a run, which are also appended to a list. Progress is reported when each is rendered."""
    records = sections_of(run)
    for record in records:
        sections.append(record.content(run))
        yield sections[-1]
        on_progress(len(sections), len(records))


def page(
    *,
    name: str,
    headline: str,
    lead: Sequence[str],
    sections: Iterable[SectionContent],
    figures: Path | None = None,
    date: str = "",
    use: str = "",
    further: Sequence[str] = (),
    facts: Sequence[tuple[str, str]] = (),
    made_by: str = "",
    is_wide: bool = False,
) -> str:
    """Return a page: the name of its subject, headline, sentences below it, titles and values, and sections.

    Its figures are also written to the folder `figures`.
    """
    rendered = [(section, _rendered(section, figures)) for section in sections]
    html = _template("report.html").render(
        **_page_styles(),
        name=name,
        date=date,
        use=use,
        headline=headline,
        further=further,
        lead=lead,
        facts=facts,
        sections=rendered,
        made_by=made_by,
        is_wide=is_wide,
    )
    return escape_controls_in_lines(html)


def write_results(file: Path, sections: Sequence[SectionContent], figures: Path) -> None:
    """Write sections as data, as the REST API returns them."""
    write_json(file, {"format_version": 1, "sections": [asdict(as_data(section, figures)) for section in sections]})


def _page_styles() -> "dict[str, Markup]":
    """Return the CSS of a report, as values for its template: design tokens and styles."""
    from markupsafe import Markup

    files = {"tokens": TOKENS_FILE, "styles": Path(__file__).with_name("report.css")}
    return {name: Markup(file.read_text(encoding="utf-8")) for name, file in files.items()}  # noqa: S704 - made here; texts in it are escaped


def _reported_run(folder: Path) -> ReportedRun:
    return read_evaluation(folder) if Run(folder).is_evaluation else read_run(folder)


def _name(reported_run: ReportedRun) -> str:
    run = reported_run.run.folder.resolve().name
    if reported_run.evaluation is None:
        return run
    return text("report-evaluation-name", run=run, evaluation=reported_run.evaluation.folder.resolve().name)


@cache
def _template(name: str) -> "Template":
    """Return the template of the page or of a section; it escapes all values and rejects missing ones."""
    from jinja2 import Environment, StrictUndefined

    templates = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    functions = (estimate, reasons, shown, text, whole_percent, png_data, picture_data, strips_of)
    templates.globals.update({function.__name__: function for function in functions})
    return templates.from_string(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def png_data(file: Path) -> str:
    """Return a PNG file as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def picture_data(picture: Picture | None) -> str:
    """Return a thumbnail as a data URL; empty if the image was moved or deleted, which the tile then states."""
    if picture is None:
        return ""
    return f"data:image/webp;base64,{base64.b64encode(as_webp(picture.pixels)).decode()}"


def strips_of(metrics: Sequence[MetricValue]) -> dict[str, Any]:  # Any: values for the template
    """Return metrics from 0 to 1 for which higher is better, with positions on a common scale, and the others."""
    shares = [metric for metric in metrics if (metric.better, metric.scale) == ("higher", "share")]
    lows = [x for metric in shares for x in (metric.low, metric.value) if x is not None]
    start = min(0.9, int(10 * min(lows, default=0.0)) / 10)

    def place(x: float | None) -> float | None:  # percent of the scale
        return None if x is None else round(100 * (x - start) / (1 - start), 2)

    def position(metric: MetricValue) -> dict[str, float | None]:
        left, right = place(metric.low), place(metric.high)
        width = None if left is None or right is None else round(right - left, 2)
        return {"value": place(metric.value), "left": left, "width": width}

    return {
        "shares": shares,
        "others": [metric for metric in metrics if metric not in shares],
        "positions": {metric.name: position(metric) for metric in shares},
        "start": f"{start:g}",
        "middle": f"{(start + 1) / 2:g}",
    }


def _rendered(section: SectionContent, figures: Path | None) -> "Markup":
    from markupsafe import Markup

    figure = partial(_rendered_figure, folder=figures)
    return Markup(_template("section.html").render(blocks=section.blocks, figure=figure))  # noqa: S704 - made here; texts in it are escaped


def _rendered_figure(drawing: Drawing, folder: Path | None) -> dict[str, Any]:  # Any: template's values
    from markupsafe import Markup

    file = ""
    if folder is None or drawing.numbers is None:
        svg = drawn_for_page(drawing.name, drawing.figure, title=drawing.title)
    else:
        numbers, file = drawing.numbers(), f"{folder.name}/{drawing.name}"
        rows = (dict(zip(numbers.columns, row, strict=True)) for row in numbers.rows)
        write_table(folder / f"{drawing.name}.csv", numbers.columns, rows)
        svg = draw(drawing.name, drawing.figure, folder, title=drawing.title)
    return {"name": drawing.name, "caption": drawing.title, "file": file, "svg": Markup(svg)}  # noqa: S704 - made here; texts in it are escaped


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
