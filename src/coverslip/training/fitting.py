"""Both stages of one recipe: the instant head on frozen features, then fine-tuning; the better one is kept."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from coverslip.engines import N_CHECKED, as_input, embed, fastest_engine, run_views
from coverslip.errors import BadRecipe
from coverslip.evaluation import (
    METRICS,
    OperatingPoint,
    apply_temperature,
    fit_temperature,
    learn_decisions,
    score,
)
from coverslip.events import Emit, HeadFitted, Noted, StageStarted
from coverslip.images import Preparation
from coverslip.models.freezing import freeze_to
from coverslip.models.networks import FeatureNetwork, Network, create_network
from coverslip.runs import Recipe
from coverslip.training.allocator import keep_freed_memory
from coverslip.training.checkpoints import plain_state
from coverslip.training.finetuning import Finetuned, TrainingImages, finetune
from coverslip.training.instant import STRENGTHS, LinearHead, fit_head
from coverslip.training.normalising import set_normalisation
from coverslip.training.starting import StartingPoint

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LOWER_RATE = "Lower the step size, for example --set learning_rate=0.0001."


@dataclass(frozen=True, slots=True)
class Settled:
    """The choices that folds have made, so that a last network can be trained on every image."""

    strength: float | None  # of the head's regularisation; None where none was fitted
    keeps_head: bool  # of the earlier run that training starts from
    start_temperature: float  # that the head is divided by before fine-tuning
    epochs: int  # of fine-tuning; 0: the instant head is the classifier
    temperature: float
    operating_points: tuple[OperatingPoint, ...] | None  # None: the most probable class is predicted
    uncertain_below: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network and what validation images said about it."""

    network: Network
    val_logits: Floats  # (n_val, K), averaged over views
    temperature: float
    operating_points: tuple[OperatingPoint, ...] | None  # None: the most probable class is predicted
    uncertain_below: float
    chosen: str | None  # the stage that was better on validation images; None: stopped before there was any
    story: dict[str, Any]  # training.json; Any: JSON values
    is_stopped: bool  # on request, before the end

    def weights(self) -> dict[str, npt.NDArray[Any]]:  # Any: each tensor's own dtype
        """The network's tensors by name."""
        return {name: tensor.numpy() for name, tensor in plain_state(self.network).items()}


def fit(
    images: TrainingImages,
    digest_of: Callable[[Sequence[int]], list[str]],
    preparation: Preparation,
    recipe: Recipe,
    *,
    checkpoints: Path,
    device: str,
    emit: Emit,
    is_stop_requested: Callable[[], bool],
    start: StartingPoint | None = None,
    settled: Settled | None = None,
) -> Fitted:
    """Train one network by the recipe.

    The instant stage fits a linear head on frozen features. Fine-tuning starts from that head, so that the first steps
    move a network that already knows the classes. Batch norms then keep their pretrained statistics: the head was
    fitted to the features they give, and with the statistics of batches in their place the first loss was 8.7 instead
    of 0.3 (blood_pbc, 112 px). From scratch there are no features worth a head, and training starts at random.
    From an earlier run that tells the same classes, its head is kept if validation images prefer it.

    Args:
        images: to fit on and to choose by; test images are not among them.
        digest_of: positions -> what tells each image's content apart.
        preparation: how pixels were prepared; features are cached by it.
        recipe: what to do.
        checkpoints: folder for fine-tuning's checkpoints.
        device: where to train.
        emit: told what happens.
        is_stop_requested: asked before every step.
        start: the earlier run that the recipe starts from, if any.
        settled: the choices, where they are made already; no validation images are needed then.
    """
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    is_pretrained = recipe.init != "scratch"
    network = create_network(
        recipe.model,
        n_classes=images.n_classes,
        head=recipe.head,
        channels=preparation.channels,
        pretrained=recipe.init == "imagenet",
        options=recipe.model_options,
        image_size=preparation.image_size,
    )
    kept_head = start.take_over(network) if start else None
    set_normalisation(network, recipe, images.pixels_of, images.train)
    freeze_to(network, recipe.freeze_to)
    stages: list[dict[str, Any]] = []  # Any: JSON values
    candidates: list[tuple[str, Floats]] = []
    if is_pretrained:
        emit(StageStarted(stage="instant"))
        val_logits, stage = _instant(network, kept_head, images, digest_of, preparation, recipe, device, emit, settled)
        candidates.append(("instant", val_logits))
        stages.append(stage)
    instant_weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    is_stopped = False
    if settled.epochs if settled else recipe.stage == "finetune" or not is_pretrained:
        if is_pretrained:
            _soften(network, stages[0]["temperature"])
        n_epochs = settled.epochs if settled else recipe.epochs
        emit(StageStarted(stage="finetune", n_epochs=n_epochs))
        done = finetune(
            network,
            images,
            recipe,
            checkpoints=checkpoints,
            device=device,
            emit=emit,
            is_stop_requested=is_stop_requested,
            last_epoch=n_epochs,
        )
        network.to("cpu")
        is_stopped = done.stopped_because == "on request"
        stages.append(_finetune_story(done, start="instant head" if is_pretrained else "random weights"))
        if done.stopped_because == "diverged":
            if settled or not (candidates or done.best_epoch):
                raise BadRecipe("Training diverged: the loss is no longer a number", do=_LOWER_RATE)
            emit(Noted(text=f"Fine-tuning diverged after epoch {done.epochs_run}. {_LOWER_RATE}", level="warning"))
        if done.best_epoch:
            candidates.append(("finetune", _logits(network, images, recipe, device)))
    if settled:
        chosen, val_logits = candidates[-1] if candidates else ("", np.zeros((0, images.n_classes)))
    else:
        chosen, val_logits = max(
            candidates,
            key=lambda candidate: _rank(candidate[1], images.val_label, recipe),
            default=("", np.zeros((0, images.n_classes))),
        )
    if chosen == "instant":
        network.load_state_dict(instant_weights)
        if len(candidates) > 1:
            emit(
                Noted(text="Fine-tuning did not beat the instant classifier on validation images; the latter is kept.")
            )
    temperature, points, threshold = 1.0, None, 0.0
    if settled:
        temperature, points, threshold = settled.temperature, settled.operating_points, settled.uncertain_below
    elif chosen:
        temperature = fit_temperature(val_logits, images.val_label)
        points, threshold = learn_decisions(
            apply_temperature(val_logits, temperature), images.val_label, by_roc=recipe.decide_by == "roc"
        )
    story = {
        "stages": stages,
        "chosen": chosen or None,
        "temperature": temperature,
        "operating_points": None if points is None else [asdict(point) for point in points],
        "uncertain_below": threshold,
        "seconds_total": round(sum(stage["seconds"] for stage in stages), 3),
        "images_per_second": stages[-1].get("images_per_second"),
    }
    return Fitted(network, val_logits, temperature, points, threshold, chosen or None, story, is_stopped)


