"""How long each network of a study takes for an image on this computer; kept in the study's folder once measured."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from coverslip.datasets import open_dataset
from coverslip.errors import BadRun, CoverslipError
from coverslip.events import Emit, Progressed, ignore
from coverslip.files import write_json
from coverslip.inference import load_classifier
from coverslip.inference.latency import MANY, Latency, classifier_latency
from coverslip.runs.documents import check_format, first_fault, read_object
from coverslip.studies.cells import Cell
from coverslip.studies.running import state_of

_FILE = "latency.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLatency:
    """Of a network, as it was trained on a dataset; where its training starts makes no difference."""

    dataset: str
    model: str
    latency: Latency


_LATENCIES = TypeAdapter(list[NetworkLatency])


def measure_latencies(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> list[NetworkLatency]:
    """Time one finished training of each network and dataset, on images of that dataset, and keep it in the folder."""
    first: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            first.setdefault((cell.dataset.name, cell.model), cell)
    measured = []
    for done, ((dataset, model), cell) in enumerate(first.items(), start=1):
        try:
            records = open_dataset(list(cell.dataset.path)).records[:MANY]
            latency = classifier_latency(load_classifier(cell.run.folder), [record.path for record in records])
        except CoverslipError:  # its images or its classifier are gone
            continue
        measured.append(NetworkLatency(dataset=dataset, model=model, latency=latency))
        emit(Progressed(stage="timing", done=done, total=len(first), unit="networks"))
    write_json(folder / _FILE, {"format_version": 1, "latencies": [asdict(each) for each in measured]})
    return measured


def read_latencies(folder: Path) -> Sequence[NetworkLatency]:
    """What was measured before; nothing where it was not.

    Raises:
        BadRun: the file is damaged.
    """
    if not (folder / _FILE).is_file():
        return ()
    values = read_object(folder / _FILE)
    check_format(values.get("format_version"), folder / _FILE)
    try:
        return _LATENCIES.validate_python(values.get("latencies"))
    except ValidationError as error:
        do = "Measure the latencies again, or delete the file."
        raise BadRun(f"The file is damaged: {first_fault(error)}", file=folder / _FILE, do=do) from error
