"""`split.csv` and `training_hashes.json`: the set of each image, and the images that weights and choices come from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from coverslip.datasets.index.records import Dataset, ImageRecord, Part
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.datasets.splits.splitting import Split
from coverslip.errors import BadRun
from coverslip.events import Emit, ignore
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import PIXEL_KEYS, ReadPlan
from coverslip.messages import text
from coverslip.runs.documents import Document, Record, rows_of_table, write_table
from coverslip.runs.recipe import FromRun, Recipe
from coverslip.stopping import BY_SIGNAL, Stop


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One image of a run; a text is empty if there is no value."""

    image_id: str
    path: str  # relative to the root of its domain
    label: str
    group: str
    domain: str
    split: Part
    fold: int | None  # 1-based fold that tests the image
    reason: str  # why the image is excluded

    def describes(self, record: ImageRecord) -> bool:
        """Return whether label, group and domain of the image are unchanged."""
        return (record.label or "", record.group or "", record.domain) == (self.label, self.group, self.domain)


_COLUMNS = tuple(field.name for field in fields(SplitRow))


def split_rows(data: Dataset, split: Split, fold_of: Sequence[int | None] = ()) -> Iterator[SplitRow]:
    """Yield a row for each image.

    Args:
        data: the images.
        split: the set of each image.
        fold_of: the fold that tests each image; empty without cross-validation.
    """
    folds = fold_of or [None] * len(data.records)
    for record, part, reason, fold in zip(data.records, split.parts, split.reasons, folds, strict=True):
        yield SplitRow(
            image_id=record.image_id,
            path=data.relative_path(record),
            label=record.label or "",
            group=record.group or "",
            domain=record.domain,
            split=part,
            fold=fold or None,
            reason=reason,
        )


def write_split(file: Path, rows: Iterable[SplitRow]) -> None:
    """Write the table.

    Raises:
        BadRun: the run is resumed, and its table differs.
    """
    if file.exists():
        if read_split(file) != tuple(rows):
            raise BadRun("changed-split", file=file)
        return
    write_table(file, _COLUMNS, ({**asdict(row), "fold": str(row.fold or "")} for row in rows))


def read_split(file: Path) -> tuple[SplitRow, ...]:
    """Return the rows of the table.

    Raises:
        BadRun: the table is missing or damaged.
    """
    try:
        shared: dict[str, str] = {}
        return tuple(_split_row(cells, shared) for cells in rows_of_table(file))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun("damaged-training-table", file=file, reason=str(error)) from error


def _split_row(cells: dict[str, str], shared: dict[str, str]) -> SplitRow:
    """Return a row. Equal cells of several rows are stored once, in `shared`."""
    if cells["split"] not in get_args(Part):
        raise ValueError(text("unknown-set", name=cells["split"][:40]))
    fold = int(cells["fold"]) if cells["fold"] else None
    names = [name for name in cells if name != "image_id"]
    values: dict[str, Any] = cells | {name: shared.setdefault(cells[name], cells[name]) for name in names}
    values["fold"] = fold  # Any: each field has its own type
    return SplitRow(**values)


TRAINING_HASHES_FILE = "training_hashes.json"


class _PretrainingHashes(Record):
    """Pixel hashes of the images of an earlier training, and how these were read."""

    plan: ReadPlan
    hashes: tuple[str, ...]


class TrainingHashRecord(Document):
    """`training_hashes.json`: pixel hashes of training, validation, test and pretraining images."""

    plan: ReadPlan
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...] = ()  # of runs before it was stored
    pretraining: tuple[_PretrainingHashes, ...]
    pretraining_is_known: bool


