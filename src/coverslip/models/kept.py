"""The last backbones that were built, so that a training which needs the same one again copies it.

Folds begin with equal networks, and every classifier that is read back needs the one it was made from. Building takes
longer than all else that reading a small classifier does: libraries draw random numbers for each layer first.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_N_KEPT = 2  # a training goes back and forth between the pretrained network and the one that it reads back
_LARGEST = 50_000_000  # parameters: for larger networks the memory is worth more than the time
_LIBRARIES = ("timm:", "torchvision:", "coverslip.")

_kept: "OrderedDict[object, tuple[nn.Module, int, Tensor]]" = OrderedDict()  # last used last
_keeping = threading.Lock()


def is_from_a_library(builder: str) -> bool:
    """Whether a model's builder always builds the same: a class of the user's own may change under the same name."""
    return builder.startswith(_LIBRARIES)


def built_once(
    key: tuple[object, ...], builder: str, build: Callable[[], tuple[nn.Module, int]]
) -> tuple[nn.Module, int]:
    """Return what `build` gives, or a copy of what it gave for the same key and the same random numbers.

    Either way PyTorch's random numbers go on where building leaves them, so that nothing that is drawn later depends
    on what was built before.

    Args:
        key: all that the backbone depends on; must tell equal ones from others by `==` and be hashable.
        builder: of the model's record.
        build: a backbone and the number of its features.
    """
    if not is_from_a_library(builder) or torch.get_default_device().type != "cpu":
        return build()
    key = (*key, torch.get_rng_state().numpy().tobytes())
    with _keeping:
        if key in _kept:
            _kept.move_to_end(key)
            backbone, n_features, state = _kept[key]
            torch.set_rng_state(state)
            return copy.deepcopy(backbone), n_features
    backbone, n_features = build()
    if sum(parameter.numel() for parameter in backbone.parameters()) <= _LARGEST:
        with _keeping:
            _kept[key] = (copy.deepcopy(backbone), n_features, torch.get_rng_state())
            while len(_kept) > _N_KEPT:
                _kept.popitem(last=False)
    return backbone, n_features


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """For a network whose first weights are of no use: drawn alike each time, without touching anybody else's draws."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield
