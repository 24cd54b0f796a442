"""`split.csv` and `training_hashes.json`: the set of each image, and the pixels that weights and choices come from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from coverslip.datasets import Dataset, ImageRecord, Part, Scan, Split, scan_images
from coverslip.errors import BadRun
from coverslip.events import Emit, ignore
from coverslip.images import ImageFacts, ReadPlan
from coverslip.messages import text
from coverslip.runs.documents import Document, read_table, write_table
from coverslip.runs.recipe import FromRun, Recipe
from coverslip.stopping import BY_SIGNAL, Stop


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One image of a run; a text is empty where there is nothing to say."""

    image_id: str
    path: str  # relative to the root of its domain
    label: str
    group: str
    domain: str
    split: Part
    fold: int | None  # 1-based, that it is tested in
    reason: str  # why it is excluded

    @property
    def named_group(self) -> str:
        """The group; empty where the image is a group of its own because none was named for it."""
        return "" if self.group == self.image_id else self.group

    def describes(self, record: ImageRecord) -> bool:
        """Whether the image is still labeled and grouped as it was."""
        now = (record.label or "", record.group or "", record.domain)
        return now == (self.label, self.group, self.domain)


_COLUMNS = tuple(field.name for field in fields(SplitRow))


def split_rows(data: Dataset, split: Split, fold_of: Sequence[int | None] = ()) -> tuple[SplitRow, ...]:
    """A row for each image.

    Args:
        data: the images.
        split: where each of them goes.
        fold_of: the fold that each is tested in, where there are folds.
    """
    folds = fold_of or [None] * len(data.records)
    return tuple(
        SplitRow(
            image_id=record.image_id,
            path=data.relative_path(record),
            label=record.label or "",
            group=record.group or "",
            domain=record.domain,
            split=part,
            fold=fold or None,
            reason=reason,
        )
        for record, part, reason, fold in zip(data.records, split.parts, split.reasons, folds, strict=True)
    )


def write_split(file: Path, rows: Sequence[SplitRow]) -> None:
    """Write the table.

    Raises:
        BadRun: the run is resumed, and its table differs.
    """
    if file.exists() and read_split(file) != tuple(rows):
        raise BadRun("changed-split", file=file)
    write_table(file, _COLUMNS, ({**asdict(row), "fold": str(row.fold or "")} for row in rows))


def read_split(file: Path) -> tuple[SplitRow, ...]:
    """The rows of the table.

    Raises:
        BadRun: it is missing or damaged.
    """
    try:
        return tuple(_row(cells) for cells in read_table(file))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun("damaged-training-table", file=file, reason=str(error)) from error


def _row(cells: dict[str, str]) -> SplitRow:
    if cells["split"] not in get_args(Part):
        raise ValueError(text("unknown-set", name=cells["split"][:40]))
    values: dict[str, Any] = {**cells, "fold": int(cells["fold"]) if cells["fold"] else None}  # Any: of each its own
    return SplitRow(**values)


SEEN = "pixels.json"


@dataclass(frozen=True, slots=True)
class TrainingHashes:
    """Hashes of the images that weights and choices come from, by the plan that they were read with.

    A file has other pixels where another page or other channels of it are read, so that it must be read in the same
    way to be known again.
    """

    by_plan: Mapping[ReadPlan, frozenset[str]] = field(default_factory=dict)
    is_complete: bool = True  # no part of them was learnt from images that are not known

    def known(
        self, data: Dataset, scan: Scan, positions: Sequence[int], *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
    ) -> list[int]:
        """Which of the images at these positions are copies.

        Args:
            data: any images.
            scan: of these images.
            positions: of those that matter.
            emit: receives progress while images are read in another way.
            stop: asked while they are read.
        """
        copies: set[int] = set()
        for plan, hashes in self.by_plan.items():
            other = data.chosen(positions).read_with(plan)
            is_same = [record.plan for record in other.records] == [data.records[i].plan for i in positions]
            facts = [scan.facts[i] for i in positions] if is_same else scan_images(other, emit=emit, stop=stop).facts
            is_copy = (isinstance(fact, ImageFacts) and fact.pixel_hash in hashes for fact in facts)
            copies.update(i for i, is_seen in zip(positions, is_copy, strict=True) if is_seen)
        return sorted(copies)


class _PretrainingHashes(BaseModel):
    """Images that an earlier training saw, and how it read them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: ReadPlan
    hashes: tuple[str, ...]


class TrainingHashRecord(Document):
    """The file: hashes of pixels by what they were for."""

    plan: ReadPlan
    train: tuple[str, ...]
    val: tuple[str, ...]
    initialization: tuple[_PretrainingHashes, ...]
    initialization_is_known: bool


def training_hash_record(
    recipe: Recipe, plan: ReadPlan, train: Sequence[str], val: Sequence[str]
) -> TrainingHashRecord:
    """Which images weights and choices come from, those of an earlier run included, so that copies are known.

    Args:
        recipe: states the initialization.
        plan: by which the images were read.
        train, val: hashes of their pixels.
    """
    before = pretraining_hashes(recipe)
    return TrainingHashRecord(
        plan=_without_box(plan),
        train=tuple(train),
        val=tuple(val),
        initialization=tuple(
            _PretrainingHashes(plan=_without_box(plan), hashes=tuple(sorted(hashes)))
            for plan, hashes in before.by_plan.items()
        ),
        initialization_is_known=before.is_complete,
    )


def pretraining_hashes(recipe: Recipe) -> TrainingHashes:
    """What the run has seen whose weights are the initialization; a classifier without its run does not tell."""
    if not isinstance(recipe.init, FromRun):
        return TrainingHashes()
    place = Path(recipe.init.run)
    file = (place.parent if place.name == "classifier" else place) / SEEN
    return training_hashes(TrainingHashRecord.read(file)) if file.is_file() else TrainingHashes(is_complete=False)


def training_hashes(record: TrainingHashRecord) -> TrainingHashes:
    """What a run has seen, those included whose weights it was initialized with."""
    by_plan = {before.plan: frozenset(before.hashes) for before in record.initialization}
    by_plan[record.plan] = by_plan.get(record.plan, frozenset()).union(record.train, record.val)
    return TrainingHashes(by_plan, record.initialization_is_known)


def _without_box(plan: ReadPlan) -> ReadPlan:
    """Return the plan without the box, which differs between images."""
    return plan.model_copy(update={"box": None})
