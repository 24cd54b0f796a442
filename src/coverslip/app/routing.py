"""Routes that are built once for a process, however many applications it makes."""

from typing import Any

from fastapi import APIRouter, FastAPI

API = "/api/v1"


def api_router(area: str, **options: Any) -> APIRouter:
    """A router of one area of the API; `options` (Any: each of its own type) are FastAPI's."""
    return APIRouter(prefix=API, tags=[area], generate_unique_id_function=lambda route: route.name, **options)


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Let `app` answer at the router's routes.

    `include_router` would build each of them once more for every application, though nothing is to be changed in routes
    that have their prefix.
    """
    app.router.routes.extend(router.routes)
