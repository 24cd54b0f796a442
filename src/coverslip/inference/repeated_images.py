"""Images that are listed several times: each is computed once, and has a row each time that it is listed."""

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from coverslip.datasets import ImageRecord, first_positions
from coverslip.errors import UnreadableImage
from coverslip.images import PreprocessedImage
from coverslip.runs import Prediction

_REPEATED = re.compile(r"(?s)(.+) \(\d+\)")  # the name of an image that is listed again, as `repeated` gives it

_OF_RECORD = ("image_id", "label", "field", "object_id", "sample", "about")  # that rows of an image need not share

Pair = tuple[Prediction, PreprocessedImage | UnreadableImage | None]  # None: an earlier row has the image


class DistinctImages:
    """The distinct images of a list, of which any may be listed again.

    Args:
        records: the list.
    """

    def __init__(self, records: Sequence[ImageRecord]) -> None:
        self._all, self._first = records, first_positions(records)
        is_first = self._first == np.arange(len(records))
        self.positions: list[int] = np.flatnonzero(is_first).tolist()  # of `self.records` in the list
        self.records = records if is_first.all() else tuple(records[k] for k in self.positions)
        self._n_later = Counter(self._first[~is_first].tolist())  # further rows, by position of the first one

    def every_row(self, pairs: Iterator[Pair]) -> Generator[Pair]:
        """Yield a row for each listed image, in their order.

        Args:
            pairs: the rows of `records`.
        """
        rows: dict[int, Prediction] = {}  # that further images need
        listed = zip(self._all, self._first.tolist(), strict=True) if self._n_later else ()
        for k, (record, first) in enumerate(listed):
            if first == k:
                row, image = next(pairs)
                if self._n_later[k]:
                    rows[k] = row
                yield row, image
            else:
                self._n_later[first] -= 1
                row = rows[first] if self._n_later[first] else rows.pop(first)
                yield replace(row, **{name: getattr(record, name) for name in _OF_RECORD}), None
        yield from pairs  # all, if none is listed again; else this only ends the iterator


def first_ids(rows: Iterable[Prediction]) -> list[str]:
    """Return for each row of predictions the image_id of the first row of its image: `a.png` for `a.png (2)`.

    A user can give such a name to another object of the same file, which has other probabilities.
    """
    row_of = {row.image_id: row for row in rows}

    def first_id(row: Prediction) -> str:
        name = _REPEATED.fullmatch(row.image_id)
        first = None if name is None else row_of.get(name[1])
        is_same = first is not None and (first.path, first.probabilities) == (row.path, row.probabilities)
        return first.image_id if first is not None and is_same else row.image_id

    return list(map(first_id, rows))