@dataclass(frozen=True, slots=True)
class TrainingHashes:
    """Pixel hashes of the images that weights and choices come from, by the plan that these images were read with.

    Another plane or other channels of a file have other pixels, so duplicates are searched for with
    the same plan. An image is a training image, too, if a table states that another plane of it is read.
    """

    by_plan: Mapping[ReadPlan, frozenset[str]] = field(default_factory=dict)
    is_complete: bool = True  # whether the images of all earlier trainings are known

    @classmethod
    def of(cls, record: TrainingHashRecord, *, is_fitted_on_test: bool = False) -> "TrainingHashes":
        """Return the hashes of a run, those of its pretraining included.

        Args:
            record: of the run.
            is_fitted_on_test: for its delivered classifier, if that is not the tested one.
        """
        by_plan = {before.plan: frozenset(before.hashes) for before in record.pretraining}
        test = record.test if is_fitted_on_test else ()
        by_plan[record.plan] = by_plan.get(record.plan, frozenset()).union(record.train, record.val, test)
        return cls(by_plan, record.pretraining_is_known)

    def find_shared(
        self, data: Dataset, scan: Scan, positions: Sequence[int], *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
    ) -> list[int]:
        """Return which of the images at these positions have the same pixels as one of the training images.

        They are compared as they are read, and as the training images were read.

        Args:
            data: any images.
            scan: of these images.
            positions: of the images to check.
            emit: receives progress if images are read with another plan.
            stop: checked while images are read.
        """
        shared: set[int] = set()
        images = data.subset(positions)
        for plan, hashes in self.by_plan.items():
            for replanned in _replanned(images, plan):
                if _have_same_pixels(replanned, images):
                    facts = [scan.facts[i] for i in positions]
                else:
                    facts = list(scan_images(replanned, emit=emit, stop=stop).facts)
                shared.update(
                    i
                    for i, fact in zip(positions, facts, strict=True)
                    if isinstance(fact, PixelFacts) and fact.pixel_hash in hashes
                )
        return sorted(shared)


_PLANES = frozenset(PIXEL_KEYS) - {"series"}  # another series is another field of view


def _replanned(images: Dataset, plan: ReadPlan) -> Iterator[Dataset]:
    """Yield images read with a plan; if tables state other planes, also without what these state."""
    as_stated = images.read_with(plan)
    yield as_stated
    if any(record.stated & _PLANES for record in images.records):
        records = tuple(replace(record, stated=record.stated - _PLANES) for record in images.records)
        as_trained = replace(images, records=records).read_with(plan)
        if not _have_same_pixels(as_trained, as_stated):
            yield as_trained


def common_plan(data: Dataset) -> ReadPlan:
    """Return the plan of a dataset, with the planes and channels that a table states alike for all its images."""
    values_of = {name: {getattr(record.plan, name) for record in data.records} for name in _PLANES}
    common = {name: next(iter(values)) for name, values in values_of.items() if len(values) == 1}
    return data.opening.plan.model_copy(update=common)


def _have_same_pixels(images: Dataset, others: Dataset) -> bool:
    pairs = zip(images.records, others.records, strict=True)
    return all(first.plan.of_pixels == second.plan.of_pixels for first, second in pairs)


def training_hash_record(
    recipe: Recipe, plan: ReadPlan, train: Sequence[str], val: Sequence[str], test: Sequence[str]
) -> TrainingHashRecord:
    """Return the record of the images that weights and choices come from, those of earlier trainings included.

    Args:
        recipe: names the initialization.
        plan: with which the images were read.
        train, val: hashes of their pixels.
        test: hashes of the pixels of test images, on which the delivered classifier may be fitted too.
    """
    before = pretraining_hashes(recipe)
    return TrainingHashRecord(
        plan=_without_region(plan),
        train=tuple(train),
        val=tuple(val),
        test=tuple(test),
        pretraining=tuple(
            _PretrainingHashes(plan=_without_region(plan), hashes=tuple(sorted(hashes)))
            for plan, hashes in before.by_plan.items()
        ),
        pretraining_is_known=before.is_complete,
    )


def pretraining_hashes(recipe: Recipe) -> TrainingHashes:
    """Return the hashes of the run that provides the initial weights; incomplete for a classifier without its run."""
    if not isinstance(recipe.init, FromRun):
        return TrainingHashes()
    path = Path(recipe.init.run)
    file = (path.parent if path.name == "classifier" else path) / TRAINING_HASHES_FILE
    return TrainingHashes.of(TrainingHashRecord.read(file)) if file.is_file() else TrainingHashes(is_complete=False)


def _without_region(plan: ReadPlan) -> ReadPlan:
    """Return the plan without the region, which differs between images."""
    return plan.model_copy(update={"region": None})
