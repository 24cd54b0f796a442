"""The process of a prediction: `python -m coverslip.workspace.predictions.predicting FOLDER`.

FOLDER contains `request.json`. The process writes rows to `predictions.csv`, and its status to `status.json`. If it is
restarted, it resumes after the last row. `begun.json` records the classifier, images and thresholds of the rows.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.opening import open_dataset, with_folder_labels
from coverslip.datasets.index.records import Dataset, first_positions
from coverslip.datasets.names import name_as_text, one_line
from coverslip.errors import BadDataset, Conflict, CoverslipError, Stopped
from coverslip.events import Emit, Event, Noted, Progressed
from coverslip.files import sha256_json
from coverslip.images.reader import PIXEL_KEYS, ReadPlan
from coverslip.messages import ChooseOther, Note
from coverslip.runs.classifier import ClassifierCard, identity_of
from coverslip.runs.documents import Document, read_object
from coverslip.runs.folder import Run
from coverslip.runs.prediction_tables import hashes_of_rows, unfinished_rows
from coverslip.runs.predictions import FIRST_COLUMN, PLAN_COLUMN
from coverslip.runs.status import StatusFile
from coverslip.stopping import Stop
from coverslip.workspace.store.rows import plan_of_choice

if TYPE_CHECKING:
    from coverslip.inference import Classifier

_UNSHOWN = frozenset({"unreadable-image", "rows-saved", "prediction-resumed"})  # notes: pages show the rows instead


INPUT_FILE = "begun.json"


class PredictionInput(Document):
    """The classifier, images and thresholds of a prediction's rows."""

    images: str = Field(description="Fingerprint of the images.")
    thresholds: tuple[float, ...] | None = Field(
        description="Threshold of each class; null: the most probable class is predicted."
    )
    uncertain_below: float = Field(description="Less probable predictions are uncertain; 0 marks none.")
    identity: str = Field(description="Code of the weights and settings of the classifier, as in downloaded tables.")

    def matches(self, card: ClassifierCard, *, has_stated_shares: bool) -> bool:
        """Return whether the classifier still uses these thresholds. With stated class proportions, it uses none."""
        current = None if has_stated_shares else card.operating_points
        return (self.thresholds, self.uncertain_below) == (current, card.uncertain_below)


def predict_into(folder: Path) -> None:
    """Run the prediction of a folder, and record in it how that ended.

    Raises:
        Stopped: on request; the rows so far are saved.
    """
    run = Run(folder)
    with StatusFile(run.status_file).recording() as status:
        _predict(folder, status, Stop(run.stop_file))


def _predict(folder: Path, status: StatusFile, stop: Stop) -> None:
    request = read_object(folder / "request.json")
    notes: list[Note] = []
    n_images = 0

    def handle(event: Event) -> None:
        match event:
            case Noted() if event.note.code not in _UNSHOWN:
                notes.append(replace(event.note, text=one_line(event.text, 500)))
                status.write("running", notes=notes)
            case Progressed():
                status.beat(seconds_left=event.seconds_left, n_done=n_images + event.done - event.total)
                if stop.is_requested():
                    raise Stopped("prediction-stopped", file=folder)
            case _:
                pass

    from coverslip.inference.predicting import predict_opened

    classifier = _load_classifier(request, handle)
    plan = plan_for(request, classifier.card.preprocessing.plan)
    data = _open_images(request, plan, classifier.classes)
    n_images = len(data.records)
    table = Run(folder).predictions_file
    prediction_input = PredictionInput(
        images=_fingerprint(data, folder.absolute().parents[1]),
        thresholds=classifier.card.operating_points,
        uncertain_below=classifier.card.uncertain_below,
        identity=identity_of(request["classifier"], classifier.card, is_rescaled=bool(request["rescale"])),
    )
    _refuse_changed(folder, prediction_input)
    _refuse_changed_files(table, data)
    status.write("running", n_total=n_images)
    first = first_positions(data.records).tolist()
    predict_opened(
        request["classifier"],
        classifier,
        data,
        out=table,
        more={  # the workspace reads from them which pixels were read, and which rows list an image again
            PLAN_COLUMN: lambda k: data.records[k].plan.as_json(),
            FIRST_COLUMN: lambda k: "" if first[k] == k else str(first[k]),
        },
        is_rescaled=bool(request["rescale"]),
        resume=True,
        emit=handle,
    )


