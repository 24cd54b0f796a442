"""The work of a prediction, which writes rows to `predictions.csv` of its folder.

If it is restarted, it resumes after the last row. `begun.json` records the classifier, images and thresholds of the
rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.opening import open_dataset, with_folder_labels
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import name_as_text
from coverslip.errors import BadDataset, Conflict
from coverslip.events import Emit, Event, Noted, Progressed
from coverslip.files import sha256_json
from coverslip.images.reader import PIXEL_KEYS, ReadPlan
from coverslip.messages import ChooseOther
from coverslip.processes import Json
from coverslip.runs.classifier import ClassifierCard, identity_of
from coverslip.runs.documents import Document
from coverslip.runs.folder import Run
from coverslip.runs.prediction_tables import hashes_of_rows, table_of_objects, unfinished_rows
from coverslip.workspace.store.rows import plan_of_choice
from coverslip.workspace.store.workspace import Workspace

if TYPE_CHECKING:
    from coverslip.inference import Classifier

_UNSHOWN = frozenset({"unreadable-image", "rows-saved", "prediction-resumed"})  # notes: pages show the rows instead


INPUT_FILE = "begun.json"


class PredictionInput(Document):
    """The classifier, images and thresholds of a prediction's rows."""

    images: str
    """Fingerprint of the images."""
    thresholds: tuple[float, ...] | None
    """Threshold of each class; null: the most probable class is predicted."""
    uncertain_below: float
    """Less probable predictions are uncertain; 0 marks none."""
    identity: str
    """Code of the weights and settings of the classifier, as in downloaded tables."""

    def matches(self, card: ClassifierCard, *, has_stated_shares: bool) -> bool:
        """Return whether the classifier still uses these thresholds. With stated class proportions, it uses none."""
        current = None if has_stated_shares else card.operating_points
        return (self.thresholds, self.uncertain_below) == (current, card.uncertain_below)


def predict_into(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Predict the requested images into `predictions.csv` of a folder, or resume that after its last row.

    Raises:
        CoverslipError: images or classifier are damaged, or others than those of the rows.
    """
    n_images = 0

    def report(event: Event) -> None:
        match event:
            case Noted() if event.code in _UNSHOWN:
                return
            case Progressed(stage="predicting"):  # of the images without a row
                event = replace(event, done=n_images + event.done - event.total, total=n_images)
            case _:
                pass
        emit(event)

    from coverslip.inference.fields import with_objects_of_fields
    from coverslip.inference.predicting import predict_opened

    folder = Path(arguments["folder"])
    classifier = _load_classifier(arguments, report)
    plan = plan_for(arguments, classifier.card.preprocessing.plan)
    roots = (*workspace.roots, workspace.folder)
    data = with_objects_of_fields(
        classifier.card,
        _open_images(arguments, plan, classifier.classes, roots),
        plan,
        out=table_of_objects(Run(folder).predictions_file),
        may_read=_below(roots),
        emit=report,
    )
    n_images = len(data.records)
    table = Run(folder).predictions_file
    prediction_input = PredictionInput(
        images=_fingerprint(data, workspace.folder.absolute()),
        thresholds=classifier.card.operating_points,
        uncertain_below=classifier.card.uncertain_below,
        identity=identity_of(arguments["classifier"], classifier.card, is_rescaled=bool(arguments["rescale"])),
    )
    _refuse_changed(folder, prediction_input)
    _refuse_changed_files(table, data)
    predict_opened(
        arguments["classifier"],
        classifier,
        data,
        out=table,
        in_workspace=True,
        is_rescaled=bool(arguments["rescale"]),
        resume=True,
        emit=report,
    )


def _load_classifier(request: Mapping[str, Any], emit: Emit) -> "Classifier":  # Any: JSON values
    """Return the classifier of a request, at its class proportions, and with rescaling if it asks for that."""
    from coverslip.inference import load_classifier
    from coverslip.inference.predicting import adjusted_classifier

    classifier = load_classifier(request["classifier"])
    return adjusted_classifier(classifier, request["prevalence"], emit, rescale=bool(request["rescale"]))


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
    roots: Sequence[Path],
) -> Dataset:
    """Open the images in readable folders with a plan, and the labels of their dataset, else those of folders."""
    tables = request["tables"]
    may_read = _below(roots)
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


def _below(roots: Sequence[Path]) -> Callable[[Path], bool]:
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
