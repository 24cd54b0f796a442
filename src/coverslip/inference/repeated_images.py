"""Images that are listed several times: each is computed once, and has a row each time that it is listed."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import numpy as np

from coverslip.datasets import ImageRecord, first_positions
from coverslip.errors import UnreadableImage
from coverslip.images import PreprocessedImage
from coverslip.runs import Prediction

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
                of_record = {name: getattr(record, name) for name in _OF_RECORD}
                yield replace(row, **of_record, repeats=row.image_id), None
        yield from pairs  # all, if none is listed again; else this only ends the iterator
