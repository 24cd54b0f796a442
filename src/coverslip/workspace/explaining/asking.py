"""What speaks for a class in single images: asking for it, how far it is, and the picture, which is kept."""

import base64
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import sha256_json
from coverslip.messages import Failure
from coverslip.pipes import Json
from coverslip.runs import find_classifier, fingerprint_of
from coverslip.workspace.asked.asking import Asked, StepProgress
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.classifiers import place_of
from coverslip.workspace.predictions.measured import measured_row, row_of_measured
from coverslip.workspace.predictions.pictures import NOT_FOUND
from coverslip.workspace.predictions.predicted import image_source_of_row
from coverslip.workspace.store.home import Workspace

EXPLANATIONS = register(
    Kind("app-explanations", "what speaks for a class in single images, in the app", RECORDS, bound_bytes=2 * 10**8)
)


@dataclass(frozen=True, slots=True)
class ExplanationState:
    """How far the picture is that explains one image."""

    state: Annotated[
        Literal["not-asked", "waiting", "drawing", "known"], Field(description="waiting: for another image's turn.")
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until it is known.")]
    error: Annotated[Failure | None, Field(description="Why the last try, since the server began, came to nothing.")]


class Explaining:
    """The explanations that were asked for, one after the other: each holds a network library in memory."""

    def __init__(self, home: Workspace) -> None:
        self._home, self._asked = home, Asked("coverslip.workspace.explaining.worker")

    def state_of(self, job_id: str, k: int) -> ExplanationState:
        """How far the picture of the k-th image of a training, an evaluation or a prediction is.

        Raises:
            NotFound: there is nothing of this id, no row of that number, or the image is gone.
            Conflict: nothing was measured yet, or there is no classifier.
        """
        _, key = self._asked_of(job_id, k)
        return self._state(job_id, key)

    def start(self, job_id: str, k: int) -> ExplanationState:
        """Draw it, unless it is there or being drawn; raises as `state_of`."""
        question, key = self._asked_of(job_id, k)
        if self._kept(job_id, key) is None:
            self._asked.start(key, question, lambda result: _keep(job_id, key, base64.b64decode(result["png"])))
        return self._state(job_id, key)

    def cancel(self, job_id: str, k: int) -> None:
        """Draw it no further; raises as `state_of`."""
        self._asked.cancel(self._asked_of(job_id, k)[1])

    def picture(self, job_id: str, k: int) -> bytes:
        """PNG of what speaks for the image's class, and what looks alike.

        Raises:
            NotFound: as `state_of`, or nobody has asked for it.
            Conflict: as `state_of`.
        """
        _, key = self._asked_of(job_id, k)
        picture = self._kept(job_id, key)
        if picture is None:
            raise NotFound("This image has no explanation yet", do="Ask for it, and wait until it is drawn.")
        return picture

    def close(self) -> None:
        """End all of them."""
        self._asked.close()

    def _state(self, job_id: str, key: str) -> ExplanationState:
        going_on = self._asked.state_of(key)
        if going_on.state is not None:
            state: Literal["waiting", "drawing"] = "waiting" if going_on.state == "waiting" else "drawing"
            return ExplanationState(state, going_on.progress, None)
        is_known = self._kept(job_id, key) is not None
        return ExplanationState("known" if is_known else "not-asked", None, None if is_known else going_on.error)

    def _kept(self, job_id: str, key: str) -> bytes | None:
        with RecordStore(EXPLANATIONS, job_id) as kept:
            return kept.find([key]).get(key)

    def _asked_of(self, job_id: str, k: int) -> tuple[Json, str]:
        """What the process is asked, and its key: another for other weights, another image or another true class."""
        job = find_job(self._home, job_id)
        label = None
        if job.kind == "predict":
            source, place = (
                image_source_of_row(self._home, job_id, k),
                place_of(self._home, job.classifier_id or "").path,
            )
        else:
            row, source = row_of_measured(self._home, job_id, k), measured_row(self._home, job_id, k)
            place = job.run.folder if job.kind == "train" else job.run.whole.folder
            label = row.correction or row.label
        if source == NOT_FOUND:
            do = "Put back the folder or table that it was opened from."
            raise NotFound("The image is no longer where it was", do=do)
        try:
            weights = fingerprint_of(find_classifier(place))
        except CoverslipError as error:
            raise Conflict("There is no classifier yet", do="Let the training finish, or resume it.") from error
        file, plan = self._home.allowed_image(source.file, source.plan)
        stat = file.stat()
        question = {"run": str(place), "file": str(file), "plan": plan.model_dump(mode="json"), "label": label}
        return question, sha256_json([question, weights, stat.st_mtime_ns, stat.st_size])


def _keep(job_id: str, key: str, picture: bytes) -> None:
    with RecordStore(EXPLANATIONS, job_id) as kept:
        kept.keep({key: picture})
