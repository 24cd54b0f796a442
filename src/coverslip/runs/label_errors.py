"""`suspected_label_errors.json`: suspected label errors of a run, and their table."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from coverslip.datasets import Part
from coverslip.files import refuse_to_replace_others
from coverslip.runs.documents import Document, write_table

CheckedBy = Literal["folds", "linear probes"]

_COLUMNS = ("image_id", "path", "label", "suggested", "score", "set")
_SETS: dict[Part, str] = {"train": "training", "val": "validation", "test": "test", "excluded": "excluded"}


class LabelIssue(BaseModel):
    """An image that a classifier which never saw it takes for another class."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    image_id: str
    path: str = Field(description="Below the root of its domain.")
    label: str
    suggested: str = Field(description="The class that is most probable.")
    score: float = Field(ge=0, le=1, description="1 minus the probability of its label: 1 is the most likely error.")
    split: Part


class CheckedClass(BaseModel):
    """How many images of one class are misclassified."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n: int = Field(description="Images that could be checked.")
    n_misclassified: int | None = Field(description="Null: there are too few to tell a wrong label from a rare look.")


class LabelErrors(Document):
    """Misclassified images, most likely label errors first: the first `n_suspected` are suspected."""

    checked_by: CheckedBy = Field(
        description="folds: the networks of the run's folds; linear probes: on features of the frozen network."
    )
    classes: tuple[CheckedClass, ...]
    n_suspected: int = Field(
        description="Labels that are probably wrong: images that resemble another class as much as its own images do."
    )
    n_not_checked: int = Field(description="Images that no classifier without them could check.")
    images: tuple[LabelIssue, ...]

    def __repr__(self) -> str:
        n, of_all = len(self.images), f"{self.n_checked:,} labels"
        return f"{self.n_suspected:,} suspected label errors of {of_all}; {n:,} misclassified images"

    __str__ = __repr__  # Pydantic's prints every image

    @property
    def n_checked(self) -> int:
        """Images that were checked."""
        return sum(row.n for row in self.classes if row.n_misclassified is not None)

    def without(self, image_ids: Collection[str]) -> Self:
        """Return a copy without images whose labels were reviewed since. They are removed from the counts too."""
        n_suspected = sum(image.image_id not in image_ids for image in self.images[: self.n_suspected])
        left = tuple(image for image in self.images if image.image_id not in image_ids)
        gone = Counter(image.label for image in self.images if image.image_id in image_ids)
        classes = tuple(_without(row, gone[row.name]) for row in self.classes)
        return self.model_copy(update={"images": left, "n_suspected": n_suspected, "classes": classes})

    def renamed(self, new_ids: Mapping[str, str]) -> Self:
        """The same with other ids of the images, without those that have none."""
        there = self.without({image.image_id for image in self.images if image.image_id not in new_ids})
        renamed = (image.model_copy(update={"image_id": new_ids[image.image_id]}) for image in there.images)
        return there.model_copy(update={"images": tuple(renamed)})

    def write_csv(self, file: Path) -> None:
        """The table, whole or not at all; raises CoverslipError as `check_label_errors_file` does."""
        check_label_errors_file(file)
        rows = (
            {**image.model_dump(exclude={"split"}), "score": f"{image.score:.6f}", "set": _SETS[image.split]}
            for image in self.images
        )
        write_table(file, _COLUMNS, rows)


def _without(row: CheckedClass, n_gone: int) -> CheckedClass:
    n_misclassified = None if row.n_misclassified is None else row.n_misclassified - n_gone
    return row.model_copy(update={"n": row.n - n_gone, "n_misclassified": n_misclassified})


def check_label_errors_file(file: Path) -> None:
    """Raises CoverslipError where something else than an earlier table of label errors would be lost."""
    refuse_to_replace_others(file, ",".join(_COLUMNS[:-1]).encode())  # earlier tables have no column "set"
