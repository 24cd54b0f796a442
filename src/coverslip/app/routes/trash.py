"""What was deleted and can still be restored. Restoring is a route of what was deleted."""

from coverslip.app.deps import Home, Paged
from coverslip.app.routing import api_router
from coverslip.workspace.recently_deleted import DeletedItem, list_deleted
from coverslip.workspace.store.rows import Page

router = api_router("trash")


@router.get("/trash")
def list_trash(workspace: Home, paging: Paged) -> Page[DeletedItem]:
    """Deleted jobs, classifiers and datasets that can be restored, the latest deletion first."""
    return list_deleted(workspace, paging)
