"""Exports of classifiers for other programs: queue them, follow them, and download the result."""

from coverslip.app.requests import Locate, Paged, ServedWorkspace, api_router
from coverslip.app.schemas.jobs import NewExport
from coverslip.app.schemas.system import located, problems
from coverslip.inference.export import Attribution
from coverslip.workspace.exports import state
from coverslip.workspace.exports.state import ExportState
from coverslip.workspace.store.rows import Page

router = api_router("exports")


@router.get("/runs/{run_id}/exports")
def list_exports(workspace: ServedWorkspace, run_id: str, paging: Paged) -> Page[ExportState]:
    """The exports of the classifier of a training, the newest first."""
    return state.list_exports(workspace, run_id, paging)


@router.post("/runs/{run_id}/exports", status_code=201, responses=located(201) | problems(409))
def create_export(workspace: ServedWorkspace, run_id: str, new: NewExport, locate: Locate) -> ExportState:
    """Queue an export. It is opened again and compared with the classifier on images of the run, and refused if they
    do not agree. Exports run one at a time, also during a training.
    """
    attribution = Attribution(tuple(new.authors or ()), new.license, new.citation)
    job = state.queue_export(workspace, run_id, new.to, attribution)
    locate("exports", job)
    return state.export_state(workspace, job)


@router.get("/exports/{export_id}")
def get_export(workspace: ServedWorkspace, export_id: str) -> ExportState:
    """The current state of an export."""
    return state.export_state(workspace, export_id)
