"""Runs side by side, and whether their numbers can be compared."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from coverslip.errors import Conflict, CoverslipError
from coverslip.evaluation import METRICS, Evaluation
from coverslip.reports import content, words
from coverslip.reports.content import Measured
from coverslip.runs import Run
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.home import Workspace

_MOST_COMPARED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run beside others."""

    run_id: str
    name: str
    model: str
    n: int
    classes: tuple[str, ...]
    metrics: list[Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs side by side, and whether their numbers can be compared at all."""

    classes_equal: bool
    images_equal: bool
    rows: list[ComparedRun]
    note: str


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run as it is compared."""

    job: Job
    metrics: Evaluation
    images: str  # tells the measured images and their labels


def compared(workspace: Workspace, run_ids: Sequence[str]) -> Comparison:
    """Runs side by side, and whether they were measured on the same images.

    Raises:
        NotFound: there is no such run.
        Conflict: one has no numbers yet.
        CoverslipError: fewer than two, or too many.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 2 <= len(ids) <= _MOST_COMPARED:
        raise CoverslipError("Two runs or more can be compared", do=f"Choose 2 to {_MOST_COMPARED} of them.")
    runs = [_measured(workspace, run_id) for run_id in ids]
    classes_equal = len({tuple(sorted(run.metrics.classes)) for run in runs}) == 1
    images_equal = len({run.images for run in runs}) == 1
    return Comparison(
        classes_equal=classes_equal,
        images_equal=images_equal,
        rows=[_compared_run(run) for run in runs],
        note=_comparison_note(runs[0].metrics.n, classes_equal=classes_equal, images_equal=images_equal),
    )


def _compared_run(run: _Measured) -> ComparedRun:
    return ComparedRun(
        run_id=run.job.id,
        name=run.job.name,
        model=str(run.job.choices.get("model", "")),
        n=run.metrics.n,
        classes=run.metrics.classes,
        metrics=[content.measured(name, metric) for name, metric in run.metrics.metrics.items() if name in METRICS],
    )


def _comparison_note(n: int, *, classes_equal: bool, images_equal: bool) -> str:
    if images_equal and classes_equal:
        return (
            f"All were measured on the same {words.plural(n, 'image')}. Where intervals overlap widely, the difference "
            "may be chance."
        )
    if classes_equal:
        return (
            "They were measured on different images: a difference may come from the images, not from the networks. "
            "Train with the same split settings and seed on the same dataset to compare them."
        )
    return "They tell different classes apart, so their numbers answer different questions."


def _measured(workspace: Workspace, run_id: str) -> _Measured:
    job = find_job(workspace, run_id, "train")
    run = Run(job.folder)
    if not run.is_measured:
        raise Conflict(f"“{job.name}” has no numbers yet", do="Compare runs that are finished.")
    return _Measured(job, run.metrics, _images_of(run))


def _images_of(run: Run) -> str:
    """Tells which images were measured with which labels, in any order."""
    rows = sorted((row.image_id, row.label or "") for row in run.predictions)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
