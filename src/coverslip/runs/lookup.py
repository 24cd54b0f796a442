"""Look up the file and the pixels of an image of a run."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coverslip.datasets import Dataset, ImageRecord, name_from_text, scan_images
from coverslip.errors import CoverslipError
from coverslip.images import ImageFacts, ReadPlan
from coverslip.runs.folder import Run
from coverslip.runs.images import evaluated_images_of, images_of


@dataclass(frozen=True, slots=True)
class ImageSource:
    """A file, and which pixels of it are meant."""

    file: Path
    plan: ReadPlan


def file_of_each(run: Run) -> dict[str, str]:
    """Where the file of each image of a run's split lay, by the image's id; nothing is opened for it."""
    domains = run.environment.data if run.environment_file.is_file() else ()
    roots = {domain.domain: Path(domain.root) for domain in domains}
    return {row.image_id: str(roots.get(row.domain, Path()) / name_from_text(row.path)) for row in run.split}


class ImageLookup:
    """The images of a run, or of an evaluation, by their ids, opened again when one is first asked for.

    A path alone does not tell: rows of a table may be boxes, planes or channels of one file.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def find(self, image_id: str) -> ImageSource | None:
        """Return the file of an image and how it is read; None if the image is no longer available."""
        record = self._records.get(image_id)
        return None if record is None else ImageSource(record.path, record.plan)

    def domains(self) -> dict[str, str]:
        """Return the domain of each image that is still available, by its id."""
        return {image_id: record.domain for image_id, record in self._records.items()}

    def groups(self) -> dict[str, str]:
        """Return the group of each image that is still available by its id; empty for an image without one."""
        return {image_id: record.group or "" for image_id, record in self._records.items()}

    def pixel_hashes(self, image_ids: Iterable[str]) -> dict[str, str]:
        """Return the hash of the pixels of each of these images that is still available and readable, by its id."""
        if self._data is None:
            return {}
        wanted_ids = set(image_ids)
        data = self._data.subset(i for i, record in enumerate(self._data.records) if record.image_id in wanted_ids)
        return {
            record.image_id: facts.pixel_hash
            for record, facts in zip(data.records, scan_images(data).facts, strict=True)
            if isinstance(facts, ImageFacts)
        }

    @cached_property
    def _records(self) -> dict[str, ImageRecord]:
        return {} if self._data is None else {record.image_id: record for record in self._data.records}

    @cached_property
    def _data(self) -> Dataset | None:
        try:
            return evaluated_images_of(self._run) if self._run.is_evaluation else images_of(self._run)
        except CoverslipError:  # the folder or table was moved away since; what was measured still counts
            return None
