"""Whether images tell which plate, slide or day they are of, and whether that tells their class.

Columns of the dataset's table that are not its groups are asked. That classes are unequally spread over plates does no
harm where plates look alike; and where classes look different, plates of other classes do too. So the value of a column
is told from images of one class at a time.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_MOST_VALUES = 30
_MOST_COLUMNS = 8
_FEWEST_OF_VALUE = 5  # images of one class


def batch_columns(about: Sequence[Mapping[str, str]], label: Ints, unit: Ints) -> dict[str, Ints]:
    """(n,) numbers of the values of each column that may be a batch: neither the class nor what is kept together.

    Args:
        about: what the table says of each image.
        label, unit: (n,) int.
    """
    names = list(dict.fromkeys(name for each in about for name in each))
    columns = {name: np.unique([each.get(name, "") for each in about], return_inverse=True)[1] for name in names}
    return dict(list(_usable(columns, label, unit))[:_MOST_COLUMNS])


def _usable(columns: Mapping[str, Ints], label: Ints, unit: Ints) -> Iterator[tuple[str, Ints]]:
    for name, value in columns.items():
        n_values = int(value.max()) + 1
        is_class = _is_within(value, label) or _is_within(label, value)
        if 2 <= n_values <= _MOST_VALUES and not is_class and not _is_within(value, unit):
            yield name, value


def _is_within(value: Ints, other: Ints) -> bool:
    """Whether each value is met together with one of the others only."""
    return len(np.unique(np.stack([value, other]), axis=1).T) == len(np.unique(value))


def of_one_class(value: Ints, label: Ints) -> Iterator[tuple[npt.NDArray[np.intp], Ints]]:
    """Images of each class, and their values from 0; only values that it has several images of, where these differ."""
    for k in range(int(label.max()) + 1):
        of_class = np.flatnonzero(label == k)
        often = np.bincount(value[of_class], minlength=int(value.max()) + 1) >= _FEWEST_OF_VALUE
        asked = of_class[often[value[of_class]]]
        if often.sum() > 1:
            yield asked, np.unique(value[asked], return_inverse=True)[1]
