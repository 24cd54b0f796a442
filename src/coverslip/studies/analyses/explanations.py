"""Where networks of a study look: heat maps of a few test images, all ways to start beside each other.

Which images are shown is fixed beforehand, so that nobody picks those that show what was looked for; kinds of map that
fail their checks (`inference/explain`) are drawn with that stamp.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    """The kind of map that is drawn of one classifier: the first that passes both checks, else the first of all."""

    regime: str
    method: MapMethod
    verdict: MapVerdict
    similarity: float | None  # to maps by random weights; None: not checked
    gain: float | None  # of probability that blurring by the map takes away, beyond blurring from the centre on
    gain_low: float | None  # its lower 95 % bound


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMaps:
    """Of a network on a dataset, a row for each way to start."""

    dataset: str
    model: str
    maps: tuple[CheckedMap, ...]
    pictures: tuple[str, ...]  # PNG files, by their paths in the study's folder


class _Drawn(Document):
    heat_maps: tuple[HeatMaps, ...]


def draw_heat_maps(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Draw three test images of the first split for each dataset and network, by the classifiers that it tested.

    They are of classes as far apart in the list of classes as can be: of each the first image of the split. What was
    drawn before is replaced. If images or classifiers are missing, a note says so, and the others are drawn.

    Raises:
        Stopped: on request; what was drawn is kept.
    """
    from coverslip.inference.explain import explain

    drawn: list[HeatMaps] = []
    compared = _compared(cells)
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)
    _Drawn(heat_maps=()).write(folder / _FILE)
    for done, own in enumerate(compared, start=1):
        first = own[0]
        try:
            tested = [(cell, _first_split(cell.run)) for cell in own]
            images = _shown(images_of(first.run), tested[0][1])
            explained = explain(
                [run.folder for _, run in tested],
                images,
                out=folder / _FOLDER / slug(first.dataset.name, first.model),
                names=[cell.regime for cell in own],
                show_failed=True,
                n_nearest=0,
                emit=emit,
            )
        except Stopped:
            raise
        except CoverslipError as error:
            dataset, model = first.dataset.name, first.model
            emit(Noted.of(note("no-heat-maps", level="warning", dataset=dataset, model=model, what=error.what)))
            continue
        drawn.append(_told(first, explained, folder))
        _Drawn(heat_maps=tuple(drawn)).write(folder / _FILE)
        emit(Progressed(stage="heat maps", done=done, total=len(compared), unit="networks"))


def _compared(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Finished trainings on the same split, one for each way to start."""
    found: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            own = found[cell.dataset.name, cell.model]
            if cell.regime not in (other.regime for other in own) and (not own or _same_split(own[0], cell)):
                own.append(cell)
    return list(found.values())


def _same_split(one: Cell, other: Cell) -> bool:
    return (one.train_per_class, one.repeat, one.seed) == (other.train_per_class, other.repeat, other.seed)


def _first_split(run: Run) -> Run:
    return run.folds[0] if run.folds else run


def _shown(data: Dataset, run: Run) -> Dataset:
    """The first tested image of each of some classes."""
    place = {record.image_id: i for i, record in enumerate(data.records)}
    first: dict[str, int] = {}
    for row in run.predictions:
        if row.label is not None and row.image_id in place:
            first.setdefault(row.label, place[row.image_id])
    classes = [name for name in data.classes if name in first]
    step = max(1, len(classes) // _N_IMAGES)
    return data.chosen(first[name] for name in classes[::step][:_N_IMAGES])


def _told(cell: Cell, explained: "Explanations", folder: Path) -> HeatMaps:
    maps = []
    for own in explained.checks:
        check = next((each for each in own.checks if each.method == own.method), None)
        maps.append(
            CheckedMap(
                regime=own.run,
                method=own.method,
                verdict=own.verdict,
                similarity=None if check is None else check.similarity,
                gain=None if check is None else check.gain,
                gain_low=None if check is None else check.gain_low,
            )
        )
    place = explained.folder.relative_to(folder)
    pictures = dict.fromkeys((place / image.picture).as_posix() for image in explained.images if image.picture)
    return HeatMaps(dataset=cell.dataset.name, model=cell.model, maps=tuple(maps), pictures=tuple(pictures))


def read_heat_maps(folder: Path) -> Sequence[HeatMaps]:
    """What was drawn before; nothing where it was not.

    Raises:
        BadRun: the file is damaged.
    """
    kept = _Drawn.read_if_there(folder / _FILE)
    return () if kept is None else kept.heat_maps
