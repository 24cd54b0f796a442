"""Messages to users: the catalogue of sentences by stable codes, and notes, failures and remedies that contain them."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from functools import cache, lru_cache, reduce
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from fluent.runtime import FluentBundle

# The catalogue of messages: every sentence shown to users, by a stable code; formats for durations, and escapes.
#
# The entries are in Project Fluent's format (https://projectfluent.org), in `en/*.ftl`, one file for each subject:
#
#     no-such-address = This computer has no address '{ $host }'
#         .do = Give one of its own addresses, or none.
#
# The value says what happened, `.do` what the user can do. Fluent selects plurals and formats numbers by the rules of
# the language. A translation is a folder with the same codes; what it lacks is in English, as are files and all texts
# of the command line. Texts are in English unless `in_language` says otherwise, which the server does for
# requests of its pages.

ENGLISH = "en"
LANGUAGES: Mapping[str, str] = {ENGLISH: "en-US", "de": "de-DE"}  # folders of messages, and their formats of numbers
_NUMBER_SIGNS = {"de": str.maketrans({".": ",", ",": ".", "%": "\N{NO-BREAK SPACE}%"})}  # in place of those of English
_LONG = 1000  # characters
_ENTRY = re.compile(r"\n(?=[A-Za-z])")
_PLAIN = re.compile(r"[\w-]+ *= *([^{}\n]*[^{}\s])\s*")  # one line without variables


_language: ContextVar[str] = ContextVar("language", default=ENGLISH)  # new threads begin with English


def language() -> str:
    """Return the language of texts in this thread or task."""
    return _language.get()


@contextmanager
def in_language(name: str) -> Iterator[None]:
    """Return texts in a language of `LANGUAGES` during the block."""
    token = _language.set(name)
    try:
        yield
    finally:
        _language.reset(token)


def text(code: str, /, **parameters: Any) -> str:
    """Return the text of a message, in the current language.

    Args:
        code: the code of an entry; followed by `.do`, `.title` or another name, an attribute of the entry.
        parameters: the values of the variables: numbers, texts, paths, and messages, also as in JSON.

    Raises:
        KeyError: there is no such entry, or a parameter is missing.
    """
    parameters = {name: _rendered(value) for name, value in parameters.items()}
    try:
        return _cached(_language.get(), code, **parameters)
    except TypeError:  # a value has no hash
        return _render(_language.get(), code, **parameters)


def _rendered(parameter: Any) -> Any:
    """Return a message as text, and any other parameter unchanged."""
    if isinstance(parameter, Mapping) and parameter.keys() == {"code", "parameters"}:
        parameter = Message(**parameter)
    return str(parameter) if isinstance(parameter, Message) else parameter


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence as data, which is stored in results instead of its text. `str` renders it in the current language.

    In files and the JSON of the command line, it is an object with these fields. Pages receive its text.
    """

    code: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  # JSON values, as `message` makes them

    def __str__(self) -> str:
        try:
            return text(self.code, **self.parameters)
        except (KeyError, TypeError, ValueError):  # stored by another version
            return self.as_json()

    def __hash__(self) -> int:
        return hash(self.as_json())

    @property
    def english(self) -> str:
        """The text for files, which are in English."""
        with in_language(ENGLISH):
            return str(self)

    def __contains__(self, part: object) -> bool:
        return self == part or any(
            part in message_of(value)
            for value in self.parameters.values()
            if isinstance(value, Mapping) and value.keys() == {"code", "parameters"}
        )

    def as_json(self) -> str:
        """Return the message as it is stored in a cell of a table."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: object) -> Any:
        from pydantic_core import core_schema  # slow import

        # Files are written with `round_trip`, responses of the server without it.
        in_json = core_schema.plain_serializer_function_ser_schema(
            lambda value, info: asdict(value) if info.round_trip else str(value), info_arg=True, when_used="json"
        )
        return core_schema.no_info_plain_validator_function(message_of, serialization=in_json)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: object, __: object) -> dict[str, str]:
        return {"type": "string"}


def message(code: str, /, **parameters: Any) -> Message:
    """Return a message to store.

    Args:
        code, parameters: as of `text`.
    """
    return Message(code, json_values(parameters))


def message_of(stored: Any) -> Message:
    """Return a message from JSON.

    Raises:
        ValueError: it is none.
    """
    if isinstance(stored, Message):
        return stored
    if isinstance(stored, str):
        stored = json.loads(stored)
    match stored:
        case {"code": str(code), "parameters": dict(parameters), **others} if not others:
            return Message(code, parameters)
        case _:
            raise ValueError(text("not-a-message"))


def joined(messages: Iterable[Message], code: str = "two-messages") -> Message | None:
    """Return several messages as one; None if there is none.

    Args:
        messages: any number.
        code: of a message that joins two, `first` and `second`.
    """
    each = list(messages)
    return reduce(lambda first, second: message(code, first=first, second=second), each) if each else None


def json_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a message with paths and messages in them as JSON values."""
    return {name: _json_value(value) for name, value in parameters.items()}


