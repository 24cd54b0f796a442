"""What a file's name says beside its class: how it is written, how long it is, and the last number in it.

Networks see no names. But names that go with classes tell that these come from different sources, days or lists, which
images may show as well.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]

_MOST_VALUES = 30
_N_STRETCHES = 10  # of numbers, with equally many images each


def name_features(names: Sequence[str], labels: Sequence[str]) -> Singles:
    """(n, d) of file names without suffix; words and numbers of the label itself are left out of them.

    Args:
        names: (n,).
        labels: (n,); ways of writing that are met in one class only each are left out too, since they name the class.
    """
    parts = [_without(_parts(name), _parts(label)) for name, label in zip(names, labels, strict=True)]
    written = [" ".join("#" if part.isdigit() else part for part in each) for each in parts]
    columns = [np.ones((len(names), 1), np.float32)]
    if len({*zip(written, labels, strict=True)}) > len(set(written)):
        columns.append(_one_hot(written))
    columns.append(_one_hot([str(sum(map(len, each))) for each in parts]))
    last = [next((float(part) for part in reversed(each) if part.isdigit()), -1.0) for each in parts]
    edges = np.quantile(last, np.arange(1, _N_STRETCHES) / _N_STRETCHES)
    columns.append(_one_hot([str(stretch) for stretch in np.searchsorted(edges, last)]))
    return np.concatenate(columns, axis=1)


def _parts(name: str) -> list[str]:
    """Words and numbers; these without zeros in front."""
    return [part.lstrip("0") or "0" for part in re.findall(r"[^\W\d_]+|\d+", name.casefold())]


def _without(parts: Sequence[str], label: Sequence[str]) -> list[str]:
    return [part for part in parts if part not in label]


def _one_hot(values: Sequence[str]) -> Singles:
    """(n, d); no columns where there are too many values to learn, or only one."""
    known, place = np.unique(values, return_inverse=True)
    n_columns = len(known) if 2 <= len(known) <= _MOST_VALUES else 0
    one_hot: Singles = (place[:, None] == np.arange(n_columns)).astype(np.float32)
    return one_hot
