"""How quick this machine is with a network: measured on a few of the dataset's own images, in seconds."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from coverslip.datasets import DecodedPixels
from coverslip.events import CheckpointSaved, EpochEnded, Event, StepEnded
from coverslip.experiments.memory import batch_size_within_memory
from coverslip.experiments.parts import Parts
from coverslip.experiments.planning import EmbeddingPace, TrainingPace
from coverslip.runs import Recipe, RunContext
from coverslip.training.preprocessing import learn_preprocessing

_N_EMBEDDED = 24
_N_PROBED = 200
_N_STEPS = 3  # of an epoch that is timed
_MOST_TRAINED = 96  # images of that epoch
_N_VALIDATED = 2

_loading_seconds = list[float]()  # of this process, once known: at first use all is several times as slow as ever after


class Pace(Protocol):
    """What a plan asks about a machine."""

    def embedding(self, recipe: Recipe) -> EmbeddingPace:
        """Of the recipe's network, frozen."""

    def training(self, recipe: Recipe) -> TrainingPace:
        """Of fine-tuning the recipe's network.

        Raises:
            OutOfMemory: it takes more than is free.
        """


class MeasuredPace:
    """The pace of this machine, at this moment."""

    def __init__(self, parts: Parts, context: RunContext) -> None:
        """Training images are measured on, with the context's device."""
        self._parts, self._context = parts, context

    def embedding(self, recipe: Recipe) -> EmbeddingPace:
        if not _loading_seconds:
            _loading_seconds.append(self._embedding(recipe, 0.0).setup_seconds)
        return self._embedding(recipe, _loading_seconds[0])

    def _embedding(self, recipe: Recipe, loading_seconds: float) -> EmbeddingPace:
        from coverslip.engines import N_CHECKED, as_input, fastest_engine, run_tta
        from coverslip.models.networks import FeatureNetwork
        from coverslip.training.fitting import initial_network

        preprocessing = learn_preprocessing(self._parts.train_facts, recipe)
        pixels_of = DecodedPixels(self._parts.data, self._parts.scan, preprocessing)
        began = time.monotonic()
        pixels = pixels_of(self._parts.some_training_images(_N_EMBEDDED, seed=recipe.seed))
        read = time.monotonic()
        network, _ = initial_network(self._parts.training_images(pixels_of), preprocessing, recipe, None)
        engine = fastest_engine(FeatureNetwork(network), as_input(pixels[:N_CHECKED]), device=self._context.device)
        is_ready = time.monotonic()
        run_tta(engine, pixels, recipe.tta)
        ended = time.monotonic()
        n = len(pixels)
        probe_seconds = _probe_seconds(len(self._parts.train), network.head.in_features, len(self._parts.classes))
        return EmbeddingPace(
            setup_seconds=is_ready - read,
            # Images are read while others are embedded, but on the same cores.
            images_per_second=n / max(ended - is_ready + read - began, 1e-9),
            reading_per_second=n / max(read - began, 1e-9),
            probe_seconds=probe_seconds,
            loading_seconds=loading_seconds,
        )

    def training(self, recipe: Recipe) -> TrainingPace:
        """By the second of two short epochs: the first one prepares what later ones use again.

        The first step of an epoch takes longer, and is one of many in training: it counts to what every epoch takes
        besides. On a GPU steps are queued, and only the whole epoch waits for them.
        """
        from coverslip.training.batches import TrainingImages
        from coverslip.training.finetuning import finetune
        from coverslip.training.fitting import initial_network

        parts = self._parts
        recipe = recipe.model_copy(update={"batch_size": batch_size_within_memory(parts, recipe, self._context.device)})
        preprocessing = learn_preprocessing(parts.train_facts, recipe)
        n_trained = min(_N_STEPS * recipe.batch_size, _MOST_TRAINED)
        chosen = np.array(parts.some_training_images(n_trained, seed=recipe.seed))
        place = {int(position): i for i, position in enumerate(chosen)}
        pixels = DecodedPixels(parts.data, parts.scan, preprocessing)(chosen.tolist())
        train, val = chosen, chosen[-_N_VALIDATED:]
        images = TrainingImages(
            pixels_of=lambda positions: pixels[[place[int(i)] for i in positions]],
            train=train,
            train_label=parts.label[train],
            val=val,
            val_label=parts.label[val],
            n_classes=len(parts.classes),
        )
        network, _ = initial_network(images, preprocessing, recipe, None)
        batch_size = min(recipe.batch_size, max(1, len(train) // _N_STEPS))
        short = {"epochs": 2, "last_epoch": None, "batch_size": batch_size, "patience": None, "sampling": "all"}
        after: list[tuple[int, float]] = []  # images and seconds, up to the end of a step
        ends: list[float] = []  # of epochs, with all that belongs to them

        def note(event: Event) -> None:
            if isinstance(event, StepEnded) and event.epoch == 2 and self._context.device == "cpu":
                n = event.step * batch_size
                after.append((n, n / event.images_per_second))
            if isinstance(event, EpochEnded) and event.epoch == 2 and self._context.device != "cpu":
                after.append((len(train), event.seconds))
            if isinstance(event, CheckpointSaved) and not event.is_best:
                ends.append(time.monotonic())

        # On the disk that the run is on. Its name is that of what a killed process was writing.
        with TemporaryDirectory(dir=self._context.folder, prefix=".measuring.", suffix=".part") as folder:
            context = RunContext(Path(folder), self._context.device, note, self._context.stop)
            finetune(network, images, recipe.model_copy(update=short), context)
        self._context.stop.check()  # which fine-tuning takes for its end
        if len(ends) < 2:  # training is not sound with these images, as it will say itself: any pace will do
            return TrainingPace(1.0)
        (n_first, first), (n_last, last) = after[0], after[-1]
        per_second = n_last / last if n_first == n_last else (n_last - n_first) / max(last - first, 1e-9)
        return TrainingPace(per_second, max(0.0, ends[1] - ends[0] - n_last / per_second))


def _probe_seconds(n: int, n_features: int, n_classes: int) -> float:
    """What the linear probe takes on n images, from a fit on fewer images of noise."""
    from coverslip.training.linear_probe import fit_linear_probe

    few = max(min(n, _N_PROBED), n_classes)
    label = np.arange(few) % n_classes
    features = np.random.default_rng(0).normal(size=(few, n_features)).astype(np.float32)
    began = time.monotonic()
    fit_linear_probe(features, label, features, label, n_classes=n_classes, balanced=False, better=lambda *_: 0.0)
    return (time.monotonic() - began) * _probe_cost(n, n_features) / _probe_cost(few, n_features)


def _probe_cost(n: int, n_features: int) -> float:
    """Multiplications of the smaller of two products, and of its eigenvectors."""
    side = min(n, n_features)
    return float(n * n_features * side + 10 * side**3)
