"""What an image-level split of a dataset would have reported: asking for it, how far it is, and what was found."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.datasets import Signal
from coverslip.messages import Failure
from coverslip.reports.sections import leakage_sentences
from coverslip.runs import LeakageEstimate
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.inspections import inspect_again, known_leakage_audit
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.workers.submit import Asked, StepProgress


@dataclass(frozen=True, slots=True)
class LeakageEstimateState:
    """What a split that divides groups and copies would have reported, and how far the looking is."""

    state: Annotated[
        Literal["not-asked", "waiting", "looking", "outdated", "known"],
        Field(
            description="outdated: labels, groups or images have changed since; waiting: for another dataset's turn."
        ),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until it is known.")]
    error: Annotated[Failure | None, Field(description="Why the last try, since the server began, came to nothing.")]
    leakage_estimate: Annotated[
        LeakageEstimate | None,
        Field(description="Null where nobody has looked, or no groups or copies are known: both splits are the same."),
    ]
    words: Annotated[list[str], Field(description="What it means.")]
    signal: Annotated[Signal | None, Field(description="What the labels are told by, with their figures.")]


class Looking:
    """The looks that were asked for, one after the other."""

    def __init__(self, home: Workspace) -> None:
        self._home, self._asked = home, Asked("coverslip.workspace.leakage_audit.worker", home.readable)

    def start(self, dataset_id: str) -> LeakageEstimateState:
        """Look at the images of a dataset, unless that is being done.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be.
        """
        with self._home.engine.connect() as connection:
            reading_images.refuse_unread(connection, dataset_id)
        roots = [str(root) for root in self._home.roots]
        question = {"workspace": str(self._home.folder), "dataset_id": dataset_id, "roots": roots}
        self._asked.start(dataset_id, question, lambda _: inspect_again(self._home, dataset_id))
        return self.state_of(dataset_id)

    def cancel(self, dataset_id: str) -> None:
        """Look no further."""
        self._asked.cancel(dataset_id)

    def close(self) -> None:
        """End all of them."""
        self._asked.close()

    def state_of(self, dataset_id: str) -> LeakageEstimateState:
        """What is known of a dataset now.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be.
        """
        going_on = self._asked.state_of(dataset_id)
        with one_moment(self._home.engine) as connection:
            row = reading_images.refuse_unread(connection, dataset_id)
            known = known_leakage_audit(connection, dataset_id, row.revision)
        state = known.state if going_on.state is None else "waiting" if going_on.state == "waiting" else "looking"
        words = [] if known.leakage_estimate is None else leakage_sentences(known.leakage_estimate)
        return LeakageEstimateState(
            state, going_on.progress, going_on.error, known.leakage_estimate, words, known.signal
        )
