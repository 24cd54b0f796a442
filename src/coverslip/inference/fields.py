"""Whole fields of view that are given to a classifier of objects: their objects are found as those of the training."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

from coverslip.datasets.index.opening import open_dataset, with_unique_ids
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import one_line
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.events import Emit, Event, Noted
from coverslip.images.decoding import describe_image
from coverslip.images.reader import ReadPlan
from coverslip.messages import note
from coverslip.objects.finders import finder_named
from coverslip.objects.finding import FinderSettings
from coverslip.runs.classifier import ClassifierCard, TrainedOn


def with_objects_of_fields(
    card: ClassifierCard,
    data: Dataset,
    plan: ReadPlan,
    *,
    out: Path,
    may_read: Callable[[Path], bool] | None = None,
    emit: Emit,
) -> Dataset:
    """Return images in which whole fields are replaced with their objects, for a classifier of objects.

    Images are whole fields if they are no region of their file and much larger than the objects of the training. If
    they state another pixel size, lengths among the finder's settings are those of the training in µm.

    Args:
        card: of the classifier.
        data: the images.
        plan: by which objects are read.
        out: the table of the objects, written if there are fields.
        may_read: as of `open_dataset`.
        emit: receives progress and notes.

    Raises:
        BadDataset: the objects of the training were not found by a finder with one choice of settings, fields are
            in memory, or they have no objects.
        CoverslipError: the finder is not installed, or failed.
    """
    are_fields = [_is_field(card, record) for record in data.records] if card.of_objects else []
    if not any(are_fields):
        return data
    fields = [record for record, is_field in zip(data.records, are_fields, strict=True) if is_field]
    if card.finder is None:
        raise BadDataset("fields-without-found-objects", file=fields[0].path, n_fields=len(fields))
    if any(record.in_memory is not None for record in fields):
        raise BadDataset("fields-in-memory", n_fields=len(fields))
    from coverslip.objects.collecting import collect_objects

    trained, current = card.finder, finder_named(card.finder.name).version
    if current != trained.version:
        warning = note(
            "finder-of-other-version",
            level="warning",
            finder=trained.name,
            version=current,
            trained=trained.version,
        )
        emit(Noted.of(warning))

    def handle(event: Event) -> None:
        if not (isinstance(event, Noted) and event.code in _OF_TRAININGS):
            emit(event)

    summary = collect_objects(
        replace(data, records=tuple(fields), notes=()),
        out=out,
        finder=trained.name,
        finder_settings=_settings_for(fields, trained.settings, card.trained_on),
        measure=trained.measure,
        emit=handle,
    )
    emit(
        Noted.of(
            note(
                "objects-found", n_objects=summary.n_objects, n_fields=len(summary.fields), file_name=one_line(out.name)
            )
        )
    )
    objects_of: dict[Path, list[ImageRecord]] = {}
    for each in open_dataset(out, plan=plan, labeled=False, may_read=may_read).records:
        objects_of.setdefault(each.path, []).append(each)
    records = [
        each
        for record, is_field in zip(data.records, are_fields, strict=True)
        for each in (objects_of.pop(record.path, []) if is_field else [record])  # all objects of its file
    ]
    return with_unique_ids(replace(data, records=(*records, *chain.from_iterable(objects_of.values()))))


def _settings_for(fields: Iterable[ImageRecord], settings: FinderSettings, trained_on: TrainedOn) -> FinderSettings:
    lengths = {
        name: length for name in ("diameter", "smallest", "largest") if (length := getattr(settings, name)) is not None
    }
    if settings.unit == "um" or not lengths or trained_on.pixel_side_um is None:
        return settings
    sizes = (series.pixel_size_at(0) for record in fields for series in describe_image(record.path))
    if not any(size is not None and trained_on.has_other_pixel_size(size) for size in sizes):
        return settings
    um = math.sqrt(math.prod(trained_on.pixel_side_um))
    return settings.model_copy(update={"unit": "um", **{name: length * um for name, length in lengths.items()}})


_OF_TRAININGS = frozenset({"objects-without-z", "objects-without-time"})  # the classifier has chosen the planes


def _is_field(card: ClassifierCard, record: ImageRecord) -> bool:
    if record.has_box:
        return False
    if record.in_memory is not None:
        height, width = record.in_memory.array.shape[:2]
        return card.trained_on.is_field(width, height)
    try:
        return any(card.trained_on.is_field(*series.sizes[0]) for series in describe_image(record.path) if series.sizes)
    except (UnreadableImage, ValueError):  # the row of the image says why
        return False
