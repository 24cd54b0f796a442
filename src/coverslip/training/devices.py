"""What PyTorch can train on here."""

from coverslip.errors import BadRecipe
from coverslip.runs import Recipe


def chosen_device(recipe: Recipe) -> str:
    """Where to train.

    Raises:
        BadRecipe: this computer has no such device.
    """
    if recipe.device == "auto":
        return "cuda" if "cuda" in _devices() else "cpu"
    check_device(recipe.device)
    return recipe.device


def check_device(device: str) -> None:
    """Raises BadRecipe where this computer has no such device."""
    there = _devices()
    if device not in there:
        raise BadRecipe(
            f"Training on '{device}' is not possible here: this computer has {' and '.join(there)}",
            do="Choose one of these with --set device=..., or train on another computer.",
        )


def _devices() -> list[str]:
    """What PyTorch can train on here."""
    import torch

    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [device for device, is_usable in usable.items() if is_usable]
