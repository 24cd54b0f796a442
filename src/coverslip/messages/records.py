"""Notes, failures and remedies: messages with code and parameters, as stored in events and files and sent to pages.

A remedy is a possible action after an error or a note, as data. The command line shows it as an option or a command, a
page as a button.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal, TypeVar

from coverslip.messages.catalogue import has_entry, json_values, localized, message_of, text


@dataclass(frozen=True, slots=True)
class Set:
    """Set a key of the recipe to a value."""

    key: str  # with dots: split.folds
    value: Any  # a JSON value
    kind: Literal["set"] = "set"


@dataclass(frozen=True, slots=True)
class AllowLeakage:
    """Train although images or groups are in both the training and the test set, which inflates the metrics."""

    kind: Literal["allow-leakage"] = "allow-leakage"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """Group images by a column of the table or by a pattern in their paths."""

    column: str | None = None  # None: group by a pattern
    pattern: str = ""  # empty: a pattern that the user chooses
    kind: Literal["group-by"] = "group-by"


@dataclass(frozen=True, slots=True)
class JoinGroups:
    """Join groups that are one group with several spellings. On the command line, the user corrects the names."""

    merge: dict[str, list[str]]  # from the name of a group to its spellings, of which it is one
    kind: Literal["join-groups"] = "join-groups"


@dataclass(frozen=True, slots=True)
class MapColumn:
    """Select a column of the table by its meaning."""

    meaning: str  # path, label, ...
    kind: Literal["map-column"] = "map-column"


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume a stopped run or study."""

    run: str  # its folder
    of: Literal["run", "study"] = "run"
    kind: Literal["resume"] = "resume"


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Evaluate the classifier of a run."""

    run: str  # its folder
    on_other_images: bool = False  # False: on the test set of the run
    kind: Literal["evaluate"] = "evaluate"


@dataclass(frozen=True, slots=True)
class Finish:
    """Finish a run with the best epoch so far: calibrate, evaluate and report."""

    run: str  # its folder
    kind: Literal["finish"] = "finish"


@dataclass(frozen=True, slots=True)
class ImportWeights:
    """Import pretrained weights from a file."""

    model: str | None = None  # None: any model
    kind: Literal["import-weights"] = "import-weights"


@dataclass(frozen=True, slots=True)
class ShowModels:
    """Show the list of models, or one model."""

    model: str | None = None
    kind: Literal["show-models"] = "show-models"


@dataclass(frozen=True, slots=True)
class CleanCache:
    """Clean the cache, or one kind of store; removed data are recomputed when needed."""

    store: str | None = None
    kind: Literal["clean-cache"] = "clean-cache"


@dataclass(frozen=True, slots=True)
class ChooseOther:
    """Choose another folder, name or host."""

    of: Literal["output", "name", "workspace", "root", "host"]
    kind: Literal["choose-other"] = "choose-other"


@dataclass(frozen=True, slots=True)
class Rescale:
    """Rescale the images to the pixel size of the training images."""

    kind: Literal["rescale"] = "rescale"


@dataclass(frozen=True, slots=True)
class RestoreBackup:
    """Restore a backup into a new folder."""

    backup: str  # a file, or the folder of a backup of a server
    of: Literal["workspace", "server"] = "workspace"
    kind: Literal["restore-backup"] = "restore-backup"


@dataclass(frozen=True, slots=True)
class TrustCluster:
    """Join a Ray cluster that requires no token."""

    kind: Literal["trust-cluster"] = "trust-cluster"


Remedy = (
    Set
    | AllowLeakage
    | GroupBy
    | JoinGroups
    | MapColumn
    | Resume
    | Evaluate
    | Finish
    | ImportWeights
    | ShowModels
    | CleanCache
    | ChooseOther
    | Rescale
    | RestoreBackup
    | TrustCluster
)
Remedies = tuple[Remedy, ...]


# By `kind`, to read JSON without Pydantic, whose import would slow down every command.
_REMEDIES: dict[str, type[Remedy]] = {
    "set": Set,
    "allow-leakage": AllowLeakage,
    "group-by": GroupBy,
    "join-groups": JoinGroups,
    "map-column": MapColumn,
    "resume": Resume,
    "evaluate": Evaluate,
    "finish": Finish,
    "import-weights": ImportWeights,
    "show-models": ShowModels,
    "clean-cache": CleanCache,
    "choose-other": ChooseOther,
    "rescale": Rescale,
    "restore-backup": RestoreBackup,
    "trust-cluster": TrustCluster,
}


def remedies_of(stored: Iterable[Mapping[str, Any]]) -> Remedies:
    """Return remedies from JSON.

    Raises:
        KeyError, TypeError: a remedy has an unknown kind or other fields.
    """
    return tuple(_REMEDIES[remedy["kind"]](**remedy) for remedy in stored)


# Environment variable with the file to which a child process writes its failure. The process that reads the file shows
# the remedies, not the child process.
FAILURE_VARIABLE = "COVERSLIP_FAILURE"

Parameters = Mapping[str, Any]  # Any: JSON values
Level = Literal["info", "warning"]


@dataclass(frozen=True, slots=True)
class Note:
    """Information about images or a training that requires no immediate action."""

    code: str  # of the message
    text: str
    _: KW_ONLY
    level: Level = "info"
    parameters: Parameters = field(default_factory=dict)  # of the message, and further values for programs
    remedies: Remedies = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as data, for files and pages."""

    kind: str = "failed"  # the kind of error: "bad-recipe"
    code: str  # of the message
    what: str  # what happened: one sentence without a period
    do: str = ""  # what to do: sentences with periods
    file: str | None = None  # the affected file or folder
    parameters: Parameters = field(default_factory=dict)  # of the message, and further values for programs
    remedies: Remedies = ()


