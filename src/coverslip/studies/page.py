"""The page `report.html` of a study."""

import base64
from pathlib import Path

from coverslip.control_characters import escape_controls_in_lines
from coverslip.files import write_text
from coverslip.reports import look, template
from coverslip.reports.words import listed
from coverslip.studies.comparing import StudyComparison
from coverslip.studies.figures import draw_all
from coverslip.studies.sections import is_instant, study_sections


def write_study_report(comparison: StudyComparison, file: Path) -> None:
    """Write the report as a self-contained file. Its drawings are also written to `figures/`."""
    from markupsafe import Markup

    drawn = draw_all(comparison, file.with_name("figures"))
    page = template(Path(__file__).with_name("report.html")).render(
        **look(),
        name=file.absolute().parent.name,
        title=_title(comparison),
        is_instant=is_instant(comparison),
        metric_title=comparison.metric_title,
        sections=study_sections(comparison),
        drawn={name: (title, Markup(svg)) for name, (title, svg) in drawn.items()},  # noqa: S704 - created here; its texts are escaped
        pictures=_pictures(comparison, file.parent),
        warnings=comparison.idle_first_steps,
        notes=comparison.notes,
    )
    write_text(file, escape_controls_in_lines(page))


def _title(comparison: StudyComparison) -> str:
    networks = dict.fromkeys(row.name for part in comparison.datasets for row in part.scores)
    datasets = dict.fromkeys(part.dataset for part in comparison.datasets)
    return f"{listed([*networks], 4)} on {listed([*datasets], 4)}"


def _pictures(comparison: StudyComparison, folder: Path) -> dict[str, str]:
    """Return the existing pictures of heat maps as data URLs, by path."""
    files = [folder / picture for drawn in comparison.heat_maps for picture in drawn.pictures]
    return {
        file.relative_to(folder).as_posix(): f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
        for file in files
        if file.is_file()
    }
