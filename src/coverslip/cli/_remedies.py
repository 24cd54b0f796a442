"""Conversion of remedies to options and commands of the command line."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.messages import (
    FAILURE_VARIABLE,
    AllowLeakage,
    ChooseOther,
    CleanCache,
    Evaluate,
    Finish,
    GroupBy,
    ImportWeights,
    MapColumn,
    Remedy,
    Resume,
    Set,
    ShowModels,
    TrustCluster,
)

_OPTIONS = {
    "output": "--out",
    "name": "--name",
    "workspace": "--workspace FOLDER",
    "root": "--root FOLDER",
    "host": "--host ADDRESS",
}


def with_remedies(text: str, remedies: Sequence[Remedy]) -> str:
    """Append the options or commands of remedies to a text; a page renders remedies itself."""
    if not remedies or is_read_on_a_page():
        return text
    settings = [_typed(remedy) for remedy in remedies if isinstance(remedy, Set)]
    other_suggestions = [_typed(remedy) for remedy in remedies if not isinstance(remedy, Set)]
    suggestion = " or ".join(filter(None, [" ".join(settings), *other_suggestions]))
    return f"{text.removesuffix('.')} ({suggestion})."


def is_read_on_a_page() -> bool:
    """Return whether another program, such as the app, started this command and shows its output."""
    return FAILURE_VARIABLE in os.environ


def error_line(error: CoverslipError) -> str:
    """Return what happened, in which file, what to do, and the options or commands for it."""
    return with_remedies(str(error), error.remedies)


def _typed(remedy: Remedy) -> str:
    match remedy:
        case Set(key="crop_size", value=value):
            return f"--crop-size {value}"
        case MapColumn(meaning=meaning):
            return f"--columns {meaning}=COLUMN"
        case Set(key=key, value=value):
            return f"--set {for_shell(f'{key}={_as_given(value)}')}"
        case AllowLeakage():
            return "--allow-leakage"
        case GroupBy(column=column):
            return f"--group {for_shell(column)}" if column else "--group-pattern PATTERN"
        case Resume(run=folder, of="study"):
            return f"`coverslip study resume {for_shell(folder)}`"
        case Resume(run=run):
            return f"`coverslip train --resume {for_shell(run)}`"
        case Evaluate(run=run, on_other_images=is_on_others):
            return f"`coverslip evaluate {for_shell(run)}{' DATA' if is_on_others else ''}`"
        case Finish(run=run):
            return f"`coverslip train --finish {for_shell(run)}`"
        case ImportWeights(model=model):
            return f"`coverslip weights import FILE --model {for_shell(model) if model else 'NAME'}`"
        case ShowModels(model=model):
            return f"`coverslip models{f' {for_shell(model)}' if model else ''}`"
        case CleanCache(store=store):
            return f"`coverslip cache --clean{f' --kind {store}' if store else ''}`"
        case ChooseOther(of=of):
            return _OPTIONS[of]
        case TrustCluster():
            return "--trust-cluster"


def _as_given(value: object) -> str:
    """Return a value in the format of `--set`."""
    return value if isinstance(value, str) else json.dumps(value)


def for_shell(text: str | Path) -> str:
    """Return a name for a suggested command, quoted for the shell if necessary, such as `Patient ID`."""
    text = str(text)
    if re.fullmatch(r"[\w@%+=:,./\\-]+", text):
        return text
    # Double quotes also work on Windows, unless the text contains special characters.
    return shlex.quote(text) if re.search(r'["$`\\!]', text) else f'"{text}"'
