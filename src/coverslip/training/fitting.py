"""Training of one network by a recipe: initial weights, the instant stage, then fine-tuning; refits.

The instant stage fits a linear probe on frozen features. Fine-tuning starts with this probe as its head, so that the
first steps change a network that can already classify. Batch norms then keep their pretrained statistics, because the
head was fitted to the resulting features: with the statistics of batches, the first loss was 8.7 instead of 0.3
(blood_pbc, 112 px). Training from scratch starts with a random head. The head of an earlier run with the same classes
is kept if it is not worse on validation images.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from coverslip.engines import fastest_engine
from coverslip.errors import BadRecipe, Stopped
from coverslip.evaluation.calibration import apply_temperature, calibrated_temperature
from coverslip.evaluation.decisions import DecisionRule, learn_decisions, set_floors, uncertain_share
from coverslip.evaluation.table import METRICS
from coverslip.events import ClassifierSelected, Noted
from coverslip.messages import Set, note
from coverslip.models.backbone import Backbone
from coverslip.runs.classifier import CalibrationImages, Tensors
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import Recipe, automatic_epochs
from coverslip.runs.training import Calibration, FinetuneStage, FittedOn, InstantStage, RefittedHead, StageRecord
from coverslip.stopping import work_stopped
from coverslip.training.heads import refit_head, refit_head_as_folds_chose, trained_logits
from coverslip.training.instant import (
    HeldOut,
    InitialClassifier,
    OnFeatures,
    head_by_choices,
    head_by_validation,
    ignore_features,
    initial_backbone,
    instant_stage,
)
from coverslip.training.linear_probe import LinearHead, is_preferred, is_significantly_worse, primary_value
from coverslip.training.task import TrainingImages, TrainingTask, recipe_order

if TYPE_CHECKING:
    from coverslip.training.finetuning import Finetuned

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# `fit` with validation images, `fit_as_folds_chose` with choices that folds have made.

_ENOUGH = 0.75  # share of the recommended images of fine-tuning; with fewer it is worse more often


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices made with validation images, for training a final network on every image."""

    shrinkage: float | None  # of the linear probe; None if none is fitted
    keeps_head: bool  # keep the head of the earlier run whose weights are the initialization
    head_temperature: float  # of the linear probe if no image can be held out from it
    epochs: int  # of fine-tuning; 0: the instant classifier is kept
    refitted: RefittedHead | None = None  # average with the trained head; None: no averaging


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network, its logits of validation images, and the records of its stages."""

    backbone: Backbone
    head: LinearHead
    val_logits: Floats  # (n_val, K), averaged over test-time augmentation
    stages: tuple[StageRecord, ...]
    selected_stage: Literal["instant", "finetune"]
    is_stopped: bool  # on request, before the end
    held_out: HeldOut | None = (
        None  # after `fit_as_folds_chose`: training images by heads fitted without them; None: not available
    )
    schedule_changes: dict[float, float] = field(default_factory=dict)  # as the recipe key of this name

    @property
    def fitted_on(self) -> FittedOn:
        """The images that the last layer was fitted on."""
        refitted = self.finetuning.refitted if self.selected_stage == "finetune" and self.finetuning else None
        if self.selected_stage == "finetune":
            return refitted.fitted_on if refitted is not None and refitted.share else "training images"
        return next(stage.fitted_on for stage in self.stages if isinstance(stage, InstantStage))

    @property
    def is_linear_probe(self) -> bool:
        """Whether the selected network is frozen, with a last layer that was fitted in this training."""
        instant = next((stage for stage in self.stages if isinstance(stage, InstantStage)), None)
        return self.selected_stage == "instant" and instant is not None and instant.head == "fitted"

    @property
    def finetuning(self) -> FinetuneStage | None:
        """The record of fine-tuning; None if there was none."""
        return next((stage for stage in self.stages if isinstance(stage, FinetuneStage)), None)

    def weights(self) -> Tensors:
        """The network's tensors by name, with features by which the engines of other computers are checked."""
        backbone = self.backbone
        if backbone.expected is None:
            backbone = replace(backbone, expected=fastest_engine(backbone).run(backbone.noise()))
        head = {"head.weight": self.head.weight, "head.bias": self.head.bias}
        return {**backbone.tensors(), **{name: each.astype(np.float32) for name, each in head.items()}}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The network after one stage."""

    stage: Literal["instant", "finetune"]
    val_logits: Floats
    backbone: Backbone
    head: LinearHead


def fit(
    task: TrainingTask,
    fold_index: Ints | None,
    initial: InitialClassifier | None = None,
    on_features: OnFeatures = ignore_features,
) -> Fitted:
    """Train one network in both stages and select the better result by validation images, or as the recipe states.

    Args:
        task: images, recipe and context.
        fold_index: (n_val,) fold in which each validation image is held out from a linear probe that is fitted on
            validation images too; negative if a probe of the training images predicts it. None: no probe is fitted on
            validation images.
        initial: classifier of the earlier run whose weights are the initialization, if any.
        on_features: gets the frozen features of training and validation images, if any are computed.

    Raises:
        BadRecipe: training diverged before there was a network to keep.
        OutOfTime: the context has no limit, and its deadline comes before the last epoch ends.
        Stopped: on request, before there was a network to keep.
    """
    images, recipe, context = task.images, task.recipe, task.context
    backbone = initial_backbone(images, task.preprocessing, recipe, initial)
    earlier_head = initial.head() if initial is not None else None
    stages: list[StageRecord] = []
    candidates: list[_Candidate] = []
    is_stopped, of_training = False, None
    changes: dict[float, float] = {}
    finetuned: Finetuned | None = None
    if recipe.has_instant_stage:
        choose = head_by_validation(task, fold_index, earlier_head)
        choice, stage = instant_stage(backbone, task, choose, on_features=on_features)
        candidates.append(_Candidate("instant", choice.held_out.logits, backbone, choice.head))
        stages.append(stage)
        of_training = choice.of_training.softened(stage.temperature)  # not fitted on validation images
    if recipe.is_finetuned and not (candidates and _is_finished_before(context)):
        from coverslip.training.finetuning import finetune_backbone

        tuned, head, finetuned = finetune_backbone(backbone, of_training, images, recipe, context, recipe.last_epoch)
        changes = finetuned.schedule_changes
        is_stopped = finetuned.stopped_because == "on request"
        if finetuned.stopped_because == "diverged":
            if not (candidates or finetuned.selected_epoch):
                raise _diverged(recipe)
            rate = (_lower_rate(recipe),)
            context.emit(Noted.of(note("diverged", level="warning", remedies=rate, epoch=finetuned.epochs_run)))
        refitted: RefittedHead | None = None
        if finetuned.selected_epoch:
            if recipe.refit_head and len(images.val) and not is_stopped:
                try:
                    val_logits, refitted, head = refit_head(tuned, head, task, fold_index)
                except Stopped:
                    is_stopped = True
            if refitted is None:
                val_logits = trained_logits(tuned, head, images, recipe, context)
            candidates.append(_Candidate("finetune", val_logits, tuned, head))
        stages.append(_finetune_stage(finetuned, recipe, refitted))
    if not candidates:
        raise work_stopped()
    selected = candidates[0]
    if len(candidates) == 2:
        of_instant, of_tuned = (each.val_logits for each in candidates)
        if keep_finetuned(of_tuned, of_instant, images, recipe, stages[-1]):
            selected = candidates[1]
        if not is_stopped and len(images.val):  # a stopped training may continue and decide otherwise
            context.emit(_compared_note(selected.stage, of_tuned, of_instant, images.val_label, recipe))
    if not is_stopped:
        context.emit(_selected(selected.stage, finetuned))
    return Fitted(
        selected.backbone, selected.head, selected.val_logits, tuple(stages), selected.stage, is_stopped, None, changes
    )


def _compared_note(
    selected: Literal["instant", "finetune"], finetuned: Floats, instant: Floats, label: Ints, recipe: Recipe
) -> Noted:
    """Return the note on the selected classifier with the validation results of both."""
    metric = METRICS[recipe.primary_metric]
    values = [primary_value(logits, label, recipe) for logits in (finetuned, instant)]
    has_scores, is_fixed = bool(np.isfinite(values).all()), recipe.stage_selection == "finetune"
    scores = dict(zip(("finetune", "instant"), map(metric.as_higher_is_better, values), strict=True))
    alternative = "instant" if selected == "finetune" else "finetune"
    compared = note(
        "stages-compared",
        kept=selected,
        finetune=values[0] if has_scores else None,
        instant=values[1] if has_scores else None,
        metric=metric.title,
        has_scores=has_scores,
        is_augmented=recipe.n_views > 1,
        is_close=has_scores and not is_fixed and scores[selected] <= scores[alternative],
        is_fixed=is_fixed,
    )
    return Noted.of(compared)


def _is_finished_before(context: RunContext) -> bool:
    """Return whether the user asked to end the training before its first epoch."""
    return context.is_finish_requested and not context.run.checkpoint_file("last").exists()


def _selected(stage: Literal["instant", "finetune"], finetuned: "Finetuned | None") -> ClassifierSelected:
    if stage == "instant" or finetuned is None:
        return ClassifierSelected(stage=stage)
    return ClassifierSelected(stage=stage, epoch=finetuned.selected_epoch, checkpoint_selection=finetuned.selection)


def keep_finetuned(
    finetuned: Floats, instant: Floats, images: TrainingImages, recipe: Recipe, stage: StageRecord
) -> bool:
    """Return whether the fine-tuned network is selected, by the (n_val, K) logits of both classifiers.

    Fine-tuning nearly always improves the result if it started with the instant classifier and ran to its end, with at
    least three quarters of the recommended epochs. Then it is rejected only if it is significantly worse on validation
    images. In all other cases it must be better.
    """
    if recipe.stage_selection == "finetune":
        return True
    assert isinstance(stage, FinetuneStage)
    n = len(recipe_order(images.train_label, images.train_domain, recipe, epoch=1))
    is_enough = stage.n_steps * min(recipe.batch_size, n) >= _ENOUGH * automatic_epochs(n) * n
    is_complete = stage.stopped_because == "all epochs done" and is_enough
    if is_complete and recipe.begins_with_instant_classifier and recipe.keeps_last_epoch:
        return not is_significantly_worse(finetuned, instant, images.val_label, recipe)
    return is_preferred(finetuned, instant, images.val_label, recipe)


def _lower_rate(recipe: Recipe) -> Set:
    """Return the remedy of a tenth of the learning rate."""
    return Set("learning_rate", float(f"{recipe.learning_rate / 10:g}"))


def _diverged(recipe: Recipe) -> BadRecipe:
    return BadRecipe("training-diverged", remedies=(_lower_rate(recipe),))


def fit_as_folds_chose(
    task: TrainingTask,
    fold_index: Ints,
    choices: Choices,
    initial: InitialClassifier | None = None,
    on_features: OnFeatures = ignore_features,
) -> Fitted:
    """Train one network as `fit` does, but by the choices of folds and without validation images.

    Args:
        task: images, recipe and context; validation images are not used.
        fold_index: (n_train,) fold in which each image is held out, to predict it by a linear probe that was fitted
            without it; negative for never. The final probe is fitted on all images.
        choices: made with the validation images of folds.
        initial, on_features: as for `fit`.

    Raises:
        BadRecipe: training diverged.
        OutOfTime: the deadline of the context comes before the last chosen epoch ends.
        Stopped: on request.
    """
    images, recipe, context = task.images, task.recipe, task.context
    backbone = initial_backbone(images, task.preprocessing, recipe, initial)
    stages: list[StageRecord] = []
    held_out: HeldOut | None = None
    head: LinearHead | None = None
    finetuned: Finetuned | None = None
    if recipe.has_instant_stage:
        assert choices.shrinkage is not None, "folds with an instant stage fit a linear probe"
        earlier_head = initial.head() if initial is not None and choices.keeps_head else None
        choose = head_by_choices(task, fold_index, choices.shrinkage, earlier_head)
        choice, stage = instant_stage(
            backbone, task, choose, choices.head_temperature, on_features, with_copies=earlier_head is None
        )
        stages.append(stage)
        head = choice.head
        if len(choice.held_out.label):
            held_out = choice.held_out
    if choices.epochs:
        from coverslip.training.finetuning import finetune_backbone

        held_out = None  # the probe does not describe the fine-tuned network
        head = head.softened(stage.temperature) if head is not None else None
        backbone, head, finetuned = finetune_backbone(backbone, head, images, recipe, context, choices.epochs)
        if finetuned.stopped_because == "on request":  # with fewer epochs it would be another network
            raise work_stopped()
        if finetuned.stopped_because == "diverged":
            raise _diverged(recipe)
        if choices.refitted is not None:
            head = refit_head_as_folds_chose(backbone, head, task, choices.refitted)
        stages.append(_finetune_stage(finetuned, recipe, choices.refitted))
    selected: Literal["instant", "finetune"] = "finetune" if choices.epochs else "instant"
    context.emit(_selected(selected, finetuned))
    val_logits = np.zeros((0, images.n_classes))
    assert head is not None, "a training has a stage"
    return Fitted(backbone, head, val_logits, tuple(stages), selected, is_stopped=False, held_out=held_out)


def calibrate(
    logits: Floats,
    label: Ints,
    rule: DecisionRule,
    calibrated_on: CalibrationImages = "validation images",
    group: npt.NDArray[np.str_] | None = None,
) -> Calibration:
    """Return the calibration of probabilities and decisions by images that were not used for fitting.

    Args:
        logits: (n, K) of the selected network, or of equivalent networks.
        label: (n,) int in [0, K).
        rule: of the decision between classes.
        calibrated_on: description of the images.
        group: (n,) names of groups, or None without groups.
    """
    temperature = calibrated_temperature(logits, label)
    probability = apply_temperature(logits, temperature)
    points, threshold = learn_decisions(probability, label, rule, group)
    return Calibration(
        calibrated_on=calibrated_on,
        temperature=temperature,
        set_floors=set_floors(probability, label),
        operating_points=points,
        uncertain_below=threshold,
        uncertain_share=uncertain_share(probability, points, threshold),
    )


def _finetune_stage(finetuned: "Finetuned", recipe: Recipe, refitted: RefittedHead | None) -> FinetuneStage:
    started_from = "random head" if recipe.head_init == "random" else "instant classifier"
    if recipe.init == "scratch":
        started_from = "random weights"
    return FinetuneStage(
        started_from=started_from,
        seconds=round(finetuned.seconds, 3),
        selected_epoch=finetuned.selected_epoch,
        checkpoint_selection=finetuned.selection,
        epochs_run=finetuned.epochs_run,
        epochs_planned=finetuned.epochs_planned,
        n_steps=finetuned.n_steps,
        stopped_because=finetuned.stopped_because,
        images_per_second=round(finetuned.images_per_second, 2),
        precision=finetuned.precision,
        refitted=refitted,
    )
