"""What a finished training reached: the report's numbers and words as data, and runs side by side."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from coverslip._version import __version__
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import Conflict, CoverslipError
from coverslip.evaluation import METRICS, average_precision, pr_curve, reliability_bins, roc_curve
from coverslip.reports import content, words
from coverslip.reports.limits import limits
from coverslip.reports.methods import methods
from coverslip.reports.reading import RunFolder, read_run
from coverslip.runs.documents import read_table
from coverslip.workspace.jobs.records import Job, Json, find_job
from coverslip.workspace.jobs.runs import read_or_empty
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
    if not read_or_empty(job.folder / "metrics.json").get("metrics"):
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
    names = ("metrics.json", "predictions.csv", "training.json", "split.csv", "data.json", "environment.json")
    stats = [file.stat() for name in names if (file := job.folder / name).is_file()]
    told = [__version__, *((stat.st_mtime_ns, stat.st_size) for stat in stats)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _results(run: RunFolder) -> Json:
    metrics = run.metrics
    has_numbers = metrics["metrics"]["accuracy"]["value"] is not None
    return {
        "metrics": metrics,
        "headline": words.headline(run) if has_numbers else "",
        "words": [" ".join(words.lead(run))] if has_numbers else [],
        "methods": methods(run),
        "values": content.metrics(run),
        "tested_on": words.split_words(run),
        "per_class": [{**row, "reason": row["reason"] or None} for row in content.classes(run)],
        "confusion": {"classes": run.classes, "counts": metrics["confusion_matrix"]},
        **_curves(run),
        "calibration": _calibration(run),
        "folds": content.folds(run).get("rows"),
        "by_domain": content.domains(run),
        "limits": [{"claim": claim, "meaning": meaning} for claim, meaning in limits(run)],
        "decided": content.decided(run),
        "n_mistakes": content.n_mistakes(run),
        "facts": content.facts(run),
    }


def _curves(run: RunFolder) -> Json:
    """Curves of each class against all others, in the order of the classes; those that can't be drawn are left out."""
    roc, precision_recall = [], []
    tested = run.predictions
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


def _calibration(run: RunFolder) -> Json | None:
    tested = run.predictions
    if tested is None:
        return None
    before = content.uncalibrated(run, tested)
    numbers = run.metrics["metrics"]
    return {
        "before": None if before is None else [asdict(one) for one in reliability_bins(before, tested.label)],
        "after": [asdict(one) for one in reliability_bins(tested.probability, tested.label)],
        **{name: numbers.get(name, {}).get("value") for name in ("ece", "ece_uncalibrated")},
    }


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run as it is compared."""

    job: Job
    metrics: Json
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
    classes_equal = len({tuple(sorted(run.metrics["classes"])) for run in runs}) == 1
    images_equal = len({run.images for run in runs}) == 1
    return {
        "classes_equal": classes_equal,
        "images_equal": images_equal,
        "rows": [
            {
                "run": run.job.id,
                "name": run.job.name,
                "model": str(run.job.choices.get("model", "")),
                "n": run.metrics["n"],
                "classes": run.metrics["classes"],
                "metrics": [
                    content.metric(name, one) for name, one in run.metrics["metrics"].items() if name in METRICS
                ],
            }
            for run in runs
        ],
        "note": _comparison_note(runs[0].metrics["n"], classes_equal=classes_equal, images_equal=images_equal),
    }


def _known(numbers: Json) -> list[tuple[str, Json]]:
    """Those of the table of metrics, in its order."""
    return [(name, numbers[name]) for name in METRICS if name in numbers]


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
    metrics = read_or_empty(job.folder / "metrics.json")
    if not metrics.get("metrics"):
        raise Conflict(f"“{job.name}” has no numbers yet", do="Compare runs that are finished.")
    return _Measured(job, metrics, _images_of(job.folder / "predictions.csv"))


def _images_of(table: Path) -> str:
    """Tells which images were measured with which labels, in any order."""
    rows = sorted((row["image_id"], row["label"]) for row in read_table(table))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
