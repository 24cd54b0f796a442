"""Remedies in the words of the command line: the only place that turns them into options and commands."""

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
    """A text that ends in a sentence on what to do, with what to type for it; a page words that itself."""
    if not remedies or is_read_on_a_page():
        return text
    settings = [_typed(remedy) for remedy in remedies if isinstance(remedy, Set)]
    others = [_typed(remedy) for remedy in remedies if not isinstance(remedy, Set)]
    typed = " or ".join(filter(None, [" ".join(settings), *others]))
    return f"{text.removesuffix('.')} ({typed})."


def is_read_on_a_page() -> bool:
    """Whether another program, such as the app, began this command and shows what it prints."""
    return FAILURE_VARIABLE in os.environ


def error_line(error: CoverslipError) -> str:
    """Return what happened, in which file, what to do, and what to type for it."""
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
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def for_shell(text: str | Path) -> str:
    """A name as it is typed into a terminal, in a command that a message suggests: `Patient ID` gets its quotes."""
    text = str(text)
    if re.fullmatch(r"[\w@%+=:,./\\-]+", text):
        return text
    # Double quotes serve in Windows too, as long as nothing inside them means more than itself.
    return shlex.quote(text) if re.search(r'["$`\\!]', text) else f'"{text}"'
