"""timm and PyTorch: a linear probe on the features of several layers, then fine-tuning from this head (LP-FT).

Source: Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution. Features of
several layers, as in Evci et al. 2022 (Head2Toe): the means of the outputs of all stages, and those of the last layer.
Batch normalization keeps the statistics of the pretraining.
"""

import math
from typing import Any

import numpy as np
from _cell import NETWORK, declare_operators, read_cell, read_pixels
from sklearn_peer import fit_regression

LEARNING_RATE = 1e-4
BATCH = 16
IMAGES_SHOWN = 6400  # over all epochs
MOST_EPOCHS = 30
LABEL_SMOOTHING = 0.1


def main() -> None:
    declare_operators()
    import timm
    import torch
    from torch import nn

    cell = read_cell()
    torch.manual_seed(cell.seed)
    backbone = timm.create_model(NETWORK, checkpoint_path=str(cell.weights)).eval()
    pixels, label = torch.from_numpy(read_pixels(cell.paths)), torch.from_numpy(cell.label)
    test_pixels = torch.from_numpy(read_pixels(cell.test_paths))

    def features(x: Any) -> Any:  # Any: tensors
        last, stages = backbone.forward_intermediates(x)
        return torch.cat([backbone.forward_head(last, pre_logits=True), *(stage.mean((2, 3)) for stage in stages)], 1)

    def in_batches(function: Any, x: Any) -> Any:
        with torch.inference_mode():
            return torch.cat([function(some) for some in x.split(64)])

    probe = fit_regression(in_batches(features, pixels).numpy(), cell)
    weight, bias = probe.coef_, probe.intercept_
    if len(weight) == 1:  # two classes have one row in scikit-learn
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})

    parameters = [*backbone.parameters(), *head.parameters()]
    n_epochs = min(MOST_EPOCHS, math.ceil(IMAGES_SHOWN / len(label)))
    n_steps, step = n_epochs * math.ceil(len(label) / BATCH), 0
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.01)
    loss_of = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    for _ in range(n_epochs):
        for batch in torch.randperm(len(label)).split(BATCH):
            warm_up = min(1.0, (step + 1) / (0.1 * n_steps))
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * warm_up * (1 + math.cos(math.pi * step / n_steps)) / 2
            loss = loss_of(head(features(augment(pixels[batch]))), label[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
    cell.write(in_batches(lambda x: head(features(x)).softmax(1), test_pixels).double().numpy())


def augment(pixels: Any) -> Any:
    """Turn each image by any angle, flip, scale and shift it a little, and change brightness and contrast."""
    import torch

    n = len(pixels)
    angle, scale = torch.rand(n) * 2 * math.pi, 1 + (torch.rand(n) - 0.5) * 0.2
    flip, shift = torch.randint(2, (n,)) * 2 - 1, (torch.rand(n, 2, 1) - 0.5) * 0.1
    turn = torch.stack([angle.cos() * flip, -angle.sin(), angle.sin() * flip, angle.cos()], 1).view(n, 2, 2)
    grid = torch.nn.functional.affine_grid(
        torch.cat([turn * scale.view(n, 1, 1), shift], 2), list(pixels.shape), align_corners=False
    )
    changed = torch.nn.functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (1 + (torch.rand(2, n, 1, 1, 1) - 0.5) * 0.3).unbind()
    return changed * contrast + brightness - 1


if __name__ == "__main__":
    main()
