"""The states of the files of images, which show without reading whether files changed since they were read."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from coverslip.cache import states_of

_THREADS, _PER_TASK = 8, 100  # images; network drives have a high latency
_Files = tuple[Path, ...]  # of an image


def states_of_images(images_files: Iterable[_Files]) -> dict[_Files, str | None]:
    """Return what changes if a file of an image is changed or replaced; None if there is none.

    The states of an image in several files, or in a folder of files, are one. Files of several images are read once.
    """
    distinct = list(dict.fromkeys(images_files))
    parts = [distinct[k : k + _PER_TASK] for k in range(0, len(distinct), _PER_TASK)]
    if len(parts) < 2:  # starting threads takes longer
        states = list(map(_states_of, parts))
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            states = list(threads.map(_states_of, parts))
    return dict(zip(distinct, chain.from_iterable(states), strict=True))


def _states_of(images_files: Sequence[_Files]) -> list[str | None]:
    return list(map(_state_of, images_files))


def _state_of(files: _Files) -> str | None:
    """Return the number of bytes of the files, and what else their state is."""
    states = states_of(files)
    if not states:
        return None
    # Without the device, whose number can change when a disk is connected.
    texts = [f"{state.mtime_ns} {state.ctime_ns} {state.inode}" for state in states.values()]
    if len(texts) > 1:
        texts = [hashlib.blake2b(json.dumps([*states, *texts]).encode(), digest_size=16).hexdigest()]
    return f"{sum(state.n_bytes for state in states.values())} {texts[0]}"


def n_bytes_in(state: str) -> int:
    """Return how many bytes the files had in a state of an image."""
    return int(state.split(maxsplit=1)[0])
