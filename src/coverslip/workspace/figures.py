"""Figures of reports with their texts in the language of the reader. The files of a report are in English."""

import base64
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from coverslip.cache.stores import RecordStore
from coverslip.messages import ENGLISH, language
from coverslip.reports.blocks import SectionText
from coverslip.reports.figures import draw
from coverslip.reports.reported import read_evaluation, read_run
from coverslip.reports.sections import sections_of
from coverslip.studies.report import study_sections
from coverslip.workspace.jobs.records import Job
from coverslip.workspace.studies.state import read_comparison
from coverslip.workspace.trainings.results import RESULTS, stamp_of
from coverslip.workspace.workers import WorkerPool

_DRAWING_LOCK = threading.Lock()  # the first request draws all figures of a report


def translated_figure(pool: WorkerPool, job: Job, file: Path) -> bytes | None:
    """Return a figure of a report with its texts in the current language; None: as in its file.

    A process of the pool draws all figures of the report, which are cached.

    Args:
        pool: of processes.
        job: a training, an evaluation or a study.
        file: an SVG or PNG figure or a table of its numbers, as of `trainings.results.figure_of_job`.

    Raises:
        BadRun: a file of the job is damaged.
    """
    if language() == ENGLISH or file.suffix == ".csv":
        return None
    key = f"{stamp_of(file, about=(job.id,))} {file.name}"
    with _DRAWING_LOCK, RecordStore(RESULTS, job.id) as store:
        figure = store.find([key]).get(key)
        if figure is None:
            encoded = pool.call(draw_figures, folder=str(job.folder), kind=job.kind) or {}
            figures = {name: base64.b64decode(content) for name, content in encoded.items()}
            store.keep(
                {
                    f"{stamp_of(file.with_name(name), about=(job.id,))} {name}": content
                    for name, content in figures.items()
                }
            )
            figure = figures.get(file.name)
        return figure


def draw_figures(*, folder: str, kind: str) -> dict[str, str]:
    """Return the SVG and PNG files of the figures of a report in the current language as Base64, by name.

    Args:
        folder: of a training, an evaluation or a study.
        kind: of the job.

    Raises:
        BadRun: a file in the folder is damaged.
    """
    if kind == "study":
        sections = study_sections(read_comparison(Path(folder)))
    else:
        run = (read_evaluation if kind == "evaluate" else read_run)(Path(folder))
        sections = [section.content(run) for section in sections_of(run)]
    with TemporaryDirectory() as temporary:
        for section in sections:
            for drawing in (
                each for block in section.blocks if isinstance(block, SectionText) for each in block.drawings
            ):
                draw(drawing.name, drawing.figure, Path(temporary), title=drawing.title)
        return {file.name: base64.b64encode(file.read_bytes()).decode() for file in Path(temporary).iterdir()}
