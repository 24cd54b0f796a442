"""What was deleted and can still be restored. Restoring is a route of what was deleted."""

from coverslip.app.requests import Home, Paged, api_router
from coverslip.workspace.store.rows import Page
from coverslip.workspace.tidying import DeletedItem, list_deleted

router = api_router("trash")


@router.get("/trash")
def list_trash(workspace: Home, paging: Paged) -> Page[DeletedItem]:
    """Deleted jobs, classifiers and datasets that can be restored, the latest deletion first."""
    return list_deleted(workspace, paging)
