"""Errors by their code and parameters, not by their prose."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from coverslip.errors import CoverslipError

_Error = TypeVar("_Error", bound=CoverslipError)


@contextmanager
def refused(kind: type[_Error], code: str, **parameters: Any) -> Iterator["pytest.ExceptionInfo[_Error]"]:
    """Check that the block raises an error of a kind, with a code and with these parameters among others."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code, str(caught.value)
    assert {name: caught.value.parameters.get(name) for name in parameters} == parameters
