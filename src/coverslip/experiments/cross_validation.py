"""Cross-validation: one training per fold, their pooled metrics, and a classifier trained on all images."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.folding import Folds, plan_folds, tested_classes
from coverslip.datasets.splits.splitting import check_no_class_is_empty
from coverslip.errors import BadRun
from coverslip.evaluation.calibration import apply_temperature
from coverslip.evaluation.decisions import learn_decisions, set_floors, uncertain_share
from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.results import Evaluation
from coverslip.evaluation.summary import with_folds
from coverslip.events import Emit, FoldEnded, FoldStarted, Noted
from coverslip.experiments.evaluating import evaluate_rows, measure, write_results
from coverslip.experiments.one_split import features_hook, package, train_one_split, write_training_hashes
from coverslip.experiments.run_state import record_work, write_recipe_and_environment
from coverslip.experiments.split_data import (
    capped_split,
    capped_split_data,
    fit_network,
    preprocess,
    with_epochs_for_folds,
)
from coverslip.inference import load_classifier
from coverslip.messages import Note, Resume, note
from coverslip.reports.page import write_report_of_images
from coverslip.runs.classifier import ClassifierCard, open_classifier
from coverslip.runs.folder import Run, RunContext, is_run
from coverslip.runs.images import ImageLookup
from coverslip.runs.predictions import Prediction, Predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.split import split_rows, write_split
from coverslip.runs.status import Environment
from coverslip.runs.training import Calibration, FinetuneStage, RefittedHead

if TYPE_CHECKING:
    from coverslip.training.fitting import Choices
    from coverslip.training.ood import FoldDistances


def choose_folds(data: Dataset, scan: Scan, recipe: Recipe, emit: Emit) -> Folds | None:
    """Return the folds that the recipe states, or that few groups or images require; None for a single split."""
    folds, folds_note = folds_of_recipe(data, scan, recipe)
    if folds_note:
        emit(Noted.of(folds_note))
    if folds is not None:
        check_no_class_is_empty(data, tested_classes(data, folds))
    return folds


def folds_of_recipe(data: Dataset, scan: Scan, recipe: Recipe) -> tuple[Folds | None, Note | None]:
    """Return the folds that a recipe requires, see `plan_folds`, and a note about the choice."""
    plan = recipe.split
    return plan_folds(
        data,
        scan,
        n_folds=plan.folds,
        val=plan.val,
        test=plan.test,
        seed=recipe.split_seed,
        is_finetuned=recipe.is_finetuned,
        by_domain=plan.by_domain,
        balanced=plan.is_balanced,
    )


def cross_validate(
    data: Dataset, scan: Scan, folds: Folds, recipe: Recipe, environment: Environment, context: RunContext
) -> Evaluation:
    """Write one training per fold, their pooled metrics, and a classifier trained on all images to a run folder.

    Args:
        data: labeled images, as the recipe reads them.
        scan: of these images.
        folds: the fold that tests each image.
        recipe: of the training.
        environment: of the run; each fold has a copy.
        context: of the run; completed folds in its folder are not trained again.

    Returns:
        The pooled metrics.

    Raises:
        OutOfTime: the context's deadline came before the fine-tuning of all folds ended.
        Stopped: on request; completed folds are not trained again when the run is resumed.
    """
    run = context.run
    write_split(run.split_file, split_rows(data, folds.whole, folds.fold_of))
    for each in folds.notes:
        context.emit(Noted.of(each))
    recipe = with_epochs_for_folds(data, scan, folds, recipe)
    _train_folds(data, scan, folds, recipe, environment, context)
    positions = [i for i, fold in enumerate(folds.fold_of) if fold is not None]
    fold_of = [folds.fold_of[i] or 0 for i in positions]
    evaluation = pool_folds(run, data.subset(positions), fold_of, recipe, context)
    _fit_on_all(data, scan, folds, recipe, context)
    if context.with_report:
        write_report_of_images(context.run, ImageLookup(context.run, data), context.emit)
    return evaluation


def measure_folds(run: Run, data: Dataset, context: RunContext) -> Evaluation:
    """Evaluate the classifier of each fold on its test images again, and return the pooled metrics.

    Args:
        run: a cross-validated run.
        data: its images, as they are now.
        context: names the device; its listener receives progress.
    """
    fold_of = {row.image_id: row.fold or 0 for row in run.split if row.fold}
    folds = [fold_of[record.image_id] for record in data.records]
    for k in sorted(set(folds)):
        fold_run = run.fold(k)
        test_data = data.subset(i for i, fold in enumerate(folds) if fold == k)
        classifier = load_classifier(fold_run.folder, context.device)
        fold_context = context.nested(fold_run.folder, fold=k)
        measure(fold_run, test_data, classifier, fold_run.recipe, fold_context, may_be_empty=True)
    return pool_folds(Run(run.folder), data, folds, run.recipe, context)


def refuse_fold(run: Run) -> None:
    """Raise BadRun if the run is a fold, since only whole runs can be resumed."""
    if run.environment.fold is not None:
        raise BadRun("one-fold", file=run.folder, remedies=(Resume(str(run.parent_run.folder)),))


def _train_folds(
    data: Dataset, scan: Scan, folds: Folds, recipe: Recipe, environment: Environment, context: RunContext
) -> None:
    n_folds = len(folds.splits)
    recipe = recipe.model_copy(update={"refit_all": False})  # the run's classifier is fitted on all images in any case
    for k, split in enumerate(folds.splits, start=1):
        context.emit(FoldStarted(fold=k, n_folds=n_folds))
        fold_run = context.run.fold(k)
        if not is_run(fold_run.folder):
            fold_run.folder.mkdir(parents=True, exist_ok=True)
            write_recipe_and_environment(fold_run, environment.model_copy(update={"fold": k}), recipe)
        if fold_run.is_done:
            evaluation = fold_run.metrics
        else:
            split = capped_split(data, split, recipe)
            fold_context = replace(context.nested(fold_run.folder, fold=k), with_report=False)
            with record_work(fold_context, is_inner=True) as inner:
                evaluation = train_one_split(data, recipe, inner, scan=scan, split=split, may_be_empty=True)
        context.emit(
            FoldEnded(
                fold=k,
                n_folds=n_folds,
                accuracy=evaluation["accuracy"].value,
                macro_f1=evaluation["macro_f1"].value,
            )
        )
        context.stop.check()


def pool_folds(run: Run, data: Dataset, fold_of: Sequence[int], recipe: Recipe, context: RunContext) -> Evaluation:
    """Write the predictions of all images by the fold that tested them, and return and write their metrics.

    Args:
        run: the run that has the folds.
        data: the tested images.
        fold_of: the fold of each image, 1-based.
        recipe: of the run.
        context: its listener receives notes on images that cannot be evaluated.
    """
    folds = [run.fold(k) for k in sorted(set(fold_of))]
    cards = [open_classifier(fold.classifier_folder).card for fold in folds]
    classes = [name for name in data.classes if any(name in card.classes for card in cards)]
    rows: dict[str, Prediction] = {}
    temperature, without_class = {}, set()
    for fold, card in zip(folds, cards, strict=True):
        for row, logits in zip(fold.predictions, fold.test_logits, strict=True):
            rows[row.image_id] = _over_all_classes(row, logits, card, classes)
            temperature[row.image_id] = card.temperature
            if row.label not in card.classes:
                without_class.add(row.image_id)
    ids = [record.image_id for record in data.records]
    table = Predictions([rows[image_id] for image_id in ids], classes)
    evaluation = evaluate_rows(
        table,
        data,
        np.array([temperature[image_id] for image_id in ids]),
        recipe,
        split="out-of-fold",
        emit=context.emit,
        excluded={i for i, image_id in enumerate(ids) if image_id in without_class},
    )
    n_train = [card.trained_on.n_images for card in cards]
    evaluation = with_folds(evaluation, [fold.metrics for fold in folds], n_train, n_images=len(data.records))
    run.write_logits("test", table.logits)
    write_results(run, table, evaluation)
    return evaluation


def _over_all_classes(row: Prediction, logits: np.ndarray, card: ClassifierCard, classes: Sequence[str]) -> Prediction:
    """Return a row of a fold with unrounded probabilities, for the classes of all folds."""
    if row.predicted is None:
        return row
    probability = dict(zip(card.classes, apply_temperature(logits[None], card.temperature)[0].tolist(), strict=True))
    logits_by_class = dict(zip(card.classes, logits.tolist(), strict=True))
    return replace(
        row,
        probability=probability[row.predicted],
        probabilities=tuple(probability.get(name, np.nan) for name in classes),
        logits=tuple(logits_by_class.get(name, np.nan) for name in classes),
    )


def _fit_on_all(data: Dataset, scan: Scan, folds: Folds, recipe: Recipe, context: RunContext) -> None:
    """Train the run's classifier on all images, with the hyperparameters of the folds.

    Networks of folds are fitted on fewer images, and are less confident than a network fitted on all images. An instant
    classifier is therefore calibrated with heads fitted on all but single groups (benchmarks/NOT_KEPT.md). Pooled
    test predictions of the folds cannot calibrate it, since the shrinkage differs between folds. A fine-tuned network
    is calibrated on the folds: other calibration images would require another training.
    """
    from coverslip.training.fitting import calibrate

    split_data = capped_split_data(data, scan, folds.refit_split, recipe)
    write_training_hashes(split_data, recipe, context.run)
    fold_runs = [context.run.fold(k) for k in range(1, len(folds.splits) + 1)]
    choices = _choices(fold_runs)
    context.emit(Noted.of(note("refit", n_images=len(split_data.train), n_epochs=choices.epochs)))
    preprocessing = preprocess(split_data, recipe, context)
    cards = [open_classifier(fold.classifier_folder).card for fold in fold_runs]
    n_of_fold = round(statistics.mean(card.trained_on.n_images for card in cards))
    on_features = features_hook(split_data, preprocessing, recipe, context, n_of_fold) if context.with_report else None
    distances = _test_distances(fold_runs, choices)
    fitted, ood_detector = fit_network(split_data, preprocessing, recipe, context, choices, on_features, distances)
    if fitted.held_out is not None:
        logits, label = fitted.held_out.logits, fitted.held_out.label
        group = split_data.group[split_data.train[fitted.held_out.row]]
        rule = recipe.decision_rule(split_data.classes)
        calibration = calibrate(logits, label, rule, "held-out training images", group)
    else:
        calibration, logits, label, group = _calibration_of(fold_runs, split_data.classes, recipe)
    context.run.write_logits("decisions", np.column_stack([logits, label, group_codes(group)]))
    package(split_data, preprocessing, fitted, calibration, ood_detector, recipe, context)


def _test_distances(folds: Sequence[Run], choices: "Choices") -> "FoldDistances":
    """Return the feature distances of test images to training images in the networks of the folds.

    Only folds whose selected network is of the same kind (fine-tuned or instant) as the classifier are included.
    """
    from coverslip.training.ood import FoldDistances

    distances, n_directions = [np.zeros(0)], [1]
    for fold in folds:
        packed, training = open_classifier(fold.classifier_folder), fold.training
        ood, statistics = packed.card.ood, packed.read_ood_statistics()
        is_same_kind = training is not None and (training.selected_epoch > 0) == (choices.epochs > 0)
        if ood is not None and statistics is not None and is_same_kind:
            scores = [row.ood_score for row in fold.predictions if row.ood_score is not None]
            distances.append(ood.distance(np.array(scores, dtype=np.float64)))
            n_directions.append(len(statistics.offset))
    return FoldDistances(np.concatenate(distances), max(n_directions))


def _choices(folds: Sequence[Run]) -> "Choices":
    """Return the median of the hyperparameters that the folds selected on their validation images."""
    from coverslip.training.fitting import Choices

    records = [fold.training for fold in folds if fold.training is not None]
    instant_stages = [record.instant for record in records if record.instant is not None]
    shrinkages = [stage.shrinkage for stage in instant_stages if stage.shrinkage is not None]
    return Choices(
        shrinkage=statistics.median_high(shrinkages) if shrinkages else None,
        keeps_head=2 * sum(stage.head == "kept" for stage in instant_stages) > len(instant_stages),
        head_temperature=statistics.median([stage.temperature for stage in instant_stages]) if instant_stages else 1.0,
        epochs=statistics.median_high([record.selected_epoch for record in records]),
        refitted=_median_refitted_head([record.finetune for record in records if record.selected_epoch]),
    )


def _median_refitted_head(stages: Sequence[FinetuneStage | None]) -> RefittedHead | None:
    """Return the median of the linear probes that the folds averaged with their trained heads."""
    heads = [stage.refitted for stage in stages if stage is not None and stage.refitted is not None]
    if not heads:
        return None
    return RefittedHead(
        shrinkage=statistics.median_high([head.shrinkage for head in heads]),
        share=statistics.median([head.share for head in heads]),
        temperature=statistics.median([head.temperature for head in heads]),
        trained_temperature=statistics.median([head.trained_temperature for head in heads]),
    )


def _calibration_of(
    folds: Sequence[Run], classes: Sequence[str], recipe: Recipe
) -> tuple[Calibration, np.ndarray, np.ndarray, np.ndarray]:
    """Return the median temperature of the folds, with decision thresholds from all their validation images together.

    A fold may have only one or two validation images of a rare class, or none. The median of thresholds from so few
    images would be unreliable.

    Returns:
        The calibration, (n, K) logits of the validation images at its temperature, their (n,) labels and groups.
    """
    records = [fold.training for fold in folds if fold.training is not None]
    is_finetuned = statistics.median_high([record.selected_epoch for record in records]) > 0
    # Fine-tuned and frozen networks have different temperatures: only folds of the same kind count.
    same_kind = [record for record in records if (record.selected_epoch > 0) == is_finetuned]
    probability, label, group = _validation_probabilities(folds, classes)
    points, uncertain_below = learn_decisions(probability, label, recipe.decision_rule(classes), group)
    calibration = Calibration(
        calibrated_on="the folds' images",
        temperature=statistics.median([record.calibration.temperature for record in same_kind]),
        set_floors=set_floors(probability, label),
        operating_points=points,
        uncertain_below=uncertain_below,
        uncertain_share=uncertain_share(probability, points, uncertain_below),
    )
    return calibration, calibration.temperature * np.log(np.maximum(probability, 1e-12)), label, group


def _validation_probabilities(
    folds: Sequence[Run], classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (n, K) probabilities, labels and groups of all validation images; 0 for a class that a fold does not have.

    An image counts once, in its first fold: the same image is no further evidence for a threshold.
    """
    probabilities, label_of = [], dict[str, int]()
    for fold in folds:
        card = open_classifier(fold.classifier_folder).card
        rows = [k for k, row in enumerate(fold.validation) if row.image_id not in label_of]
        label_of |= {fold.validation[k].image_id: classes.index(fold.validation[k].label or "") for k in rows}
        probability = np.zeros((len(rows), len(classes)))
        columns = [classes.index(name) for name in card.classes]
        probability[:, columns] = apply_temperature(fold.validation_logits, card.temperature)[rows]
        probabilities.append(probability)
    group_of = {row.image_id: row.group for fold in folds for row in fold.split}
    groups = np.array([group_of[image_id] for image_id in label_of], dtype=str)
    return np.concatenate(probabilities), np.array([*label_of.values()]), groups
