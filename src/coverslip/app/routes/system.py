"""The app and its computer."""

from coverslip._version import __version__
from coverslip.app.requests import ServedWorkspace, api_router
from coverslip.app.schemas.system import System
from coverslip.machine import likely_device, memory_mib, n_cores
from coverslip.workspace.store.activity import activity_of

router = api_router("system")


@router.get("/system")
def get_system(workspace: ServedWorkspace) -> System:
    """The server, its workspace, and the computer."""
    return System(
        version=__version__,
        workspace=str(workspace.folder),
        roots=[str(root) for root in workspace.roots],
        device=likely_device(),
        n_cores=n_cores(),
        memory_mib=memory_mib(),
        activity=activity_of(workspace),
    )
