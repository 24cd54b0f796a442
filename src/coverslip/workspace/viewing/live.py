"""Predictions of the images of a dataset by their current labels, in the process of the server.

A job has computed the features of the images; the table `live_features` knows where they are cached. Everything else
follows from them and the labels. So nothing is stored, and each process, tab and person sees the same. A request that
needs predictions fits the classifier, if labels have changed since the last fit. Labels in a row are fitted once.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select

from coverslip.audit.live import Live, LiveEstimate, LiveImages
from coverslip.datasets.pixels import PixelKeys
from coverslip.engines import cached_features
from coverslip.errors import Conflict
from coverslip.images.preprocessing import PixelFacts, Preprocessing
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    as_dataset,
    dataset_row,
    is_reserved,
    load_records,
    load_scan,
    read_integers,
)
from coverslip.workspace.store.tables import images, live_features
from coverslip.workspace.store.workspace import Workspace

MOST_BYTES = 10**9  # of the features of all datasets in memory; those of the dataset used least recently are removed
_MOST_SUGGESTED = 50


@dataclass(frozen=True)
class LiveView:
    """The predictions of a dataset by the labels of one revision."""

    revision: int  # of the dataset
    row_ids: Sequence[int]  # of the images with features, in order
    image_ids: Sequence[str]
    predicted: Mapping[int, str]  # by row_id: of images without a label outside the reserved test set
    margins: Mapping[int, float]  # of these
    classes: Sequence[str]  # with fitted labels
    n_fitted: int  # labels
    n_tied: int  # labels that are not fitted, because their images are copies of test images or of their groups
    n_included: int  # images with features that are not excluded
    estimate: LiveEstimate
    live: Live  # at this revision, under `lock` only
    lock: threading.Lock

    @cached_property
    def n_predicted(self) -> Mapping[str, int]:
        """The number of predicted images by class."""
        return Counter(self.predicted.values())

    @cached_property
    def least_certain(self) -> list[str]:
        """IDs of images without a label, the least certain first, with images of the reserved test set among them."""
        with self.lock:
            return [self.image_ids[row] for row in self.live.least_certain().tolist()]

    @cached_property
    def most_certain(self) -> list[str]:
        """IDs of the predicted images, the most certain first."""
        order = sorted(self.margins, key=self.margins.__getitem__, reverse=True)
        name_of = dict(zip(self.row_ids, self.image_ids, strict=True))
        return [name_of[row_id] for row_id in order]

    @cached_property
    def suggested(self) -> list[str]:
        """IDs of images to label next, the most useful first, with images of the reserved test set among them."""
        row_of = {image_id: row for row, image_id in enumerate(self.image_ids)}
        with self.lock:
            rows = np.array([row_of[each.image_id] for each in self.live.suggest(_MOST_SUGGESTED)], np.int64)
            order = self.live.with_test(rows)[: 2 * _MOST_SUGGESTED]
        return [self.image_ids[row] for row in order.tolist()]


@dataclass
class _Loaded:
    """The features of a dataset in memory."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    version: tuple[object, ...] | None = None  # of the features and images; None: they are not loaded
    live: Live | None = None
    row_ids: Sequence[int] = ()
    n_bytes: int = 0
    view: LiveView | None = None


_loaded: OrderedDict[tuple[Path, str], _Loaded] = OrderedDict()  # by dataset, most recently used last
_loaded_lock = threading.Lock()


