"""`split.csv`: what part each image takes in a run, and why some take none."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from coverslip.datasets import Dataset, ImageRecord, Part, Split
from coverslip.errors import BadRun
from coverslip.messages import text
from coverslip.runs.documents import read_table, write_table


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
