"""A report and its drawings as answers: pages of their own, which may run nothing."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import Path as InAddress
from fastapi.responses import StreamingResponse

from coverslip.app.files import file_response
from coverslip.workspace.store.home import Workspace

RUNS_NOTHING = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-downloads"
)


FigureFile = Annotated[str, InAddress(pattern=r"^[a-z0-9_-]{1,64}\.(svg|png|csv)$")]
_FIGURE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".csv": "text/csv"}
FIGURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The drawing, or the table of its numbers.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _FIGURE_TYPES.values()},
    }
}


def figure_response(workspace: Workspace, file: Path) -> StreamingResponse:
    """A file of `figures/`, which may run nothing."""
    return file_response(workspace, file, _FIGURE_TYPES[file.suffix], headers={"Content-Security-Policy": RUNS_NOTHING})


def report_response(workspace: Workspace, file: Path) -> StreamingResponse:
    """A `report.html`, with a policy that lets it run nothing."""
    return file_response(workspace, file, "text/html", headers={"Content-Security-Policy": RUNS_NOTHING})
