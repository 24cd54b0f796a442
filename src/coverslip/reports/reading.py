"""What a run folder says, read once; only the numbers must be there, any other missing part is empty."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.errors import BadRun
from coverslip.runs.documents import read_object as read_json
from coverslip.runs.documents import read_table
from coverslip.runs.folder import open_run
from coverslip.runs.lookup import ImageLookup
from coverslip.runs.recipe import Recipe

Json = dict[str, Any]  # Any: JSON values


@dataclass(frozen=True, slots=True)
class Predictions:
    """Rows of `predictions.csv` that have a label and a probability."""

    image_id: tuple[str, ...]
    path: tuple[str, ...]
    decision: tuple[str, ...]
    label: np.ndarray  # (n,) int, index into classes
    predicted: np.ndarray  # (n,) int
    probability: np.ndarray  # (n, n_classes) float

    @property
    def probability_of_predicted(self) -> np.ndarray:
        """(n,) float: how sure each prediction is; not always the highest, where classes have operating points."""
        sure: np.ndarray = self.probability[np.arange(len(self.predicted)), self.predicted]
        return sure


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, parsed."""

    path: Path
    recipe: Recipe
    recipe_text: str
    metrics: Json
    environment: Json
    training: Json
    data: Json
    classifier: Json
    split: tuple[dict[str, str], ...]
    history: tuple[dict[str, float], ...]
    predictions: Predictions | None
    fold_trainings: tuple[Json, ...]  # of a cross-validated run: `training.json` of each fold
    fold_histories: tuple[tuple[dict[str, float], ...], ...]

    @property
    def n_folds(self) -> int:
        """0 where there was one split."""
        return len(self.metrics.get("folds", {}).get("per_fold", []))

    @property
    def seconds_of_training(self) -> float:
        """Of all networks; 0 where it is not recorded."""
        stages = [stage for record in (self.training, *self.fold_trainings) for stage in record.get("stages", [])]
        return sum(float(stage["seconds"]) for stage in stages)

    @property
    def calibration(self) -> Json:
        """What validation images set."""
        calibration: Json = self.training.get("calibration", {})
        return calibration

    @property
    def start_is_known(self) -> bool:
        """Whether all images are known that the weights at the start were trained on."""
        return bool(self.training.get("start_is_known", True))

    @property
    def is_first_kept(self) -> bool:
        """Whether a first training on other images, where there was one, changed the network."""
        return bool(_json(self.path / "first" / "training.json").get("chosen") != "instant")

    @property
    def n_frozen(self) -> int:
        """Trainings, of the folds or the one, whose fine-tuning was no better than the head on frozen features."""
        stories = self.fold_trainings or (self.training,)
        return sum(story.get("chosen") == "instant" and len(story.get("stages", ())) > 1 for story in stories)

    def stage(self, name: str) -> dict[str, object] | None:
        """What is told of a stage of the training; of the first fold's where there are folds: they were measured."""
        story = self.fold_trainings[0] if self.fold_trainings else self.training
        stages: list[dict[str, object]] = story.get("stages", [])
        return next((stage for stage in stages if stage.get("stage") == name), None)

    @property
    def classes(self) -> list[str]:
        return [str(name) for name in self.metrics["classes"]]

    @property
    def collections(self) -> list[str]:
        """The sets that the run's images come from, where there are several."""
        found = sorted({row.get("domain") or "" for row in self.split if row["split"] != "left-out"})
        return found if len(found) > 1 else []

    @cached_property
    def images(self) -> ImageLookup:
        """Where its images lie, and how each is read."""
        return ImageLookup(open_run(self.path))


def read_run(run: Path) -> RunFolder:
    """Parse a run folder.

    Raises:
        BadRun: not a run folder, no numbers in it yet, or a file of it cannot be read.
    """
    opened = open_run(run)
    metrics = _json(run / "metrics.json")
    if not metrics.get("metrics"):
        raise BadRun(
            "This run has no numbers yet: metrics.json is missing",
            file=run,
            do="Let the training finish, or resume it.",
        )
    classes = [str(name) for name in metrics["classes"]]
    folds = [run / "folds" / str(one["fold"]) for one in metrics.get("folds", {}).get("per_fold", [])]
    return RunFolder(
        path=run,
        recipe=opened.recipe,
        recipe_text=(run / "recipe.yaml").read_text(encoding="utf-8"),
        metrics=metrics,
        environment=_json(run / "environment.json"),
        training=_json(run / "training.json"),
        data=_json(run / "data.json"),
        classifier=_json(run / "classifier" / "classifier.json"),
        split=tuple(_rows(run / "split.csv")),
        history=tuple(_numbers(row) for row in _rows(run / "history.csv")),
        predictions=_predictions(run / "predictions.csv", classes),
        fold_trainings=tuple(_json(fold / "training.json") for fold in folds),
        fold_histories=tuple(tuple(_numbers(row) for row in _rows(fold / "history.csv")) for fold in folds),
    )


def _json(path: Path) -> Json:
    return read_json(path) if path.is_file() else {}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        yield from read_table(path)


def _numbers(row: dict[str, str]) -> dict[str, float]:
    return {name: float(text) for name, text in row.items() if text}


def _predictions(path: Path, classes: list[str]) -> Predictions | None:
    number = {name: k for k, name in enumerate(classes)}
    rows = [
        row
        for row in _rows(path)
        if row.get("label") in number and row.get("predicted") in number and row[f"p:{row['label']}"]
    ]
    if not rows:
        return None
    try:
        probability = np.array([[float(row[f"p:{name}"] or 0) for name in classes] for row in rows])
    except (KeyError, ValueError) as error:
        raise BadRun("The predictions do not fit metrics.json", file=path, do="Evaluate the run again.") from error
    return Predictions(
        image_id=tuple(row["image_id"] for row in rows),
        path=tuple(row["path"] for row in rows),
        decision=tuple(row.get("decision", "") for row in rows),
        label=np.array([number[row["label"]] for row in rows]),
        predicted=np.array([number[row["predicted"]] for row in rows]),
        probability=probability,
    )
