"""Which images' pixels a run's weights and choices come from, and which other images are copies of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.datasets import Dataset, Scan, scan_images
from coverslip.events import Emit, ignore
from coverslip.files import write_json
from coverslip.images import ImageFacts, ReadPlan
from coverslip.runs import FORMAT_VERSION, FromRun, Recipe, read_json


@dataclass(frozen=True, slots=True)
class SeenPixels:
    """Hashes of the images that weights and choices come from, by the plan that they were read with.

    A file has other pixels where another page or other channels of it are read, so that it must be read in the same
    way to be known again.
    """

    by_plan: Mapping[ReadPlan, frozenset[str]] = field(default_factory=dict)
    is_complete: bool = True  # no part of them was learnt from images that nobody told

    def known(self, data: Dataset, scan: Scan, positions: Sequence[int], emit: Emit = ignore) -> list[int]:
        """Which of the images at these positions are copies.

        Args:
            data: any images.
            scan: of these images.
            positions: of those that matter.
            emit: told of images that must be read in another way.
        """
        found: set[int] = set()
        for plan, hashes in self.by_plan.items():
            other = data.chosen(positions).read_with(plan)
            is_same = [record.plan for record in other.records] == [data.records[i].plan for i in positions]
            facts = [scan.facts[i] for i in positions] if is_same else scan_images(other, emit=emit).facts
            copies = (isinstance(fact, ImageFacts) and fact.pixel_hash in hashes for fact in facts)
            found.update(i for i, is_copy in zip(positions, copies, strict=True) if is_copy)
        return sorted(found)


def write_seen_pixels(folder: Path, recipe: Recipe, plan: ReadPlan, train: Sequence[str], val: Sequence[str]) -> None:
    """Write which images weights and choices come from, those of an earlier run included, so that copies are known.

    Args:
        folder: of the run.
        recipe: tells what training starts from.
        plan: by which the images were read.
        train, val: hashes of their pixels.
    """
    before = seen_by_start(recipe)
    seen = {
        "plan": _as_json(plan),
        "train": train,
        "val": val,
        "start": [{"plan": _as_json(own), "hashes": sorted(hashes)} for own, hashes in before.by_plan.items()],
        "start_is_known": before.is_complete,
    }
    write_json(folder / "pixels.json", {"format_version": FORMAT_VERSION, **seen})


def seen_by_start(recipe: Recipe) -> SeenPixels:
    """What the run that training starts from has seen; a classifier without its run does not tell."""
    if not isinstance(recipe.init, FromRun):
        return SeenPixels()
    place = Path(recipe.init.run)
    folder = place.parent if place.name == "classifier" else place
    return seen_pixels(folder) if (folder / "pixels.json").is_file() else SeenPixels(is_complete=False)


def seen_pixels(folder: Path) -> SeenPixels:
    """What a run has seen, the runs that it started from included."""
    seen = read_json(folder / "pixels.json")
    starts = seen.get("start", [])
    if "plan" not in seen:  # a run from before plans were told: most read images whole
        starts = [{"plan": {}, "hashes": starts}]
    by_plan = {ReadPlan.model_validate(start["plan"]): frozenset(start["hashes"]) for start in starts}
    own = ReadPlan.model_validate(seen.get("plan", {}))
    by_plan[own] = by_plan.get(own, frozenset()).union(seen["train"], seen["val"])
    return SeenPixels(by_plan, seen.get("start_is_known", True))


def _as_json(plan: ReadPlan) -> dict[str, object]:
    return plan.model_dump(mode="json", exclude={"box"})
