"""Training one network by a recipe: `fit` where validation images choose, `refit` where the choices are made.

The instant stage fits a linear probe on frozen features. Fine-tuning starts with that probe as its head, so that the
first steps move a network that already knows the classes. Batch norms then keep their pretrained statistics: the head
was fitted to the features they give, and with the statistics of batches in their place the first loss was 8.7 instead
of 0.3 (blood_pbc, 112 px). From scratch there are no features worth a head, and training starts at random. The
head of an earlier run with the same classes is kept if validation images prefer it.
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
    epochs_called_for,
)
from coverslip.stopping import work_stopped
from coverslip.training.batches import TrainingImages, n_drawn
from coverslip.training.checkpoints import plain_state
from coverslip.training.finetuning import Finetuned, finetune
from coverslip.training.heads import DigestOf, refit_head, refit_head_as_chosen, trained_logits
from coverslip.training.initialization import InitialClassifier, set_normalization
from coverslip.training.instant_stage import (
    OnFeatures,
    Unseen,
    head_by_choices,
    head_by_validation,
    ignore_features,
    instant_stage,
)
from coverslip.training.linear_probe import LinearHead
from coverslip.training.pacing import StepPace
from coverslip.training.processor import keep_freed_memory
from coverslip.training.ranking import is_preferred, is_significantly_worse, primary_value
from coverslip.training.step import begin_batch_statistics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_ENOUGH = 0.75  # of the images that fine-tuning calls for: with fewer epochs it loses more often (RESULTS.md)


@dataclass(frozen=True, slots=True)
class Choices:
    """What validation images chose, so that a last network can be trained on every image."""

    shrinkage: float | None  # of the linear probe; None where none is fitted
    keeps_head: bool  # of the earlier run whose weights are the initialization
    head_temperature: float  # of the linear probe, where no image can be held out from it
    epochs: int  # of fine-tuning; 0: the instant classifier is kept
    refitted: RefittedHead | None = None  # that the trained head is averaged with; None: with none


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network, and its logits for validation images."""

    network: Network
    val_logits: Floats  # (n_val, K), averaged over test-time augmentation
    stages: tuple[StageRecord, ...]
    chosen: Literal["instant", "finetune"]  # the stage whose network is kept
    is_stopped: bool  # on request, before the end
    held_out: Unseen | None = None  # after `refit`: training images by heads that did not see them; None: not known
    does_not_fit: bool = False  # fine-tuning was given up after its first steps, by the context's time limit
    pace: StepPace | None = None  # of these steps, where there is a limit
    schedule_changes: dict[float, float] = field(default_factory=dict)  # as the recipe's key of this name

    @property
    def fitted_on(self) -> FittedOn:
        """Which images the last layer was fitted on."""
        refitted = self.finetuning.refitted if self.chosen == "finetune" and self.finetuning else None
        if self.chosen == "finetune":
            return refitted.fitted_on if refitted is not None and refitted.share else "training images"
        return next(stage.fitted_on for stage in self.stages if isinstance(stage, InstantStage))

    @property
    def finetuning(self) -> FinetuneStage | None:
        """How the second stage went; None where there was none."""
        return next((stage for stage in self.stages if isinstance(stage, FinetuneStage)), None)

    def weights(self) -> dict[str, npt.NDArray[Any]]:  # Any: each tensor's own dtype
        """The network's tensors by name."""
        return {name: tensor.numpy() for name, tensor in plain_state(self.network).items()}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A network as a stage left it."""

    stage: Literal["instant", "finetune"]
    val_logits: Floats
    weights: dict[str, torch.Tensor]


def fit(
    images: TrainingImages,
    fold_index: Ints | None,
    digest_of: DigestOf,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    initial: InitialClassifier | None = None,
    on_features: OnFeatures = ignore_features,
) -> Fitted:
    """Train one network by both stages and keep the better one by validation images, or the one that the recipe says.

    Args:
        images: to fit on and to validate on; test images are not among them.
        fold_index: (n_val,) in which each validation image is held out from a linear probe that learns from them too;
            negative for never: a probe fitted on training images alone then predicts it. None: no probe is fitted on
            validation images.
        digest_of: hashes of the content of images; features are cached by them.
        preprocessing: how pixels were preprocessed; features are cached by it.
        recipe: what to do.
        context: checkpoints go into its folder; it is asked for a stop before every step.
        initial: the earlier run whose weights are the initialization, if any.
        on_features: shown the frozen features of training and validation images, where there are any.

    Raises:
        BadRecipe: training diverged before there was a network to keep.
        OutOfTime: the context's deadline came before there was a network to keep.
        Stopped: on request, before there was a network to keep.
    """
    network, kept_head = initial_network(images, preprocessing, recipe, initial)
    random_head = _copied_head(network)
    stages: list[StageRecord] = []
    candidates: list[_Candidate] = []
    is_stopped, temperature, does_not_fit = False, 1.0, False
    pace: StepPace | None = None
    changes: dict[float, float] = {}
    finetuned: Finetuned | None = None
    if recipe.init != "scratch":
        choose = head_by_validation(images, fold_index, recipe, kept_head, context)
        choice, stage = instant_stage(
            network, images, digest_of, preprocessing, recipe, context, choose, on_features=on_features
        )
        candidates.append(_Candidate("instant", choice.unseen.logits, _copied(network)))
        stages.append(stage)
        temperature = stage.temperature
        network.set_head(choice.of_training.weight, choice.of_training.bias)  # validation images judge what comes of it
    is_wanted = recipe.is_finetuned and not (candidates and _is_finished_before(context))
    if is_wanted:
        _initialize_head(network, recipe, random_head, temperature)
        finetuned = _finetune(network, images, recipe, context, recipe.last_epoch)
        pace, changes = finetuned.pace, finetuned.schedule_changes
        does_not_fit = finetuned.stopped_because == "does not fit"
        is_stopped = finetuned.stopped_because == "on request"
        if finetuned.stopped_because == "diverged":
            if not (candidates or finetuned.selected_epoch):
                raise _diverged(recipe)
            context.emit(_diverged_note(finetuned.epochs_run, recipe))
        if finetuned.stopped_because == "out of time" and not (candidates or finetuned.selected_epoch):
            raise OutOfTime("no-time-for-an-epoch")
        refitted: RefittedHead | None = None
        if finetuned.selected_epoch and not does_not_fit:
            if recipe.refit_head and len(images.val) and not is_stopped:
                try:
                    val_logits, refitted = refit_head(
                        network, images, fold_index, digest_of, preprocessing, recipe, context
                    )
                except Stopped:
                    is_stopped = True
            if refitted is None:
                val_logits = trained_logits(network, images, recipe, context.device)
            candidates.append(_Candidate("finetune", val_logits, _copied(network)))
        if not does_not_fit:
            stages.append(_finetune_stage(finetuned, recipe, refitted))
    if not candidates and does_not_fit:
        nothing = np.zeros((0, images.n_classes))
        return Fitted(network, nothing, tuple(stages), "finetune", False, None, does_not_fit, pace)
    if not candidates:
        raise work_stopped()
    best, *others = candidates
    for other in others:  # fine-tuning, if there is one
        instant = best
        if keep_finetuned(other.val_logits, instant.val_logits, images, recipe, stages[-1]):
            best = other
        if not is_stopped and len(images.val):  # else the last word is not spoken
            context.emit(_compared_note(best.stage, other.val_logits, instant.val_logits, images.val_label, recipe))
    network.load_state_dict(best.weights)
    if not (is_stopped or does_not_fit):
        context.emit(_selected(best.stage, finetuned))
    return Fitted(network, best.val_logits, tuple(stages), best.stage, is_stopped, None, does_not_fit, pace, changes)


def _compared_note(
    selected: Literal["instant", "finetune"], finetuned: Floats, instant: Floats, label: Ints, recipe: Recipe
) -> Noted:
    """Which of the two classifiers is selected, with what validation images say of both."""
    metric = METRICS[recipe.primary_metric]
    values = [primary_value(logits, label, recipe) for logits in (finetuned, instant)]
    has_scores, is_fixed = bool(np.isfinite(values).all()), recipe.stage_selection == "finetune"
    scores = dict(zip(("finetune", "instant"), map(metric.as_higher_is_better, values), strict=True))
    other = "instant" if selected == "finetune" else "finetune"
    compared = note(
        "stages-compared",
        kept=selected,
        finetune=values[0] if has_scores else None,
        instant=values[1] if has_scores else None,
        metric=metric.title,
        has_scores=has_scores,
        is_augmented=recipe.tta > 1,
        is_close=has_scores and not is_fixed and scores[selected] <= scores[other],
        is_fixed=is_fixed,
    )
    return Noted.of(compared)


def _is_finished_before(context: RunContext) -> bool:
    """Whether a training shall end before its first epoch."""
    return context.is_finish_requested and not context.run.checkpoint_file("last").exists()


def _selected(stage: Literal["instant", "finetune"], finetuned: Finetuned | None) -> ClassifierSelected:
    if stage == "instant" or finetuned is None:
        return ClassifierSelected(stage=stage)
    return ClassifierSelected(stage=stage, epoch=finetuned.selected_epoch, checkpoint_selection=finetuned.selection)


def keep_finetuned(
    finetuned: Floats, instant: Floats, images: TrainingImages, recipe: Recipe, stage: StageRecord
) -> bool:
    """Whether the fine-tuned network is kept, by (n_val, K) logits.

    Fine-tuning that began with the instant classifier and came to its end, after at least three quarters of the epochs
    that these images call for, gains nearly always, and is given up where validation images show that it lost. Any
    other has to be better.
    """
    if recipe.stage_selection == "finetune":
        return True
    assert isinstance(stage, FinetuneStage)
    n = n_drawn(images.train_label, images.train_domain, recipe)
    is_enough = stage.n_steps * min(recipe.batch_size, n) >= _ENOUGH * epochs_called_for(n) * n
    is_complete = stage.stopped_because == "all epochs done" and is_enough
    if is_complete and recipe.begins_with_instant_classifier and recipe.keeps_last_epoch:
        return not is_significantly_worse(finetuned, instant, images.val_label, recipe)
    return is_preferred(finetuned, instant, images.val_label, recipe)


def _lower_rate(recipe: Recipe) -> Set:
    """A tenth of the learning rate that was too high."""
    return Set("learning_rate", float(f"{recipe.learning_rate / 10:g}"))


def _diverged(recipe: Recipe) -> BadRecipe:
    return BadRecipe("training-diverged", remedies=(_lower_rate(recipe),))


def _diverged_note(epochs_run: int, recipe: Recipe) -> Noted:
    return Noted.of(note("diverged", level="warning", remedies=(_lower_rate(recipe),), epoch=epochs_run))


def refit(
    images: TrainingImages,
    fold_index: Ints,
    digest_of: DigestOf,
    preprocessing: Preprocessing,
    recipe: Recipe,
    choices: Choices,
    context: RunContext,
    initial: InitialClassifier | None = None,
    on_features: OnFeatures = ignore_features,
) -> Fitted:
    """Train one network as `fit` would, by choices that are made already: no validation images are needed.

    Args:
        images: to fit on; validation images are not used.
        fold_index: (n_train,) fold in which each image is held out, to predict it by a linear probe that was not fitted
            on it; negative for never. The final probe is fitted on all of them.
        digest_of, preprocessing, recipe, context, initial, on_features: as for `fit`.
        choices: what folds chose on their validation images.

    Raises:
        BadRecipe: training diverged.
        OutOfTime: the context's deadline came before the last of the chosen epochs.
        Stopped: on request.
    """
    inputs = (digest_of, preprocessing, recipe, context)
    network, kept_head = initial_network(images, preprocessing, recipe, initial)
    random_head = _copied_head(network)
    stages: list[StageRecord] = []
    held_out, temperature = None, choices.head_temperature
    finetuned: Finetuned | None = None
    if recipe.init != "scratch":
        assert choices.shrinkage is not None, "folds with initial weights fit a linear probe"
        kept_head = kept_head if choices.keeps_head else None
        choose = head_by_choices(images, recipe, choices.shrinkage, kept_head, fold_index, context)
        choice, stage = instant_stage(
            network, images, *inputs, choose, temperature, on_features, with_copies=kept_head is None
        )
        stages.append(stage)
        unseen = choice.unseen
        held_out, temperature = (unseen if len(unseen.label) else None), stage.temperature
    if choices.epochs:
        held_out = None  # fine-tuning leaves the probe
        _initialize_head(network, recipe, random_head, temperature)
        finetuned = _finetune(network, images, recipe, context, choices.epochs)
        if finetuned.stopped_because == "on request":  # part of the epochs that were chosen would make another network
            raise work_stopped()
        if finetuned.stopped_because == "out of time":
            raise OutOfTime("no-time-for-all-images")
        if finetuned.stopped_because == "diverged":
            raise _diverged(recipe)
        if choices.refitted is not None:
            refit_head_as_chosen(network, images, *inputs, choices.refitted)
        stages.append(_finetune_stage(finetuned, recipe, choices.refitted))
    chosen: Literal["instant", "finetune"] = "finetune" if choices.epochs else "instant"
    context.emit(_selected(chosen, finetuned))
    val_logits = np.zeros((0, images.n_classes))
    return Fitted(network, val_logits, tuple(stages), chosen, is_stopped=False, held_out=held_out)


def calibrate(
    logits: Floats, label: Ints, rule: DecisionRule, calibrated_on: CalibrationImages = "validation images"
) -> Calibration:
    """What images that took no part in fitting set about probabilities and decisions.

    Args:
        logits: (n, K) of the network that is kept, or of some like it.
        label: (n,) int in [0, K).
        rule: how classes are decided.
        calibrated_on: which images these are.
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
    """The network as every training begins with it, and the head of an earlier run with the same classes."""
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    network = create_network(
        recipe.model,
        n_classes=images.n_classes,
        head=recipe.head,
        channels=preprocessing.channels,
        pretrained=recipe.init == "imagenet",
        options=recipe.model_options,
        image_size=preprocessing.image_size,
    )
    kept_head = initial.take_over(network) if initial else None
    set_normalization(network, recipe, images.pixels_of, images.train)
    freeze_to(network, recipe.freeze_to)
    begin_batch_statistics(network, recipe, images.pixels_of, images.train)
    return network, kept_head


def _copied_head(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.head.state_dict().items()}


def _initialize_head(
    network: Network, recipe: Recipe, random_head: dict[str, torch.Tensor], temperature: float
) -> None:
    """The head that fine-tuning begins with: the instant classifier's divided by its temperature, or a random one."""
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
    selection: CheckpointSelection = "last" if recipe.keeps_last_epoch or not len(images.val) else "best"
    context.emit(StageStarted(stage="finetune", n_epochs=n_epochs, checkpoint_selection=selection))
    if images.chosen is not None:
        context.emit(images.chosen.event)
    finetuned = finetune(network, images, recipe, context, last_epoch=last_epoch)
    network.to("cpu")
    return finetuned


def _soften(network: Network, temperature: float) -> None:
    """Divide the head by its temperature: overconfident logits would make the first steps of fine-tuning violent."""
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
