"""Live: a classifier that learns while users label a dataset. A job computes the features of the images, once.

It also reserves the random test set of the dataset, whose labeled images are the test set of trainings.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, func, select

from coverslip.audit.live import LiveEstimate
from coverslip.documented_fields import DocumentedFields
from coverslip.engines import Features
from coverslip.errors import BadDataset, Conflict
from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.workspace.datasets.state import update_counts
from coverslip.workspace.jobs.computing import ResultState, cancel_result, computation, request_result
from coverslip.workspace.jobs.records import register_function
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    class_order,
    dataset_row,
    load_dataset,
    now,
    refuse_unread,
    replace_rows,
    reserved_counts,
    reserved_ids,
    row_ids_of,
)
from coverslip.workspace.store.tables import images, live_features, reserved_images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.live import live_view, unload_live

LIVE = register_function("live", "coverslip.workspace.live:compute_features")
MOST_IMAGES = 60_000  # whose features fit into the memory for all datasets


@dataclass(frozen=True, slots=True)
class LiveClass(DocumentedFields):
    """A class of a dataset."""

    name: str
    n_predicted: int
    """Images without a label that are predicted as this class."""
    is_left_out: bool
    """Whether no image can be predicted as this class, because it has no label outside the reserved test set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState(ResultState):
    """The predictions of the images of a dataset without a label by the current labels, and the reserved test set."""

    kind: Literal["live"]
    revision: int | None
    """Of the dataset whose labels were fitted; null: live is off."""
    n_fitted: int
    """Fitted labels: those outside the reserved test set."""
    n_tied: int
    """Labels outside the reserved test set that are not fitted: the images are copies of test images, or of their
    groups."""
    n_missing: int
    """Readable images that cannot be predicted, because they were added or changed after their features were computed;
    without overwritten ones, which are not predicted until their labels are kept or dropped."""
    classes: list[LiveClass]
    """The classes of the dataset, in order."""
    estimate: LiveEstimate | None
    """How many images of the reserved test set are predicted right; null: live is off."""
    n_reserved: int
    """Number of images of the reserved test set; 0: none is reserved."""
    n_reserved_labeled: int
    """Number of these with a label: the test set of trainings."""


def live_state(workspace: Workspace, dataset_id: str) -> LiveState:
    """Return the state of live for a dataset, and the progress of the features.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    work = computation(workspace, LIVE, dataset_id)
    with workspace.engine.connect() as connection:
        refuse_unread(connection, dataset_id)
    view = live_view(workspace, dataset_id)
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        n_reserved, n_reserved_labeled = reserved_counts(connection, dataset_id)
        is_usable = ~images.c.is_excluded & images.c.content_before.is_(None)
        is_usable &= images.c.problem.is_distinct_from("unreadable")
        counted = select(func.count()).where(images.c.dataset_id == dataset_id, is_usable)
        n_usable = connection.execute(counted).scalar_one()
    names = class_order(row.class_names, row.summary["classes"])
    n_missing = 0 if view is None else max(0, n_usable - view.n_included)
    return LiveState(
        **work.of_result("not-requested" if view is None else "outdated" if n_missing else "ready"),
        revision=None if view is None else view.revision,
        n_fitted=0 if view is None else view.n_fitted,
        n_tied=0 if view is None else view.n_tied,
        n_missing=n_missing,
        classes=[]
        if view is None
        else [LiveClass(name, view.n_predicted.get(name, 0), name not in view.classes) for name in names],
        estimate=None if view is None else view.estimate,
        n_reserved=n_reserved,
        n_reserved_labeled=n_reserved_labeled,
    )


def start_live(workspace: Workspace, dataset_id: str) -> LiveState:
    """Compute the features of a dataset for live, unless they are being computed.

    Raises:
        NotFound, Conflict: as for `live_state`.
        BadDataset: there are too many images.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
    if row.summary["n_images"] > MOST_IMAGES:
        raise BadDataset("too-many-images-for-live", n_images=row.summary["n_images"], n_most=MOST_IMAGES)
    request_result(workspace, LIVE, dataset_id, {"dataset_id": dataset_id}, name=row.name, dataset_id=dataset_id)
    return live_state(workspace, dataset_id)


def stop_live(workspace: Workspace, dataset_id: str) -> None:
    """Predict no image of a dataset any more. The features stay in the cache, and the test set stays reserved.

    Raises:
        NotFound: there is no such dataset.
    """
    cancel_result(workspace, LIVE, dataset_id)
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        connection.execute(delete(live_features).where(live_features.c.dataset_id == dataset_id))
        update_counts(connection, dataset_id)
    unload_live(workspace, dataset_id)


def remove_reserved_test(workspace: Workspace, dataset_id: str) -> None:
    """Remove the reserved test set, and switch live off: trainings split the images at random again.

    Raises:
        NotFound: there is no such dataset.
        Conflict: features are being computed, and a test set reserved.
    """
    if computation(workspace, LIVE, dataset_id).state is not None:
        raise Conflict("features-in-progress")
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        for table in (live_features, reserved_images):
            connection.execute(delete(table).where(table.c.dataset_id == dataset_id))
        update_counts(connection, dataset_id)
    unload_live(workspace, dataset_id)


def compute_features(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Compute the features of the images of a dataset, and reserve a random test set of images without a label.

    Raises:
        CoverslipError: the images cannot be read.
    """
    from coverslip.audit.live import open_live
    from coverslip.audit.selecting import reserved, still_reserved

    dataset_id = arguments["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        data = load_dataset(connection, dataset_id, with_reserved=False)
    with open_live(data, reserved(data), emit=emit) as live:
        assert isinstance(live.images.features, Features), "they are in the cache"
        features = {"made_by": live.images.features.made_by, "n_features": live.images.features.shape[1]}
    with write_transaction(workspace.engine) as connection:
        data = load_dataset(connection, dataset_id, with_reserved=False)  # images may have been labeled meanwhile
        is_test = still_reserved(data, reserved(data), reserved_ids(connection, dataset_id))
        row_of = row_ids_of(connection, dataset_id)
        drawn = [each for each, test in zip(data.records, is_test, strict=True) if test and not each.predefined_split]
        rows = [{"dataset_id": dataset_id, "row_id": row_of[each.image_id]} for each in drawn]
        replace_rows(connection, reserved_images, rows)
        replace_rows(connection, live_features, [{"dataset_id": dataset_id, **features, "created": now()}])
        update_counts(connection, dataset_id)
