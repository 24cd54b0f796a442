"""A report and its drawings as answers: pages of their own, which may run nothing."""

from pathlib import Path

from fastapi.responses import FileResponse

RUNS_NOTHING = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-downloads"
)


def report_response(file: Path) -> FileResponse:
    """A `report.html`, with a policy that lets it run nothing."""
    return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": RUNS_NOTHING})