def _load_classifier(request: Mapping[str, Any], emit: Emit) -> "Classifier":  # Any: JSON values
    """Return the classifier of a request, at its class proportions, and with rescaling if it asks for that."""
    from coverslip.inference import load_classifier
    from coverslip.inference.new_images import note_on_thresholds

    classifier = load_classifier(request["classifier"])
    if request["prevalence"]:
        if (threshold_note := note_on_thresholds(classifier.card)) is not None:
            emit(Noted.of(threshold_note))
        classifier = classifier.at_prevalence(request["prevalence"])
    return classifier.with_rescaling() if request["rescale"] else classifier


def plan_for(request: Mapping[str, Any], trained: ReadPlan) -> ReadPlan:  # Any: JSON values
    """Return the plan of the classifier with what was chosen for these images.

    The crop size is that of the training, if there is one.
    """
    pixels = plan_of_choice(request.get("pixels"), TableChoices()) if request.get("pixels") else trained
    changes = {name: getattr(pixels, name) for name in PIXEL_KEYS}
    return trained.model_copy(update={**changes, "crop_size": trained.crop_size or request["tables"]["crop_size"]})


def _open_images(
    request: Mapping[str, Any],  # Any: JSON values
    plan: ReadPlan,
    classes: Sequence[str],
) -> Dataset:
    """Open the images with a plan, and the labels of their dataset, else those of folders with names of classes."""
    tables = request["tables"]
    may_read = _below(request["roots"])
    data = open_dataset(
        request["sources"],
        domains=request["domains"],
        plan=plan,
        columns=tables["columns"],
        labeled=False,
        may_read=may_read,
    )
    _refuse_outside(data, may_read)
    if "labels" not in request:
        return with_folder_labels(data, classes)
    labels: Mapping[str, str | None] = request["labels"]
    records = (record.with_label(labels.get(record.image_id, record.label)) for record in data.records)
    return replace(data, records=tuple(records))


def _refuse_changed(folder: Path, current: PredictionInput) -> None:
    """Check that a resumed prediction uses the same input: rows and corrections are identified by their numbers.

    Raises:
        Conflict: the images, the classifier or its settings, such as thresholds, have changed.
    """
    earlier = PredictionInput.read_if_there(folder / INPUT_FILE)
    if earlier is None:
        current.write(folder / INPUT_FILE)
        return
    if earlier.images != current.images:
        raise Conflict("prediction-images-changed")
    if earlier.identity != current.identity:
        raise Conflict("prediction-classifier-changed")


def _refuse_changed_files(table: Path, data: Dataset) -> None:
    """Check that the files of the rows of an earlier process have not changed.

    Raises:
        Conflict: they have.
    """
    if unfinished_rows(table).is_file():
        with hashes_of_rows(table) as hashes:
            if not all(hashes.unchanged(data.records)):
                raise Conflict("prediction-images-changed")


def _fingerprint(data: Dataset, workspace: Path) -> str:
    """Return a hash of the images. It does not change if the workspace with the images moves."""
    paths = (
        record.path.relative_to(workspace) if record.path.is_relative_to(workspace) else record.path
        for record in data.records
    )
    names = (name_as_text(str(path)) for path in paths)
    return sha256_json([[record.image_id, name] for record, name in zip(data.records, names, strict=True)])


def _below(roots: Sequence[str]) -> Callable[[Path], bool]:
    """Return a function that checks whether a file is in one of these folders after links are resolved."""

    @cache
    def is_allowed(folder: Path) -> bool:
        return any(folder.is_relative_to(root) for root in roots)

    def may_read(file: Path) -> bool:
        real = file.resolve() if file.is_symlink() else file
        return is_allowed(real.parent.resolve())

    return may_read


def _refuse_outside(data: Dataset, may_read: Callable[[Path], bool]) -> None:
    """Check that all images are in the readable folders: tables and links may point to other files.

    Raises:
        BadDataset: an image is outside.
    """
    for file in (file for record in data.records for file in record.files):
        if not may_read(file):
            raise BadDataset("image-outside", file=file, remedies=(ChooseOther("root"),))


def main(folder: Path) -> int:
    """Predict, and return the exit code. Errors are printed as one line."""
    try:
        predict_into(folder)
    except CoverslipError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 0 if isinstance(error, Stopped) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
