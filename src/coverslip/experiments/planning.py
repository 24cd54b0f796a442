"""What fits into a time budget: arithmetic on the pace of a machine and the numbers of images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coverslip.errors import OutOfMemory
from coverslip.models import model_info, select_models
from coverslip.runs import Recipe, epochs_called_for

MOST_CONSIDERED = 5  # networks and image sizes: more choices among few validation images choose by chance
FEWEST_EPOCHS = 2  # a learning rate that rises and falls within one epoch leaves little to keep
_FEWEST_SHARE = 0.6  # of the epochs that the images call for: with fewer, instant classifiers lose (RESULTS.md)
MEASURING_SHARE = 0.1  # of the budget, for measuring how quick the machine is
TRIALS_SHARE = 0.25  # of what is left then, for the instant classifiers of all networks
SAFETY = 1.25  # estimates of what must not be late are raised by this factor
_MORE_EPOCHS = 1.5  # times those that the images call for; twice as many gained hardly more (RESULTS.md)
_MORE_SAFETY = 1.75  # what they gain is less than what is lost where they are cut short
_CLOSING_COST = 5.0  # what else ends a training, in times that loading takes, as it does figures and page at first
_VALIDATION_COST = 1 / 3  # of an image's forward pass, beside one of forward, backward and step
_SMALLEST_PX = 64
_SMALLEST_SHARE = 0.4  # of a network's image size: fine-tuned there, most beat their instant classifiers (RESULTS.md)
_STEP_PX = 32  # networks halve the size five times


@dataclass(frozen=True, slots=True)
class EmbeddingPace:
    """How quick a frozen network is here, test-time augmentation included."""

    setup_seconds: float  # to build it, and what runs it
    images_per_second: float  # read, preprocessed and embedded
    reading_per_second: float  # read and preprocessed alone
    probe_seconds: float  # for the linear probe on its features of all training images
    loading_seconds: float  # to build and run the first network of this process, with all that is loaded for it


@dataclass(frozen=True, slots=True)
class TrainingPace:
    """How quick fine-tuning is here."""

    images_per_second: float  # of steps
    epoch_overhead: float = 0.0  # seconds of an epoch besides its images, most of them for its checkpoints


@dataclass(frozen=True, slots=True)
class Workload:
    """How many images each part of a training looks at."""

    n_train: int
    n_val: int
    n_test: int
    n_epoch: int  # drawn in an epoch: more or fewer than there are, where sampling says so
    n_networks: int = 1  # that are trained on them


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """A network at an image size."""

    model: str
    image_size: int

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe with this network."""
        return recipe.model_copy(update={"model": self.model, "image_size": self.image_size})

    def __str__(self) -> str:
        return f"{self.model} at {self.image_size} px"


@dataclass(frozen=True, slots=True)
class FinetuningPlan:
    """Fine-tuning that fits."""

    choice: NetworkChoice
    epochs: int
    seconds: float


def network_choices(recipe: Recipe, *, chooses_network: bool) -> list[NetworkChoice]:
    """What may be tried: the recipe's own network first, which serves where there is time for no other.

    Args:
        recipe: what it names is kept to, the image size too.
        chooses_network: whether it leaves the network open.
    """
    own = model_info(recipe.model)
    size = recipe.image_size or own.input_px
    choices = [NetworkChoice(recipe.model, size)]
    if recipe.init != "imagenet":
        return choices
    if recipe.image_size is None and not own.is_sized:
        choices += [NetworkChoice(recipe.model, smaller) for smaller in _smaller(size)]
    if chooses_network:
        others = [
            record
            for record in select_models(available=True)
            if record.name != recipe.model and (recipe.image_size or record.side_multiple) % record.side_multiple == 0
        ]
        others.sort(key=lambda record: record.macs or 0)
        choices[1:1] = [NetworkChoice(record.name, recipe.image_size or record.input_px) for record in others]
    return choices[:MOST_CONSIDERED]


