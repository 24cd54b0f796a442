"""What a finished training reached: the report's numbers and words as data, and runs side by side."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

from coverslip._version import __version__
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import Conflict, CoverslipError
from coverslip.evaluation import METRICS, Evaluation, average_precision, pr_curve, reliability_bins, roc_curve
from coverslip.reports import content, words
from coverslip.reports.reading import ReportedRun, read_run
from coverslip.reports.sections import sections_of
from coverslip.reports.sections.limits import limits
from coverslip.reports.sections.methods import methods
from coverslip.reports.sections.numbers import decided
from coverslip.reports.sections.tiles import n_mistakes
from coverslip.runs import Run, metrics_as_json
from coverslip.workspace.jobs.records import Job, Json, find_job
from coverslip.workspace.store.home import Workspace

RESULTS = register(Kind("app-results", "results as the app's pages show them", RECORDS, bound_bytes=5 * 10**8))
_MOST_COMPARED = 20


def results_of(workspace: Workspace, run_id: str) -> Json:
    """All that a page of results shows; worked out once for each state of the run's files.

    Raises:
        NotFound: there is no such run.
        Conflict: it has no numbers yet.
    """
    job = find_job(workspace, run_id, "train")
    if not Run(job.folder).is_measured:
        raise Conflict("This run has no numbers yet", do="Let the training finish, or resume it.")
    stamp = _stamp(job)
    with RecordStore(RESULTS, run_id) as kept:
        known = kept.find([stamp]).get(stamp)
        if known is not None:
            return cast(Json, json.loads(known))
        results = _results(read_run(job.folder))
        kept.keep({stamp: json.dumps(results, allow_nan=False).encode()})
        return results


def _stamp(job: Job) -> str:
    """Changes with the files that results are made from, and with this program."""
    run = Run(job.folder)
    files = (run.metrics_file, run.predictions_file, run.training_file, run.split_file, run.inspection_file)
    stats = [file.stat() for file in (*files, run.environment_file) if file.is_file()]
    told = [__version__, *((stat.st_mtime_ns, stat.st_size) for stat in stats)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _results(run: ReportedRun) -> Json:
    has_numbers = run.metrics["accuracy"].value is not None
    return {
        "metrics": metrics_as_json(run.metrics),
        "headline": words.headline(run) if has_numbers else "",
        "words": [" ".join(words.lead(run))] if has_numbers else [],
        "methods": methods(run),
        "values": content.metrics(run),
        "tested_on": words.split_words(run),
        "per_class": [{**row, "reason": row["reason"] or None} for row in content.classes(run)],
        "confusion": {"classes": run.classes, "counts": run.metrics.confusion_matrix},
        **_curves(run),
        "calibration": _calibration(run),
        "folds": content.folds(run).get("rows"),
        "by_domain": content.domains(run),
        "limits": [{"claim": claim, "meaning": meaning} for claim, meaning in limits(run)],
        "decided": decided(run),
        "n_mistakes": n_mistakes(run),
        "facts": content.facts(run),
        "sections": _sections(run),
    }


def _sections(run: ReportedRun) -> list[Json]:
    """All that the report says, section by section, for pages that have no view of their own for one."""
    return [
        {
            "name": section.name,
            "title": section.title,
            "subtitle": section.subtitle(run),
            **asdict(section.told(run)),
            "drawings": [{"name": drawing.name, "title": drawing.title} for drawing in section.drawings(run)],
        }
        for section in sections_of(run)
    ]


def _curves(run: ReportedRun) -> Json:
    """Curves of each class against all others, in the order of the classes; those that can't be drawn are left out."""
    roc, precision_recall = [], []
    tested = run.tested
    for k, row in enumerate(content.classes(run) if tested is not None else []):
        assert tested is not None
        name = row["name"]
        score, is_class = tested.probability[:, k], tested.label == k
        if curve := roc_curve(score, is_class):
            roc.append({"class_name": name, "fpr": curve.x, "tpr": curve.y, "auroc": row["auroc"]})
        if curve := pr_curve(score, is_class):
            ap = average_precision(score, is_class)
            precision_recall.append({"class_name": name, "recall": curve.x, "precision": curve.y, "ap": ap})
    return {"roc": roc, "precision_recall": precision_recall}


def _calibration(run: ReportedRun) -> Json | None:
    tested, before = run.tested, content.uncalibrated(run)
    if tested is None:
        return None
    return {
        "before": None if before is None else [asdict(one) for one in reliability_bins(before, tested.label)],
        "after": [asdict(one) for one in reliability_bins(tested.probability, tested.label)],
        **content.calibration_errors(run),
    }


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run as it is compared."""

    job: Job
    metrics: Evaluation
    images: str  # tells the measured images and their labels


def compared(workspace: Workspace, run_ids: Sequence[str]) -> Json:
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
    return {
        "classes_equal": classes_equal,
        "images_equal": images_equal,
        "rows": [
            {
                "run": run.job.id,
                "name": run.job.name,
                "model": str(run.job.choices.get("model", "")),
                "n": run.metrics.n,
                "classes": run.metrics.classes,
                "metrics": [content.metric(name, one) for name, one in run.metrics.metrics.items() if name in METRICS],
            }
            for run in runs
        ],
        "note": _comparison_note(runs[0].metrics.n, classes_equal=classes_equal, images_equal=images_equal),
    }


def _comparison_note(n: int, *, classes_equal: bool, images_equal: bool) -> str:
    if images_equal and classes_equal:
        return (
            f"All were measured on the same {words.plural(n, 'image')}. Where intervals overlap widely, the difference "
            "may be chance."
        )
    if classes_equal:
        return (
            "They were measured on different images: a difference may come from the images, not from the networks. "
            "Train with the same split settings and seed on the same image set to compare them."
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
