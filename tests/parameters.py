"""Cases of a parametrized test that only `make test-all` runs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet


def only_first(n: int, cases: Iterable[object]) -> "list[ParameterSet]":
    """Return all cases, with the mark `exhaustive` on each after the first `n`.

    A case is a value, a tuple of the values of several arguments, or a `pytest.param`.
    """
    marked = list["ParameterSet"]()
    for i, case in enumerate(cases):
        marks = [pytest.mark.exhaustive] * (i >= n)
        if hasattr(case, "values") and hasattr(case, "marks"):
            marked.append(pytest.param(*case.values, id=case.id, marks=[*case.marks, *marks]))  # type: ignore[attr-defined]
        else:
            marked.append(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks))
    return marked
