"""Options of a network that a recipe may set (`model_options`), and the errors for those that it may not."""

import re
from collections.abc import Collection
from typing import Any

from coverslip.errors import BadRecipe
from coverslip.models.records import ModelRecord


def refuse_options(options: dict[str, Any], ours: Collection[str]) -> None:  # Any: the architecture checks them
    """Raise if options would undo what coverslip decides itself.

    Raises:
        BadRecipe: some would.
    """
    if refused := sorted(set(ours) & set(options)):
        raise BadRecipe(
            f"model_options cannot set {', '.join(refused)}", do="Only the architecture's own options go there."
        )


def options_do_not_fit(record: ModelRecord, error: Exception) -> BadRecipe:
    """The error for options with which an architecture cannot be built or run."""
    name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if name is None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return BadRecipe(f"'{record.name}' does not take these model_options ({reason})", do="Change their values.")
    return BadRecipe(f"'{record.name}' has no option '{name[1]}'", do="Remove it from model_options.")
