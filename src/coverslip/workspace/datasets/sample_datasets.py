"""The synthetic sample images of the app: a labeled dataset for training, and images of other slides to predict."""

import shutil
from dataclasses import dataclass

from coverslip.datasets import Dataset, open_dataset
from coverslip.events import Emit
from coverslip.workspace.store.workspace import Workspace

LABELLED = "samples"  # the ID of the dataset for training


@dataclass(frozen=True, slots=True)
class SampleDataset:
    """A sample dataset, which exists once and has a fixed ID."""

    id: str
    name: str
    folder: str  # in `samples/` of the workspace
    is_labeled: bool
    groups: str | None  # a pattern


SAMPLE_DATASETS = {
    samples.id: samples
    for samples in (
        SampleDataset("samples-new", "New sample images", "new", is_labeled=False, groups=None),
        SampleDataset(LABELLED, "Sample images", "images", is_labeled=True, groups=r"slide\d+"),
    )
}


def draw(workspace: Workspace, dataset_id: str, emit: Emit) -> Dataset:
    """Return a sample dataset. Its images are drawn if its folder does not exist."""
    from coverslip.synthetic_cells import write_new_images, write_sample_images

    samples = SAMPLE_DATASETS[dataset_id]
    folder = workspace.samples / samples.folder
    if not folder.is_dir():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        (write_sample_images if samples.is_labeled else write_new_images)(part, emit=emit)
        part.rename(folder)
    return open_dataset(folder, group_pattern=samples.groups, labeled=samples.is_labeled)