def note(code: str, *, level: Level = "info", remedies: Remedies = (), **parameters: Any) -> Note:
    """Return the note of a message of the catalogue.

    Args:
        code, parameters: as for `catalogue.text`; further parameters are for programs.
        level, remedies: fields of the note.
    """
    return Note(code, text(code, **parameters), level=level, parameters=json_values(parameters), remedies=remedies)


def failure(
    code: str, *, kind: str = "failed", file: str | None = None, remedies: Remedies = (), **parameters: Any
) -> Failure:
    """Return the failure of a message of the catalogue without raising an error.

    Args:
        code, parameters: as for `catalogue.text`. The attribute `.do` is optional.
        kind, file, remedies: fields of the failure.
    """
    do = text(f"{code}.do", **parameters) if has_entry(f"{code}.do") else ""
    what = text(code, **parameters)
    values = json_values(parameters)
    return Failure(kind=kind, code=code, what=what, do=do, file=file, parameters=values, remedies=remedies)


def note_of(stored: Parameters) -> Note:
    """Return a note from JSON, in the current language.

    Raises:
        KeyError, TypeError: the fields are different.
    """
    return localized_note(Note(**{**stored, "remedies": remedies_of(stored["remedies"])}))


AnyNote = TypeVar("AnyNote", bound=Note)


def localized_note(note: AnyNote) -> AnyNote:
    """Return a stored note in the current language."""
    return replace(note, text=localized(note.text, note.code, note.parameters))


def localized_failure(failure: Failure) -> Failure:
    """Return a stored failure in the current language."""
    code, parameters, cause = failure.code, failure.parameters, failure.parameters.get("what")
    what, do = localized(failure.what, code, parameters), failure.do
    if has_entry(f"{code}.do"):
        do = localized(do, f"{code}.do", parameters)
    elif cause:
        with suppress(ValueError):  # the text of a former version
            cause = message_of(cause)
            do = localized(do, f"{cause.code}.do", cause.parameters)
    return replace(failure, what=what, do=do)


def failure_of(stored: Parameters) -> Failure:
    """Return a failure from JSON, in the current language.

    Raises:
        KeyError, TypeError: the fields are different.
    """
    return localized_failure(Failure(**{**stored, "remedies": remedies_of(stored["remedies"])}))
