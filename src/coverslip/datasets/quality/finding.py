"""What a finding is, and the table of all that find something: one record per kind."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from coverslip.datasets.index import Dataset
from coverslip.datasets.quality.scanning import Scan
from coverslip.messages import Remedies, Remedy, has_entry, text

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")  # gravest first

Cluster = tuple[str, ...]


def _describe_codes(schema: JsonDict) -> None:
    codes = "; ".join(f"`{finder.code}` ({finder.severity}): {title_of(finder)}" for finder in list_finders())
    schema["description"] = f"What kind of finding it is. {codes}."


class Finding(BaseModel):
    """Something about the images that whoever trains on them should know. Further fields belong to its code alone."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    code: str = Field(json_schema_extra=_describe_codes)
    severity: Severity = Field(
        description="error: a training refuses it, or its numbers would be false; warning: images are excluded, or "
        "numbers are doubtful; advice: nothing is wrong, but something can be done better."
    )
    title: str = Field(description="What such findings are called.")
    text: str = Field(description="What was found.")
    do: str = Field(description="What to do about it.")
    remedies: tuple[Remedy, ...] = Field(default=(), description="The same as data, where it is one of the known ones.")
    images: tuple[Cluster, ...] = Field(
        default=(), description="The image_ids of the images concerned, a list per cluster."
    )
    notes: tuple[Cluster, ...] = Field(
        default=(),
        description="Beside each image, its label, group, side or fault; empty where nothing stands beside them.",
    )
    limit: str = Field(
        default="",
        description="What it means for the numbers of a training on these images, where the report should say so.",
    )

    @property
    def parameters(self) -> Mapping[str, JsonValue]:
        """What only findings of this code have."""
        return self.__pydantic_extra__


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a finder tells of one case; code, severity and title are its record's."""

    text: str
    do: str
    remedies: Remedies = ()
    images: tuple[Cluster, ...] = ()
    notes: tuple[Cluster, ...] = ()
    limit: str = ""
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)


def found(
    code: str,
    *,
    remedies: Remedies = (),
    images: tuple[Cluster, ...] = (),
    notes: tuple[Cluster, ...] = (),
    **parameters: Any,
) -> Found:
    """Return a case whose text, `.do` and, where it has one, `.limit` are those of a message of the catalogue.

    Args:
        code, parameters: as of `messages.text`. The finding has these parameters.
        remedies, images, notes: as of a finding.
    """
    limit = text(f"{code}.limit", **parameters) if has_entry(f"{code}.limit") else ""
    return Found(
        text=text(code, **parameters),
        do=text(f"{code}.do", **parameters),
        remedies=remedies,
        images=images,
        notes=notes,
        limit=limit,
        parameters=parameters,
    )


@dataclass(frozen=True, slots=True)
class Finder:
    """One kind of finding.

    `find` gives nothing, one or several cases, from the images' records and from what decoding told of them. It reads
    no files.
    """

    code: str  # in small letters, words joined by "-"
    severity: Severity
    title: str  # a message of the catalogue, or the text itself
    find: Callable[[Dataset, Scan], Iterable[Found]]
    unless: str | None = None  # the code of a finding that says the same and more


def title_of(finder: Finder) -> str:
    """Return the heading of the findings of a finder."""
    return text(finder.title) if has_entry(finder.title) else finder.title


_FINDERS: dict[str, Finder] = {}


def list_finders() -> tuple[Finder, ...]:
    """Every kind of finding that can be made."""
    return tuple(_FINDERS.values())


def register_finder(finder: Finder) -> None:
    """Let every door tell of one more kind of finding.

    Raises:
        ValueError: there is one of this code.
    """
    if finder.code in _FINDERS:
        raise ValueError(f"there is a finder of the code {finder.code!r} already")
    _FINDERS[finder.code] = finder


def forget_finder(code: str) -> None:
    """Take back what `register_finder` did."""
    del _FINDERS[code]