def _json_value(parameter: Any) -> Any:
    if isinstance(parameter, Message):
        return asdict(parameter)
    return str(parameter) if isinstance(parameter, PurePath) else parameter


def localized(stored: str, code: str, parameters: Mapping[str, Any]) -> str:
    """Return a text that was rendered in English and stored, in the current language.

    Args:
        stored: the text; it is returned if the message of another version has another code or other parameters.
        code, parameters: as of `text`.
    """
    if _language.get() == ENGLISH:
        return stored
    try:
        return text(code, **parameters)
    except (KeyError, TypeError):
        return stored


def localized_number(english: str) -> str:
    """Return a number that is formatted as in English, such as `1,234.5` or `95.1%`, as in the current language."""
    return english.translate(_NUMBER_SIGNS.get(_language.get(), {}))


def _render(language: str, code: str, /, **parameters: Any) -> str:
    name, _, attribute = code.partition(".")
    # The import of Fluent takes a third of the time of `coverslip --help`, whose texts are plain.
    if not attribute and (plain := _PLAIN.fullmatch(_source(language, name) or "")):
        return plain[1]
    bundle = _bundle(language, name)
    message = bundle.get_message(name)
    if attribute and attribute not in message.attributes and language != ENGLISH:
        return _render(ENGLISH, code, **parameters)
    pattern = message.attributes[attribute] if attribute else message.value
    if pattern is None:
        raise KeyError(f"the message '{name}' has attributes only")
    values = {key: _fluent_value(each) for key, each in parameters.items()}
    # Fluent refuses values of more than 2,500 characters, so long ones are inserted afterwards.
    long_values = {key: each for key, each in values.items() if isinstance(each, str) and len(each) > _LONG}
    placeholders = {key: f"\ue000{key}\ue000" for key in long_values}
    rendered, errors = bundle.format_pattern(pattern, values | placeholders)
    if errors:
        raise KeyError(f"the message '{code}' cannot be rendered: {errors[0]}")
    result = str(rendered)
    for key, placeholder in placeholders.items():
        result = result.replace(placeholder, long_values[key])
    return result


_cached = lru_cache(1_000, typed=True)(_render)  # rows of predictions repeat texts; Fluent needs a millisecond for one


def has_entry(code: str) -> bool:
    """Return whether the catalogue has an entry or, for a code such as `code.do`, an attribute."""
    name, _, attribute = code.partition(".")
    if _source(ENGLISH, name) is None:
        return False
    return not attribute or attribute in _bundle(ENGLISH, name).get_message(name).attributes


def add_entries(source: str) -> None:
    """Add entries of another package, such as the texts of a data augmentation that it adds.

    Args:
        source: entries in Fluent's format.
    """
    _added.update(_split(source))
    _cached.cache_clear()


_added: dict[str, str] = {}  # the sources of the entries of other packages, by code


def entries(language: str = ENGLISH) -> Mapping[str, str]:
    """Return the source of every entry of a language, by code."""
    return dict(_sources(language))


def _fluent_value(parameter: Any) -> Any:
    """Convert a parameter to a type that Fluent supports."""
    if isinstance(parameter, bool):
        return str(parameter).lower()  # for { $is_grouped -> [true] … *[false] … }
    return str(parameter) if isinstance(parameter, PurePath) else parameter


