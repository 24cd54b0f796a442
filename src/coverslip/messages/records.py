"""Notes and failures: messages with their code and parameters, as events, files and pages carry them."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from coverslip.messages.catalogue import has_entry, text
from coverslip.messages.remedies import Remedies, remedies_of

# The environment variable that names the file in which a child process leaves its failure. A process that has it
# leaves it to the reader of that file to render remedies.
FAILURE_VARIABLE = "COVERSLIP_FAILURE"

Parameters = Mapping[str, Any]  # Any: JSON values
Level = Literal["info", "warning"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about images or a training that needs no action at once."""

    code: str  # of the message
    text: str
    _: KW_ONLY
    level: Level = "info"
    parameters: Parameters = field(default_factory=dict)  # those of the message, and what else programs may use
    remedies: Remedies = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as files and pages store it."""

    kind: str = "failed"  # the kind of error: "bad-recipe"
    code: str  # of the message
    what: str  # what happened, one sentence without a full stop
    do: str = ""  # what to do about it, sentences with their full stop
    file: str | None = None  # the file or folder that is affected
    parameters: Parameters = field(default_factory=dict)  # those of the message, and what else programs may use
    remedies: Remedies = ()


def note(code: str, *, level: Level = "info", remedies: Remedies = (), **parameters: Any) -> Note:
    """Return the note of a message of the catalogue.

    Args:
        code, parameters: as of `catalogue.text`; further parameters are for programs.
        level, remedies: as of a note.
    """
    return Note(code, text(code, **parameters), level=level, parameters=parameters, remedies=remedies)


def failure(
    code: str, *, kind: str = "failed", file: str | None = None, remedies: Remedies = (), **parameters: Any
) -> Failure:
    """Return the failure of a message of the catalogue, where no error is raised.

    Args:
        code, parameters: as of `catalogue.text`. Its attribute `.do` may be missing.
        kind, file, remedies: as of a failure.
    """
    do = text(f"{code}.do", **parameters) if has_entry(f"{code}.do") else ""
    what = text(code, **parameters)
    return Failure(kind=kind, code=code, what=what, do=do, file=file, parameters=parameters, remedies=remedies)


def note_of(stored: Parameters) -> Note:
    """Return a note from JSON.

    Raises:
        KeyError, TypeError: it has other fields.
    """
    return Note(**{**stored, "remedies": remedies_of(stored["remedies"])})


def failure_of(stored: Parameters) -> Failure:
    """Return a failure from JSON.

    Raises:
        KeyError, TypeError: it has other fields.
    """
    return Failure(**{**stored, "remedies": remedies_of(stored["remedies"])})
