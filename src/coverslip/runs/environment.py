"""`environment.json`: versions, machine and command of a run, and how and where its images were opened."""

import hashlib
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from coverslip._version import __version__
from coverslip.datasets import SIDES, Dataset, ImageRecord, Side
from coverslip.files import sha256_json
from coverslip.machine import Machine, describe_machine, package_version
from coverslip.runs.documents import Document, Record

_NAMED_PACKAGES = ("torch", "timm", "numpy", "pillow", "tifffile", "scipy", "openvino", "onnxruntime")


class Opened(Record):
    """How the images were opened."""

    sources: tuple[str, ...]
    group: str | None
    group_pattern: str | None
    column_pattern: str | None = Field(
        default=None,
        description="Regular expression that extracted the values of the group column from the images' paths.",
    )
    domains: tuple[str | None, ...] = Field(default=(), description="Names of the domains, one per source.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Columns of the tables by meaning, if the user chose them."
    )
    crop_size: int | str | None = Field(
        default=None, description="Side of the crop around each point of a table, in pixels or in µm (`32 um`)."
    )


class DomainImages(Record):
    """Folder and number of the images of one domain."""

    domain: str
    root: str
    sources: tuple[str, ...]
    n_images: int
    fingerprint: str = Field(description="Changes if images are added, removed or described differently.")


class Weights(Record):
    """The pretrained weights of an initialization."""

    model: str
    kind: str
    source: str | None
    license: str | None
    sha256: str | None


class ImagesOpened(Document):
    """How and where images were opened."""

    opened: Opened
    data: tuple[DomainImages, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint of each domain."""
        return tuple(images.fingerprint for images in self.data)


class EvaluatedImages(ImagesOpened):
    """`environment.json` of an evaluation on an external test set."""

    n_used_in_training: int = Field(
        description="Number of images that were used in training, or are duplicates of such images."
    )
    n_of_seen_groups: int = Field(
        description="Number of images whose group has the name of a group with training images."
    )
    thresholds: tuple[float, ...] | None = Field(
        default=None,
        description="Thresholds of the classes for these metrics; null: the current thresholds of the classifier.",
    )
    is_of_unfinished_training: bool = Field(
        description="Whether training had not ended, so that the evaluated classifier is not the final one."
    )
    is_rescaled: bool = Field(
        description="Whether images of known pixel size were rescaled to that of the training images."
    )

    @property
    def is_seen(self) -> bool:
        """Whether some images or groups were used in training."""
        return self.n_used_in_training > 0 or self.n_of_seen_groups > 0


class Environment(ImagesOpened):
    """`environment.json` of a training: versions, machine, seed, and how and where images were opened."""

    coverslip: str
    python: str
    packages: dict[str, str]
    platform: str
    machine: Machine
    device: str
    seed: int
    allow_leakage: bool
    predefined_sets: tuple[Side, ...] = Field(
        default=(), description="Sets that the data predefine, such as in a column `split`."
    )
    command: tuple[str, ...] | None
    started: str = Field(description="ISO 8601, UTC.")
    initialization: str | None = Field(
        default=None, description="SHA-256 of the weights of the run that provides the initial weights."
    )
    weights: Weights | None = Field(default=None, description="The pretrained weights of the initialization.")
    fold: int | None = Field(
        default=None, description="Number of the fold, 1-based, if this is the training of a fold."
    )


def images_opened(data: Dataset) -> ImagesOpened:
    """Return how the images of a dataset were opened, and the folder of each domain."""
    records_of: dict[str, list[ImageRecord]] = {origin.domain: [] for origin in data.origins}
    for record in data.records:
        records_of.setdefault(record.domain, []).append(record)
    roots = {origin.domain: (origin.root, origin.sources) for origin in data.origins}
    opening = data.opening
    domain_images = []
    for domain, records in records_of.items():
        root, sources = roots.get(domain, (data.root, opening.sources))
        domain_images.append(
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
    return ImagesOpened(opened=opened, data=tuple(domain_images))


def describe_environment(
    data: Dataset,
    *,
    seed: int,
    device: str,
    allow_leakage: bool,
    initialization: str | None = None,
    weights: Weights | None,
) -> Environment:
    """Return the environment of a run that begins now."""
    images = images_opened(data)
    return Environment(
        opened=images.opened,
        data=images.data,
        coverslip=__version__,
        python=platform.python_version(),
        packages={name: installed for name in _NAMED_PACKAGES if (installed := package_version(name))},
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


def _fingerprint(records: Sequence[ImageRecord]) -> str:
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.image_id):
        described = [record.image_id, record.label, record.group, record.predefined_split]
        digest.update(sha256_json([*described, record.plan.model_dump(mode="json")]).encode())
    return digest.hexdigest()
