"""Remedies in the words of the command line: the only place that turns them into options and commands."""

import json
import os
from collections.abc import Iterable

from coverslip.errors import CoverslipError
from coverslip.files import for_shell
from coverslip.messages import (
    FAILURE_VARIABLE,
    AllowLeakage,
    ChooseOther,
    CleanCache,
    Evaluate,
    GroupBy,
    ImportWeights,
    Remedy,
    Resume,
    Set,
    ShowModels,
)

_NAMED = {
    "output": "--out",
    "name": "--name",
    "workspace": "--workspace FOLDER",
    "root": "--root FOLDER",
    "host": "--host ADDRESS",
}


def in_words(remedies: Iterable[Remedy]) -> str:
    """What to type, as sentences; empty where a page will tell instead."""
    if FAILURE_VARIABLE in os.environ:
        return ""
    remedies = list(remedies)
    settings = [f"--set {for_shell(f'{r.key}={_as_given(r.value)}')}" for r in remedies if isinstance(r, Set)]
    added = [f"Add {' '.join(settings)}."] if settings else []
    return " ".join([*added, *(_sentence(remedy) for remedy in remedies if not isinstance(remedy, Set))])


def told(error: CoverslipError) -> str:
    """What happened, in which file, what to do, and what to type for it."""
    return " ".join(filter(None, [str(error), in_words(error.remedies)]))


def _sentence(remedy: Remedy) -> str:
    match remedy:
        case AllowLeakage():
            return "To go on all the same, add --allow-leakage."
        case GroupBy(column=None):
            return "Add --group-pattern with a regular expression that finds the group in an image's path."
        case GroupBy(column=str(column)):
            return f"Add --group {for_shell(column)}."
        case Resume(run=run):
            return f"`coverslip train --resume {for_shell(run)}` goes on with it."
        case Evaluate(run=run, on_other_images=True):
            return f"`coverslip evaluate {for_shell(run)} DATA` measures it on other images."
        case Evaluate(run=run):
            return f"`coverslip evaluate {for_shell(run)}` measures what there is."
        case ImportWeights(model=model):
            named = for_shell(model) if model else "NAME"
            return f"`coverslip weights import FILE --model {named}` imports a file of your own."
        case ShowModels(model=None):
            return "`coverslip models` lists them."
        case ShowModels(model=str(model)):
            return f"`coverslip models {for_shell(model)}` tells more."
        case CleanCache(store=store):
            kind = f" --kind {store}" if store else ""
            return f"`coverslip cache --clean{kind}` does that."
        case ChooseOther(of=of):
            return f"Choose it with {_NAMED[of]}."
        case _:
            return ""


def _as_given(value: object) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)
