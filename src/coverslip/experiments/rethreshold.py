"""Change the decision rule of a run: its network stays the same, and thresholds are selected again.

Thresholds are selected on the same images as in training, never on test images. The result equals a training with the
new rule: recipe, classifiers, predictions and metrics are updated.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from coverslip.datasets.index.records import Dataset
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation.calibration import apply_temperature
from coverslip.evaluation.decisions import (
    FEWEST_OF_A_CLASS,
    DecideBy,
    ThresholdNumbers,
    decided_classes,
    learn_decisions,
    positive_class,
    threshold_numbers,
    uncertain_share,
    uncertain_threshold,
)
from coverslip.events import Noted, ignore
from coverslip.experiments.cross_validation import pool_folds, refuse_fold
from coverslip.experiments.evaluating import evaluate_rows, images_of_evaluation, write_results
from coverslip.experiments.one_split import operating_notes
from coverslip.inference.classifier import decided_row
from coverslip.messages import ENGLISH, in_language, note, text
from coverslip.reports.page import write_report
from coverslip.runs.classifier import CalibrationImages, ClassifierCard, write_card
from coverslip.runs.folder import Run, RunContext, open_run
from coverslip.runs.images import held_out_images
from coverslip.runs.predictions import Predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import check_recipe, save_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdChoice(DocumentedFields, ThresholdNumbers):
    """One threshold with its metrics, and the probability below which predictions would be uncertain."""

    uncertain_below: float
    """Less probable predictions would be marked `uncertain`; 0 marks none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds(DocumentedFields):
    """The threshold in use between two classes, and the metrics of other thresholds."""

    positive: str
    negative: str
    decide_by: DecideBy
    target: float
    error_rate: float | None
    threshold: float
    """Smallest probability at which an image is predicted as positive."""
    uncertain_below: float
    """Less probable predictions are marked `uncertain`; 0 marks none."""
    calibrated_on: CalibrationImages
    """Images on which thresholds are selected, as in `training.json`."""
    n_positive: int
    """Number of these images in the positive class."""
    n_negative: int
    choices: list[ThresholdChoice]
    """The highest threshold for each sensitivity on these images, and the threshold in use; by rising sensitivity."""


def thresholds_of(run: Run) -> Thresholds | None:
    """Return the thresholds of a run's classifier; None unless it has two classes with at least 5 images each.

    Raises:
        BadRun: the classifier was adapted.
    """
    _refuse_adapted(run)
    card = run.card
    if card is None or len(card.classes) != 2 or not (run.is_cross_validated or run.validation_file.is_file()):
        return None
    assert run.training is not None, "the run has a classifier"
    positive = positive_class(card.classes, run.recipe.positive_class) or ""
    k = card.classes.index(positive)
    probability, label, group = _decision_images(run, card.of_tested())
    is_positive = label == k
    if min(is_positive.sum(), (~is_positive).sum()) < FEWEST_OF_A_CLASS:
        return None
    threshold = 0.5 if card.operating_points is None else card.operating_points[k]
    return Thresholds(
        positive=positive,
        negative=card.classes[1 - k],
        decide_by=run.recipe.decide_by,
        target=run.recipe.target,
        error_rate=run.recipe.error_rate,
        threshold=threshold,
        uncertain_below=card.uncertain_below,
        calibrated_on=run.training.calibration.calibrated_on,
        n_positive=int(is_positive.sum()),
        n_negative=int((~is_positive).sum()),
        choices=[
            ThresholdChoice(
                **asdict(numbers),
                uncertain_below=_uncertain_below(probability, label, k, numbers.threshold, run.recipe.error_rate),
            )
            for numbers in threshold_numbers(probability[:, k], is_positive, in_use=threshold, group=group)
        ],
    )


def _refuse_adapted(run: Run) -> None:
    """Raise BadRun if the classifier was adapted to another laboratory, of which there are no validation images."""
    if run.adaptation is not None:
        raise BadRun("decide-adapted-run", file=run.folder)


