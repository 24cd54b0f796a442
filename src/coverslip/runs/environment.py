"""`environment.json`: with what a run was made, and where its images lay."""

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from coverslip._version import __version__
from coverslip.datasets import SIDES, Dataset, ImageRecord, Side
from coverslip.files import sha256_json
from coverslip.machine import Machine, describe_machine
from coverslip.runs.documents import Document

_NAMED_PACKAGES = ("torch", "timm", "numpy", "pillow", "tifffile", "scipy", "openvino", "onnxruntime")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Opened(_Part):
    """How the images were opened."""

    sources: tuple[str, ...]
    group: str | None
    group_pattern: str | None
    column_pattern: str | None = Field(
        default=None, description="Regular expression that found the values of the group column in the images' paths."
    )
    domains: tuple[str | None, ...] = Field(
        default=(), description="Names that the sources' domains were given, one each."
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="Which columns of the tables hold what, where that was chosen."
    )
    crop_size: int | None = Field(
        default=None, description="Side in pixels of the square around each point of a table."
    )


class DomainImages(_Part):
    """Where the images of one domain lay."""

    domain: str
    root: str
    sources: tuple[str, ...]
    n_images: int
    fingerprint: str = Field(description="Changes if images are added, removed or described differently.")


class Weights(_Part):
    """The pretrained weights that a training was initialized with."""

    model: str
    kind: str
    source: str | None
    license: str | None
    sha256: str | None


class ImagesOpened(Document):
    """How images were opened and where they lay."""

    opened: Opened
    data: tuple[DomainImages, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of each domain's images."""
        return tuple(images.fingerprint for images in self.data)


class EvaluatedImages(ImagesOpened):
    """`environment.json` of an evaluation on other images."""

    n_used_in_training: int = Field(description="Of these images, how many the training had seen, or copies of them.")
    n_of_seen_groups: int = Field(description="How many are of groups, by name, that the training learnt from.")
    thresholds: tuple[float, ...] | None = Field(
        default=None,
        description="Of each class, with which they were measured; null: those that the classifier has now.",
    )
    is_of_unfinished_training: bool = Field(
        description="Whether training had not ended: the classifier that was measured is not its last one."
    )

    @property
    def is_seen(self) -> bool:
        """Whether training may have seen some of the images, or others of the same groups."""
        return self.n_used_in_training > 0 or self.n_of_seen_groups > 0


class Environment(ImagesOpened):
    """Versions, machine, seed, how images were opened, and where each domain's lay."""

    coverslip: str
    python: str
    packages: dict[str, str]
    platform: str
    machine: Machine
    device: str
    seed: int
    allow_leakage: bool
    predefined_sets: tuple[Side, ...] = Field(
        default=(), description="Sets that images were given in with the data, such as by a column `split`."
    )
    command: tuple[str, ...] | None
    started: str = Field(description="ISO 8601, UTC.")
    initialization: str | None = Field(
        default=None, description="SHA-256 of the weights of the run that it is initialized with."
    )
    weights: Weights | None = Field(default=None, description="The pretrained weights that it is initialized with.")
    fold: int | None = Field(
        default=None, description="Of the whole run, 1-based, where this is the training of one fold."
    )


def images_opened(data: Dataset) -> ImagesOpened:
    """How the images of a dataset were opened, and where those of each domain lie."""
    records_of: dict[str, list[ImageRecord]] = {origin.domain: [] for origin in data.origins}
    for record in data.records:
        records_of.setdefault(record.domain, []).append(record)
    roots = {origin.domain: (origin.root, origin.sources) for origin in data.origins}
    opening = data.opening
    described = []
    for domain, records in records_of.items():
        root, sources = roots.get(domain, (data.root, opening.sources))
        described.append(
            DomainImages(
                domain=domain,
                root=str(root),
                sources=tuple(map(str, sources)),
                n_images=len(records),
                fingerprint=_fingerprint(records),
            )
        )
    opened = Opened(
        sources=tuple(map(str, opening.sources)),
        group=opening.group,
        group_pattern=opening.group_pattern,
        column_pattern=opening.column_pattern,
        domains=opening.domains,
        columns=dict(opening.columns),
        crop_size=opening.plan.crop_size,
    )
    return ImagesOpened(opened=opened, data=tuple(described))


def describe_environment(
    data: Dataset,
    *,
    seed: int,
    device: str,
    allow_leakage: bool,
    initialization: str | None = None,
    weights: Weights | None,
) -> Environment:
    """What a run that begins now says of itself."""
    images = images_opened(data)
    return Environment(
        opened=images.opened,
        data=images.data,
        coverslip=__version__,
        python=platform.python_version(),
        packages={name: installed for name in _NAMED_PACKAGES if (installed := _version_of(name))},
        platform=platform.platform(),
        machine=describe_machine(),
        device=device,
        seed=seed,
        allow_leakage=allow_leakage,
        predefined_sets=tuple(
            side for side in SIDES if any(record.predefined_split == side for record in data.records)
        ),
        command=tuple(sys.argv) if Path(sys.argv[0]).name.startswith("coverslip") else None,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        initialization=initialization,
        weights=weights,
    )


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _fingerprint(records: Sequence[ImageRecord]) -> str:
    described = [
        [record.image_id, record.label, record.group, record.predefined_split, record.plan.model_dump(mode="json")]
        for record in records
    ]
    return sha256_json(sorted(described, key=lambda image: str(image[0])))