def finetuning_choices(choice: NetworkChoice, recipe: Recipe) -> list[NetworkChoice]:
    """At what image sizes a network may be fine-tuned: its own, then smaller ones, at which more epochs fit.

    Args:
        choice: whose instant classifier was preferred.
        recipe: what it names is kept to, the image size too.
    """
    record = model_info(choice.model)
    is_open = recipe.image_size is None and recipe.init == "imagenet" and recipe.begins_with_instant_classifier
    if not is_open or record.is_sized:
        return [choice]
    smallest = max(_SMALLEST_PX, _SMALLEST_SHARE * choice.image_size)
    multiples = range(_STEP_PX * (choice.image_size // _STEP_PX), _SMALLEST_PX - 1, -_STEP_PX)
    sizes = [px for px in multiples if smallest <= px < choice.image_size and px % record.side_multiple == 0]
    return [choice, *(NetworkChoice(choice.model, px) for px in sizes)]


def likely_cost(choice: NetworkChoice) -> float:
    """Multiplications of an image, by which what is dearer than what does not fit need not be measured."""
    record = model_info(choice.model)
    return (record.macs or 0) * (choice.image_size / record.input_px) ** 2


def _smaller(size: int) -> list[int]:
    """Half of it."""
    half = round(size / 2 / _STEP_PX) * _STEP_PX
    return [half] if half >= _SMALLEST_PX else []


def instant_seconds(pace: EmbeddingPace, work: Workload) -> float:
    """For an instant classifier whose images were never embedded."""
    n = work.n_train + work.n_val
    return pace.setup_seconds + n / pace.images_per_second + pace.probe_seconds


def closing_seconds(pace: EmbeddingPace, work: Workload) -> float:
    """For what comes after training: validation images once more, test images, numbers and report; with a reserve."""
    looked_at = (work.n_val + work.n_test) / pace.images_per_second
    return SAFETY * (_CLOSING_COST * pace.loading_seconds + looked_at)


def min_total_seconds(pace: EmbeddingPace) -> float:
    """For a training on next to no images: what no smaller image size can save."""
    return pace.setup_seconds + SAFETY * _CLOSING_COST * pace.loading_seconds


def folds_seconds(pace: EmbeddingPace, n_images: int, *, n_folds: int, n_embedded: int) -> float:
    """For the instant classifiers of all folds and of all images, with their numbers and the report; with a reserve.

    Args:
        pace: of the network.
        n_images: of the dataset.
        n_folds: how many.
        n_embedded: how often all images are embedded before they are tested: once, unless folds preprocess otherwise.
    """
    embedding = (n_embedded + 2) * n_images / pace.images_per_second  # each image validates and tests once
    built = 3 * n_folds * pace.setup_seconds + _CLOSING_COST * pace.loading_seconds
    return SAFETY * (embedding + built + (n_folds + 1) * pace.probe_seconds)


def familiarity_seconds(pace: EmbeddingPace, work: Workload) -> float:
    """For what a fine-tuned network sees in its training images, once more."""
    from coverslip.training.familiarity import MOST_FINETUNED

    return (min(work.n_train, MOST_FINETUNED) + work.n_val) / pace.images_per_second


def epoch_seconds(pace: TrainingPace, work: Workload) -> float:
    """For one pass over the training images and the look at the validation images after it, of every network."""
    n_images = work.n_epoch + _VALIDATION_COST * work.n_val
    return n_images / pace.images_per_second + work.n_networks * pace.epoch_overhead


def fastest_training(pace: EmbeddingPace, recipe: Recipe, device: str) -> float:
    """Images a second that training steps cannot exceed by the pace of embedding; infinite where that tells nothing.

    Forwards once, and twice as much backwards; images have been read by then. Embedding tells nothing of steps from
    scratch, with frozen parts, or in a GPU's mixed precision.
    """
    if device != "cpu" or recipe.init == "scratch" or recipe.freeze_to is not None:
        return math.inf
    forward_seconds = (1 / pace.images_per_second - 1 / pace.reading_per_second) / recipe.tta
    return 1 / (3 * max(forward_seconds, 1e-9))


def epochs_within(seconds: float, per_epoch: float, recipe: Recipe, n_drawn: int) -> int:
    """How many of the recipe's epochs fit, each of so many images; 0 where they are too few to be worth it."""
    if seconds <= 0:
        return 0
    n = _most_within(recipe.n_epochs, seconds, per_epoch)
    fewest = FEWEST_EPOCHS
    if recipe.begins_with_instant_classifier:
        fewest = math.ceil(_FEWEST_SHARE * epochs_called_for(n_drawn))
    return n if n >= min(fewest, recipe.n_epochs) else 0


def _most_within(most: int, seconds: float, per_epoch: float) -> int:
    """So many epochs, or as many as fit; an epoch may take no time as yet."""
    return most if most * per_epoch <= seconds else int(seconds / per_epoch)


def plan_finetuning(
    choices: Sequence[NetworkChoice],
    recipe: Recipe,
    work: Workload,
    n_drawn: int,
    seconds_left: Callable[[NetworkChoice], float],
    pace: Callable[[NetworkChoice], TrainingPace],
    at_best: float = math.inf,
    *,
    may_add: bool,
) -> FinetuningPlan | None:
    """Fine-tuning that fits: at the largest image size at which all epochs do, or as many as fit at the smallest.

    What cannot fit is not measured. None where too few epochs fit. Where there is ample time, half as many epochs more.

    Args:
        choices: a network at several image sizes, the largest first: `finetuning_choices`.
        recipe: with a number of epochs.
        work: of one epoch.
        n_drawn: training images that an epoch of one network shows.
        seconds_left: for fine-tuning at an image size.
        pace: measures fine-tuning.
        at_best: images a second that the first choice cannot exceed.
        may_add: whether the number of epochs was left open.

    Raises:
        OutOfMemory: by `pace`, of the last choice; one that does not fit into memory makes way for a smaller one.
    """
    pixels_per_second = at_best * choices[0].image_size ** 2
    overhead = 0.0

    def fitting(choice: NetworkChoice) -> FinetuningPlan:
        per_epoch = epoch_seconds(TrainingPace(pixels_per_second / choice.image_size**2, overhead), work)
        left = seconds_left(choice)
        n = epochs_within(left / SAFETY, per_epoch, recipe, n_drawn)
        if may_add and n == recipe.n_epochs and recipe.begins_with_instant_classifier:
            n = max(n, _most_within(round(_MORE_EPOCHS * n), left / _MORE_SAFETY, per_epoch))
        return FinetuningPlan(choice, n, n * per_epoch)

    for choice in choices:
        fewest = 1 if choice == choices[-1] else recipe.n_epochs
        if fitting(choice).epochs < fewest:
            continue
        try:
            measured = pace(choice)
        except OutOfMemory:
            if choice == choices[-1]:
                raise
            continue
        pixels_per_second = measured.images_per_second * choice.image_size**2
        overhead = measured.epoch_overhead
        plan = fitting(choice)
        if plan.epochs >= fewest:
            return plan
    return None


def greedy_fit(seconds: Sequence[float], most: float) -> list[int]:
    """Which of several pieces of work fit one after another, in their order; a long one is passed over."""
    fitting, total = [], 0.0
    for i, needed in enumerate(seconds):
        if total + needed <= most:
            fitting.append(i)
            total += needed
    return fitting
