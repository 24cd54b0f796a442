"""The built pages: plain files, and `index.html` for every address that the router of the pages handles."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

STATIC = Path(__file__).resolve().parent / "static"
_FOREVER = "public, max-age=31536000, immutable"
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
    <link rel="icon" type="image/svg+xml" href="/icon.svg">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
"""
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
      <p>The server and its <a href="/api/v1/openapi.json">REST API</a> are running. This is a source checkout of
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


def add_pages(app: FastAPI, static: Path = STATIC) -> None:
    """Serve the pages at every address that is not a route of the API."""

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        await _page(static, scope)(scope, receive, send)

    @app.get("/api/v1/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """Return the interactive documentation of the API."""
        return HTMLResponse(_DOCS, headers={"Content-Security-Policy": _DOCS_POLICY, "Cache-Control": "no-cache"})

    # The default of the router, not a route: a route for every path would also answer wrong methods of the API.
    app.router.default = page


def _page(static: Path, scope: Scope) -> Response:
    request = Request(scope)
    path = request.url.path.lstrip("/")
    if path == "api" or path.startswith("api/"):
        raise HTTPException(404)
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(405, headers={"Allow": "GET, HEAD"})
    if file := _file(static, path):
        caching = _FOREVER if path.startswith("assets/") else "no-cache"
        return FileResponse(file, media_type=_TYPES.get(file.suffix), headers={"Cache-Control": caching})
    if path.startswith(("assets/", "docs/")):  # a page of an earlier version requests its files
        raise HTTPException(404)
    index = static / "index.html"
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
    return FileResponse(index, media_type="text/html", headers={"Cache-Control": "no-cache"})


def _file(static: Path, path: str) -> Path | None:
    """Return the built file of that name, never a file outside the folder."""
    if not path or "\0" in path or "\\" in path:
        return None
    try:
        file = (static / path).resolve()
        return file if file.is_relative_to(static.resolve()) and file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that is not valid on disk
        return None
