"""Options of a network that a recipe may set (`model_options`), and the errors for those that it may not."""

import re
from collections.abc import Collection, Mapping
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


def check_declared(record: ModelRecord, options: Mapping[str, Any]) -> None:  # Any: checked here
    """Whether an architecture of one's own takes these, by its record alone: nothing is built and torch not loaded.

    Options of timm's and torchvision's networks are known to those libraries, which refuse what does not fit.

    Raises:
        BadRecipe: there is no such option, or a value does not fit; all faults at once.
    """
    if record.timm_name is not None or record.torchvision_name is not None:
        return
    known = {option.name: option for option in record.options}
    faults = [
        (f"model_options.{name}", known[name].fault_in(value) if name in known else "the network has no such option")
        for name, value in options.items()
    ]
    wrong = [(key, fault) for key, fault in faults if fault is not None]
    if wrong:
        words = "; ".join(f"{key}: {fault}" for key, fault in wrong)
        do = f"The options of '{record.name}' are {', '.join(known)}." if known else f"'{record.name}' has no options."
        raise BadRecipe(f"The recipe is not valid: {words}", do=do, faults=wrong)


def options_do_not_fit(record: ModelRecord, error: Exception) -> BadRecipe:
    """The error for options with which an architecture cannot be built or run."""
    name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if name is None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return BadRecipe(f"'{record.name}' does not take these model_options ({reason})", do="Change their values.")
    return BadRecipe(f"'{record.name}' has no option '{name[1]}'", do="Remove it from model_options.")
