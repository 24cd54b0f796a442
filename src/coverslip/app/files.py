"""Files of the workspace as answers."""

import os
from collections.abc import Mapping
from pathlib import Path

from fastapi.responses import StreamingResponse

from coverslip.images import open_below
from coverslip.workspace.jobs.downloads import disposition, sent
from coverslip.workspace.store.home import Workspace


def file_response(
    workspace: Workspace,
    file: Path,
    media_type: str,
    *,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """A file that the app may read: the one that is checked is the one that is sent.

    Args:
        workspace: whose folders it lies below, also behind links.
        file: what is sent.
        media_type: of its content.
        name: what a browser saves it as; None shows it.
        headers: more of the answer's.

    Raises:
        UnreadableImage: it lies elsewhere.
    """
    opened = open_below(file, workspace.readable)
    of_file = {"Content-Length": str(os.fstat(opened.fileno()).st_size)}
    if name is not None:
        of_file["Content-Disposition"] = disposition(name)
    return StreamingResponse(sent(opened), media_type=media_type, headers={**of_file, **(headers or {})})
