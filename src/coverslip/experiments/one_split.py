"""One training by one split, from images to a report: this module is the main job.

Test images are used once, at the end, by the finished classifier. Scaling is learned from training images;
shrinkage, early stopping, temperature, operating points and the threshold for `uncertain` from validation images, on
which the last layer is then fitted too.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from coverslip.datasets import (
    Dataset,
    DecodedPixels,
    PixelCache,
    Scan,
    Split,
    cap_training,
    check_no_class_is_empty,
    check_trainable,
    inner_folds,
    some,
    split_images,
    trained_classes,
)
from coverslip.evaluation import Evaluation, OperatingPoint
from coverslip.events import Noted, RunStarted
from coverslip.experiments.beginning import look_at_images
from coverslip.experiments.budgeting import Trained, train_within_budget
from coverslip.experiments.estimating import record_finish
from coverslip.experiments.measuring import drawn_on, measure
from coverslip.experiments.split_data import SplitData
from coverslip.images import ImageFacts, Preprocessing
from coverslip.inference import Classifier, load_classifier
from coverslip.messages import Note, note, text
from coverslip.models import describe_weights
from coverslip.reports import write_report
from coverslip.runs import (
    Calibration,
    ClassifierCard,
    FittedOn,
    FromRun,
    OodThreshold,
    Predictions,
    Recipe,
    Run,
    RunContext,
    TrainedOn,
    TrainingRecord,
    Weights,
    pretraining_hashes,
    split_rows,
    training_hash_record,
    write_classifier,
    write_split,
)
from coverslip.stopping import work_stopped
from coverslip.training.preprocessing import canvas_notes, learn_preprocessing

if TYPE_CHECKING:
    from coverslip.training.fitting import Choices, Fitted
    from coverslip.training.instant_stage import OnFeatures
    from coverslip.training.ood import FoldDistances, OodDetector

_USUAL_SHARE = 0.99  # of training images, by their area
_FEW_VALIDATION_IMAGES = 10  # validation images of a class: an operating point that rests on fewer is worth a note


def train_one_split(
    data: Dataset,
    recipe: Recipe,
    context: RunContext,
    *,
    scan: Scan | None = None,
    split: Split | None = None,
    with_report: bool = True,
    may_be_empty: bool = False,
) -> Evaluation:
    """Train one classifier and evaluate it on the test images of the split.

    Args:
        data: labeled images, as the recipe reads them.
        recipe: what to do; pretraining on other images is done by then (`coverslip.experiments.training_run`).
        context: its folder gets the split, the classifier, its numbers and the report.
        scan: of the images, if they were scanned already.
        split: where each image goes; default: as the recipe says.
        with_report: whether to draw the learning curve and write the report, which costs seconds.
        may_be_empty: give numbers that are all None, instead of raising, where no test image can be measured.

    Raises:
        CoverslipError: one of its kinds, with what to do.
        Stopped: on request; the best classifier so far is kept.
    """
    from coverslip.training.fitting import calibrate

    if scan is None:
        scan, recipe = look_at_images(data, recipe, context)
    split_data = SplitData(data, scan, split or make_split(data, scan, recipe))
    recipe = split_data.with_epochs(recipe)
    begin(split_data, recipe, context)
    trained = _train_network(split_data, recipe, context, with_report=with_report)
    recipe, preprocessing, fitted, familiar = trained.recipe, trained.preprocessing, trained.fitted, trained.familiar
    record_finish(fitted, recipe, context)
    calibration = calibrate(
        fitted.val_logits, split_data.label[split_data.val], recipe.decision_rule(split_data.classes)
    )
    package(split_data, preprocessing, fitted, calibration, familiar, recipe, context)
    if fitted.is_stopped:
        raise work_stopped()
    # From here on the classifier is used as anybody would use it: read back from what was packaged.
    classifier = load_classifier(context.run.classifier_folder, context.device)
    keep_validation(split_data, fitted, classifier, context.run)
    test_images = data.chosen(split_data.test)
    evaluation = measure(context.run, test_images, classifier, recipe, context, may_be_empty=may_be_empty)
    if with_report:
        write_report(context.folder, context.emit)
    return evaluation


def _train_network(split_data: SplitData, recipe: Recipe, context: RunContext, *, with_report: bool) -> Trained:
    """Train within the run's time budget, if it has one."""

    def train(recipe: Recipe, context: RunContext) -> Trained:
        preprocessing = preprocess(split_data, recipe, context)
        on_features = drawn_on(split_data, recipe, context) if with_report else None
        fitted, familiar = fit_network(split_data, preprocessing, recipe, context, on_features=on_features)
        return Trained(recipe, preprocessing, fitted, familiar)

    if context.run.budget is None:
        return train(recipe, context)
    return train_within_budget(split_data, recipe, context, train)


