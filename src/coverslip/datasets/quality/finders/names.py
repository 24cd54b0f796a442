"""Findings about groups that names of files and folders give away."""

from collections.abc import Iterator
from dataclasses import asdict

from coverslip.datasets.index import Dataset, one_line
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.name_groups import groups_in_names
from coverslip.datasets.quality.scanning import Scan
from coverslip.messages import GroupBy

_MOST_SHOWN = 5  # patterns


def hidden_groups(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Images with related names share labels or looks beyond chance, and nobody named groups."""
    if dataset.has_groups:
        return
    telling = [groups for groups in groups_in_names(dataset, scan) if groups.is_telling]
    if not telling:
        return
    first = telling[0]
    what = "labels" if first.strength > first.looks else "size and brightness"
    yield Found(
        text=f"Names give groups away: {first.n_groups:,} groups such as '{one_line(first.example, 60)}', found by the "
        f"pattern {first.pattern}, whose images share {what} far more than by chance. They may come from one patient, "
        "slide or field.",
        do="Find out what the names mean, and name the groups; numbers without groups cannot be believed until then.",
        remedies=(GroupBy(),),
        limit=f"Images with related names (such as '{one_line(first.example, 60)}') share {what} far more than by "
        "chance, and no groups were named. If they come from one patient, slide or field, the test images were all but "
        "seen in training, and the numbers here cannot be believed.",
        values={
            "pattern": first.pattern,
            "p": first.p,
            "patterns": [asdict(groups) for groups in telling[:_MOST_SHOWN]],
        },
    )