def live_view(workspace: Workspace, dataset_id: str) -> LiveView | None:
    """Return the predictions of a dataset by its current labels; None: live is off, or the images are being read.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        if row.state != "ready" or stored_features(connection, dataset_id) is None:
            return None
    with _loaded_lock:
        loaded = _loaded.setdefault((workspace.folder, dataset_id), _Loaded())
        _loaded.move_to_end((workspace.folder, dataset_id))
    with loaded.lock, read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)  # the newest labels, after a request before this one was fitted
        stored = stored_features(connection, dataset_id)
        if stored is None or row.state != "ready":
            return None
        if loaded.view is None or loaded.view.revision != row.revision:
            version = _version(connection, stored)
            if loaded.version != version:
                _load(connection, row, stored, loaded)
                loaded.version = version
            loaded.view = _fitted(connection, row, loaded)
        return loaded.view


def require_view(workspace: Workspace, dataset_id: str) -> LiveView:
    """Return the predictions as of `live_view`.

    Raises:
        NotFound: there is no such dataset.
        Conflict: there are none.
    """
    view = live_view(workspace, dataset_id)
    if view is None:
        raise Conflict("live-is-off")
    return view


def unload_live(workspace: Workspace, dataset_id: str) -> None:
    """Remove the features of a dataset from memory."""
    with _loaded_lock:
        _loaded.pop((workspace.folder, dataset_id), None)


def stored_features(connection: Connection, dataset_id: str) -> AnyRow | None:
    """Return where the features of a dataset are cached; None: live is off."""
    return connection.execute(select(live_features).where(live_features.c.dataset_id == dataset_id)).one_or_none()


def _version(connection: Connection, stored: AnyRow) -> tuple[object, ...]:
    """Return what changes with the images of a dataset, and with their features."""
    of_dataset = images.c.dataset_id == stored.dataset_id
    columns = (images.c.row_id, images.c.pixel_hash, images.c.image_id, images.c.path, images.c.group)
    ordered = select(*columns).where(of_dataset).order_by(images.c.position).subquery()
    names = (func.aggregate_strings(func.coalesce(column, ""), "\n") for column in ordered.c)
    return stored.created, *map(hash, connection.execute(select(*names)).one())


def _load(connection: Connection, row: AnyRow, stored: AnyRow, loaded: _Loaded) -> None:
    """Read the cached features of the images of a dataset."""
    loaded.version = loaded.live = loaded.view = None  # so that former and new features are not in memory together
    data = as_dataset(row, load_records(connection, row.id))
    scan = load_scan(connection, row.id, with_excluded=True)
    readable = [k for k, fact in enumerate(scan.facts) if isinstance(fact, PixelFacts)]
    keys = PixelKeys(data, scan, readable, Preprocessing.model_validate(stored.made_by["preprocessing"]))
    with cached_features(stored.made_by, stored.n_features, [*keys]) as (cached, features):
        loaded.n_bytes = len(cached) * stored.n_features * np.dtype(np.float32).itemsize
        _limit_memory(loaded)
        matrix = features[slice(0, len(cached))]
    records = [data.records[readable[k]] for k in cached.tolist()]
    query = select(images.c.row_id).where(images.c.dataset_id == row.id).order_by(images.c.position)
    row_ids = connection.execute(query).scalars().all()
    loaded.row_ids = [row_ids[readable[k]] for k in cached.tolist()]
    loaded.live = Live(
        LiveImages(
            tuple(record.image_id for record in records),
            tuple(str(record.path) for record in records),
            tuple(record.group for record in records),
            matrix,
        ),
        [None] * len(records),
        np.zeros(len(records), bool),
    )


def _limit_memory(current: _Loaded) -> None:
    with _loaded_lock:
        for key, each in list(_loaded.items()):
            if sum(other.n_bytes for other in _loaded.values()) <= MOST_BYTES:
                return
            if each is not current:
                del _loaded[key]


def _fitted(connection: Connection, row: AnyRow, loaded: _Loaded) -> LiveView:
    """Fit the current labels, and predict all images without a label."""
    live = loaded.live
    assert live is not None, "the features are loaded"
    of_dataset = images.c.dataset_id == row.id
    # A label of overwritten content says nothing of the current one.
    excluded = _rows(connection, of_dataset & (images.c.is_excluded | images.c.content_before.is_not(None)))
    test = _rows(connection, of_dataset & (is_reserved | (images.c.predefined_split == "test")))
    labeled = select(images.c.row_id, images.c.label).where(of_dataset, images.c.label.is_not(None))
    label_of: dict[int, str] = {each.row_id: each.label for each in connection.execute(labeled)}
    row_ids = np.array(loaded.row_ids, np.int64)
    live.relabel(
        [label_of.get(row_id) for row_id in loaded.row_ids], np.isin(row_ids, test), np.isin(row_ids, excluded)
    )
    fit = live.fit
    rows = live.rows(has_label=False) if fit is not None else np.zeros(0, np.int64)
    names = [] if fit is None else [fit.classes[k] for k in fit.predicted[rows].tolist()]
    margins = [] if fit is None else fit.margin[rows].tolist()
    listed = row_ids[rows].tolist()
    return LiveView(
        revision=row.revision,
        row_ids=loaded.row_ids,
        image_ids=live.images.image_ids,
        predicted=dict(zip(listed, names, strict=True)),
        margins=dict(zip(listed, margins, strict=True)),
        classes=live.classes,
        n_included=len(row_ids) - int(np.isin(row_ids, excluded).sum()),
        n_fitted=len(live.rows(has_label=True)),
        n_tied=live.n_tied,
        estimate=live.estimate(),
        live=live,
        lock=loaded.lock,
    )


def _rows(connection: Connection, condition: Any) -> npt.NDArray[np.int64]:  # Any: a condition of SQLAlchemy
    row_ids: npt.NDArray[np.int64] = read_integers(connection, select(images.c.row_id).where(condition))[0]
    return row_ids