def _instant(
    network: Network,
    kept_head: LinearHead | None,
    images: TrainingImages,
    digest_of: Callable[[Sequence[int]], list[str]],
    preparation: Preparation,
    recipe: Recipe,
    device: str,
    emit: Emit,
    settled: Settled | None,
) -> tuple[Floats, dict[str, Any]]:  # Any: JSON values
    """Fit the head in place, unless one that is kept is better; gives validation logits and the stage's story."""
    started = monotonic()
    positions = np.concatenate([images.train, images.val]).tolist()

    def pixels_of(chosen: Sequence[int]) -> npt.NDArray[np.unsignedinteger]:
        return images.pixels_of([positions[i] for i in chosen])

    n = len(images.train)
    with embed(
        FeatureNetwork(network),
        network.head.in_features,
        digest_of(positions),
        pixels_of,
        prepared_by=preparation.model_dump(mode="json"),
        n_views=recipe.views,
        device=device,
        emit=emit,
    ) as (features, engine):
        val_features = features.part(slice(n, None))
        head = fit_head(
            features.part(slice(n)),
            images.train_label,
            val_features,
            images.val_label,
            n_classes=images.n_classes,
            balanced=recipe.balance not in ("none", "domains"),
            better=lambda logits, label: _primary(logits, label, recipe),
            strengths=STRENGTHS if settled is None or settled.strength is None else [settled.strength],
        )
        strength, is_kept, logits = head.strength, False, head.logits(val_features)
        if kept_head is not None:
            kept_logits = kept_head.logits(val_features)
            label = images.val_label
            is_kept = (
                settled.keeps_head if settled else _rank(kept_logits, label, recipe) >= _rank(logits, label, recipe)
            )
            if is_kept:
                head, logits = kept_head, kept_logits
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(head.weight))
        network.head.bias.copy_(torch.from_numpy(head.bias))
    temperature, accuracy, macro_f1 = settled.start_temperature if settled else 1.0, None, None
    if len(logits):
        temperature = fit_temperature(logits, images.val_label)
        found = score(apply_temperature(logits, temperature), images.val_label)
        accuracy, macro_f1 = found["accuracy"], found["macro_f1"]
    seconds = monotonic() - started
    emit(HeadFitted(seconds=seconds, val_accuracy=accuracy, val_macro_f1=macro_f1))
    return logits, {
        "stage": "instant",
        "seconds": round(seconds, 3),
        "engine": engine.name if engine else "cache",
        "engine_difference": engine.largest_difference if engine else None,
        "n_features": features.shape[1],
        "head": "kept" if is_kept else "fitted",
        "regularisation": strength,
        "temperature": temperature,
        "val_accuracy": accuracy,
        "val_macro_f1": macro_f1,
    }


def _logits(network: Network, images: TrainingImages, recipe: Recipe, device: str) -> Floats:
    """(n_val, K) validation logits averaged over views."""
    if not len(images.val):
        return np.zeros((0, images.n_classes))
    example = as_input(images.pixels_of(images.val[:N_CHECKED].tolist()))
    engine = fastest_engine(network, example, device=device)
    step = 128
    parts = [
        run_views(engine, images.pixels_of(images.val[i : i + step].tolist()), recipe.views)
        for i in range(0, len(images.val), step)
    ]
    return np.concatenate(parts).astype(np.float64)


def _soften(network: Network, temperature: float) -> None:
    """Divide the head by its temperature: overconfident logits would make the first steps of fine-tuning violent."""
    with torch.no_grad():
        network.head.weight.div_(temperature)
        network.head.bias.div_(temperature)


def _rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """The primary metric, then the calibrated log loss where that is equal; higher is better."""
    calibrated = apply_temperature(logits, fit_temperature(logits, label))
    return _primary(logits, label, recipe), -score(calibrated, label)["log_loss"]


def _primary(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """The primary metric, higher is better."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return metric.as_higher_is_better(score(apply_temperature(logits, 1.0), label)[metric.name])


def _finetune_story(done: Finetuned, *, start: str) -> dict[str, Any]:  # Any: JSON values
    return {
        "stage": "finetune",
        "started_from": start,
        "seconds": round(done.seconds, 3),
        "best_epoch": done.best_epoch,
        "epochs_run": done.epochs_run,
        "stopped_because": done.stopped_because,
        "images_per_second": round(done.images_per_second, 2),
    }