def _uncertain_below(
    probability: np.ndarray, label: np.ndarray, positive: int, threshold: float, error_rate: float | None
) -> float:
    """Return the probability below which predictions are uncertain if one of two classes has this threshold."""
    thresholds = [1 - threshold, 1 - threshold]
    thresholds[positive] = threshold
    return uncertain_threshold(probability, label, decided_classes(probability, thresholds), error_rate=error_rate)


def rethreshold(
    run: Run,
    choices: Mapping[str, Any],  # Any: each key has its own type
    context: RunContext,
) -> Run:
    """Change the decision rule of a run.

    Args:
        run: with metrics.
        choices: recipe keys of the decision rule; other keys keep their values.
        context: its listener receives a note on evaluations that cannot be updated.

    Returns:
        The updated run, whose report the caller writes.

    Raises:
        BadRecipe: a choice is not valid, or does not fit the classes.
        BadRun: the run is a fold or has no metrics, its images are missing, its classifier was adapted, or no threshold
            for a target is shown to be better than chance.
    """
    run = open_run(run.folder)
    refuse_fold(run)
    if not run.is_measured or run.card is None:
        raise BadRun("run-without-metrics", file=run.folder)
    _refuse_adapted(run)
    recipe = check_recipe({**run.recipe.model_dump(mode="json"), **choices})
    recipe.check_decision(run.card.classes)
    _refuse_unreachable(run, recipe)
    _note_replaced_targets(run.recipe, recipe, context)
    data = held_out_images(run)
    previous_card = run.card
    fold_of = {row.image_id: row.fold or 0 for row in run.split if row.fold}
    with in_language(ENGLISH):  # texts in files
        for each_run in (*run.folds, run):
            _select_thresholds(each_run, recipe, context if each_run is run else context.with_emit(ignore))
        if run.is_cross_validated:
            folds = [fold_of[record.image_id] for record in data.records]
            for k, each_run in enumerate(run.folds, start=1):
                test_data = data.subset(i for i, fold in enumerate(folds) if fold == k)
                _decide_rows(each_run, test_data, recipe, Run(each_run.folder).tested_card)
            pool_folds(Run(run.folder), data, folds, recipe, context.with_emit(ignore))
        else:
            _decide_rows(run, data, recipe, Run(run.folder).tested_card)
        _decide_evaluations(Run(run.folder), recipe, previous_card, context)
    return Run(run.folder)


def _refuse_unreachable(run: Run, recipe: Recipe) -> None:
    """Raise BadRun if no threshold for the target is shown to be better than chance, before anything is changed."""
    assert run.card is not None, "the run has metrics"
    if recipe.decide_by not in ("sensitivity", "specificity"):
        return
    probability, label, group = _decision_images(run, run.card.of_tested())
    points, _ = learn_decisions(probability, label, recipe.decision_rule(run.card.classes), group)
    for point in points or ():
        if point.reason is not None and point.reason.code == "no-threshold-above-chance":
            raise BadRun("decide-no-threshold", file=run.folder, reason=point.reason)


def _note_replaced_targets(previous: Recipe, recipe: Recipe, context: RunContext) -> None:
    """Emit a note on earlier targets that no longer apply, since a new decision replaces the whole rule."""
    replaced = [target for target in _targets(previous) if target not in _targets(recipe)]
    if replaced:
        context.emit(Noted.of(note("decision-replaced", targets=" and ".join(replaced), replaced=replaced)))


def _targets(recipe: Recipe) -> list[str]:
    """Return the texts of the targets of a recipe's decision rule; empty for the default rule."""
    targets = []
    if recipe.decide_by != "highest":
        value = {"roc": 0, "threshold": recipe.threshold}.get(recipe.decide_by, recipe.target)
        targets.append(text("decision-target", decide_by=recipe.decide_by, value=value))
    if recipe.error_rate is not None:
        targets.append(text("decision-target", decide_by="error_rate", value=recipe.error_rate))
    return targets


