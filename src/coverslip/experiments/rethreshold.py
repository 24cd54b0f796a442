"""Change the decision rule of a run: the network stays, and its thresholds are learned again.

They come from the predictions that they came from before, never from those that are measured. A run whose decision was
changed so is the run that would have been trained with it: recipe, classifiers, rows and numbers all follow.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from coverslip.datasets import Dataset
from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation import (
    DecideBy,
    ThresholdNumbers,
    apply_temperature,
    decided_classes,
    learn_decisions,
    positive_class,
    threshold_numbers,
    uncertain_share,
    uncertain_threshold,
)
from coverslip.evaluation.decisions import FEWEST_IMAGES
from coverslip.events import Noted, ignore
from coverslip.experiments.cross_validation import pooled, refuse_fold
from coverslip.experiments.evaluating import evaluated, images_of_evaluation, write_results
from coverslip.experiments.one_split import operating_notes
from coverslip.inference.classifier import decided_row
from coverslip.messages import note, text
from coverslip.reports import write_report
from coverslip.runs import (
    CalibrationImages,
    ClassifierCard,
    Predictions,
    Recipe,
    Run,
    RunContext,
    held_out_images,
    open_run,
    save_recipe,
    write_card,
)
from coverslip.runs.recipe import check_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdChoice(ThresholdNumbers):
    """What one threshold would do, and which predictions it would leave uncertain."""

    uncertain_below: Annotated[
        float, Field(description="Less probable predictions would be marked `uncertain`; 0 marks none.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """By what threshold one of two classes is decided, and what others would do."""

    positive: str
    negative: str
    decide_by: DecideBy
    target: float
    error_rate: float | None
    threshold: Annotated[float, Field(description="From this probability on an image is called positive.")]
    uncertain_below: Annotated[
        float, Field(description="Less probable predictions are marked `uncertain`; 0 marks none.")
    ]
    calibrated_on: Annotated[
        CalibrationImages, Field(description="Images that thresholds are chosen on, as in `training.json`.")
    ]
    n_positive: Annotated[int, Field(description="Of these images.")]
    n_negative: int
    choices: Annotated[
        list[ThresholdChoice],
        Field(
            description="On those images: of all thresholds with one sensitivity the highest, and the one in use; "
            "sensitivity rises."
        ),
    ]


def thresholds_of(run: Run) -> Thresholds | None:
    """Return the thresholds of a run's classifier; None unless it has two classes and 5 images of each to choose by."""
    card = run.card
    if card is None or len(card.classes) != 2 or not (run.is_cross_validated or run.validation_file.is_file()):
        return None
    assert run.training is not None, "it has a classifier"
    positive = positive_class(card.classes, run.recipe.positive_class) or ""
    k = card.classes.index(positive)
    probability, label = _learnt_from(run, card)
    is_positive = label == k
    if min(is_positive.sum(), (~is_positive).sum()) < FEWEST_IMAGES:
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
            for numbers in threshold_numbers(probability[:, k], is_positive, in_use=threshold)
        ],
    )


def _uncertain_below(
    probability: np.ndarray, label: np.ndarray, positive: int, threshold: float, error_rate: float | None
) -> float:
    """Below which probability predictions are uncertain if one of two classes has this threshold."""
    thresholds = [1 - threshold, 1 - threshold]
    thresholds[positive] = threshold
    return uncertain_threshold(probability, label, decided_classes(probability, thresholds), error_rate=error_rate)


def rethreshold(
    run: Run,
    choices: Mapping[str, Any],  # Any: of each key its own
    context: RunContext,
) -> Run:
    """Decide a run's images, and all that come later, by another rule.

    Args:
        run: measured.
        choices: keys of its recipe about decisions; the others stay what they are.
        context: its listener receives a note on evaluations on other images that cannot be updated.

    Returns:
        The run as it is now; its report is to be written.

    Raises:
        BadRecipe: a choice is not valid, or does not fit the classes.
        BadRun: it is a fold, it has no numbers yet, or its images are gone.
    """
    run = open_run(run.folder)
    refuse_fold(run)
    if not run.is_measured or run.card is None:
        raise BadRun("run-without-metrics", file=run.folder)
    recipe = check_recipe({**run.recipe.model_dump(mode="json"), **choices})
    recipe.check_decision(run.card.classes)
    _tell_what_is_replaced(run.recipe, recipe, context)
    data = held_out_images(run)
    before = run.card
    fold_of = {row.image_id: row.fold or 0 for row in run.split if row.fold}
    for each_run in (*run.folds, run):
        _learn_again(each_run, recipe, context if each_run is run else context.with_emit(ignore))
    if run.is_cross_validated:
        folds = [fold_of[record.image_id] for record in data.records]
        for k, each_run in enumerate(run.folds, start=1):
            tested = data.chosen(i for i, fold in enumerate(folds) if fold == k)
            _decide_rows(each_run, tested, recipe, Run(each_run.folder).card)
        pooled(Run(run.folder), data, folds, recipe, context.with_emit(ignore))
    else:
        _decide_rows(run, data, recipe, Run(run.folder).card)
    _decide_evaluations(Run(run.folder), recipe, before, context)
    return Run(run.folder)


