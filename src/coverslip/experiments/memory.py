"""Whether a network can be fine-tuned with the memory that is free: known before hours of work begin."""

from collections.abc import Callable

from coverslip.errors import OutOfMemory
from coverslip.events import Noted
from coverslip.experiments.parts import Parts
from coverslip.machine import free_memory_bytes
from coverslip.messages import Set
from coverslip.runs import Recipe, RunContext, save_recipe
from coverslip.training.preprocessing import learn_preprocessing

_SMALLEST_BATCH = 4  # below it gradients are noise
_SMALLEST_PX = 32


def fit_to_memory(
    parts: Parts, recipe: Recipe, context: RunContext, free: Callable[[str], int] = free_memory_bytes
) -> Recipe:
    """The recipe, with smaller batches where fine-tuning would take more memory than is free; the run's own says so.

    Nothing is asked where there is no fine-tuning, or where it goes on after an interruption.

    Args:
        parts: the images.
        recipe: what to do.
        context: its device has the memory.
        free: bytes that are free on a device.

    Raises:
        OutOfMemory: not even small batches fit.
    """
    goes_on = any(run.checkpoint_file("last").exists() for run in (context.run, *context.run.folds))
    if not recipe.is_finetuned or goes_on:
        return recipe
    available = free(context.device)
    batch_size = batch_size_within_memory(parts, recipe, context.device, lambda _: available)
    if batch_size == recipe.batch_size:
        return recipe
    _, needed_by = _needed(parts, recipe, context.device)
    context.emit(_smaller(recipe, batch_size, needed_by(recipe.batch_size), available))
    changes = {"batch_size": batch_size}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    return recipe.model_copy(update=changes)


def batch_size_within_memory(
    parts: Parts, recipe: Recipe, device: str, free: Callable[[str], int] = free_memory_bytes
) -> int:
    """The recipe's size of batches, or the first of its halves by which fine-tuning fits into the memory that is free.

    Raises:
        OutOfMemory: not even small batches fit.
    """
    available = free(device)
    size, needed_by = _needed(parts, recipe, device)
    if needed_by(recipe.batch_size) <= available:
        return recipe.batch_size
    batch_size = recipe.batch_size // 2
    while batch_size >= _SMALLEST_BATCH and needed_by(batch_size) > available:
        batch_size //= 2
    if batch_size < _SMALLEST_BATCH:
        raise _too_much(recipe, size, needed_by(min(_SMALLEST_BATCH, recipe.batch_size)), available)
    return batch_size


def _needed(parts: Parts, recipe: Recipe, device: str) -> tuple[int, Callable[[int], int]]:
    """The image size, and what fine-tuning takes by the size of a batch, in bytes."""
    from coverslip.models.complexity import training_memory

    preprocessing = learn_preprocessing(parts.train_facts, recipe)

    def needed_by(batch_size: int) -> int:
        return training_memory(
            recipe.model,
            image_size=preprocessing.image_size,
            channels=preprocessing.channels,
            n_classes=len(parts.classes),
            images_at_once=_images_at_once(recipe, batch_size, device),
            head=recipe.head,
            options=recipe.model_options,
        )

    return preprocessing.image_size, needed_by


def _images_at_once(recipe: Recipe, batch_size: int, device: str) -> int:
    """Whose activations a step holds at least: a part of the batch, where that gives the same gradient."""
    from coverslip.training.finetuning import IMAGES_AT_ONCE

    follows_batches = recipe.batch_norm == "learn" or (recipe.batch_norm == "auto" and recipe.init == "scratch")
    if follows_batches or recipe.regulariser.groups != "none":
        return batch_size
    return min(batch_size, IMAGES_AT_ONCE if device == "cpu" else _SMALLEST_BATCH)


def _smaller(recipe: Recipe, batch_size: int, needed: int, available: int) -> Noted:
    text = (
        f"Fine-tuning {recipe.model} with batches of {recipe.batch_size} takes about {_gb(needed)} of memory, and "
        f"only {_gb(available)} are free. The batch size is reduced to {batch_size}."
    )
    values = {"batch_size": batch_size, "needed_bytes": needed, "free_bytes": available}
    return Noted(code="smaller-batches", text=text, level="warning", values=values)


def _too_much(recipe: Recipe, size: int, needed: int, available: int) -> OutOfMemory:
    smaller = max(_SMALLEST_PX, size // 2)
    return OutOfMemory(
        f"Fine-tuning {recipe.model} at {size} px takes about {_gb(needed)} of memory even in small batches, and "
        f"{_gb(available)} are free",
        do="Take smaller images or a smaller network, or close other programs.",
        remedies=(Set("image_size", smaller),),
        values={"needed_bytes": needed, "free_bytes": available},
    )


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
