"""Remedies: what can be done about an error or a note, as data.

The command line turns a remedy into an option or a command, a page into a button.
"""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from coverslip.messages.catalogue import has_entry, text


@dataclass(frozen=True, slots=True)
class Set:
    """Give a key of the recipe this value."""

    key: str  # sections with dots: split.folds
    value: Any  # a JSON value
    kind: Literal["set"] = "set"


@dataclass(frozen=True, slots=True)
class AllowLeakage:
    """Train although the same pixels or groups stand on both sides; the numbers will be too good."""

    kind: Literal["allow-leakage"] = "allow-leakage"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """Say which images belong together, by a column of the table or by a pattern that is searched in the paths."""

    column: str | None = None  # None: by a pattern
    kind: Literal["group-by"] = "group-by"


@dataclass(frozen=True, slots=True)
class MapColumn:
    """Say which column of the table holds this."""

    meaning: str  # path, label, ...
    kind: Literal["map-column"] = "map-column"


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with a run, or a study, that was stopped."""

    run: str  # its folder
    of: Literal["run", "study"] = "run"
    kind: Literal["resume"] = "resume"


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Measure a run's classifier."""

    run: str  # its folder
    on_other_images: bool = False  # instead of the test set of the run
    kind: Literal["evaluate"] = "evaluate"


@dataclass(frozen=True, slots=True)
class Finish:
    """End a run's fine-tuning with the best epoch so far, then calibrate, test and report."""

    run: str  # its folder
    kind: Literal["finish"] = "finish"


@dataclass(frozen=True, slots=True)
class ImportWeights:
    """Import pretrained weights from a file."""

    model: str | None = None  # None: which one is not known where this is said
    kind: Literal["import-weights"] = "import-weights"


@dataclass(frozen=True, slots=True)
class ShowModels:
    """Look at the list of networks, or at one of them."""

    model: str | None = None
    kind: Literal["show-models"] = "show-models"


@dataclass(frozen=True, slots=True)
class CleanCache:
    """Empty the cache, or one kind of store in it; what is missed is made again."""

    store: str | None = None
    kind: Literal["clean-cache"] = "clean-cache"


@dataclass(frozen=True, slots=True)
class ChooseOther:
    """Give another place or name than the one that was given or stands by default."""

    of: Literal["output", "name", "workspace", "root", "host"]
    kind: Literal["choose-other"] = "choose-other"


@dataclass(frozen=True, slots=True)
class TrustCluster:
    """Join a Ray cluster that asks for no token."""

    kind: Literal["trust-cluster"] = "trust-cluster"


Remedy = (
    Set
    | AllowLeakage
    | GroupBy
    | MapColumn
    | Resume
    | Evaluate
    | Finish
    | ImportWeights
    | ShowModels
    | CleanCache
    | ChooseOther
    | TrustCluster
)
Remedies = tuple[Remedy, ...]


# What `dataclasses.asdict` made of these, read back. Not by Pydantic, whose import would slow down every command.
_REMEDIES: dict[str, type[Remedy]] = {
    "set": Set,
    "allow-leakage": AllowLeakage,
    "group-by": GroupBy,
    "map-column": MapColumn,
    "resume": Resume,
    "evaluate": Evaluate,
    "finish": Finish,
    "import-weights": ImportWeights,
    "show-models": ShowModels,
    "clean-cache": CleanCache,
    "choose-other": ChooseOther,
    "trust-cluster": TrustCluster,
}


def remedies_of(stored: Iterable[Mapping[str, Any]]) -> Remedies:
    """Remedies from JSON.

    Raises:
        KeyError, TypeError: one is of no known kind, or has other fields.
    """
    return tuple(_REMEDIES[remedy["kind"]](**remedy) for remedy in stored)


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
