"""Deleted items that can be restored. The routes of the items restore them."""

from coverslip.app.requests import Paged, ServedWorkspace, api_router
from coverslip.workspace.cleanup import DeletedItem, list_deleted
from coverslip.workspace.store.rows import Page

router = api_router("trash")


@router.get("/trash")
def list_trash(workspace: ServedWorkspace, paging: Paged) -> Page[DeletedItem]:
    """Deleted jobs, classifiers and datasets that can be restored, the latest deletion first."""
    return list_deleted(workspace, paging)
