"""Files, images and reports of the workspace as responses, and the built pages.

Every address that is not a file or a route returns `index.html`, whose router handles it.
"""

import codecs
import html
import os
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi import Path as InAddress
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from coverslip.app.clients import COOKIE, language_of_cookie, preferred_language
from coverslip.app.guard import ROLE
from coverslip.images.confining import open_below
from coverslip.reports.figures import with_dark_colors
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import disposition, file_chunks


def file_response(
    workspace: Workspace,
    file: Path,
    media_type: str,
    *,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """Return a file that the app may read. The file that is checked is the file that is sent.

    A CSV table gets the mark of `table_response`.

    Args:
        workspace: the workspace; the file must be in one of its folders, also after links are resolved.
        file: the file to send.
        media_type: the type of its content.
        name: the name under which a browser saves it; None: the browser shows it.
        headers: further headers of the response.

    Raises:
        UnreadableImage: the file is outside these folders.
    """
    stream = open_below(file, workspace.readable)
    mark = codecs.BOM_UTF8 if media_type == TABLE_TYPES["csv"] else b""
    file_headers = {"Content-Length": str(len(mark) + os.fstat(stream.fileno()).st_size)}
    if name is not None:
        file_headers["Content-Disposition"] = disposition(name)
    chunks = file_chunks(stream, mark)
    return StreamingResponse(chunks, media_type=media_type, headers={**file_headers, **(headers or {})})


def table_response(lines: Iterable[str], name: str) -> StreamingResponse:
    """Return a CSV table for a browser to save, marked as UTF-8 (BOM), so that Excel for Windows shows accents.

    Args:
        lines: of the table.
        name: of the file.
    """
    marked = chain([codecs.BOM_UTF8.decode()], lines)
    headers = {"Content-Disposition": disposition(name)}
    return StreamingResponse(marked, media_type=TABLE_TYPES["csv"], headers=headers)


_SIGNATURES = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"))
_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The image.", "content": {"image/jpeg": _BINARY, "image/webp": _BINARY}}
}
TABLE_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}
TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"description": "The image.", "content": {"image/png": _BINARY}}}


def media_type_of(data: bytes) -> str:
    """Return the media type of the bytes of an image."""
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), "image/webp")


NO_SCRIPTS = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-downloads"
)


FigureFile = Annotated[str, InAddress(pattern=r"^[a-z0-9_-]{1,64}\.(svg|png|csv)$")]
Theme = Literal["light", "dark"]
_FIGURE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".csv": "text/csv"}
FIGURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The figure, or the table of its numbers.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _FIGURE_TYPES.values()},
    }
}


def figure_response(workspace: Workspace, file: Path, theme: Theme, translated: bytes | None) -> Response:
    """Return a file of `figures/`, with a policy that blocks scripts. An SVG has the colors of a theme.

    Args:
        workspace, file: as of `file_response`.
        theme: of an SVG.
        translated: the content to send in place of the file's.
    """
    headers, media_type = {"Content-Security-Policy": NO_SCRIPTS}, _FIGURE_TYPES[file.suffix]
    is_dark = theme == "dark" and file.suffix == ".svg"
    if translated is None and not is_dark:
        return file_response(workspace, file, media_type, headers=headers)
    if translated is None:
        with open_below(file, workspace.readable) as stream:
            translated = stream.read()
    content = with_dark_colors(translated.decode()) if is_dark else translated
    return Response(content, media_type=media_type, headers=headers)


def report_response(workspace: Workspace, file: Path) -> StreamingResponse:
    """Return a `report.html`, with a policy that blocks scripts."""
    return file_response(workspace, file, "text/html", headers={"Content-Security-Policy": NO_SCRIPTS})


STATIC = Path(__file__).resolve().parent / "static"
_FOREVER = "public, max-age=31536000, immutable"
_A_DAY = "public, max-age=86400"  # Chromium requests the icon again with each page
# The table of types of the computer may be wrong (on Windows), and with nosniff a script would then not run.
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
# Swagger UI writes style attributes. Its script is a file of coverslip.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCS = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>coverslip: REST API</title>
    <link rel="icon" type="image/svg+xml" href="../../icon.svg">
    <link rel="stylesheet" href="../../docs/swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <script src="../../docs/swagger-ui-bundle.js"></script>
    <script src="../../docs/start.js"></script>
  </body>
</html>
"""
_BASE, _LANG = '<base href="/"', '<html lang="en"'  # in index.html
_NOT_BUILT = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="color-scheme" content="light dark">
    <title>coverslip: the pages are not built</title>
  </head>
  <body>
    <main>
      <h1>The pages are not built yet</h1>
      <p>The server and its <a href="api/v1/openapi.json">REST API</a> are running. This is a source checkout of
        coverslip, in which the pages must be built once:</p>
      <pre>make app</pre>
      <p>or, with Node 20.19 or later:</p>
      <pre>cd web
npm ci --ignore-scripts
npm run build</pre>
      <p>Then reload this page. If coverslip is installed with pip, the pages are included.</p>
    </main>
  </body>
</html>
"""


def add_pages(app: FastAPI, static: Path = STATIC, *, mode: Literal["app", "accounts"] = "app") -> None:
    """Serve the pages of the app, or of accounts, at every address that is not a route of the API."""

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        await _page(static, scope, mode)(scope, receive, send)

    @app.get("/api/v1/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """Return the interactive documentation of the API."""
        return HTMLResponse(_DOCS, headers={"Content-Security-Policy": _DOCS_POLICY, "Cache-Control": "no-cache"})

    # The default of the router, not a route: a route for every path would also answer wrong methods of the API.
    app.router.default = page


def _page(static: Path, scope: Scope, mode: str) -> Response:
    request = Request(scope)
    path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
    if path == "api" or path.startswith("api/"):
        raise HTTPException(404)
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(405, headers={"Allow": "GET, HEAD"})
    if file := _file(static, path):
        caching = _FOREVER if path.startswith("assets/") else _A_DAY if path == "icon.svg" else "no-cache"
        return FileResponse(file, media_type=_TYPES.get(file.suffix), headers={"Cache-Control": caching})
    if path.startswith(("assets/", "docs/")):  # a page of an earlier version requests its files
        raise HTTPException(404)
    index = static / "index.html"
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
    role = f' data-role="{scope[ROLE]}"' if ROLE in scope else ""
    base = f'<base href="{html.escape(scope.get("root_path", ""))}/" data-mode="{mode}"{role}'
    language = language_of_cookie(request)
    lang = f'<html lang="{language or preferred_language(request)}"'
    page = index.read_text(encoding="utf-8").replace(_BASE, base, 1).replace(_LANG, lang, 1)
    response = HTMLResponse(page, headers={"Cache-Control": "no-cache"})
    if language is None:  # until the browser ends, so that it follows the settings of the browser
        response.set_cookie(COOKIE, preferred_language(request), samesite="lax")
    return response


def _file(static: Path, path: str) -> Path | None:
    """Return the built file of that name, never a file outside the folder."""
    if not path or "\0" in path or "\\" in path:
        return None
    try:
        file = (static / path).resolve()
        return file if file.is_relative_to(static.resolve()) and file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that is not valid on disk
        return None
