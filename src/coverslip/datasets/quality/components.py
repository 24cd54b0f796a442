"""What belongs together: images of one group, images with the same pixels, and copies that were changed.

Crops of one slide resemble each other, and a picture that was saved twice resembles itself.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index import Dataset
from coverslip.datasets.quality.scanning import Scan, Unreadable


def labels_of(dataset: Dataset, positions: Iterable[int]) -> set[str]:
    """The labels at these positions; images without one, or of a dropped class, do not count."""
    records = (dataset.records[i] for i in positions)
    return {record.label for record in records if record.label is not None and dataset.has_class(record)}


def connected_components(dataset: Dataset, scan: Scan, order: Sequence[int]) -> NDArray[np.intp]:
    """For each image in `order` the number of its connected component; groups, equal pixels and copies connect."""
    cluster_of = {i: str(k) for k, members in enumerate(scan.copies or ()) for i in members}
    parent = list(range(len(order)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, position in enumerate(order):
        fact, group = scan.facts[position], dataset.records[position].group
        links = [] if isinstance(fact, Unreadable) else [("pixels", fact.pixel_hash)]
        if group is not None:
            links.append(("group", group))
        if position in cluster_of:
            links.append(("copies", cluster_of[position]))
        for link in links:
            a, b = root(first.setdefault(link, i)), root(i)
            parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(len(order))], dtype=np.intp)
