"""Heat maps of a few test images by the networks of a study, with all initializations side by side.

The selection of images is fixed in advance, which avoids selection bias. Maps of methods that fail their checks
(`inference/explain`) are marked.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from coverslip.datasets import Dataset
from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.messages import note
from coverslip.runs import MapMethod, MapVerdict, Run
from coverslip.runs.documents import Document
from coverslip.runs.images import images_of
from coverslip.studies.cells import Cell, slug
from coverslip.studies.running import state_of

if TYPE_CHECKING:
    from coverslip.inference.explain import Explanations

_FOLDER, _FILE = "explanations", "explanations.json"
_N_IMAGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedMap:
    """The method drawn for one classifier: the first that passes both checks, otherwise the first of all."""

    regime: str
    method: MapMethod
    verdict: MapVerdict
    similarity: Annotated[float | None, Field(description="With maps of random weights; null: not checked.")]
    gain: Annotated[
        float | None,
        Field(description="Decrease in probability by blurring along the map, minus that by blurring from the center."),
    ]
    gain_low: Annotated[float | None, Field(description="Lower bound of its 95% confidence interval.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMaps:
    """The heat maps of a network on a dataset, with a row for each initialization."""

    dataset: str
    model: str
    maps: tuple[CheckedMap, ...]
    pictures: tuple[str, ...]  # PNG files, by their paths in the study's folder


class _Drawn(Document):
    heat_maps: tuple[HeatMaps, ...]


def draw_heat_maps(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Draw heat maps of three test images of the first split for each dataset and network.

    The images are the first test images of three classes that are evenly spaced in the list of classes. Previous heat
    maps are replaced. A network with missing images or classifiers is skipped with a note.

    Raises:
        Stopped: on request; finished heat maps are saved.
    """
    from coverslip.inference.explain import explain

    drawn: list[HeatMaps] = []
    compared = _compared(cells)
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)
    _Drawn(heat_maps=()).write(folder / _FILE)
    for done, group in enumerate(compared, start=1):
        first = group[0]
        try:
            tested = [(cell, _first_split(cell.run)) for cell in group]
            images = _shown(images_of(first.run), tested[0][1])
            explained = explain(
                [run.folder for _, run in tested],
                images,
                out=folder / _FOLDER / slug(first.dataset.name, first.model),
                names=[cell.regime for cell in group],
                show_failed=True,
                n_nearest=0,
                emit=emit,
            )
        except Stopped:
            raise
        except CoverslipError as error:
            dataset, model = first.dataset.name, first.model
            emit(Noted.of(note("no-heat-maps", level="warning", dataset=dataset, model=model, what=error.message)))
            continue
        drawn.append(_heat_maps_of(first, explained, folder))
        _Drawn(heat_maps=tuple(drawn)).write(folder / _FILE)
        emit(Progressed(stage="drawing-heat-maps", done=done, total=len(compared), unit="networks"))


def _compared(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Return groups of finished trainings on the same split, one training for each initialization."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            group = groups[cell.dataset.name, cell.model]
            if cell.regime not in (member.regime for member in group) and (not group or _same_split(group[0], cell)):
                group.append(cell)
    return list(groups.values())


def _same_split(first: Cell, second: Cell) -> bool:
    return (first.train_per_class, first.repeat, first.seed) == (second.train_per_class, second.repeat, second.seed)


def _first_split(run: Run) -> Run:
    return run.folds[0] if run.folds else run


def _shown(data: Dataset, run: Run) -> Dataset:
    """Return the first test image of each selected class."""
    index_of = {record.image_id: i for i, record in enumerate(data.records)}
    first: dict[str, int] = {}
    for row in run.predictions:
        if row.label is not None and row.image_id in index_of:
            first.setdefault(row.label, index_of[row.image_id])
    classes = [name for name in data.classes if name in first]
    step = max(1, len(classes) // _N_IMAGES)
    return data.subset(first[name] for name in classes[::step][:_N_IMAGES])


def _heat_maps_of(cell: Cell, explained: "Explanations", folder: Path) -> HeatMaps:
    maps = []
    for classifier in explained.checks:
        check = next((each for each in classifier.checks if each.method == classifier.method), None)
        maps.append(
            CheckedMap(
                regime=classifier.run,
                method=classifier.method,
                verdict=classifier.verdict,
                similarity=None if check is None else check.similarity,
                gain=None if check is None else check.gain,
                gain_low=None if check is None else check.gain_low,
            )
        )
    subfolder = explained.folder.relative_to(folder)
    pictures = dict.fromkeys((subfolder / image.picture).as_posix() for image in explained.images if image.picture)
    return HeatMaps(dataset=cell.dataset.name, model=cell.model, maps=tuple(maps), pictures=tuple(pictures))


def read_heat_maps(folder: Path) -> Sequence[HeatMaps]:
    """Return the saved heat maps; empty if there are none.

    Raises:
        BadRun: the file is damaged.
    """
    document = _Drawn.read_if_there(folder / _FILE)
    return () if document is None else document.heat_maps
