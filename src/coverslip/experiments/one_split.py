"""Train one classifier on one split, from images to a report.

Test images are used once, at the end, by the final classifier. Intensity scaling is fitted on training images.
Shrinkage, early stopping, temperature, operating points and the threshold for `uncertain` are selected on validation
images. The last layer is then fitted on validation images too. At the very end, the last layer of an instant classifier
is fitted on all images, and delivered beside the tested one, of which every number of the run is.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from coverslip.counts import count_groups
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import some
from coverslip.datasets.pixels import PixelCache
from coverslip.datasets.quality.related_images import connected_components
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.folding import held_out_units, inner_folds
from coverslip.datasets.splits.splitting import (
    Split,
    check_no_class_is_empty,
    check_trainable,
    split_images,
    trained_classes,
)
from coverslip.errors import UnreadableImage
from coverslip.evaluation.decisions import OperatingPoint
from coverslip.evaluation.results import Evaluation
from coverslip.events import Noted, RunStarted, progress_reporter
from coverslip.experiments.budgeting import record_finetuning
from coverslip.experiments.evaluating import measure
from coverslip.experiments.preparation import protocol_notes, scan_and_check
from coverslip.experiments.run_state import record_finish
from coverslip.experiments.split_data import SplitData, capped_split, fit_network, preprocess
from coverslip.images.preprocessing import PixelFacts, Preprocessing
from coverslip.images.reader import pixel_side
from coverslip.inference import Classifier, load_classifier
from coverslip.messages import Message, Note, message, note
from coverslip.models import describe_weights
from coverslip.objects.finders import FinderRecord
from coverslip.reports.page import write_report_of_images
from coverslip.runs.classifier import ClassifierCard, OodThreshold, TrainedOn, write_classifier, write_delivered_head
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.images import ImageLookup
from coverslip.runs.predictions import Predictions
from coverslip.runs.recipe import Recipe
from coverslip.runs.results import BorderProbe, LearningCurveRecord, TrainingChecks
from coverslip.runs.split import common_plan, pretraining_hashes, split_rows, training_hash_record, write_split
from coverslip.runs.status import Weights
from coverslip.runs.training import Calibration, FittedOn, RefitOnAll, TrainingRecord
from coverslip.stopping import work_stopped
from coverslip.training.preprocessing import canvas_notes

if TYPE_CHECKING:
    from coverslip.engines import Features
    from coverslip.training.fitting import Fitted
    from coverslip.training.heads import Variation
    from coverslip.training.instant import OnFeatures
    from coverslip.training.ood import OodDetector

_USUAL_SHARE = 0.99  # quantile of the areas of training images
_LARGEST_FOLD = 0.2  # share of all images that are held out together to select the temperature
_FEWEST_HELD_OUT = 0.5  # share of all images
_FEW_VALIDATION_IMAGES = 10  # per class: an operating point selected on fewer images emits a warning


def train_one_split(
    data: Dataset,
    recipe: Recipe,
    context: RunContext,
    *,
    scan: Scan | None = None,
    split: Split | None = None,
    may_be_empty: bool = False,
) -> Evaluation:
    """Train one classifier and evaluate it on the test images of the split.

    Args:
        data: labeled images, as the recipe reads them.
        recipe: of the training; `training_run` has done its pretraining before.
        context: its folder gets the split, the classifier, its metrics and the report.
        scan: of the images; default: they are scanned.
        split: the set of each image; default: by the recipe.
        may_be_empty: whether metrics are all None, instead of an error, if no test image can be evaluated.

    Returns:
        The metrics.

    Raises:
        CoverslipError: one of its subclasses, with remedies.
        Stopped: on request; the best classifier so far is written.
    """
    from coverslip.training.fitting import calibrate

    if scan is None:
        scan, recipe = scan_and_check(data, recipe, context)
    split_data = SplitData(data, scan, split or make_split(data, scan, recipe))
    recipe = split_data.with_epochs(recipe)
    _begin_training(split_data, recipe, context)
    preprocessing = preprocess(split_data, recipe, context)
    on_features = features_hook(split_data, preprocessing, recipe, context) if context.with_report else None
    fitted, ood_detector = fit_network(split_data, preprocessing, recipe, context, on_features=on_features)
    recipe = record_finetuning(fitted, split_data, recipe, context)
    record_finish(fitted, recipe, context)
    rule, val_group = recipe.decision_rule(split_data.classes), split_data.group[split_data.val]
    calibration = calibrate(fitted.val_logits, split_data.label[split_data.val], rule, group=val_group)
    package(split_data, preprocessing, fitted, calibration, ood_detector, recipe, context)
    if fitted.is_stopped:
        raise work_stopped()
    # The packaged classifier is read back, so that the metrics are those of its files.
    classifier = load_classifier(context.run.classifier_folder, context.device)
    _write_validation(split_data, fitted, classifier, context.run)
    with PixelCache(data, scan, (), preprocessing, emit=context.emit) as cache:
        images = None if preprocessing.degradation else cache.images(split_data.test.tolist())
        test_images = data.subset(split_data.test)
        evaluation = measure(
            context.run, test_images, classifier, recipe, context, images=images, may_be_empty=may_be_empty
        )
    if recipe.refits_instant_classifier and fitted.is_linear_probe:
        deliver_refitted(split_data, preprocessing, fitted, recipe, context)
    if context.with_report:
        write_report_of_images(context.run, ImageLookup(context.run, data), context.emit)
    return evaluation


def make_split(data: Dataset, scan: Scan, recipe: Recipe, *, allow_leakage: bool = False) -> Split:
    """Return the split of the recipe. All images of a group, and all duplicates, are in the same set."""
    plan = recipe.split
    split = split_images(
        data,
        scan,
        val=plan.val,
        test=plan.test,
        seed=recipe.split_seed,
        allow_leakage=allow_leakage,
        keeps_split=plan.run is not None,
        balanced=plan.is_balanced,
    )
    split = capped_split(data, split, recipe)
    check_trainable(data, scan, split, needs_validation=plan.val > 0)
    check_no_class_is_empty(data, trained_classes(data, split))
    return split


def _begin_training(split_data: SplitData, recipe: Recipe, context: RunContext) -> None:
    """Write the split and the pixel hashes of training images, and emit that training begins."""
    needs_validation = recipe.split.val > 0
    check_trainable(split_data.data, split_data.scan, split_data.split, needs_validation=needs_validation)
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
    """Write the pixel hashes of the images that are trained on, that choices are made by, or of the test set."""
    chosen_by = np.union1d(split_data.val, split_data.selecting(recipe))
    train, val, test = (
        [facts.pixel_hash for facts in split_data.scan.readable(each.tolist())]
        for each in (split_data.train, chosen_by, split_data.test)
    )
    training_hash_record(recipe, common_plan(split_data.data), train, val, test).write(run.training_hashes_file)


def package(
    split_data: SplitData,
    preprocessing: Preprocessing,
    fitted: "Fitted",
    calibration: Calibration,
    ood_detector: "OodDetector | None",
    recipe: Recipe,
    context: RunContext,
) -> None:
    """Write the training record and the classifier to the run folder."""
    _complete_weights(recipe, context.run)
    scale_notes = canvas_notes(split_data.train_facts, preprocessing)
    decision_notes = operating_notes(split_data.classes, calibration.operating_points or ())
    for each in decision_notes:
        context.emit(Noted.of(each))
    TrainingRecord(
        stages=fitted.stages,
        chosen=fitted.selected_stage,
        calibration=calibration,
        notes=tuple(
            each.message for each in (*protocol_notes(recipe), *split_data.split.notes, *scale_notes, *decision_notes)
        ),
        initialization_is_known=pretraining_hashes(recipe).is_complete,
    ).write(context.run.training_file)
    limits = None if ood_detector is None else ood_detector.limits
    card = _card(recipe, preprocessing, split_data, fitted.fitted_on, calibration, limits)
    statistics = None if ood_detector is None else ood_detector.statistics
    write_classifier(context.run.classifier_folder, card, fitted.weights(), statistics)


def deliver_refitted(
    split_data: SplitData, preprocessing: Preprocessing, fitted: "Fitted", recipe: Recipe, context: RunContext
) -> None:
    """Fit the last layer on test images too, after their only use, and deliver it beside the tested one.

    If too few images can be held out to select the shrinkage and the temperature, or an image has changed, the tested
    one is delivered.

    Raises:
        Stopped: on request.
    """
    from coverslip.training.heads import fit_head_on_all
    from coverslip.training.task import TrainingTask

    run, started = context.run, monotonic()
    card, training = run.card, run.training
    assert card is not None, "the classifier is packaged"
    assert training is not None, "the classifier is packaged"
    stage = training.instant
    assert stage is not None, "it is an instant classifier"
    assert stage.shrinkage is not None, "a fitted head has a shrinkage"
    positions = np.concatenate([split_data.train, split_data.val, split_data.test])
    fold_index = _without_large_folds(held_out_units(split_data.data, split_data.scan, positions.tolist()))
    if not _is_sufficient(fold_index >= 0, split_data.label[positions]):
        return
    test, test_label = split_data.test, split_data.label[split_data.test]
    try:
        with PixelCache(split_data.data, split_data.scan, (), preprocessing, stop=context.stop) as pixels:
            images = split_data.training_images(pixels, recipe)
            task = TrainingTask(images, split_data.pixel_keys(preprocessing), preprocessing, recipe, context)
            head, temperature = fit_head_on_all(fitted.backbone, task, test, test_label, fold_index, stage.shrinkage)
    except UnreadableImage as error:  # changed during the training
        context.emit(Noted.of(note("tested-classifier-delivered", level="warning", reason=error.message)))
        return
    assert head.shrinkage is not None, "a fitted head has a shrinkage"
    prior = _prior(split_data.label[positions], len(split_data.classes), recipe)
    trained_on = card.trained_on.model_copy(update=_numbers_of_images(split_data, positions))
    write_delivered_head(
        run.classifier_folder,
        card.delivered(temperature, prior, trained_on),
        {"head.weight": head.weight, "head.bias": head.bias},
    )
    refit = RefitOnAll(
        n_images=len(positions),
        shrinkage=head.shrinkage,
        temperature=temperature,
        seconds=round(monotonic() - started, 3),
    )
    training.model_copy(update={"refit_on_all": refit}).write(run.training_file)
    context.emit(Noted.of(note("delivered-classifier", n_images=len(positions), n_tested=card.trained_on.n_images)))


def _without_large_folds(fold_index: np.ndarray) -> np.ndarray:
    """Return the folds without those of many images, which are negative: they are not held out.

    Heads that are fitted on far fewer images have logits of another scale. With 137 of 365 chromosomes in one fold, the
    temperature was 27 instead of 11, and the log loss of other images 2.06 instead of 1.86.
    """
    folds, n_images = np.unique(fold_index, return_counts=True)
    return np.where(np.isin(fold_index, folds[n_images > _LARGEST_FOLD * len(fold_index)]), -1, fold_index)


def _is_sufficient(is_held_out: np.ndarray, label: np.ndarray) -> bool:
    """Return whether the held-out images can set a temperature: a large part of all, with images of all classes."""
    return is_held_out.mean() >= _FEWEST_HELD_OUT and set(label[is_held_out].tolist()) == set(label.tolist())


def _write_validation(split_data: SplitData, fitted: "Fitted", classifier: Classifier, run: Run) -> None:
    """Write the predictions of validation images as a table, and their logits without rounding."""
    data = split_data.data
    records = [data.records[i] for i in split_data.val.tolist()]
    rows = (
        classifier.decide(record, data.relative_path(record), logits)
        for record, logits in zip(records, fitted.val_logits, strict=True)
    )
    Predictions(rows, classifier.classes).write_csv(run.validation_file)
    run.write_logits("validation", fitted.val_logits)


def _complete_weights(recipe: Recipe, run: Run) -> None:
    """Add the hash of the pretrained weights to `environment.json` if they were downloaded during the run."""
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
    fitted_images = (
        split_data.train if fitted_on == "training images" else np.concatenate([split_data.train, split_data.val])
    )
    points = calibration.operating_points
    return ClassifierCard(
        model=recipe.model,
        model_options=recipe.model_options,
        head=recipe.head,
        tta=recipe.n_views,
        classes=split_data.classes,
        prior=_prior(split_data.label[fitted_images], len(split_data.classes), recipe),
        preprocessing=preprocessing,
        temperature=calibration.temperature,
        operating_points=None if points is None else tuple(point.threshold for point in points),
        uncertain_below=calibration.uncertain_below,
        set_floors=calibration.set_floors,
        ood=ood,
        of_objects=all(record.has_box for record in split_data.data.records),
        finder=_finder_of(split_data.data.records),
        trained_on=TrainedOn(
            **_numbers_of_images(split_data, fitted_images),
            width_px=(min(widths), max(widths)),
            height_px=(min(heights), max(heights)),
            **_pixel_sizes(train_facts),
            usual_area_px=_usual_area_px(train_facts),
            dtypes=tuple(sorted({facts.dtype for facts in train_facts})),
            channels=tuple(sorted({facts.n_channels for facts in train_facts})),
        ),
    )


def _finder_of(records: Sequence[ImageRecord]) -> FinderRecord | None:
    """Return the finder of the objects; None if there are several, or if it found fewer than half of them."""
    (cell, n), *others = [*Counter(record.finder for record in records if record.finder).items(), ("", 0)]
    if len(others) > 1 or 2 * n < len(records):
        return None
    try:
        return FinderRecord.model_validate_json(cell)
    except ValueError:  # a column of the user
        return None


def _numbers_of_images(split_data: SplitData, positions: np.ndarray) -> dict[str, int | None]:
    """Return the numbers of images, groups and images without a group, for the card."""
    groups = count_groups(split_data.data.records[i].group for i in positions.tolist())
    if not split_data.data.has_groups:
        return {"n_images": len(positions), "n_groups": None, "n_ungrouped": 0}
    return {"n_images": len(positions), "n_groups": groups.n_groups, "n_ungrouped": groups.n_ungrouped}


def _prior(label: np.ndarray, n_classes: int, recipe: Recipe) -> tuple[float, ...]:
    """Return the class proportions among the images of the fit, or equal ones if training balances classes."""
    from coverslip.training.heads import is_balanced

    counts = np.bincount(label, minlength=n_classes)
    if is_balanced(recipe):
        counts = np.ones_like(counts)
    return tuple(float(share) for share in counts / counts.sum())


def _pixel_sizes(facts: Sequence[PixelFacts]) -> dict[str, tuple[float, float] | None]:
    """Return the median and the range of the pixel sizes of the images whose size is known."""
    sizes = [fact.pixel_size_um for fact in facts if fact.pixel_size_um is not None]
    if not sizes:
        return {"pixel_size_um": None, "pixel_side_um": None}
    widths, heights = zip(*sizes, strict=True)
    sides = list(map(pixel_side, sizes))
    return {"pixel_size_um": (median(widths), median(heights)), "pixel_side_um": (min(sides), max(sides))}


def _usual_area_px(facts: Sequence[PixelFacts]) -> int:
    """Return the 99% quantile of the areas, so that a single uncropped field of view does not count."""
    areas = [fact.width_px * fact.height_px for fact in facts]
    return int(np.quantile(areas, _USUAL_SHARE, method="lower"))


def operating_notes(classes: Sequence[str], points: Sequence[OperatingPoint]) -> list[Note]:
    """Return warnings on operating points that few images support; empty if there are no operating points."""
    weak: dict[Message, list[str]] = {}
    for name, point in zip(classes, points, strict=bool(points)):
        if point.reason and point.sensitivity is None:
            reason = message("operating-point-replaced", reason=point.reason, threshold=point.threshold)
        elif point.reason:
            reason = point.reason
        elif point.n < _FEW_VALIDATION_IMAGES:
            reason = message("few-images-for-threshold", n=_FEW_VALIDATION_IMAGES)
        else:
            continue
        weak.setdefault(reason, []).append(name)
    return [
        note("doubtful-operating-points", level="warning", names=some(names, 8), reason=reason)
        for reason, names in weak.items()
    ]


_ROWS_AT_ONCE, _IMAGES_AT_ONCE = 2048, 64


def features_hook(
    split_data: SplitData,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    n_of_fold: int | None = None,
) -> "OnFeatures | None":
    """Return a function that writes the learning curve and checks of the images to the run folder.

    They are computed from the features of the instant stage, the checks also from the borders of images. Returns None
    without pretrained weights, and with those of an earlier run: its training may have included these images, so that
    features would depend on images that the curve excludes.

    Args:
        split_data: the images and their split.
        preprocessing: of the images.
        recipe: of the training.
        context: of the training.
        n_of_fold: number of images in the training of a fold, with cross-validation.
    """
    if recipe.init != "imagenet":
        return None

    def draw(train: "Features", val: "Features", shrinkage: float | None, variation: "Variation | None") -> None:
        from coverslip.audit.learning_curve import MOST_IMAGES, learning_curve, nested_order
        from coverslip.training.heads import is_balanced

        assert shrinkage is not None, "a linear probe was fitted"
        context.stop.check()
        positions = np.concatenate([split_data.train, split_data.val])
        label = split_data.label[positions]
        unit = connected_components(split_data.data, split_data.scan, positions.tolist())
        order = nested_order(label, unit, np.random.default_rng(recipe.seed))
        is_used = order < MOST_IMAGES / len(positions)
        # The last layer is fitted on these images.
        fitted_images = split_data.train if recipe.split.train_per_class is not None else positions
        features = _used_features((train, val), is_used)
        of_group = unit[is_used] if split_data.data.has_groups else None
        _check_images(split_data, preprocessing, recipe, positions[is_used], features, of_group, context)
        records, has_groups = split_data.data.records, split_data.data.has_groups
        has_name = np.array([records[i].group is not None for i in positions[is_used].tolist()])
        curve = learning_curve(
            features,
            label[is_used],
            unit[is_used],
            n_images=len(fitted_images),
            n_groups=count_groups(records[i].group for i in fitted_images).n_groups if has_groups else None,
            has_name=has_name if has_groups else None,
            shrinkage=shrinkage,
            balanced=is_balanced(recipe),
            variation=variation.rows if variation else None,
            n_images_of_fold=n_of_fold,
            seed=recipe.seed,
            on_progress=progress_reporter(context.emit, "computing-learning-curve", "networks"),
        )
        LearningCurveRecord(curve=curve).write(context.run.learning_curve_file)

    return draw


def _check_images(
    split_data: SplitData,
    preprocessing: Preprocessing,
    recipe: Recipe,
    positions: np.ndarray,
    features: np.ndarray,
    group: np.ndarray | None,
    context: RunContext,
) -> None:
    """Write how many labels of the clearest images are suspect, and how well borders alone predict the classes."""
    from coverslip.audit.label_issues import wrong_labels_of_clearest
    from coverslip.audit.shortcuts import border_probe
    from coverslip.training.heads import is_balanced

    fold_index = inner_folds(split_data.data, split_data.scan, positions.tolist(), seed=recipe.seed)
    label = split_data.label[positions]
    if not (fold_index >= 0).any() or len(set(label.tolist())) < len(split_data.classes):
        return
    wrong_labels = wrong_labels_of_clearest(features, label, fold_index, group, balanced=is_balanced(recipe))
    with PixelCache(split_data.data, split_data.scan, (), preprocessing, stop=context.stop) as pixels:
        blocks = (
            pixels(positions[i : i + _IMAGES_AT_ONCE].tolist()) for i in range(0, len(positions), _IMAGES_AT_ONCE)
        )
        borders = border_probe(
            (image / np.float32(np.iinfo(image.dtype).max) for block in blocks for image in block), label, fold_index
        )
    probes = zip(split_data.classes, borders, strict=True)
    border = tuple(
        BorderProbe(label=name, recall=recall, specificity=specificity) for name, (recall, specificity) in probes
    )
    TrainingChecks(wrong_labels=wrong_labels, border=border).write(context.run.checks_file)


def _used_features(features: "Sequence[Features]", is_used: np.ndarray) -> np.ndarray:
    """Return the features of the used images, read in blocks."""
    used_rows, first = [], 0
    for stored in features:
        for start in range(0, stored.shape[0], _ROWS_AT_ONCE):
            rows = stored[slice(start, start + _ROWS_AT_ONCE)]
            used_rows.append(rows[is_used[first : first + len(rows)]])
            first += len(rows)
    return np.concatenate(used_rows)
