"""How far the images of a first step are from those of the second, as each network sees them before it learns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import CoverslipError, Stopped
from coverslip.evaluation import Metric
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.runs.documents import Document
from coverslip.runs.images import images_of
from coverslip.studies.cells import Cell
from coverslip.studies.running import state_of

_FILE = "distances.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDistance:
    """Of a dataset from the images of its first step."""

    dataset: str
    first: str  # folder or table of the first step
    model: str  # that sees them, with ImageNet weights
    mmd2: Metric
    p: float  # how often groups dealt out at random are as far apart
    coral: Metric


class _Distances(Document):
    distances: tuple[StepDistance, ...]


def measure_distances(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """MMD² and CORAL of datasets and the images of their first steps, as each network sees them at its own size.

    They are kept in the study's folder. Where images are gone it is told, and the others are measured.

    Raises:
        Stopped: on request; what was measured is kept.
    """
    from coverslip.audit.distance import distance

    pairs, measured = _pairs(cells), list[StepDistance]()
    for done, (second, first) in enumerate(pairs, start=1):
        try:
            sets = [images_of(second.run), images_of(first.run)]
            names = (second.dataset.name, "its first step")
            recipe = second.recipe
            found = distance(sets, names=names, model=recipe.model, image_size=recipe.image_size, emit=emit)
        except Stopped:
            raise
        except CoverslipError as error:
            emit(Noted(code="no-distance", text=f"{second.label}: no distance. {error.what}.", level="warning"))
            continue
        (pair,) = found.pairs
        measured.append(
            StepDistance(
                dataset=second.dataset.name,
                first=str(first.dataset.path[0]),
                model=second.model,
                mmd2=pair.mmd2,
                p=pair.p,
                coral=pair.coral,
            )
        )
        _Distances(distances=tuple(measured)).write(folder / _FILE)
        emit(Progressed(stage="distances", done=done, total=len(pairs), unit="networks"))


def _pairs(cells: Iterable[Cell]) -> list[tuple[Cell, Cell]]:
    """A finished training of each dataset and network with two steps, and that of its first one."""
    by_folder: dict[Path, Cell] = {}
    pairs: dict[tuple[str, str], tuple[Cell, Cell]] = {}
    for cell in cells:
        if cell.is_pretraining:
            by_folder[cell.run.folder] = cell
        elif cell.starts_from is not None and state_of(cell).state == "done":
            pairs.setdefault((cell.dataset.name, cell.model), (cell, by_folder[cell.starts_from.folder]))
    return list(pairs.values())


def read_distances(folder: Path) -> Sequence[StepDistance]:
    """What was measured before; nothing where it was not.

    Raises:
        BadRun: the file is damaged.
    """
    kept = _Distances.read_if_there(folder / _FILE)
    return () if kept is None else kept.distances
