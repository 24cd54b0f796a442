"""Samples of a prediction: class proportions in them, and their conditions."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from sqlalchemy import select

from coverslip.counts import ImagesInProportions
from coverslip.datasets.index.records import UNREADABLE
from coverslip.datasets.names import one_line
from coverslip.datasets.text_tables import open_text_table
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import BadRun, Conflict, CoverslipError, NotFound, PreconditionFailed
from coverslip.evaluation.sample_proportions import SUMMARY_COLUMNS, Summary
from coverslip.inference.summarising import (
    FOLDER,
    SampledPrediction,
    folder_of,
    grouped_rows,
    short_names,
    summary_of,
)
from coverslip.messages import ENGLISH, in_language, text
from coverslip.objects.table import COLUMNS, SERIES, is_measurement
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.proportions_page import (
    assumption_of,
    proportion_sections,
    proportions_report,
    result_of,
    warnings_of,
)
from coverslip.runs.classifier import CARD
from coverslip.runs.documents import Document, table_text
from coverslip.runs.folder import Run
from coverslip.workspace.datasets.grouping import groups_of_paths
from coverslip.workspace.jobs.records import Job, find_job, find_owned_job
from coverslip.workspace.lists import Exclusion, Row, as_prediction, images_of_job
from coverslip.workspace.predictions.state import state_of_prediction
from coverslip.workspace.store.tables import datasets
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import stamp_of, stored_result

_SAMPLES_FILE = "samples.json"  # in the folder of the prediction
_CONDITION, _BLOCK = "condition", "block"  # columns of a table of samples
_OF_TWO = {_CONDITION: "sample-of-two-conditions", _BLOCK: "sample-of-two-blocks"}
_NO_SAMPLES = frozenset(COLUMNS) - {"group"}  # columns of objects
_saving = Lock()


class Sampling(DocumentedModel):
    """How images divide into samples, and the conditions of these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["folder", "field", "column", "pattern"] = "folder"
    """`folder`: the folder of each image; `field`: the image file that contains each object, or the series of it;
    `column`: a column of the table of the images; `pattern`: a part of the path."""
    column: str | None = Field(default=None, max_length=200)
    """Column with the sample of each image, such as patient or well."""
    pattern: str | None = Field(default=None, max_length=500, examples=[r"well_([A-H]\d+)"])
    """Regular expression for the sample in each path: its part `group`, else its first group, else the whole match."""
    control: str | None = Field(default=None, max_length=200)
    """The condition that others are compared with; null: each two."""
    conditions: dict[str, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=10_000)
    """The condition of samples, such as a dose. Others have none."""
    blocks: dict[str, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=10_000)
    """The experiment day, batch or patient of samples. Conditions are compared within these. Samples without a block
    are then not compared."""


class _SavedSampling(Sampling, Document):
    """`samples.json`."""


@dataclass(frozen=True, slots=True)
class SampledSummary(DocumentedFields):
    """The proportions in the samples of a prediction."""

    sampling: Sampling
    summary: Summary
    assumption: str
    """What corrected proportions assume, or why there are none."""
    warnings: list[str]
    """What may be wrong with the samples or the correction."""
    sections: dict[str, list[ReportSection]]
    """By class: the tables of the report."""
    results: dict[str, str]
    """By class: the result as a sentence."""
    n_folders: int
    n_fields: int
    """Files, or series of files, with several images, such as the objects of a field; 0: each image is a file."""
    columns: dict[str, int]
    """Columns of the table of the images that can name samples, with their numbers of values."""
    suggested_conditions: dict[str, dict[str, str]]
    """By column, or `folder`: the condition of each sample, where it is the same for all images of a sample, and for
    several samples."""
    n_excluded: int
    """Images that a user excluded, which are not counted."""
    n_unmatched: int
    """Images whose path the pattern does not match, or without a value in the column; not counted."""
    n_repeated: int
    """Rows that list an image again; each image counts once."""


@dataclass(frozen=True, slots=True)
class SampleTable(DocumentedFields):
    """The conditions of samples in a table."""

    conditions: dict[str, str]
    blocks: dict[str, str]
    unknown: list[str]
    """Samples of the table that the prediction does not have."""


class ChangedSampling(DocumentedModel):
    """How images divide into samples, and how they did when the client read it."""

    sampling: Sampling
    """How images divide into samples from now on."""
    replaces: Sampling
    """What the client changed. If other samples are saved now, the response is 412, and nothing changes."""


