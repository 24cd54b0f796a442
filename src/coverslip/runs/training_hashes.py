"""`pixels.json`: which images' pixels a run's weights and choices come from, and which others are copies of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from coverslip.datasets import Dataset, Scan, scan_images
from coverslip.events import Emit, ignore
from coverslip.images import ImageFacts, ReadPlan
from coverslip.runs.documents import Document
from coverslip.runs.recipe import FromRun, Recipe
from coverslip.stopping import BY_SIGNAL, Stop

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
            other = data.subset(positions).read_with(plan)
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
