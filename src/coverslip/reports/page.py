"""Writes `report.html`: one file that needs nothing else, with its drawings beside it in `figures/`."""

import base64
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.errors import CoverslipError
from coverslip.files import write_text
from coverslip.images import thumbnail
from coverslip.reports import content, figures, words
from coverslip.reports.limits import limits
from coverslip.reports.methods import methods
from coverslip.reports.reading import Predictions, RunFolder, read_run
from coverslip.runs.lookup import ImageSource

N_MISTAKES, N_UNSURE, THUMBNAIL_PX = 12, 6, 160
_PARTS = (("train", "training"), ("val", "validation"), ("test", "test"), ("left-out", "left out"))


def write_report(run: Path) -> Path:
    """Write `report.html` and `figures/` of a run folder from what lies in it, plus thumbnails of a few images.

    Images are looked for under the data roots in `environment.json`; where one is gone, the report says so.

    Returns:
        The path of the report.

    Raises:
        BadRun: not a run folder, no numbers in it yet, or a file of it cannot be read.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    record = read_run(run)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    report = run / "report.html"
    write_text(report, templates.get_template("report.html").render(_content(record)))
    return report


def _content(run: RunFolder) -> dict[str, Any]:  # Any: what the template shows
    pictures = _drawings(run)
    started = str(run.environment.get("started", ""))
    return {
        "name": run.path.resolve().name,
        "date": started[:10],
        "headline": words.headline(run),
        "lead": words.lead(run),
        "facts": content.facts(run),
        "data": _data(run),
        "methods": methods(run),
        "weights": words.weights_words(run),
        "recipe": run.recipe_text.strip(),
        "command": _command(run),
        "notes": [str(note) for note in run.training.get("notes", [])],
        "shares": _strips(run),
        "others": _others(run),
        "interval_method": run.metrics["metrics"]["accuracy"]["method"],
        "primary": run.metrics.get("primary"),
        "tested_on": words.split_words(run),
        "classes": _classes(run),
        "by_roc": words.operating_point_words(run),
        "domains": content.domains(run),
        "folds": content.folds(run),
        "drawings": pictures,
        "is_numbered": run.classes and (len(run.classes) > 8 or max(map(len, run.classes)) > 14),
        "decided": content.decided(run),
        "mistakes": _mistakes(run),
        "n_mistakes": content.n_mistakes(run),
        "unsure": _unsure(run),
        "limits": limits(run),
        "made_by": _made_by(run),
        "percent": words.percent,
        "number": words.number,
        "plural": words.plural,
    }


def _drawings(run: RunFolder) -> dict[str, Any]:  # Any: SVG as markup that the template trusts
    from markupsafe import Markup

    folder, drawn = run.path / "figures", {}
    matrix = np.array(run.metrics["confusion_matrix"])
    title = f"Confusion matrix of {len(run.classes)} classes"
    drawn["confusion"] = figures.draw(
        "confusion_matrix", lambda: figures.confusion(matrix, run.classes), folder, title=title
    )
    if any(run.fold_histories):
        title = "Validation curves by epoch, a line for each fold"
        drawn["curves"] = figures.draw("curves", lambda: figures.fold_curves(run.fold_histories), folder, title=title)
    elif run.history and not run.n_folds:
        title = "Training and validation curves by epoch"
        best = words.best_epoch(run)
        drawn["curves"] = figures.draw("curves", lambda: figures.curves(run.history, best), folder, title=title)
    if run.predictions is not None:
        drawn |= _prediction_drawings(run, run.predictions, folder)
    return {name: Markup(svg) for name, svg in drawn.items()}  # our own drawing; its text is escaped


def _prediction_drawings(run: RunFolder, predictions: Predictions, folder: Path) -> dict[str, str]:
    metrics, probability, label = run.metrics["metrics"], predictions.probability, predictions.label
    ece = {name: metrics.get(name, {}).get("value") for name in ("ece", "ece_uncalibrated")}
    before = content.uncalibrated(run, predictions)
    aurocs = [row["auroc"] for row in content.classes(run)]
    drawn = {
        "calibration": figures.draw(
            "calibration",
            lambda: figures.calibration(probability, label, before, ece=ece["ece"], ece_before=ece["ece_uncalibrated"]),
            folder,
            title="Predicted probability against the share of predictions that are right",
        )
    }
    if any(auroc is not None for auroc in aurocs):
        drawn["roc"] = figures.draw(
            "roc",
            lambda: figures.roc(probability, label, run.classes, aurocs),
            folder,
            title="ROC curves, each class against all others",
        )
    return drawn


def _data(run: RunFolder) -> dict[str, Any]:  # Any: what the template shows
    cells = Counter((row["label"], row["split"]) for row in run.split)
    titles = {**dict(_PARTS), "test": "tested once"} if run.n_folds else dict(_PARTS)
    shown = [(part, title) for part, title in titles.items() if any(row["split"] == part for row in run.split)]
    names = [*run.classes, *sorted({row["label"] for row in run.split} - {*run.classes, ""})]
    groups = [
        len({row["group"] for row in run.split if row["split"] == part and row.get("group")})
        for part, _ in shown
        if part != "left-out"
    ]
    reasons = Counter(row.get("reason") or "no reason given" for row in run.split if row["split"] == "left-out")
    lying = Counter((row.get("domain") or "", row["split"]) for row in run.split)
    sources = [
        {
            "name": str(one.get("domain") or Path(str(one.get("root", ""))).name),
            "root": str(one.get("root", "")),
            "fingerprint": str(one.get("fingerprint", ""))[:12],
        }
        for one in run.environment.get("data", [])
    ]
    return {
        "parts": [title for _, title in shown],
        "rows": [(name, [cells[name, part] for part, _ in shown]) for name in names],
        "collections": [(name, [lying[name, part] for part, _ in shown]) for name in run.collections],
        "total": [sum(row["split"] == part for row in run.split) for part, _ in shown],
        "groups": groups if any(groups) else [],
        "reasons": [(_plain(reason), n) for reason, n in reasons.most_common(6)],
        "n_left_out": sum(reasons.values()),
        "kind": words.image_kind(run),
        "sources": sources,
        "notes": [str(note) for note in run.data.get("notes", [])] if isinstance(run.data.get("notes"), list) else [],
    }


def _plain(reason: str) -> str:
    return reason if len(reason) <= 160 else reason[:159] + "…"


def _command(run: RunFolder) -> str:
    command = run.environment.get("command") or ""
    return " ".join(map(str, command)) if isinstance(command, list) else str(command)


def _strips(run: RunFolder) -> dict[str, Any]:  # Any: what the template shows
    """The metrics between 0 and 1 where high is good, with where their interval lies on a common scale."""
    metrics = [one for one in content.metrics(run) if _is_good_share(one)]
    lows = [x for one in metrics for x in (one["low"], one["value"]) if x is not None]
    start = min(0.9, int(10 * min(lows, default=0.0)) / 10)

    def place(x: float) -> float:  # percent of the scale
        return round(100 * (x - start) / (1 - start), 2)

    rows = []
    for one in metrics:
        has_range = one["low"] is not None and one["high"] is not None
        rows.append(
            {
                **one,
                "at": None if one["value"] is None else place(one["value"]),
                "left": place(one["low"]) if has_range else None,
                "width": round(place(one["high"]) - place(one["low"]), 2) if has_range else None,
            }
        )
    return {"rows": rows, "start": f"{start:.1f}", "middle": f"{(start + 1) / 2:.2f}"}


def _classes(run: RunFolder) -> list[dict[str, Any]]:  # Any: JSON values
    rows = content.classes(run)
    for row in rows:
        row["operating_point"] = "–" if row["operating_point"] is None else f"{row['operating_point']:.3g}"
    return rows


def _others(run: RunFolder) -> list[dict[str, Any]]:  # Any: what the template shows
    return [one for one in content.metrics(run) if not _is_good_share(one)]


def _is_good_share(metric: dict[str, Any]) -> bool:  # Any: JSON values
    return (metric["better"], metric["scale"]) == ("higher", "share")


@dataclass(frozen=True, slots=True)
class _Tile:
    image: str  # data URI, or empty where the file cannot be shown
    true: str
    predicted: str
    probability: str
    name: str
    short_name: str
    is_right: bool


def _mistakes(run: RunFolder) -> list[_Tile]:
    """The wrong predictions that the network was surest of."""
    if run.predictions is None:
        return []
    sure = run.predictions.probability_of_predicted
    wrong = np.flatnonzero(run.predictions.predicted != run.predictions.label)
    return [_tile(run, run.predictions, int(i)) for i in wrong[np.argsort(-sure[wrong], kind="stable")][:N_MISTAKES]]


def _unsure(run: RunFolder) -> list[_Tile]:
    """The predictions, right or wrong, that the network was least sure of."""
    if run.predictions is None:
        return []
    sure = run.predictions.probability_of_predicted
    return [_tile(run, run.predictions, int(i)) for i in np.argsort(sure, kind="stable")[:N_UNSURE]]


def _tile(run: RunFolder, predictions: Predictions, i: int) -> _Tile:
    return _Tile(
        image=_picture(run.images.find(predictions.image_id[i])),
        true=run.classes[predictions.label[i]],
        predicted=run.classes[predictions.predicted[i]],
        probability=f"{int(100 * predictions.probability_of_predicted[i])}\N{NO-BREAK SPACE}%",
        name=predictions.image_id[i],
        short_name=predictions.image_id[i].rsplit("/", 1)[-1],
        is_right=bool(predictions.label[i] == predictions.predicted[i]),
    )


def _picture(source: ImageSource | None) -> str:
    """A small picture as data URI; empty where the image was moved or deleted since: the tile says so."""
    if source is None:
        return ""
    try:
        picture = thumbnail(source.file, THUMBNAIL_PX, plan=source.plan)
    except CoverslipError:
        return ""
    return f"data:image/{_kind(picture)};base64,{base64.b64encode(picture).decode()}"


def _kind(picture: bytes) -> str:
    return "png" if picture.startswith(b"\x89PNG") else "webp"


def _made_by(run: RunFolder) -> str:
    environment = run.environment
    parts = [
        f"coverslip {environment['coverslip']}" if "coverslip" in environment else "coverslip",
        f"Python {environment['python']}" if "python" in environment else "",
        str(environment.get("platform") or ""),
        f"device {environment['device']}" if "device" in environment else "",
        f"seed {run.recipe.seed}",
    ]
    return " · ".join(part for part in parts if part)
