"""Fit the batches of fine-tuning into the free memory."""

from collections.abc import Callable

from coverslip.errors import OutOfMemory
from coverslip.events import Noted
from coverslip.experiments.split_data import SplitData
from coverslip.machine import free_memory_bytes
from coverslip.messages import Set, note
from coverslip.runs import Recipe, RunContext, save_recipe
from coverslip.training.preprocessing import learn_preprocessing

_SMALLEST_BATCH = 4  # gradients of fewer images are too noisy
_SMALLEST_PX = 32


def fit_to_memory(
    split_data: SplitData, recipe: Recipe, context: RunContext, free: Callable[[str], int] = free_memory_bytes
) -> Recipe:
    """Return the recipe, with smaller batches if fine-tuning needs more memory than is free; the run's recipe follows.

    Without fine-tuning, and if fine-tuning is resumed, the memory is not checked.

    Args:
        split_data: the images and their split.
        recipe: of the training.
        context: names the device.
        free: returns the free bytes of a device.

    Raises:
        OutOfMemory: not even the smallest batches fit.
    """
    is_resumed = any(run.checkpoint_file("last").exists() for run in (context.run, *context.run.folds))
    if not recipe.is_finetuned or is_resumed:
        return recipe
    available = free(context.device)
    batch_size = batch_size_within_memory(split_data, recipe, context.device, lambda _: available)
    if batch_size == recipe.batch_size:
        return recipe
    _, needed_by = _needed(split_data, recipe, context.device)
    context.emit(_smaller(recipe, batch_size, needed_by(recipe.batch_size), available))
    changes = {"batch_size": batch_size}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    return recipe.model_copy(update=changes)


def batch_size_within_memory(
    split_data: SplitData, recipe: Recipe, device: str, free: Callable[[str], int] = free_memory_bytes
) -> int:
    """Return the batch size of the recipe, halved until fine-tuning fits into the free memory.

    Raises:
        OutOfMemory: not even the smallest batches fit.
    """
    available = free(device)
    size, needed_by = _needed(split_data, recipe, device)
    if needed_by(recipe.batch_size) <= available:
        return recipe.batch_size
    batch_size = recipe.batch_size // 2
    while batch_size >= _SMALLEST_BATCH and needed_by(batch_size) > available:
        batch_size //= 2
    if batch_size < _SMALLEST_BATCH:
        raise _too_much(recipe, size, needed_by(min(_SMALLEST_BATCH, recipe.batch_size)), available)
    return batch_size


def _needed(split_data: SplitData, recipe: Recipe, device: str) -> tuple[int, Callable[[int], int]]:
    """Return the image size, and a function from batch size to the memory of fine-tuning in bytes."""
    from coverslip.models.complexity import training_memory

    preprocessing = learn_preprocessing(split_data.train_facts, recipe)

    def needed_by(batch_size: int) -> int:
        return training_memory(
            recipe.model,
            image_size=preprocessing.image_size,
            channels=preprocessing.channels,
            n_classes=len(split_data.classes),
            images_at_once=_images_at_once(recipe, batch_size, device),
            head=recipe.head,
            options=recipe.model_options,
        )

    return preprocessing.image_size, needed_by


def _images_at_once(recipe: Recipe, batch_size: int, device: str) -> int:
    """Return how many images' activations a step holds: part of the batch if that gives the same gradient."""
    from coverslip.training.finetuning import IMAGES_AT_ONCE

    follows_batches = recipe.batch_norm == "learn" or (recipe.batch_norm == "auto" and recipe.init == "scratch")
    if follows_batches or recipe.regularizer.groups != "none":
        return batch_size
    return min(batch_size, IMAGES_AT_ONCE if device == "cpu" else _SMALLEST_BATCH)


def _smaller(recipe: Recipe, batch_size: int, needed: int, available: int) -> Noted:
    return Noted.of(
        note(
            "smaller-batches",
            level="warning",
            model=recipe.model,
            batch_size=batch_size,
            full_batch_size=recipe.batch_size,
            needed=_gb(needed),
            free=_gb(available),
            needed_bytes=needed,
            free_bytes=available,
        )
    )


def _too_much(recipe: Recipe, size: int, needed: int, available: int) -> OutOfMemory:
    smaller = max(_SMALLEST_PX, size // 2)
    return OutOfMemory(
        "fine-tuning-out-of-memory",
        remedies=(Set("image_size", smaller),),
        model=recipe.model,
        image_size=size,
        needed=_gb(needed),
        free=_gb(available),
        needed_bytes=needed,
        free_bytes=available,
    )


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
