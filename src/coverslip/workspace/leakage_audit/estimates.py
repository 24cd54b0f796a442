"""Leakage estimates of datasets: start an audit, report its progress and results."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.datasets import Signal
from coverslip.messages import Failure
from coverslip.reports.sections import leakage_sentences
from coverslip.runs import LeakageEstimate
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.inspections import inspect_again, stored_leakage_audit
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers.submit import StepProgress, WorkQueue


@dataclass(frozen=True, slots=True)
class LeakageEstimateState:
    """The results of an image-level split against a grouped split, and the progress of the audit."""

    state: Annotated[
        Literal["not-requested", "waiting", "searching", "outdated", "known"],
        Field(
            description="outdated: labels, groups or images have changed since then; waiting: another audit runs first."
        ),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until the first report.")]
    error: Annotated[Failure | None, Field(description="Why the last attempt since the server started failed.")]
    leakage_estimate: Annotated[
        LeakageEstimate | None,
        Field(description="Null without an audit, or without groups and duplicates: then both splits are the same."),
    ]
    words: Annotated[list[str], Field(description="Explanation of the estimate.")]
    signal: Annotated[Signal | None, Field(description="The features that predict the labels, with their scores.")]


class LeakageEstimates:
    """Requests for leakage audits, which run one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._asked = (
            workspace,
            WorkQueue("coverslip.workspace.leakage_audit.worker", workspace.readable),
        )

    def start(self, dataset_id: str) -> LeakageEstimateState:
        """Start the audit of a dataset, unless it is running.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be read.
        """
        with self._workspace.engine.connect() as connection:
            reading_images.refuse_unread(connection, dataset_id)
        roots = [str(root) for root in self._workspace.roots]
        question = {"workspace": str(self._workspace.folder), "dataset_id": dataset_id, "roots": roots}
        self._asked.start(dataset_id, question, lambda _: inspect_again(self._workspace, dataset_id))
        return self.state_of(dataset_id)

    def cancel(self, dataset_id: str) -> None:
        """Cancel the audit."""
        self._asked.cancel(dataset_id)

    def close(self) -> None:
        """Cancel all audits."""
        self._asked.close()

    def state_of(self, dataset_id: str) -> LeakageEstimateState:
        """Return the leakage estimate of a dataset, and the progress of an audit.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be read.
        """
        work = self._asked.state_of(dataset_id)
        with read_transaction(self._workspace.engine) as connection:
            row = reading_images.refuse_unread(connection, dataset_id)
            audit = stored_leakage_audit(connection, dataset_id, row.revision)
        state = audit.state if work.state is None else "waiting" if work.state == "waiting" else "searching"
        words = [] if audit.leakage_estimate is None else leakage_sentences(audit.leakage_estimate)
        return LeakageEstimateState(state, work.progress, work.error, audit.leakage_estimate, words, audit.signal)
