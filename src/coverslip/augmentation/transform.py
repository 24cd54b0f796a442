"""Apply sampled augmentation parameters to a batch of training images with PyTorch, on any device."""

import torch
from torch import Tensor
from torch.nn import functional

from coverslip.augmentation.drawing import DARKEST, AugmentationParameters
from coverslip.augmentation.table import AUGMENTATIONS, Floats


def apply_changes(x: Tensor, changes: AugmentationParameters) -> Tensor:
    """Return (B, C, H, W) floats in [0, 1] after all changes; pixels from outside the image are reflected."""
    return apply_others(apply_transform(x, changes), changes)


def apply_others(x: Tensor, changes: AugmentationParameters) -> Tensor:
    """Return (B, C, H, W) floats in [0, 1] after the changes that have functions of their own."""
    for name, drawn in changes.others.items():
        x = AUGMENTATIONS[name].apply(x, {part: _like(values, x) for part, values in drawn.items()}).clamp_(0, 1)
    return x


def apply_transform(x: Tensor, changes: AugmentationParameters) -> Tensor:
    """Return (B, C, H, W) floats in [0, 1] after all changes but `changes.others`.

    Pixels from outside the image are reflected at its border. Contrast is scaled around the mean of each image, so that
    it does not change brightness too. Stain and color need three channels.
    """
    grid = functional.affine_grid(_like(changes.maps, x), list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if changes.stain is not None:
        x = _restained(x, _like(changes.stain, x))
    if changes.color is not None:
        x = _mixed(_like(changes.color, x), x)
    if changes.blur is not None:
        x = _blurred(x, _like(changes.blur, x))
    gain, offset = (_like(each, x).reshape(-1, 1, 1, 1) for each in (changes.gain, changes.offset))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return torch.addcmul(mean * (1 - gain) + offset, x, gain).clamp_(0, 1)


def _like(values: Floats | Tensor, x: Tensor) -> Tensor:
    return torch.as_tensor(values).to(x)


def _restained(x: Tensor, stain: Tensor) -> Tensor:
    density = x.clamp(min=DARKEST).log_().neg_()
    change = _mixed(stain[:, :, :3], density) + stain[:, :, 3, None, None]
    return (x * change.neg_().exp_()).clamp_(max=1)


def _mixed(matrices: Tensor, x: Tensor) -> Tensor:
    """Return the product of (B, 3, 3) matrices with the channels of (B, 3, H, W) images."""
    return (matrices @ x.flatten(2)).reshape(x.shape)


def _blurred(x: Tensor, kernels: Tensor) -> Tensor:
    """Blur rows, then columns, each image with its own kernel; reflection at the border keeps the mean."""
    n, channels, height, width = x.shape
    radius = kernels.shape[1] // 2
    weight = kernels.repeat_interleave(channels, dim=0)[:, None, None]  # (B C, 1, 1, taps)
    x = x.reshape(1, n * channels, height, width)
    x = functional.conv2d(x[..., _mirrored(width, radius, x.device)], weight, groups=n * channels)
    x = functional.conv2d(x[:, :, _mirrored(height, radius, x.device)], weight.transpose(2, 3), groups=n * channels)
    return x.reshape(n, channels, height, width)


def _mirrored(size: int, radius: int, device: torch.device) -> Tensor:
    """Return the positions -radius … size + radius - 1, reflected at the border: 1 0 | 0 1 2 | 2 1."""
    position = torch.arange(-radius, size + radius, device=device) % (2 * size)
    return torch.minimum(position, 2 * size - 1 - position)
