"""Training of one network by a recipe: `fit` with validation images, `refit` with choices that folds have made.

The instant stage fits a linear probe on frozen features. Fine-tuning starts with this probe as its head, so that the
first steps change a network that can already classify. Batch norms then keep their pretrained statistics, because the
head was fitted to the resulting features: with the statistics of batches, the first loss was 8.7 instead of 0.3
(blood_pbc, 112 px). Training from scratch starts with a random head. The head of an earlier run with the same classes
is kept if it is not worse on validation images.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from coverslip.errors import BadRecipe, OutOfTime, Stopped
from coverslip.evaluation import (
    METRICS,
    DecisionRule,
    apply_temperature,
    fit_temperature,
    learn_decisions,
    uncertain_share,
)
from coverslip.evaluation.decisions import set_floors
from coverslip.events import CheckpointSelection, ClassifierSelected, Noted, StageStarted
from coverslip.images import Preprocessing
from coverslip.messages import Set, note
from coverslip.models.catalogue import model_info
from coverslip.models.networks import Network, create_network, freeze_to
from coverslip.runs import (
    Calibration,
    CalibrationImages,
    FinetuneStage,
    FittedOn,
    InstantStage,
    Recipe,
    RefittedHead,
    RunContext,
    StageRecord,
    automatic_epochs,
)
from coverslip.stopping import work_stopped
from coverslip.training.batches import TrainingImages, TrainingTask, n_drawn
from coverslip.training.checkpoints import plain_state
from coverslip.training.finetuning import Finetuned, finetune
from coverslip.training.heads import refit_head, refit_head_as_chosen, trained_logits
from coverslip.training.initialization import InitialClassifier, set_normalization
from coverslip.training.instant_stage import (
    HeldOut,
    OnFeatures,
    head_by_choices,
    head_by_validation,
    ignore_features,
    instant_stage,
)
from coverslip.training.linear_probe import LinearHead
from coverslip.training.processor import keep_freed_memory
from coverslip.training.ranking import is_preferred, is_significantly_worse, primary_value
from coverslip.training.step import begin_batch_statistics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
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

    network: Network
    val_logits: Floats  # (n_val, K), averaged over test-time augmentation
    stages: tuple[StageRecord, ...]
    selected_stage: Literal["instant", "finetune"]
    is_stopped: bool  # on request, before the end
    held_out: HeldOut | None = None  # after `refit`: training images by heads fitted without them; None: not available
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

    def weights(self) -> dict[str, npt.NDArray[Any]]:  # Any: each tensor's own dtype
        """The network's tensors by name."""
        return {name: tensor.numpy() for name, tensor in plain_state(self.network).items()}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The network after one stage."""

    stage: Literal["instant", "finetune"]
    val_logits: Floats
    weights: dict[str, torch.Tensor]


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
        Stopped: on request, before there was a network to keep.
    """
    images, recipe, context = task.images, task.recipe, task.context
    network, earlier_head = initial_network(images, task.preprocessing, recipe, initial)
    random_head = _copied_head(network)
    stages: list[StageRecord] = []
    candidates: list[_Candidate] = []
    is_stopped, temperature = False, 1.0
    changes: dict[float, float] = {}
    finetuned: Finetuned | None = None
    if recipe.has_instant_stage:
        choose = head_by_validation(task, fold_index, earlier_head)
        choice, stage = instant_stage(network, task, choose, on_features=on_features)
        candidates.append(_Candidate("instant", choice.held_out.logits, _copied(network)))
        stages.append(stage)
        temperature = stage.temperature
        network.set_head(choice.of_training.weight, choice.of_training.bias)  # not fitted on validation images
    if recipe.is_finetuned and not (candidates and _is_finished_before(context)):
        _initialize_head(network, recipe, random_head, temperature)
        finetuned = _finetune(network, images, recipe, context, recipe.last_epoch)
        changes = finetuned.schedule_changes
        is_stopped = finetuned.stopped_because == "on request"
        if finetuned.stopped_because == "diverged":
            if not (candidates or finetuned.selected_epoch):
                raise _diverged(recipe)
            context.emit(_diverged_note(finetuned.epochs_run, recipe))
        refitted: RefittedHead | None = None
        if finetuned.selected_epoch:
            if recipe.refit_head and len(images.val) and not is_stopped:
                try:
                    val_logits, refitted = refit_head(network, task, fold_index)
                except Stopped:
                    is_stopped = True
            if refitted is None:
                val_logits = trained_logits(network, images, recipe, context.device)
            candidates.append(_Candidate("finetune", val_logits, _copied(network)))
        stages.append(_finetune_stage(finetuned, recipe, refitted))
    if not candidates:
        raise work_stopped()
    selected = candidates[0]
    if len(candidates) == 2:
        instant, tuned = candidates
        if keep_finetuned(tuned.val_logits, instant.val_logits, images, recipe, stages[-1]):
            selected = tuned
        if not is_stopped and len(images.val):  # a stopped training may continue and decide otherwise
            label = images.val_label
            context.emit(_compared_note(selected.stage, tuned.val_logits, instant.val_logits, label, recipe))
    network.load_state_dict(selected.weights)
    if not is_stopped:
        context.emit(_selected(selected.stage, finetuned))
    val_logits, stage_name = selected.val_logits, selected.stage
    return Fitted(network, val_logits, tuple(stages), stage_name, is_stopped, None, changes)


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


def _selected(stage: Literal["instant", "finetune"], finetuned: Finetuned | None) -> ClassifierSelected:
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
    n = n_drawn(images.train_label, images.train_domain, recipe)
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


def _diverged_note(epochs_run: int, recipe: Recipe) -> Noted:
    return Noted.of(note("diverged", level="warning", remedies=(_lower_rate(recipe),), epoch=epochs_run))