def make_split(data: Dataset, scan: Scan, recipe: Recipe, *, allow_leakage: bool = False) -> Split:
    """Which images train, validate and test: groups and copies stay together."""
    plan = recipe.split
    split = split_images(
        data,
        scan,
        val=plan.val,
        test=plan.test,
        seed=recipe.split_seed,
        allow_leakage=allow_leakage,
        keeps_split=plan.run is not None,
    )
    split = cap_training(data, split, plan.train_per_class, recipe.split_seed)
    check_trainable(data, scan, split)
    check_no_class_is_empty(data, trained_classes(data, split))
    return split


def begin(split_data: SplitData, recipe: Recipe, context: RunContext) -> None:
    """Write the split and which pixels training sees, and emit that training begins."""
    check_trainable(split_data.data, split_data.scan, split_data.split)
    write_split(context.run.split_file, split_rows(split_data.data, split_data.split))
    for each in split_data.split.notes:
        context.emit(Noted.of(each))
    write_training_hashes(split_data, recipe, context.run)
    context.emit(
        RunStarted(
            run=str(context.folder),
            n_train=len(split_data.train),
            n_val=len(split_data.val),
            n_test=len(split_data.test),
            classes=split_data.classes,
        )
    )


def write_training_hashes(split_data: SplitData, recipe: Recipe, run: Run) -> None:
    """Leave in a run folder which images it learns from and chooses by."""
    train, val = split_data.digests(split_data.train.tolist()), split_data.digests(split_data.val.tolist())
    training_hash_record(recipe, split_data.data.opening.plan, train, val).write(run.training_hashes_file)


def preprocess(split_data: SplitData, recipe: Recipe, context: RunContext) -> Preprocessing:
    """How images are preprocessed, learnt from training images."""
    preprocessing = learn_preprocessing(split_data.train_facts, recipe)
    for each in canvas_notes(split_data.train_facts, preprocessing):
        context.emit(Noted.of(each))
    return preprocessing


def fit_network(
    split_data: SplitData,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    choices: "Choices | None" = None,
    on_features: "OnFeatures | None" = None,
    folds: "FoldDistances | None" = None,
) -> "tuple[Fitted, OodDetector | None]":
    """Train the network: validation images choose, unless the choices are given; and learn what is familiar to it."""
    from coverslip.training.batches import TrainingTask
    from coverslip.training.fitting import fit, refit
    from coverslip.training.initialization import initial_classifier
    from coverslip.training.instant_stage import ignore_features
    from coverslip.training.ood import fit_ood_detector

    fold_indices_of = partial(inner_folds, split_data.data, split_data.scan, seed=recipe.seed)
    initial = None
    if isinstance(recipe.init, FromRun):
        seen, judging = pretraining_hashes(recipe), split_data.val if choices is None else split_data.train
        n_known = seen.known(split_data.data, split_data.scan, judging.tolist(), emit=context.emit, stop=context.stop)
        initial = initial_classifier(recipe.init, split_data.classes, offers_head=seen.is_complete and not n_known)
    with _preprocessed_pixels(split_data, preprocessing, recipe, context) as pixels:
        task = TrainingTask(split_data.training_images(pixels), split_data.digests, preprocessing, recipe, context)
        look = on_features or ignore_features
        if choices is not None:
            fold_index = fold_indices_of(split_data.train.tolist())
            fitted = refit(task, fold_index, choices, initial, look)
        else:
            is_capped = recipe.split.train_per_class is not None  # it would learn from more images of a class
            val_fold_index = None if is_capped else fold_indices_of(split_data.val.tolist())
            fitted = fit(task, val_fold_index, initial, look)
        if fitted.is_stopped or fitted.does_not_fit:
            return fitted, None
        return fitted, fit_ood_detector(fitted, task, fold_indices_of, folds)


def package(
    split_data: SplitData,
    preprocessing: Preprocessing,
    fitted: "Fitted",
    calibration: Calibration,
    familiar: "OodDetector | None",
    recipe: Recipe,
    context: RunContext,
) -> None:
    """Leave how the network came about, and the classifier, in the run folder."""
    _complete_weights(recipe, context.run)
    scale_notes = canvas_notes(split_data.train_facts, preprocessing)
    decision_notes = operating_notes(split_data.classes, calibration.operating_points or ())
    for each in decision_notes:
        context.emit(Noted.of(each))
    TrainingRecord(
        stages=fitted.stages,
        chosen=fitted.selected_stage,
        calibration=calibration,
        notes=tuple(each.text for each in (*split_data.split.notes, *scale_notes, *decision_notes)),
        initialization_is_known=pretraining_hashes(recipe).is_complete,
    ).write(context.run.training_file)
    limits = None if familiar is None else familiar.limits
    card = _card(recipe, preprocessing, split_data, fitted.fitted_on, calibration, limits)
    statistics = None if familiar is None else familiar.statistics
    write_classifier(context.run.classifier_folder, card, fitted.weights(), statistics)


