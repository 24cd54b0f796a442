"""The picture that explains one image: drawn in a process of its own, and kept."""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import sha256_json
from coverslip.messages import failure_of
from coverslip.runs import find_classifier, fingerprint_of
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.explaining.worker import FAILURE
from coverslip.workspace.jobs.processes import child_environment
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.classifiers import place_of
from coverslip.workspace.predictions.measured import measured_row, row_of_measured
from coverslip.workspace.predictions.pictures import NOT_FOUND
from coverslip.workspace.predictions.predicted import image_source_of_row
from coverslip.workspace.store.home import Workspace

EXPLANATIONS = register(
    Kind("app-explanations", "what speaks for a class in single images, in the app", RECORDS, bound_bytes=2 * 10**8)
)
_LONGEST_S = 600  # the first time a classifier's maps are checked
_ONE_AT_A_TIME = threading.Lock()  # each holds a network library in memory


def explanation_of_measured(home: Workspace, job_id: str, k: int) -> bytes:
    """PNG of what speaks for the class of a measured image of a run or an evaluation, and what looks alike.

    Raises:
        NotFound: there is nothing of this id, no row of that number, or the image is gone.
        Conflict: nothing was measured yet.
        CoverslipError: it cannot be drawn.
    """
    job = find_job(home, job_id, "train", "evaluate")
    row = row_of_measured(home, job_id, k)
    run = job.run if job.kind == "train" else job.run.whole
    return _kept(home, job_id, run.folder, measured_row(home, job_id, k), row.correction or row.label)


def explanation_of_predicted(home: Workspace, prediction_id: str, k: int) -> bytes:
    """The same of a predicted image, by the classifier that predicted it; raises as that does."""
    job = find_job(home, prediction_id, "predict")
    source = image_source_of_row(home, prediction_id, k)
    return _kept(home, prediction_id, place_of(home, job.classifier_id or "").path, source, None)


def _kept(home: Workspace, job_id: str, place: Path, source: ImageSource, label: str | None) -> bytes:
    if source == NOT_FOUND:
        do = "Put back the folder or table that it was opened from."
        raise NotFound("The image is no longer where it was", do=do)
    try:
        weights = fingerprint_of(find_classifier(place))
    except CoverslipError as error:
        raise Conflict("There is no classifier yet", do="Let the training finish, or resume it.") from error
    file, plan = home.allowed_image(source.file, source.plan)
    stat = file.stat()
    question = {"run": str(place), "file": str(file), "plan": plan.model_dump(mode="json"), "label": label}
    key = sha256_json([question, weights, stat.st_mtime_ns, stat.st_size])
    with _ONE_AT_A_TIME, RecordStore(EXPLANATIONS, job_id) as kept:
        picture = kept.find([key]).get(key)
        if picture is None:
            picture = _drawn(json.dumps(question))
            kept.keep({key: picture})
        return picture


def _drawn(question: str) -> bytes:
    with tempfile.TemporaryDirectory() as temporary:
        try:
            subprocess.run(
                [sys.executable, "-P", "-m", "coverslip.workspace.explaining.worker", temporary],
                input=question,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_LONGEST_S,
                check=False,
                env=child_environment(),
            )
        except subprocess.TimeoutExpired as error:
            raise CoverslipError("It took too long to draw", do="Try again when less is going on.") from error
        failure = Path(temporary) / FAILURE
        if failure.is_file():
            raise CoverslipError.of(failure_of(json.loads(failure.read_text(encoding="utf-8"))))
        pictures = sorted((Path(temporary) / "drawn").glob("*.png"))
        if not pictures:
            raise CoverslipError("The image could not be explained", do="See whether its file can be read.")
        return pictures[0].read_bytes()