def refit(
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
        OutOfTime: the deadline of the context passed before the last chosen epoch.
        Stopped: on request.
    """
    images, recipe, context = task.images, task.recipe, task.context
    network, earlier_head = initial_network(images, task.preprocessing, recipe, initial)
    random_head = _copied_head(network)
    stages: list[StageRecord] = []
    held_out: HeldOut | None = None
    temperature = choices.head_temperature
    finetuned: Finetuned | None = None
    if recipe.has_instant_stage:
        assert choices.shrinkage is not None, "folds with an instant stage fit a linear probe"
        earlier_head = earlier_head if choices.keeps_head else None
        choose = head_by_choices(task, fold_index, choices.shrinkage, earlier_head)
        choice, stage = instant_stage(network, task, choose, temperature, on_features, with_copies=earlier_head is None)
        stages.append(stage)
        temperature = stage.temperature
        if len(choice.held_out.label):
            held_out = choice.held_out
    if choices.epochs:
        held_out = None  # the probe does not describe the fine-tuned network
        _initialize_head(network, recipe, random_head, temperature)
        finetuned = _finetune(network, images, recipe, context, choices.epochs)
        if finetuned.stopped_because == "on request":  # with fewer epochs it would be another network
            raise work_stopped()
        if finetuned.stopped_because == "out of time":
            raise OutOfTime("no-time-for-all-images")
        if finetuned.stopped_because == "diverged":
            raise _diverged(recipe)
        if choices.refitted is not None:
            refit_head_as_chosen(network, task, choices.refitted)
        stages.append(_finetune_stage(finetuned, recipe, choices.refitted))
    selected: Literal["instant", "finetune"] = "finetune" if choices.epochs else "instant"
    context.emit(_selected(selected, finetuned))
    val_logits = np.zeros((0, images.n_classes))
    return Fitted(network, val_logits, tuple(stages), selected, is_stopped=False, held_out=held_out)


def calibrate(
    logits: Floats, label: Ints, rule: DecisionRule, calibrated_on: CalibrationImages = "validation images"
) -> Calibration:
    """Return the calibration of probabilities and decisions by images that were not used for fitting.

    Args:
        logits: (n, K) of the selected network, or of equivalent networks.
        label: (n,) int in [0, K).
        rule: of the decision between classes.
        calibrated_on: description of the images.
    """
    temperature = fit_temperature(logits, label)
    probability = apply_temperature(logits, temperature)
    points, threshold = learn_decisions(probability, label, rule)
    return Calibration(
        calibrated_on=calibrated_on,
        temperature=temperature,
        set_floors=set_floors(probability, label),
        operating_points=points,
        uncertain_below=threshold,
        uncertain_share=uncertain_share(probability, points, threshold),
    )


def initial_network(
    images: TrainingImages, preprocessing: Preprocessing, recipe: Recipe, initial: InitialClassifier | None
) -> tuple[Network, LinearHead | None]:
    """Return the initial network of a training, and the head of an earlier run with the same classes."""
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    network = create_network(
        recipe.model,
        n_classes=images.n_classes,
        head=recipe.head,
        channels=preprocessing.channels,
        pretrained=recipe.init == "imagenet",
        options={**model_info(recipe.model).dropout.get(recipe.dropout, {}), **recipe.model_options},
        image_size=preprocessing.image_size,
    )
    earlier_head = initial.load_into(network) if initial else None
    set_normalization(network, recipe, images.pixels_of, images.train)
    freeze_to(network, recipe.freeze_to)
    begin_batch_statistics(network, recipe, images.pixels_of, images.train)
    return network, earlier_head


def _copied_head(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.head.state_dict().items()}


def _initialize_head(
    network: Network, recipe: Recipe, random_head: dict[str, torch.Tensor], temperature: float
) -> None:
    """Set the initial head of fine-tuning: the instant classifier divided by its temperature, or a random head."""
    if recipe.init == "scratch":
        return
    if recipe.head_init == "random":
        network.head.load_state_dict(random_head)
    else:
        _soften(network, temperature)


def _finetune(
    network: Network, images: TrainingImages, recipe: Recipe, context: RunContext, last_epoch: int | None
) -> Finetuned:
    """Fine-tune in place."""
    n_epochs = min(recipe.n_epochs, last_epoch or recipe.n_epochs)
    selection: CheckpointSelection = "last" if recipe.keeps_last_epoch or not len(images.selecting[0]) else "best"
    context.emit(StageStarted(stage="finetune", n_epochs=n_epochs, checkpoint_selection=selection))
    if images.chosen is not None:
        context.emit(images.chosen.event)
    finetuned = finetune(network, images, recipe, context, last_epoch=last_epoch)
    network.to("cpu")
    return finetuned


def _soften(network: Network, temperature: float) -> None:
    """Divide the head by its temperature: overconfident logits would cause large first steps of fine-tuning."""
    with torch.no_grad():
        network.head.weight.div_(temperature)
        network.head.bias.div_(temperature)


def _copied(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _finetune_stage(finetuned: Finetuned, recipe: Recipe, refitted: RefittedHead | None) -> FinetuneStage:
    started_from = "random head" if recipe.head_init == "random" else "instant classifier"
    if recipe.init == "scratch":
        started_from = "random weights"
    return FinetuneStage(
        started_from=started_from,
        seconds=round(finetuned.seconds, 3),
        selected_epoch=finetuned.selected_epoch,
        checkpoint_selection=finetuned.selection,
        epochs_run=finetuned.epochs_run,
        epochs_planned=recipe.n_epochs,
        n_steps=finetuned.n_steps,
        stopped_because=finetuned.stopped_because,
        images_per_second=round(finetuned.images_per_second, 2),
        precision=finetuned.precision,
        refitted=refitted,
    )
