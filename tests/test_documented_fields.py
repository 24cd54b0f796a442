"""Docstrings below fields are their descriptions in JSON Schema."""

import ast
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter
from sources import nodes_of

from coverslip.documented_fields import DocumentedFields

MODULES = sorted((Path(__file__).resolve().parent.parent / "src" / "coverslip").rglob("*.py"))


@dataclass(frozen=True, slots=True)
class Measured(DocumentedFields):
    mean: float
    """Of all images, "weighted"
    by their areas."""
    n: int
    unit: str = "µm"
    """A unit."""


@dataclass(frozen=True, slots=True)
class MeasuredTwice(Measured):
    again: Measured | None = None
    """The second measurement."""
    unit: str = "px"


class Requested(DocumentedFields, BaseModel):
    size: int = Field(default=1, ge=1)
    """A size."""
    limit: int = Field(default=1, description=f"At most {2**3}.")


class RequestedTwice(Requested):
    size: int = Field(default=2, description="Another size.")


def descriptions(record: type) -> dict[str, Any]:
    schema = TypeAdapter(record).json_schema()
    return {name: field["description"] for name, field in schema["properties"].items() if "description" in field}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Measured, {"mean": 'Of all images, "weighted" by their areas.', "unit": "A unit."}),
        (MeasuredTwice, {"mean": 'Of all images, "weighted" by their areas.', "again": "The second measurement."}),
        (Requested, {"size": "A size.", "limit": "At most 8."}),
        (RequestedTwice, {"size": "Another size.", "limit": "At most 8."}),
    ],
)
def test_docstrings_of_fields_are_their_descriptions(record: type, expected: dict[str, str]) -> None:
    assert descriptions(record) == expected


def test_every_class_with_docstrings_of_fields_has_them_in_its_schema() -> None:
    classes = [node for path in MODULES for node in nodes_of(path) if isinstance(node, ast.ClassDef)]
    bases = {node.name: {ast.unparse(base).partition("[")[0] for base in node.bases} for node in classes}

    def is_documented(name: str) -> bool:
        return name == DocumentedFields.__name__ or any(map(is_documented, bases.get(name, ())))

    with_docstrings = {
        node.name
        for node in classes
        for field, below in pairwise(node.body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }
    assert with_docstrings
    assert {name for name in with_docstrings if not is_documented(name)} == set()
