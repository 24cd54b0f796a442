"""What a study shows so far, as its process wrote it down."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from coverslip.errors import BadRun, Conflict, NotFound
from coverslip.runs.documents import read_object
from coverslip.studies import StudyComparison, drawings_of, usual_verdict, verdict
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.home import Workspace

_COMPARISON = TypeAdapter(StudyComparison)


@dataclass(frozen=True, slots=True)
class StudyFigure:
    """A drawing of a study: `figures/{name}.svg` and `.png` of it."""

    name: str
    title: Annotated[str, Field(description="What is seen, of which images.")]


@dataclass(frozen=True, slots=True)
class StudyResults:
    """A study's comparison, and in words what each difference shows."""

    comparison: StudyComparison
    verdicts: Annotated[list[list[str]], Field(description="Of each difference of each dataset.")]
    usual: Annotated[list[list[str]], Field(description="What publications' tests would call each; empty: none can.")]
    figures: Annotated[list[StudyFigure], Field(description="Drawings that there are.")]


def study_results(workspace: Workspace, study_id: str) -> StudyResults:
    """What a study shows so far.

    Raises:
        NotFound: there is no such study.
        Conflict: nothing was compared yet.
        BadRun: its file was damaged.
    """
    job = find_job(workspace, study_id, "study")
    comparison = comparison_of(job)
    return StudyResults(
        comparison=comparison,
        verdicts=[[verdict(each, part) for each in part.differences] for part in comparison.datasets],
        usual=[[usual_verdict(each) for each in part.differences] for part in comparison.datasets],
        figures=[
            StudyFigure(name=drawing.name, title=drawing.title)
            for drawing in drawings_of(comparison)
            if (job.folder / "figures" / f"{drawing.name}.svg").is_file()
        ],
    )


def comparison_of(job: Job) -> StudyComparison:
    """What a study shows so far.

    Raises:
        Conflict: nothing was compared yet.
        BadRun: its file was damaged.
    """
    file = _there(job, "comparison.json")
    try:
        data = {key: value for key, value in read_object(file).items() if key != "format_version"}
        return _COMPARISON.validate_python(data)
    except ValidationError as error:
        raise BadRun("The comparison was damaged", file=file, do="Resume the study: it is written anew.") from error


def file_of_study(workspace: Workspace, study_id: str, name: str) -> Path:
    """The report or the table of a study.

    Raises:
        NotFound: there is no such study.
        Conflict: it is not there yet.
    """
    return _there(find_job(workspace, study_id, "study"), name)


def figure_of_study(workspace: Workspace, study_id: str, name: str) -> Path:
    """A drawing of a study.

    Raises:
        NotFound: there is no such study, or no such drawing.
    """
    file = find_job(workspace, study_id, "study").folder / "figures" / name
    if not file.is_file():
        raise NotFound("There is no such drawing", do="Look at the comparison.")
    return file


def _there(job: Job, name: str) -> Path:
    file = job.folder / name
    if not file.is_file():
        raise Conflict("Nothing was compared yet", do="It is when the study ends, or is stopped.")
    return file