def save_sampling(workspace: Workspace, prediction_id: str, changed: ChangedSampling) -> SampledSummary:
    """Save how the images of a prediction divide into samples; return the proportions in these.

    Raises:
        PreconditionFailed: somebody else has saved other samples or conditions.
        CoverslipError: as `summarize`; then nothing is saved.
    """
    job = finished_prediction(workspace, prediction_id)
    summary = _summarize(workspace, job, changed.sampling)
    workspace.owned(job.run.status_file)
    with _saving:
        if saved_sampling(workspace, job) != changed.replaces:
            raise PreconditionFailed("other-sampling-saved")
        _SavedSampling(**changed.sampling.model_dump()).write(job.folder / _SAMPLES_FILE)
    return summary


def read_sample_table(workspace: Workspace, prediction_id: str, file: Path) -> SampleTable:
    """Read conditions from a table with a column of samples, `condition`, and perhaps `block`; nothing is saved.

    The column of samples can have any name, and image files can lack their suffix. Of two columns, the other one gives
    the conditions.

    Raises:
        NotFound: there is no such prediction.
        CoverslipError: no cell names a sample, there are no conditions, or a sample has two.
    """
    job = finished_prediction(workspace, prediction_id)
    sampling = saved_sampling(workspace, job)
    samples = list(dict.fromkeys(row.sample for row in sampled_rows(workspace, job, sampling).predictions))
    names = {name: name for name in samples}
    if sampling.by == "field":
        of_stem = Counter(os.path.splitext(name)[0] for name in samples)  # noqa: PTH122 - keeps the folders
        names = {stem: name for name in samples if of_stem[stem := os.path.splitext(name)[0]] == 1} | names  # noqa: PTH122
    rows = list(open_text_table(file).named_rows())
    columns = list(rows[0]) if rows else []
    n_named = {column: sum(row[column] in names for row in rows) for column in columns}
    key = max(columns, key=lambda column: (column not in _OF_TWO, n_named[column]), default=None)
    if key is None or not n_named[key]:
        raise CoverslipError("sample-table-without-samples", sample=samples[0])
    others = {column if len(columns) > 2 else _CONDITION: column for column in columns if column != key}
    if _CONDITION not in others:
        raise CoverslipError("sample-table-without-conditions", columns=", ".join(columns))
    cells: dict[str, dict[str, str]] = {column: {} for column in _OF_TWO}
    for row in rows:
        for column in cells.keys() & others.keys():
            sample, cell = names.get(row[key]), row[others[column]]
            if sample is not None and cell and cells[column].setdefault(sample, cell) != cell:
                raise CoverslipError(_OF_TWO[column], sample=sample, first=cells[column][sample], second=cell)
    unknown = dict.fromkeys(row[key] for row in rows if row[key] and row[key] not in names)
    return SampleTable(cells[_CONDITION], cells[_BLOCK], list(unknown))


