"""What people are told, as data: errors, notes and what can be done about them.

The text says what happened in words that belong to no door. What to do is told twice: in plain words (`do`), and as
remedies, which the command line turns into an option and a page into a button.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

# Of a process: the file in which it leaves its failure for the program that began it, which words remedies itself.
FAILURE_VARIABLE = "COVERSLIP_FAILURE"

Values = Mapping[str, Any]  # Any: JSON values
Level = Literal["info", "warning"]


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
    on_other_images: bool = False  # instead of those that it kept aside
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


@dataclass(frozen=True, slots=True)
class Note:
    """Something that whoever works with these images should know, but need not act on at once."""

    code: str  # what kind of note it is, in small letters, words joined by "-"
    text: str
    _: KW_ONLY
    level: Level = "info"
    values: Values = field(default_factory=dict)  # what the text tells, for programs
    remedies: Remedies = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as it is kept in files and sent to pages."""

    code: str  # what kind of error it is, in small letters, words joined by "-"
    what: str  # what happened, one sentence without a full stop
    do: str = ""  # what to do about it, one sentence with its full stop
    file: str | None = None  # the file or folder that it is about
    values: Values = field(default_factory=dict)  # what the text tells, for programs
    remedies: Remedies = ()


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


def remedies_of(stored: Iterable[Values]) -> Remedies:
    """Remedies from JSON.

    Raises:
        KeyError, TypeError: one is of no known kind, or has other fields.
    """
    return tuple(_REMEDIES[remedy["kind"]](**remedy) for remedy in stored)


def note_of(stored: Values) -> Note:
    """A note from JSON.

    Raises:
        KeyError, TypeError: it has other fields.
    """
    return Note(**{**stored, "remedies": remedies_of(stored["remedies"])})


def failure_of(stored: Values) -> Failure:
    """A failure from JSON.

    Raises:
        KeyError, TypeError: it has other fields.
    """
    return Failure(**{**stored, "remedies": remedies_of(stored["remedies"])})


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rough_duration(seconds: float) -> str:
    """A length of time that is an estimate: `40 s`, `6 min`, `2 h 10 min`."""
    if seconds < 55:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min"
    return duration(600 * round(seconds / 600))
