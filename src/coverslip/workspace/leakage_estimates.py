"""Leakage estimates of datasets on request.

They use the features of a network, in a separate process. This module starts them, reports progress and stores results.
"""

from dataclasses import dataclass
from typing import Literal

from coverslip.datasets.quality.scanning import Signal
from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.reports.sections import leakage_sentences
from coverslip.runs.results import LeakageEstimate
from coverslip.workspace.datasets.reading_images import stored_leakage_audit, update_inspection
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import register_function
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import load_as_trained, load_scan, refuse_unread
from coverslip.workspace.store.workspace import Workspace

LEAKAGE_ESTIMATE = register_function("leakage-estimate", "coverslip.workspace.leakage_estimates:audit_dataset")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageEstimateState(ResultState):
    """The results of an image-level split against a grouped split, and the progress of the audit."""

    kind: Literal["leakage-estimate"]
    leakage_estimate: LeakageEstimate | None
    """Null without an audit, or without groups and duplicates: then both splits are the same."""
    words: list[str]
    """Explanation of the estimate."""
    signal: Signal | None
    """The features that predict the labels, with their scores."""


def start_leakage_estimate(workspace: Workspace, dataset_id: str) -> LeakageEstimateState:
    """Start the audit of a dataset, unless it is running.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
    request_result(
        workspace,
        LEAKAGE_ESTIMATE,
        dataset_id,
        {"dataset_id": dataset_id},
        name=row.name,
        dataset_id=dataset_id,
    )
    return leakage_estimate_state(workspace, dataset_id)


def leakage_estimate_state(workspace: Workspace, dataset_id: str) -> LeakageEstimateState:
    """Return the leakage estimate of a dataset, and the progress of an audit.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    work = computation(workspace, LEAKAGE_ESTIMATE, dataset_id)
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        audit = stored_leakage_audit(connection, dataset_id, row.revision)
    words = [] if audit.leakage_estimate is None else leakage_sentences(audit.leakage_estimate)
    return LeakageEstimateState(
        **work.of_result(audit.state), leakage_estimate=audit.leakage_estimate, words=words, signal=audit.signal
    )


def audit_dataset(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Search near-duplicates, unless this is done, and audit a dataset for leakage. The results are stored.

    Raises:
        CoverslipError: the audit is not possible.
    """
    from coverslip.audit.near_duplicates import with_near_duplicates
    from coverslip.experiments.leakage_audit import audit_leakage

    dataset_id = arguments["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    audit = audit_leakage(data, with_near_duplicates(data, scan, emit=emit), emit=emit)
    update_inspection(workspace, dataset_id, audit)
