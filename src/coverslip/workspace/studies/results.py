"""Results and findings of studies, as written by their processes."""

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
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.state import plan_in

_COMPARISON = TypeAdapter(StudyComparison)


@dataclass(frozen=True, slots=True)
class StudyFigure:
    """A figure of a study: `figures/{name}.svg` and `.png`."""

    name: str
    title: Annotated[str, Field(description="Description of the figure and its images.")]


@dataclass(frozen=True, slots=True)
class StudyResults:
    """The comparison of a study, with an explanation of each difference."""

    comparison: StudyComparison
    verdicts: Annotated[list[list[str]], Field(description="Explanation of each difference of each dataset.")]
    usual: Annotated[
        list[list[str]],
        Field(description="The result of the usual tests of publications for each; empty if not applicable."),
    ]
    figures: Annotated[list[StudyFigure], Field(description="The available figures.")]


def study_results(workspace: Workspace, study_id: str) -> StudyResults:
    """Return the results of a study so far.

    Raises:
        NotFound: there is no such study.
        Conflict: nothing was compared yet.
        BadRun: its file is damaged.
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
    """Return the results of a study so far.

    Raises:
        Conflict: nothing was compared yet.
        BadRun: its file is damaged.
    """
    file = _existing(job, "comparison.json")
    try:
        data = {key: value for key, value in read_object(file).items() if key != "format_version"}
        return _COMPARISON.validate_python(data)
    except ValidationError as error:
        raise BadRun("comparison-damaged", file=file) from error


def file_of_study(workspace: Workspace, study_id: str, name: str) -> Path:
    """Return the file of the report or table of a study.

    Raises:
        NotFound: there is no such study.
        Conflict: it does not exist yet.
    """
    return _existing(find_job(workspace, study_id, "study"), name)


def figure_of_study(workspace: Workspace, study_id: str, name: str) -> Path:
    """Return the file of a figure of a study.

    Raises:
        NotFound: there is no such study or figure.
    """
    file = find_job(workspace, study_id, "study").folder / "figures" / name
    if not file.is_file():
        raise NotFound("no-such-figure")
    return file


def _existing(job: Job, name: str) -> Path:
    file = job.folder / name
    if not file.is_file():
        raise Conflict("no-comparison-yet")
    return file


@dataclass(frozen=True, slots=True)
class NetworkFinding:
    """The result of a network on a dataset in a study, with its best initial weights."""

    study_id: str
    study_name: str
    model: str
    way: Annotated[
        str | None, Field(description="Its name in the study, if that differs from the name of the network.")
    ]
    regime: Annotated[str | None, Field(description="Its best initial weights; null if the study compares none.")]
    train_per_class: Annotated[int | None, Field(description="Training images of each class; null: all.")]
    metric_title: str
    mean: Annotated[float, Field(description="Mean over splits.")]
    n_splits: int
    baseline: Annotated[str | None, Field(description="The baseline of the comparison; null for the baseline itself.")]
    verdict: Annotated[str | None, Field(description="Explanation of the comparison.")]


def findings_on(workspace: Workspace, dataset_id: str) -> list[NetworkFinding]:
    """Return the results of studies on a dataset, the newest first. Damaged studies are ignored.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
    findings: list[NetworkFinding] = []
    for job in all_jobs(workspace, "study"):
        with suppress(CoverslipError):  # the page of a study reports that it is damaged or has no comparison yet
            findings += _of_study(job, dataset_id)
    return findings


def _of_study(job: Job, dataset_id: str) -> Iterator[NetworkFinding]:
    paths = {path for path, path_dataset_id in job.choices["dataset_of"].items() if path_dataset_id == dataset_id}
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
        of_model = [row for row in measured if row.model == model.name]
        if not of_model or "model_options" in model.recipe:  # with options, it is another network
            continue
        best = max(of_model, key=lambda row: (row.mean or 0.0) * (1 if is_higher_better else -1))
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
