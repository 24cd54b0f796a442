"""Errors that a test expects, by their messages: the code and the parameters, never the text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from coverslip.errors import CoverslipError
from coverslip.messages import Note, json_values, text

_Error = TypeVar("_Error", bound=CoverslipError)


@contextmanager
def refusing(
    kind: type[_Error] | tuple[type[_Error], ...], code: str, **parameters: Any
) -> Iterator["pytest.ExceptionInfo[_Error]"]:
    """Expect an error of this kind and code, with at least these parameters."""
    with pytest.raises(kind) as refused:
        yield refused
    assert refused.value.code == code, str(refused.value)
    assert {name: refused.value.parameters.get(name) for name in parameters} == json_values(parameters)


def note_of(notes: Any, code: str) -> Note:
    """Return the only note of a code."""
    (note,) = (each for each in notes if each.code == code)
    return note


def fault_in_line(line: int, code: str, **parameters: Any) -> str:
    """Return what an error says of an invalid row of a table."""
    return text("invalid-row", place=text("table-line", line=line), fault=text(code, **parameters))
