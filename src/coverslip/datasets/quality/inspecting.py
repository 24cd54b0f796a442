"""Facts about a dataset, and findings with advice before training."""

from collections import Counter

from pydantic import BaseModel, ConfigDict, Field

from coverslip.datasets.index import EXCLUDED_BY_HAND, SIDES, Dataset, shared_class_notes
from coverslip.datasets.quality.facts import GroupFacts, Spread, class_sizes, frequencies, group_facts
from coverslip.datasets.quality.finding import Finding
from coverslip.datasets.quality.findings import find_all
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import ImageFacts
from coverslip.messages import Note


class Inspection(BaseModel):
    """The result of `coverslip inspect`. Counts by format, depth and the like are over readable images."""

    model_config = ConfigDict(frozen=True)

    root: str
    source: str
    n_images: int
    n_readable: int
    n_unlabeled: int
    classes: dict[str, int] = Field(description="Readable images per label.")
    domains: dict[str, int]
    groups: GroupFacts | None
    predefined_split: dict[str, int] | None = Field(
        description="Images per set, if folders or a table assign them to training, validation and test set."
    )
    width_px: Spread | None
    height_px: Spread | None
    dtypes: dict[str, int]
    bit_depths: dict[str, int]
    channels: dict[str, int]
    formats: dict[str, int]
    planes: dict[str, int]
    reading_notes: dict[str, int]
    notes: tuple[Note, ...] = Field(description="What was ignored, and how the data were interpreted.")
    are_copies_known: bool = Field(
        description="Whether near-duplicates were searched for: images that show the same with other pixels."
    )
    findings: tuple[Finding, ...] = Field(description="What is wrong or could be better, the most severe first.")

    def of(self, code: str) -> tuple[Finding, ...]:
        """Return the findings of one code."""
        return tuple(finding for finding in self.findings if finding.code == code)

    @property
    def n_excluded_by_hand(self) -> int:
        """Number of images that the app or a table row excludes. No other number counts them."""
        return sum(note.parameters.get("n_images", 0) for note in self.notes if note.code == EXCLUDED_BY_HAND)


def inspect_dataset(dataset: Dataset, scan: Scan) -> Inspection:
    """Return counts, sizes, depths and formats of a dataset, and all findings, the most severe first."""
    records = dataset.records
    readable = [fact for fact in scan.facts if isinstance(fact, ImageFacts)]
    domains = Counter(record.domain for record in records if record.domain)
    return Inspection(
        root=str(dataset.root),
        source=dataset.source,
        n_images=len(records),
        n_readable=len(readable),
        n_unlabeled=sum(record.label is None for record in records),
        classes=class_sizes(dataset, scan),
        domains=dict(sorted(domains.items())),
        groups=group_facts(dataset),
        predefined_split=_predefined_split(dataset),
        width_px=Spread.of(fact.width_px for fact in readable),
        height_px=Spread.of(fact.height_px for fact in readable),
        dtypes=frequencies(fact.dtype for fact in readable),
        bit_depths=frequencies(str(fact.bit_depth) for fact in readable),
        channels=frequencies(str(fact.n_channels) for fact in readable),
        formats=frequencies(fact.file_format for fact in readable),
        planes=frequencies(str(fact.n_planes) for fact in readable),
        reading_notes=frequencies(fact.note for fact in readable if fact.note),
        notes=(*dataset.notes, *shared_class_notes(dataset)),
        are_copies_known=scan.near_duplicates is not None,
        findings=find_all(dataset, scan),
    )


def _predefined_split(dataset: Dataset) -> dict[str, int] | None:
    if not dataset.has_predefined_split:
        return None
    images = Counter(record.predefined_split for record in dataset.records)
    return {side: images[side] for side in SIDES}
