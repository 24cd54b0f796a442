"""`label_errors.json`: labels of a run's images to look at again, and the table of them."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from coverslip.datasets import Part
from coverslip.files import refuse_to_replace_others
from coverslip.runs.documents import Document, write_table

JudgedBy = Literal["folds", "linear probes"]

_COLUMNS = ("image_id", "path", "label", "suggested", "score")


class DoubtfulLabel(BaseModel):
    """An image that a classifier which never saw it takes for another class."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    image_id: str
    path: str = Field(description="Below the root of its domain.")
    label: str
    suggested: str = Field(description="The class that is most probable.")
    score: float = Field(ge=0, le=1, description="1 minus the probability of its label: 1 is the most doubtful.")
    split: Part


class JudgedClass(BaseModel):
    """How many labels of one class are doubtful."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n: int = Field(description="Images that could be judged.")
    n_doubtful: int | None = Field(description="Null: there are too few to tell a wrong label from a rare look.")


class LabelErrors(Document):
    """Labels to look at again, the most doubtful first."""

    judged_by: JudgedBy = Field(
        description="folds: the networks of the run's folds; linear probes: on features of the frozen network."
    )
    classes: tuple[JudgedClass, ...]
    n_expected: int = Field(
        description="Labels that are probably wrong: images that resemble another class as much as its own images do."
    )
    n_not_judged: int = Field(description="Images that no classifier without them could judge.")
    images: tuple[DoubtfulLabel, ...]

    @property
    def n_judged(self) -> int:
        """Images that were judged."""
        return sum(row.n for row in self.classes if row.n_doubtful is not None)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of these images as the run saw them, by their ids."""
        return {image.image_id: image.label for image in self.images}

    def without(self, image_ids: Collection[str]) -> Self:
        """The same without images whose labels were checked since, which no number counts any more."""
        n_checked = sum(image.image_id in image_ids for image in self.images[: self.n_expected])
        left = tuple(image for image in self.images if image.image_id not in image_ids)
        checked = Counter(image.label for image in self.images if image.image_id in image_ids)
        classes = tuple(_without(row, checked[row.name]) for row in self.classes)
        update = {"images": left, "n_expected": self.n_expected - n_checked, "classes": classes}
        return self.model_copy(update=update)

    def write_csv(self, file: Path) -> None:
        """The table, whole or not at all; raises CoverslipError as `check_doubts_file` does."""
        check_doubts_file(file)
        rows = ({**image.model_dump(exclude={"split"}), "score": f"{image.score:.6f}"} for image in self.images)
        write_table(file, _COLUMNS, rows)


def _without(row: JudgedClass, n_checked: int) -> JudgedClass:
    n_doubtful = None if row.n_doubtful is None else row.n_doubtful - n_checked
    return row.model_copy(update={"n": row.n - n_checked, "n_doubtful": n_doubtful})


def check_doubts_file(file: Path) -> None:
    """Raises CoverslipError where something else than an earlier table of doubtful labels would be lost."""
    refuse_to_replace_others(file, ",".join(_COLUMNS).encode())