def _decision_images(run: Run, card: ClassifierCard) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (n, K) probabilities, (n,) labels and (n,) groups of the images on which thresholds are selected."""
    if run.is_cross_validated:
        logits, label, group = run.decision_logits[:, :-2], *run.decision_logits[:, -2:].T.astype(int)
    else:
        logits, group_of = run.validation_logits, {row.image_id: row.group for row in run.split}
        label = np.array([card.classes.index(row.label or "") for row in run.validation], dtype=int)
        group = np.array([group_of[row.image_id] for row in run.validation], dtype=str)
    return apply_temperature(logits, card.temperature), label, group


def _select_thresholds(run: Run, recipe: Recipe, context: RunContext) -> None:
    """Select thresholds by the recipe, and write them to the classifier, `training.json` and `recipe.yaml`."""
    card, training = run.card, run.training
    assert card is not None, "the run has metrics"
    assert training is not None, "the run has metrics"
    probability, label, group = _decision_images(run, card.of_tested())
    points, uncertain_below = learn_decisions(probability, label, recipe.decision_rule(card.classes), group)
    thresholds = None if points is None else tuple(point.threshold for point in points)
    card = card.model_copy(update={"operating_points": thresholds, "uncertain_below": uncertain_below})
    calibration = training.calibration.model_copy(
        update={
            "operating_points": points,
            "uncertain_below": uncertain_below,
            "uncertain_share": uncertain_share(probability, points, uncertain_below),
        }
    )
    weak_points = operating_notes(card.classes, points or ())
    for each in weak_points:
        context.emit(Noted.of(each))
    previous = [each.message for each in operating_notes(card.classes, training.calibration.operating_points or ())]
    notes = (*(each for each in training.notes if each not in previous), *(each.message for each in weak_points))
    training.model_copy(update={"calibration": calibration, "notes": notes}).write(run.training_file)
    write_card(run.classifier_folder, card)
    save_recipe(recipe, run.recipe_file)
    if not run.is_cross_validated:
        decided = [
            decided_row(row, card.of_tested(), logits)
            for row, logits in zip(run.validation, run.validation_logits, strict=True)
        ]
        Predictions(decided, card.classes).write_csv(run.validation_file)


def _decide_rows(run: Run, data: Dataset, recipe: Recipe, card: ClassifierCard | None) -> None:
    """Write predictions and metrics with the current thresholds of the classifier."""
    current = Run(run.folder)
    assert card is not None, "the run has metrics"
    rows = {
        row.image_id: row if row.predicted is None else decided_row(row, card, logits)
        for row, logits in zip(current.predictions, current.test_logits, strict=True)
    }
    table = Predictions([rows[record.image_id] for record in data.records], card.classes)
    temperature = np.full(len(table), card.temperature)
    split = run.metrics.split
    evaluation = evaluate_rows(table, data, temperature, recipe, split=split, emit=ignore, may_be_empty=True)
    write_results(current, table, evaluation)


def _write_thresholds(evaluation: Run, card: ClassifierCard | None) -> None:
    """Write the thresholds of an evaluation's metrics: those of `card`, or null for the current ones if it is None."""
    images = evaluation.evaluated_images
    if images is None:
        return
    thresholds = None
    if card is not None:
        k = len(card.classes)
        thresholds = images.thresholds or card.operating_points or (1 / k,) * k
    images.model_copy(update={"thresholds": thresholds}).write(evaluation.environment_file)


def _decide_evaluations(run: Run, recipe: Recipe, previous_card: ClassifierCard, context: RunContext) -> None:
    """Update evaluations on external test sets; if that is impossible, write the thresholds of their metrics."""
    unchanged = []
    for evaluation in [each for each in run.evaluations if each.is_measured]:
        try:
            data = images_of_evaluation(evaluation)
            _decide_rows(evaluation, data, recipe, run.card)
            _write_thresholds(evaluation, None)
        except CoverslipError:  # images or logits are missing
            _write_thresholds(evaluation, previous_card)
            unchanged.append(evaluation.folder.name)
            continue
        write_report(evaluation.folder, context.emit)
    if unchanged:
        evaluations = ", ".join(unchanged)
        outdated = note("evaluations-decided-before", level="warning", evaluations=evaluations, names=unchanged)
        context.emit(Noted.of(outdated))
