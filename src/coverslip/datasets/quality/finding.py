"""Findings about a dataset, and the registry of finders, one for each kind of finding."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.config import JsonDict

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import Scan
from coverslip.messages import Message, Remedies, Remedy, has_entry, json_values, localized, text

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")  # most severe first

Cluster = tuple[str, ...]
# Labels, groups and sets are texts, errors are messages.
_Label = Annotated[str | Message, Field(union_mode="left_to_right"), WithJsonSchema({"type": "string"})]
Notes = tuple[tuple[_Label, ...], ...]


def _describe_codes(schema: JsonDict) -> None:
    codes = "; ".join(f"`{finder.code}` ({finder.severity}): {title_of(finder)}" for finder in list_finders())
    schema["description"] = f"Kind of the finding. {codes}."


class Finding(BaseModel):
    """A property of the dataset that matters for training. Further fields depend on the code."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    code: str = Field(json_schema_extra=_describe_codes)
    severity: Severity = Field(
        description="error: training is refused, or its metrics would be invalid; warning: images are excluded, or "
        "metrics may be unreliable; advice: a possible improvement."
    )
    message: str = Field(
        default="", description="Code of the text in the catalogue of messages; empty for a text of another package."
    )
    title: str = Field(description="Heading of findings of this kind.")
    text: str = Field(description="Description of the finding.")
    do: str = Field(description="Recommended action.")
    remedies: tuple[Remedy, ...] = Field(
        default=(), description="Recommended action as data, if it is a supported one."
    )
    images: tuple[Cluster, ...] = Field(
        default=(), description="The image_ids of the affected images, a list per cluster."
    )
    notes: Notes = Field(
        default=(),
        description="For each image its label, group, set or error; empty if not applicable.",
    )
    limit: str = Field(
        default="",
        description="Consequence for metrics of a training on these images, for the report; may be empty.",
    )

    @property
    def parameters(self) -> Mapping[str, JsonValue]:
        """The fields that only findings of this code have."""
        return self.__pydantic_extra__

    def localized(self) -> "Finding":
        """Return the finding in the current language."""
        finder = next((each for each in list_finders() if each.code == self.code), None)
        texts = {"text": localized(self.text, self.message, self.parameters)}
        for name in ("do", "limit"):
            texts[name] = localized(getattr(self, name), f"{self.message}.{name}", self.parameters)
        title = self.title if finder is None else title_of(finder)
        return self.model_copy(update={**texts, "title": title})


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCase:
    """One case that a finder reports. Code, severity and title are those of the finder."""

    text: str
    do: str
    message: str = ""  # the code of the text in the catalogue of messages
    remedies: Remedies = ()
    images: tuple[Cluster, ...] = ()
    notes: Notes = ()
    limit: str = ""
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)


def finding_case(
    code: str,
    *,
    remedies: Remedies = (),
    images: tuple[Cluster, ...] = (),
    notes: Notes = (),
    **parameters: Any,
) -> FindingCase:
    """Return a case with the text, `.do` and optional `.limit` of a message in the catalogue.

    Args:
        code, parameters: as of `messages.text`; the parameters become fields of the finding.
        remedies, images, notes: as of `Finding`.
    """
    limit = text(f"{code}.limit", **parameters) if has_entry(f"{code}.limit") else ""
    return FindingCase(
        text=text(code, **parameters),
        do=text(f"{code}.do", **parameters),
        message=code,
        remedies=remedies,
        images=images,
        notes=notes,
        limit=limit,
        parameters=json_values(parameters),
    )


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding.

    To add a kind, add it to the list in `inspecting.py`, its texts to `findings.ftl` in all languages, and a row to
    `docs/data.md`. `find` yields any number of cases from the records of the images and the facts of the scan. It reads
    no files.
    """

    code: str  # in lower case, words joined by "-"
    severity: Severity
    title: str  # a message of the catalogue, or the text itself
    find: Callable[[Dataset, Scan], Iterable[FindingCase]]
    unless: str | None = None  # code of a finding that replaces this one


def title_of(finder: FindingKind) -> str:
    """Return the heading of the findings of a finder."""
    return text(finder.title) if has_entry(finder.title) else finder.title


_FINDERS: dict[str, FindingKind] = {}


def list_finders() -> tuple[FindingKind, ...]:
    """Return the finder of each kind of finding."""
    return tuple(_FINDERS.values())


def register_finder(finder: FindingKind) -> None:
    """Add a kind of finding.

    Raises:
        ValueError: there is already a finder of this code.
    """
    if finder.code in _FINDERS:
        raise ValueError(f"there is a finder of the code {finder.code!r} already")
    _FINDERS[finder.code] = finder


def unregister_finder(code: str) -> None:
    """Remove a kind of finding that `register_finder` added."""
    del _FINDERS[code]