def _tell_what_is_replaced(before: Recipe, now: Recipe, context: RunContext) -> None:
    """Name the earlier choices that end now: a decision replaces the whole decision rule."""
    replaced = [target for target in _targets(before) if target not in _targets(now)]
    if replaced:
        context.emit(Noted.of(note("decision-replaced", targets=" and ".join(replaced), replaced=replaced)))


def _targets(recipe: Recipe) -> list[str]:
    """What a recipe chooses beside the default decision."""
    targets = []
    if recipe.decide_by == "roc":
        targets.append(text("decision-target", decide_by="roc", value=0))
    elif recipe.decide_by == "threshold":
        targets.append(text("decision-target", decide_by="threshold", value=recipe.threshold))
    elif recipe.decide_by != "highest":
        targets.append(text("decision-target", decide_by=recipe.decide_by, value=recipe.target))
    if recipe.error_rate is not None:
        targets.append(text("decision-target", decide_by="error_rate", value=recipe.error_rate))
    return targets


def _learnt_from(run: Run, card: ClassifierCard) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) probabilities and (n,) labels of the images that thresholds are learnt from."""
    if run.is_cross_validated:
        logits, label = run.decision_logits[:, :-1], run.decision_logits[:, -1].astype(int)
    else:
        logits = run.validation_logits
        label = np.array([card.classes.index(row.label or "") for row in run.validation], dtype=int)
    return apply_temperature(logits, card.temperature), label


def _learn_again(run: Run, recipe: Recipe, context: RunContext) -> None:
    """Leave the classifier's new thresholds, and in training.json and recipe.yaml how it came by them."""
    card, training = run.card, run.training
    assert card is not None, "it was measured"
    assert training is not None, "it was measured"
    probability, label = _learnt_from(run, card)
    points, uncertain_below = learn_decisions(probability, label, recipe.decision_rule(card.classes))
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
    before = {each.text for each in operating_notes(card.classes, training.calibration.operating_points or ())}
    notes = (*(each for each in training.notes if each not in before), *(each.text for each in weak_points))
    training.model_copy(update={"calibration": calibration, "notes": notes}).write(run.training_file)
    write_card(run.classifier_folder, card)
    save_recipe(recipe, run.recipe_file)
    if not run.is_cross_validated:
        decided = [
            decided_row(row, card, logits) for row, logits in zip(run.validation, run.validation_logits, strict=True)
        ]
        Predictions(decided, card.classes).write_csv(run.validation_file)


def _decide_rows(run: Run, data: Dataset, recipe: Recipe, card: ClassifierCard | None) -> None:
    """Leave the predictions and numbers of measured images by the thresholds that the classifier has now."""
    now = Run(run.folder)
    assert card is not None, "it was measured"
    rows = {
        row.image_id: row if row.predicted is None else decided_row(row, card, logits)
        for row, logits in zip(now.predictions, now.test_logits, strict=True)
    }
    table = Predictions([rows[record.image_id] for record in data.records], card.classes)
    temperature = np.full(len(table), card.temperature)
    split = run.metrics.split
    evaluation = evaluated(table, data, temperature, recipe, split=split, emit=ignore, may_be_empty=True)
    write_results(now, table, evaluation)


def _state_thresholds(evaluation: Run, card: ClassifierCard | None) -> None:
    """Write with which thresholds an evaluation was measured; None: with those that the classifier has."""
    images = evaluation.evaluated_images
    if images is None:
        return
    thresholds = None
    if card is not None:
        k = len(card.classes)
        thresholds = images.thresholds or card.operating_points or (1 / k,) * k
    images.model_copy(update={"thresholds": thresholds}).write(evaluation.environment_file)


def _decide_evaluations(run: Run, recipe: Recipe, before: ClassifierCard, context: RunContext) -> None:
    """Let evaluations on other images follow; where that is impossible, state the thresholds of their numbers."""
    unchanged = []
    for evaluation in [each for each in run.evaluations if each.is_measured]:
        try:
            data = images_of_evaluation(evaluation)
            _decide_rows(evaluation, data, recipe, run.card)
            _state_thresholds(evaluation, None)
        except CoverslipError:  # its images or logits are gone
            _state_thresholds(evaluation, before)
            unchanged.append(evaluation.folder.name)
            continue
        write_report(evaluation.folder, context.emit)
    if unchanged:
        evaluations = ", ".join(unchanged)
        outdated = note("evaluations-decided-before", level="warning", evaluations=evaluations, names=unchanged)
        context.emit(Noted.of(outdated))