def reset_sampling(workspace: Workspace, prediction_id: str) -> str | None:
    """Rename the file of saved samples that cannot be read, so that folders are the samples again.

    Returns:
        The new name of the file in the folder of the prediction; None: it can be read, or there is none.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_owned_job(workspace, prediction_id, "predict")
    with _saving:
        try:
            saved_sampling(workspace, job)
        except CoverslipError:
            unused = (file for k in count(1) if not (file := job.folder / f"samples.unreadable-{k}.json").exists())
            return (job.folder / _SAMPLES_FILE).rename(next(unused)).name
    return None


def summarize(workspace: Workspace, prediction_id: str) -> SampledSummary:
    """Return the proportions in the samples of a prediction.

    If no others were saved, these are the groups of its dataset that a column states, else the folders.

    Raises:
        NotFound: there is no such prediction.
        Conflict: it is not finished, or assumes class proportions or earlier decision thresholds.
        CoverslipError: no image can be read, the pattern matches no path, or the column has no value.
    """
    job = finished_prediction(workspace, prediction_id)
    return _summarize(workspace, job, saved_sampling(workspace, job))


def summary_table(workspace: Workspace, prediction_id: str) -> str:
    """Return a CSV table with a row for each class in each sample; raises as `summarize`."""
    return table_text(SUMMARY_COLUMNS, summarize(workspace, prediction_id).summary.rows())


def grouped_table(workspace: Workspace, prediction_id: str) -> str:
    """Return a CSV table for GraphPad Prism, as `grouped_rows`; raises as `summarize`."""
    columns, rows = grouped_rows(summarize(workspace, prediction_id).summary)
    return table_text(columns, rows)


def report_page(workspace: Workspace, prediction_id: str) -> str:
    """Return the proportions as an HTML page with figures, in English as all reports; raises as `summarize`."""
    with in_language(ENGLISH):
        return proportions_report(summarize(workspace, prediction_id).summary)


def finished_prediction(workspace: Workspace, prediction_id: str) -> Job:
    """Return a prediction whose proportions can be computed.

    Raises:
        NotFound: there is no such prediction.
        Conflict: as `summarize`.
    """
    job = find_job(workspace, prediction_id, "predict")
    state = state_of_prediction(workspace, job)
    if state.state != "done":
        raise Conflict("prediction-not-finished")
    if state.prevalence:
        raise Conflict("summary-of-stated-proportions")
    if state.has_earlier_thresholds:  # the errors of the run are those of its current thresholds
        raise Conflict("summary-of-earlier-thresholds")
    return job


def saved_sampling(workspace: Workspace, job: Job) -> Sampling:
    """Return how the images divide into samples: as a user chose, else by the groups of the dataset, else by folder.

    Raises:
        CoverslipError: what the user chose cannot be read.
    """
    try:
        saved = _SavedSampling.read_if_there(job.folder / _SAMPLES_FILE)
    except BadRun as error:
        raise CoverslipError("unreadable-samples", cause=error) from error
    if saved is not None:
        return Sampling(**saved.model_dump(exclude={"format_version"}))
    with workspace.engine.connect() as connection:
        query = select(datasets.c.group_column).where(datasets.c.id == job.dataset_id)
        column = connection.execute(query).scalar()
    is_in_table = column is not None and column in images_of_job(workspace, job.id).columns
    return Sampling(by="column", column=column) if is_in_table else Sampling()


@dataclass(frozen=True, slots=True)
class SampledRows:
    """The predictions of a job that count, with their samples."""

    predictions: list[SampledPrediction]
    row_ids: list[int]  # of these
    n_excluded: int
    n_unmatched: int
    n_repeated: int
    n_fields: int
    columns: dict[str, int]  # those that can name samples, with their numbers of values
    suggested_conditions: dict[str, dict[str, str]]  # by column, or folder


def sampled_rows(workspace: Workspace, job: Job, sampling: Sampling) -> SampledRows:
    """Return the predictions of a job with their samples.

    Raises:
        CoverslipError: no image can be read, the pattern matches no path, or the column has no value.
    """
    images = ImagesInProportions()
    counted = [
        row
        for row, _ in images_of_job(workspace, job.id).every_row()
        if images.add(row.row_id if row.first_row is None else row.first_row, is_excluded=row.excluded is not None)
    ]
    samples, columns = _samples_of(counted, sampling), _columns(counted)
    pairs = [
        (
            row.row_id,
            SampledPrediction(
                as_prediction(row),
                sample,
                sampling.conditions.get(sample) or None,
                block=sampling.blocks.get(sample) or None,
                is_object=bool(row.cells.get("object_id")),
            ),
        )
        for row, sample in zip(counted, samples, strict=True)
        if sample is not None
    ]
    predictions = [prediction for _, prediction in pairs]
    if all(each.prediction.decision == UNREADABLE for each in predictions):
        raise CoverslipError("summary-without-images")
    row_ids = [row_id for row_id, _ in pairs]
    return SampledRows(
        predictions,
        row_ids,
        n_excluded=images.n_excluded,
        n_unmatched=len(counted) - len(pairs),
        n_repeated=images.n_repeated,
        n_fields=len({(row.path, _series_of(row)) for row in counted}),
        columns=columns,
        suggested_conditions=_suggested_conditions(counted, samples, sampling, columns),
    )


def _columns(rows: Sequence[Row]) -> dict[str, int]:
    """Return the columns whose values several images share, with the numbers of these values."""
    names = [name for name in (rows[0].cells if rows else ()) if name not in _NO_SAMPLES and not is_measurement(name)]
    n_values = {name: len({row.cells.get(name) for row in rows} - {"", None}) for name in names}
    return {name: n for name, n in n_values.items() if 1 < n <= len(rows) / 2}


def _suggested_conditions(
    rows: Sequence[Row], samples: Sequence[str | None], sampling: Sampling, columns: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Return the values of columns, and the names of folders, that are the same for all images of each sample.

    If samples are folders, the folders that contain them give the conditions.
    """
    folders = [folder_of(folder) if sampling.by == "folder" else folder for folder in (folder_of(r.path) for r in rows)]
    names = short_names(folders)
    values = {FOLDER: [names[folder] for folder in folders]}
    values |= {name: [row.cells.get(name, "") for row in rows] for name in columns}
    suggested = {}
    for name, of_rows in values.items():
        pairs = {(sample, value) for sample, value in zip(samples, of_rows, strict=True) if sample is not None}
        conditions = dict(pairs)
        if len(conditions) == len(pairs) and 1 < len(set(conditions.values())) < len(conditions):
            suggested[name] = {sample: value for sample, value in sorted(conditions.items()) if value}
    return suggested