def subject_of(code: str) -> str:
    """Return the name of the file of an entry, such as `datasets`; `system` for an entry of another package."""
    return _subjects().get(code, "system")


@cache
def _subjects() -> dict[str, str]:
    """Return the name of its file by the code of every entry."""
    return {code: file.stem for file in _files(ENGLISH) for code, _ in _split(file.read_text(encoding="utf-8"))}


def _files(language: str) -> Iterator[Path]:
    return (Path(__file__).parent / language).glob("*.ftl")


@cache
def _sources(language: str) -> dict[str, str]:
    """Return the source of every entry. Parsing is slow, so each entry is parsed when it is used."""
    return {code: source for file in _files(language) for code, source in _split(file.read_text(encoding="utf-8"))}


def _split(source: str) -> Iterator[tuple[str, str]]:
    """Yield the code and the source of every entry of a file."""
    for entry in _ENTRY.split(f"\n{source}")[1:]:
        yield entry.partition("=")[0].rstrip(), entry.partition("\n#")[0]


def _source(language: str, name: str) -> str | None:
    return _sources(language).get(name) or _sources(ENGLISH).get(name) or _added.get(name)


@cache
def _bundle(language: str, name: str) -> "FluentBundle":
    """Return a parsed entry."""
    from fluent.runtime import FluentBundle, FluentResource  # slow import (Babel), needed only to render a message

    locale = LANGUAGES[language if name in _sources(language) else ENGLISH]
    bundle = FluentBundle([locale], use_isolating=False)
    if (source := _source(language, name)) is None:
        raise KeyError(f"there is no message '{name}'")
    bundle.add_resource(FluentResource(source))
    return bundle


def duration(seconds: float) -> str:
    """Return a duration as text: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rough_duration(seconds: float) -> str:
    """Return an estimated duration as rounded text: `40 s`, `6 min`, `2 h 10 min`."""
    if seconds < 55:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min"
    return duration(600 * round(seconds / 600))


# Characters that control a terminal, change the direction of text, or are forbidden in XML.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
_UNSAFE_IN_LINES = re.compile(r"(?![\n\t])[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")


def escape_controls(value: str) -> str:
    r"""Return text with every unsafe character escaped, such as `\x1b`, including line ends and tabs."""
    return _UNSAFE.sub(_escape, value)


def escape_controls_in_lines(value: str) -> str:
    """Return text with every unsafe character escaped, except line ends and tabs."""
    return _UNSAFE_IN_LINES.sub(_escape, value)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


# Notes, failures and remedies: messages with code and parameters, as stored in events and files and sent to pages.
#
# A remedy is a possible action after an error or a note, as data. The command line shows it as an option or a command,
# a page as a button.


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


EACH_FILE = ".+"  # the pattern of `GroupBy` by which each image file is a group


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
_REMEDIES: dict[str, type[Remedy]] = {each.__dataclass_fields__["kind"].default: each for each in get_args(Remedy)}


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

    @property
    def message(self) -> Message:
        """The message without level and remedies, to store."""
        return message(self.code, **self.parameters)


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
        code, parameters: as of `text`; further parameters are for programs.
        level, remedies: fields of the note.
    """
    return Note(code, text(code, **parameters), level=level, parameters=json_values(parameters), remedies=remedies)


def failure(
    code: str, *, kind: str = "failed", file: str | None = None, remedies: Remedies = (), **parameters: Any
) -> Failure:
    """Return the failure of a message of the catalogue without raising an error.

    Args:
        code, parameters: as of `text`. The attribute `.do` is optional.
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
        with suppress(ValueError):  # it is no message
            cause = message_of(cause)
            do = localized(do, f"{cause.code}.do", cause.parameters)
    return replace(failure, what=what, do=do)


def failure_of(stored: Parameters) -> Failure:
    """Return a failure from JSON, in the current language.

    Raises:
        KeyError, TypeError: the fields are different.
    """
    return localized_failure(Failure(**{**stored, "remedies": remedies_of(stored["remedies"])}))
