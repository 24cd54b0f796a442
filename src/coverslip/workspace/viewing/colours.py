"""The average colour of every image: what a gallery shows at once, until pictures come.

Colours and thumbnails come from reading the images. Where that was done without them, since the facts were
remembered from an earlier look, or because the server was killed, they are made afterwards, while nobody waits.
"""

import threading
from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np
from sqlalchemy import Connection, func, insert, select

from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.store.tables import datasets, image_colours, images
from coverslip.workspace.viewing.images import picture_sources
from coverslip.workspace.viewing.pictures import is_waited_for
from coverslip.workspace.viewing.thumbnails import SIDES, colour_of, opened, thumbnails_of

_KEPT_AT_ONCE = 128
_DECODED_AT_ONCE = 4  # so that whoever asks for a picture never waits long
_PAUSE_S = 0.1
_ONE_DATASET = threading.Semaphore()  # datasets are filled one after the other


def colours(home: Workspace, dataset_id: str) -> bytes:
    """Four bytes for each image in the order of their places, as `colour_of` says; 0 where it is not known.

    Raises:
        NotFound: there is no such dataset.
    """
    with home.engine.connect() as connection:
        n_images = dataset_row(connection, dataset_id).summary["n_images"]
        cursor = connection.connection.cursor()  # SQLite's own: 100,000 rows take 50 ms instead of 2 s
        cursor.execute("SELECT position, colour FROM image_colours WHERE dataset_id = ?", (dataset_id,))
        places, values = np.fromiter(chain.from_iterable(cursor.fetchall()), np.int64).reshape(-1, 2).T
    by_position = np.zeros(n_images, ">u4")
    is_there = places < n_images
    by_position[places[is_there]] = values[is_there]
    return by_position.tobytes()


def keep_colours(connection: Connection, dataset_id: str, by_position: Mapping[int, int]) -> None:
    """Colours by position."""
    if by_position:
        connection.execute(
            insert(image_colours).prefix_with("OR REPLACE"),
            [
                {"dataset_id": dataset_id, "position": position, "colour": colour}
                for position, colour in by_position.items()
            ],
        )


def datasets_without(home: Workspace) -> list[str]:
    """Sets that were read, of whose images some have no colour."""
    known = func.count(image_colours.c.position)
    query = (
        select(datasets.c.id, datasets.c.summary, known)
        .outerjoin(image_colours, image_colours.c.dataset_id == datasets.c.id)
        .where(datasets.c.state == "ready", datasets.c.forgotten.is_(None))
        .group_by(datasets.c.id)
    )
    with home.engine.connect() as connection:
        rows = connection.execute(query).all()
    return [dataset_id for dataset_id, summary, n in rows if n < summary["n_images"] - summary["n_unreadable"]]


def fill(home: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    """Make what is missing of colours and thumbnails, a few at a time, and not while a gallery waits for some."""
    while not _ONE_DATASET.acquire(timeout=_PAUSE_S):
        if is_over.is_set():
            return
    try:
        for places in _missing(home, dataset_id):
            made: dict[int, int] = {}
            for start in range(0, len(places), _DECODED_AT_ONCE):
                while is_waited_for() and not is_over.wait(_PAUSE_S):
                    pass
                if is_over.is_set():
                    break
                made |= _colours(home, dataset_id, places[start : start + _DECODED_AT_ONCE])
            with writing(home.engine) as connection:
                keep_colours(connection, dataset_id, made)
            if is_over.is_set():
                return
    finally:
        _ONE_DATASET.release()


def _missing(home: Workspace, dataset_id: str) -> Iterator[list[int]]:
    """Places of readable images without a colour, some at a time."""
    known = select(image_colours.c.position).where(
        image_colours.c.dataset_id == dataset_id, image_colours.c.position == images.c.position
    )
    after = -1
    while True:
        query = (
            select(images.c.position)
            .where(
                images.c.dataset_id == dataset_id,
                images.c.position > after,
                images.c.problem.is_distinct_from("unreadable"),
                ~known.exists(),
            )
            .order_by(images.c.position)
            .limit(_KEPT_AT_ONCE)
        )
        with home.engine.connect() as connection:
            places = list(connection.execute(query).scalars())
        if not places:
            return
        yield places
        after = places[-1]


def _colours(home: Workspace, dataset_id: str, places: list[int]) -> dict[int, int]:
    made = {}
    pictures = thumbnails_of(home, dataset_id, picture_sources(home, dataset_id, places), SIDES[0])
    for position, data in zip(places, pictures, strict=True):
        if data is not None:
            picture = opened(data)
            made[position] = colour_of(picture, picture.width, picture.height)
    return made