def _excluded_rows(workspace: Workspace, job: Job) -> set[int]:
    listed = images_of_job(workspace, job.id)
    with workspace.engine.connect() as connection:
        answers = listed.answers(connection)
    return {row_id for row_id, answer in answers.items() if isinstance(answer, Exclusion)}


def _summarize(workspace: Workspace, job: Job, sampling: Sampling) -> SampledSummary:
    """Return the summary, which is stored for its samples, the excluded images, and the classifier."""
    run = measured_run(workspace, job)
    stamp = stamp_of(
        job.run.predictions_file,
        *([] if run is None else [run.predictions_file, run.split_file, run.classifier_folder / CARD]),
        about=(sampling.model_dump_json(), sorted(_excluded_rows(workspace, job))),
    )
    return stored_result(job.id, SampledSummary, stamp, lambda: _computed(workspace, job, sampling, run))


def _computed(workspace: Workspace, job: Job, sampling: Sampling, run: Run | None) -> SampledSummary:
    rows = sampled_rows(workspace, job, sampling)
    is_control = any(row.condition == sampling.control for row in rows.predictions)
    summary = summary_of(classes_of(job), rows.predictions, run, sampling.control if is_control else None)
    sections = {
        name: [as_data(section) for section in proportion_sections(summary, [name])] for name in summary.classes
    }
    warnings = [*warnings_of(summary)]
    if sampling.by == "field" and summary.comparisons:
        warnings.insert(0, text("summary-fields-as-samples"))
    return SampledSummary(
        sampling,
        summary,
        assumption_of(summary),
        warnings,
        sections,
        {name: result_of(summary, name) for name in summary.classes},
        n_folders=len({folder_of(row.prediction.path) for row in rows.predictions}),
        n_fields=rows.n_fields if rows.n_fields < len(rows.predictions) else 0,
        columns=rows.columns,
        suggested_conditions=rows.suggested_conditions,
        n_excluded=rows.n_excluded,
        n_unmatched=rows.n_unmatched,
        n_repeated=rows.n_repeated,
    )


def classes_of(job: Job) -> list[str]:
    """Return the classes of a prediction."""
    return [str(name) for name in job.choices["classes"]]


def _samples_of(rows: Sequence[Row], sampling: Sampling) -> list[str | None]:
    """Return the sample of each row; None if the pattern does not match its path, or its column has no value."""
    paths = [row.path for row in rows]
    if sampling.by == "column":
        cells = [row.cells.get(sampling.column or "") or None for row in rows]
        if rows and not any(cells):
            raise CoverslipError("column-without-samples", column=one_line(sampling.column or ""))
        return cells
    if sampling.by != "pattern":
        places = [folder_of(path) for path in paths] if sampling.by == "folder" else paths
        names = short_names(places)
        is_field = sampling.by == "field"
        return [f"{names[place]}{_series_of(row) if is_field else ''}" for row, place in zip(rows, places, strict=True)]
    samples = groups_of_paths(sampling.pattern or "", list(paths))
    if paths and not any(samples):
        raise CoverslipError("no-sample-matches", pattern=one_line(sampling.pattern or ""), path=one_line(paths[0]))
    return [sample or None for sample in samples]


def _series_of(row: Row) -> str:
    """Return the end of the name of a field that is one of several series of its file; empty for others."""
    _, mark, number = row.cells.get("field", "").rpartition(SERIES)
    return mark + number if mark else ""


def measured_run(workspace: Workspace, job: Job) -> Run | None:
    """Return the run of the classifier if it has predictions of test images; imported classifiers have none."""
    try:
        run = find_job(workspace, job.classifier_id or "", "train").run
    except NotFound:
        return None
    return run if run.folder.is_dir() and run.is_measured and run.predictions_file.is_file() else None