def keep_validation(split_data: SplitData, fitted: "Fitted", classifier: Classifier, run: Run) -> None:
    """Write the predictions for validation images: as a table, and as logits, which are not rounded."""
    records = [split_data.data.records[i] for i in split_data.val.tolist()]
    rows = [
        classifier.decide(record, split_data.data.relative_path(record), logits)
        for record, logits in zip(records, fitted.val_logits, strict=True)
    ]
    Predictions(rows, classifier.classes).write_csv(run.validation_file)
    run.write_logits("validation", fitted.val_logits)


def _preprocessed_pixels(
    split_data: SplitData, preprocessing: Preprocessing, recipe: Recipe, context: RunContext
) -> PixelCache | DecodedPixels:
    if recipe.stage == "instant" and recipe.init != "scratch":  # one pass over the images: nothing to keep
        return DecodedPixels(split_data.data, split_data.scan, preprocessing)
    needed = [*split_data.train.tolist(), *split_data.val.tolist()]
    return PixelCache(split_data.data, split_data.scan, needed, preprocessing, emit=context.emit, stop=context.stop)


def _complete_weights(recipe: Recipe, run: Run) -> None:
    """Add to `environment.json` which weights were fetched, where that was not known when the run began."""
    environment = run.environment
    if recipe.init == "imagenet" and environment.weights is not None and environment.weights.sha256 is None:
        weights = Weights.model_validate(describe_weights(recipe.model))
        environment.model_copy(update={"weights": weights}).write(run.environment_file)


def _card(
    recipe: Recipe,
    preprocessing: Preprocessing,
    split_data: SplitData,
    fitted_on: FittedOn,
    calibration: Calibration,
    ood: OodThreshold | None,
) -> ClassifierCard:
    train_facts = split_data.train_facts
    widths, heights = [facts.width_px for facts in train_facts], [facts.height_px for facts in train_facts]
    learnt = split_data.train if fitted_on == "training images" else np.concatenate([split_data.train, split_data.val])
    groups = {split_data.data.records[i].named_group for i in learnt.tolist()} - {None}
    points = calibration.operating_points
    return ClassifierCard(
        model=recipe.model,
        model_options=recipe.model_options,
        head=recipe.head,
        tta=recipe.tta,
        classes=split_data.classes,
        prior=_prior(split_data.label[learnt], len(split_data.classes), recipe),
        preprocessing=preprocessing,
        temperature=calibration.temperature,
        operating_points=None if points is None else tuple(point.threshold for point in points),
        uncertain_below=calibration.uncertain_below,
        set_floors=calibration.set_floors,
        ood=ood,
        trained_on=TrainedOn(
            n_images=len(learnt),
            n_groups=len(groups) if split_data.data.has_groups else None,
            width_px=(min(widths), max(widths)),
            height_px=(min(heights), max(heights)),
            usual_area_px=_usual_area_px(train_facts),
            dtypes=tuple(sorted({facts.dtype for facts in train_facts})),
            channels=tuple(sorted({facts.n_channels for facts in train_facts})),
        ),
    )


def _prior(label: np.ndarray, n_classes: int, recipe: Recipe) -> tuple[float, ...]:
    """The shares of classes among the images that were learnt from, or equal ones where training made them so."""
    from coverslip.training.heads import is_balanced

    counts = np.bincount(label, minlength=n_classes)
    if is_balanced(recipe):
        counts = np.ones_like(counts)
    return tuple(float(share) for share in counts / counts.sum())


def _usual_area_px(facts: Sequence[ImageFacts]) -> int:
    """That 99 of 100 images do not exceed: one uncropped field among them must not pass for what is usual."""
    areas = [fact.width_px * fact.height_px for fact in facts]
    return int(np.quantile(areas, _USUAL_SHARE, method="lower"))


def operating_notes(classes: Sequence[str], points: Sequence[OperatingPoint]) -> list[Note]:
    """Warnings about operating points that rest on little; none where the most probable class is predicted."""
    weak: dict[str, list[str]] = {}
    for name, point in zip(classes, points, strict=bool(points)):
        if point.reason:
            reason = text("operating-point-replaced", reason=point.reason, threshold=point.threshold)
        elif point.n < _FEW_VALIDATION_IMAGES:
            reason = text("few-images-for-threshold", n=_FEW_VALIDATION_IMAGES)
        else:
            continue
        weak.setdefault(reason, []).append(name)
    return [
        note("doubtful-operating-points", level="warning", names=some(names, 8), reason=reason)
        for reason, names in weak.items()
    ]
