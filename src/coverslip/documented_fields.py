"""Docstrings of fields, which become their descriptions in JSON Schema and in the document of the REST API."""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class DocumentedFields:
    """Base of dataclasses and models whose fields have docstrings below them.

    Sources are read when a schema is made, by `use_attribute_docstrings` of Pydantic whenever a class is created.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler", /
    ) -> "JsonSchemaValue":
        reference = handler(schema)
        properties = handler.resolve_ref_schema(reference).get("properties", {})
        docstrings: dict[str, str | None] = {}
        for each in reversed(cls.__mro__):
            if issubclass(each, DocumentedFields):
                docstrings |= _docstrings_in(each.__module__).get(each.__qualname__, {})
        for field, docstring in docstrings.items():
            if docstring is not None and field in properties:
                properties[field]["description"] = docstring
        return reference


class DocumentedModel(DocumentedFields, BaseModel, defer_build=True):
    """Base of models.

    Pydantic makes the validator of a model at its first use, since a program uses few of all models.
    """


@cache
def _docstrings_in(module: str) -> dict[str, dict[str, str | None]]:
    """Return the docstring, without line breaks, of each field that each class of a module declares."""
    nodes = ast.parse(inspect.getsource(sys.modules[module])).body
    return {node.name: dict(_docstrings_of(node)) for node in nodes if isinstance(node, ast.ClassDef)}


def _docstrings_of(record: ast.ClassDef) -> Iterator[tuple[str, str | None]]:
    for declaration, below in pairwise([*record.body, ast.Pass()]):
        match declaration, below:
            case ast.AnnAssign(target=ast.Name(field)), ast.Expr(value=ast.Constant(value=str(docstring))):
                yield field, inspect.cleandoc(docstring).replace("\n", " ")
            case ast.AnnAssign(target=ast.Name(field)), _:
                yield field, None
