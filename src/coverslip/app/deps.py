"""What routes are handed."""

from typing import Annotated

from fastapi import Depends, Request

from coverslip.workspace.store.home import Workspace


def _workspace(request: Request) -> Workspace:
    found: Workspace = request.app.state.workspace
    return found


Home = Annotated[Workspace, Depends(_workspace)]
