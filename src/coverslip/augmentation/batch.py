"""Random changes drawn for a batch, and applied to it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from coverslip.augmentation.drawing import Random
from coverslip.augmentation.sets import Amount
from coverslip.augmentation.table import AUGMENTATIONS
from coverslip.augmentation.transform import PARTS, Changes, apply_transform, composed
from coverslip.messages import text


def draw_changes(
    n: int, amounts: Mapping[str, Amount] | Iterable[tuple[str, Amount]], generator: torch.Generator
) -> Changes:
    """Random changes for n images.

    Args:
        n: how many.
        amounts: by the name of the change; one that is not named is off.
        generator: equal ones draw the same.

    Raises:
        ValueError: two changes drew the same part of the transform, or one that there is not.
    """
    random, amounts = Random(n, generator), dict(amounts)
    parts: dict[str, Tensor] = {}
    others: dict[str, dict[str, Tensor]] = {}  # of the changes that have a function of their own
    for name, record in AUGMENTATIONS.items():
        drawn = record.drawn(random, amounts.get(name, 0.0))
        if record.change is not None:
            others |= {name: drawn} if drawn else {}
        elif unknown := [part for part in drawn if part not in PARTS or part in parts]:
            raise ValueError(text("augmentation-draws-unknown", name=name, part=unknown[0]))
        else:
            parts |= drawn
    return replace(composed(n, parts), others=others)


def apply_changes(x: Tensor, changes: Changes) -> Tensor:
    """Return (B, C, H, W) float in [0, 1], changed; what comes from outside the image is its mirror image."""
    x = apply_transform(x, changes)
    for name, drawn in changes.others.items():
        x = AUGMENTATIONS[name].changed(x, {part: tensor.to(x) for part, tensor in drawn.items()}).clamp_(0, 1)
    return x
