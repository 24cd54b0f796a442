"""The test images of a split, by group, with the reason why they are tested."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import natural_key
from coverslip.datasets.quality.related_images import connected_components
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.splitting import Split
from coverslip.documented_fields import DocumentedFields
from coverslip.runs.recipe import Recipe

Reason = Literal["earlier", "predefined", "connected", "domain", "related", "group", "single"]
_MOST_STRIPS = 200
_MOST_IMAGES = 12  # of a strip


@dataclass(frozen=True, slots=True)
class TestedImages(DocumentedFields):
    """Test images of a group, or of a class if they are alone in their groups, tested for the same reason."""

    group: str | None
    label: str
    """The class of images without a group of several images; empty for others."""
    reason: Reason
    """`earlier` and `predefined`: the split of an earlier training or of the dataset; `connected`: a group or
    duplicates connect them with such images; `domain`: the fold tests their domain. Otherwise they are chosen at
    random: `group`, the whole group; `related`, with near-duplicates or other groups; `single`, alone."""
    n: int
    row_ids: list[int]
    """The permanent numbers of at most 12 of them; none of images that the recipe joins from files of channels."""


def tested_images(
    data: Dataset, scan: Scan, split: Split, recipe: Recipe, row_of: Mapping[str, int]
) -> list[TestedImages]:
    """Return the images of a test set in natural order of their groups, at most 200 groups; classes come last.

    Args:
        data, scan: the images and their facts.
        split: the set of each image.
        recipe: the recipe of the split.
        row_of: the permanent number of each image by its ID.
    """
    tested = [i for i, part in enumerate(split.parts) if part == "test"]
    members: dict[int, list[int]] = defaultdict(list)
    for i, unit in zip(tested, connected_components(data, scan, tested).tolist(), strict=True):
        members[unit].append(i)
    n_of_group = Counter(record.group for record in data.records)
    strips: dict[tuple[str | None, str, Reason], list[int]] = defaultdict(list)
    for unit in members.values():
        groups = {data.records[i].group for i in unit}
        for i in unit:
            record = data.records[i]
            group = record.group if n_of_group[record.group] > 1 else None
            reason: Reason
            if record.predefined_split is not None:
                reason = "predefined" if recipe.split.run is None else "earlier"
            elif any(data.records[other].predefined_split is not None for other in unit):
                reason = "connected"
            elif recipe.split.by_domain:
                reason = "domain"
            elif len(groups) > 1 or (group is None and len(unit) > 1):
                reason = "related"
            else:
                reason = "single" if group is None else "group"
            strips[group, "" if group else record.label or "", reason].append(i)
    ordered = sorted(
        strips.items(),
        key=lambda strip: (strip[0][0] is None, natural_key(strip[0][0] or strip[0][1]), strip[0][2]),
    )
    return [
        TestedImages(
            group,
            label,
            reason,
            len(images),
            [
                row_of[name]
                for i in images[:: -(-len(images) // _MOST_IMAGES)]
                if (name := data.records[i].image_id) in row_of
            ],
        )
        for (group, label, reason), images in ordered[:_MOST_STRIPS]
    ]
