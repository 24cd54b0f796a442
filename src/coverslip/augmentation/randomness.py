"""The random numbers of one batch."""

import torch
from torch import Tensor


class Random:
    """Random numbers for a batch, the same for the same generator."""

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self.n = n
        self._generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        """(n,) in [low, high)."""
        return torch.rand(self.n, generator=self._generator) * (high - low) + low

    def signs(self, rows: int) -> Tensor:
        """(rows, n) of -1 and 1."""
        return torch.randint(0, 2, (rows, self.n), generator=self._generator) * 2 - 1
