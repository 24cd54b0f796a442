"""Reader of the weights of installed packages, in the format of PyTorch before 1.6, as arrays and without PyTorch.

A file consists of five pickled objects (a magic number, the version of the format, sizes of integers, the tensors, the
keys of their numbers), then the numbers of each key. The hash of the file is compared with the published one before;
nevertheless the pickle can name nothing but the types of such a file.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.models.zoo import Arrays

_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def _viewed(
    storage: npt.NDArray[Any], offset: int, size: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> npt.NDArray[Any]:  # Any: the dtype of the tensor
    """Return the tensor of a storage, whose numbers are still missing."""
    steps = tuple(step * storage.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)


class _Unpickler(pickle.Unpickler):
    """An unpickler of tensors: storages by their key, filled later."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, npt.NDArray[Any]] = {}  # Any: the dtype of each

    def find_class(self, module: str, name: str) -> Any:  # Any: the types of a file of tensors
        """Return a type of a file of tensors."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _viewed
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:  # Any: as PyTorch writes them
        """Return the storage of a key."""
        _, dtype, key, _, n, _ = pid
        return self.storages.setdefault(key, np.empty(n, dtype))


def read_published(data: bytes) -> Arrays:
    """Return the arrays of a file by name."""
    stream = io.BytesIO(data)
    for _ in range(3):
        _Unpickler(stream).load()
    tensors = _Unpickler(stream)
    arrays: Arrays = dict(tensors.load())
    for key in _Unpickler(stream).load():
        storage = tensors.storages[key]
        n = int.from_bytes(stream.read(8), "little")
        storage[:] = np.frombuffer(stream.read(n * storage.itemsize), storage.dtype)
    return {name: np.array(array, order="C") for name, array in arrays.items()}
