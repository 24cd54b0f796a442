"""Results and findings of a study, as its process wrote them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from coverslip.errors import BadRun, Conflict, CoverslipError, NotFound
from coverslip.runs.documents import read_object
from coverslip.studies import StudyComparison, StudyPlan, drawings_of, usual_verdict, verdict
from coverslip.studies.comparing import DatasetComparison
from coverslip.workspace.jobs.records import Job, all_jobs, find_job
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.studies.state import plan_in

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
        raise BadRun("comparison-damaged", file=file) from error


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
        raise NotFound("no-such-figure")
    return file


def _there(job: Job, name: str) -> Path:
    file = job.folder / name
    if not file.is_file():
        raise Conflict("no-comparison-yet")
    return file


@dataclass(frozen=True, slots=True)
class NetworkFinding:
    """How a network did on a dataset in a study, by the start that was best for it."""

    study_id: str
    study_name: str
    model: str
    way: Annotated[str | None, Field(description="What the study calls it, where that is not the network's name.")]
    regime: Annotated[str | None, Field(description="Its best start; null where one alone was tried.")]
    train_per_class: Annotated[int | None, Field(description="Training images of each class; null: all there were.")]
    metric_title: str
    mean: Annotated[float, Field(description="Over splits.")]
    n_splits: int
    baseline: Annotated[str | None, Field(description="What it was compared with; null where it is that itself.")]
    verdict: Annotated[str | None, Field(description="What the comparison shows, in words.")]


def findings_on(workspace: Workspace, dataset_id: str) -> list[NetworkFinding]:
    """What studies found on a dataset, the newest first, by their own protocol; damaged ones are passed over.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
    found: list[NetworkFinding] = []
    for job in all_jobs(workspace, "study"):
        with suppress(CoverslipError):  # one that is damaged, or has no comparison yet, says so on its own page
            found += _of_study(job, dataset_id)
    return found


def _of_study(job: Job, dataset_id: str) -> Iterator[NetworkFinding]:
    paths = {path for path, known in job.choices["dataset_of"].items() if known == dataset_id}
    plan, compared = plan_in(job.folder), comparison_of(job)
    for dataset in plan.datasets:
        if dataset.as_published_of is None and len(dataset.path) == 1 and dataset.path[0] in paths:
            parts = [part for part in compared.datasets if part.dataset == dataset.name]
            if parts:
                most = max(parts, key=lambda part: part.train_per_class or float("inf"))
                yield from _of_part(job, plan, most, compared.metric_title, is_higher_better=compared.is_higher_better)


def _of_part(
    job: Job, plan: StudyPlan, part: DatasetComparison, metric_title: str, *, is_higher_better: bool
) -> Iterable[NetworkFinding]:
    difference_of = {each.name: each for each in part.differences}
    measured = [row for row in part.scores if row.mean is not None]
    for model in plan.models:
        own = [row for row in measured if row.model == model.name]
        if not own or "model_options" in model.recipe:  # with options it is another network
            continue
        best = max(own, key=lambda row: (row.mean or 0.0) * (1 if is_higher_better else -1))
        difference = difference_of.get(best.name)
        network = str(model.recipe.get("model", model.name))
        yield NetworkFinding(
            study_id=job.id,
            study_name=job.name,
            model=network,
            way=None if network == model.name else model.name,
            regime=best.regime if len(plan.regimes) > 1 else None,
            train_per_class=part.train_per_class,
            metric_title=metric_title,
            mean=float(best.mean or 0.0),
            n_splits=best.n_splits,
            baseline=None if difference is None else difference.baseline,
            verdict=None if difference is None else verdict(difference, part),
        )
