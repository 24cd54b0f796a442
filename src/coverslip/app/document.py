"""The OpenAPI document: what is said in it beyond the routes."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

Json = dict[str, Any]  # Any: JSON values


def complete_document(app: FastAPI, complete: Callable[[Json], None]) -> None:
    """Let `complete` change the document as soon as it is made."""
    made = app.openapi

    def completed() -> Json:
        document = made()
        complete(document)
        return document

    app.openapi = completed  # type: ignore[method-assign]  # FastAPI's documented way


def add_schemas(document: Json, *described: type) -> None:
    """Describe types that no route names as its answer, and all that they are made of."""
    _, schemas = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in described],
        ref_template="#/components/schemas/{model}",
    )
    known = document.setdefault("components", {}).setdefault("schemas", {})
    known |= {name: schema for name, schema in schemas["$defs"].items() if name not in known}
