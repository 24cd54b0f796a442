"""Additions to the OpenAPI document that routes do not give."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

Json = dict[str, Any]  # Any: JSON values


def complete_document(app: FastAPI, complete: Callable[[Json], None]) -> None:
    """Let `complete` change the document when it is generated."""
    generate = app.openapi

    def completed() -> Json:
        document = generate()
        complete(document)
        return document

    app.openapi = completed  # type: ignore[method-assign]  # FastAPI's documented way


def add_schemas(document: Json, *described: type) -> None:
    """Add the schemas of types that no route returns, and of the types that they contain."""
    _, schemas = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in described],
        ref_template="#/components/schemas/{model}",
    )
    all_schemas = document.setdefault("components", {}).setdefault("schemas", {})
    all_schemas |= {name: schema for name, schema in schemas["$defs"].items() if name not in all_schemas}
