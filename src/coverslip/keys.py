"""Descriptions of recipe keys, and options of models and losses.

A `Key` is part of the annotation of a field:

    epochs: Annotated[int, Key("Maximum epochs", "basic", "In an epoch, …", "at most {} epochs")] = Field(8, ge=1)

The form of the app, the command line, the API schema, the documentation and the methods paragraph of a report read it
there. Default, range and exact meaning are in the `Field`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coverslip.messages import text


@dataclass(frozen=True, slots=True)
class Choice:
    """One named value of a key."""

    value: str | int | bool
    title: str
    phrase: str = ""  # for the methods text; empty: not mentioned


@dataclass(frozen=True, slots=True)
class Key:
    """The description of one key."""

    title: str
    group: str  # the section of the form and of the methods text
    help: str  # one or two plain sentences
    # For the methods text, with {} for the value; or a function of the value.
    phrase: str | Callable[[Any], str] = ""  # Any: the type of the key
    choices: tuple[Choice, ...] | Callable[[], tuple[Choice, ...]] = ()  # a function if a table defines them
    unit: str = ""
    empty: str = ""  # the meaning of null, in a word or two
    # For a key with options by name: the options for each value of its parent key (`loss` for `loss_options`).
    options: "Callable[[], Mapping[str, tuple[Option, ...]]] | None" = None

    def named_choices(self) -> tuple[Choice, ...]:
        """Return the current named values."""
        return self.choices() if callable(self.choices) else self.choices

    def phrase_for(self, value: object) -> str:
        """Return the phrase of a value for the methods text; empty: not mentioned.

        The phrase of a named value has priority; null has no phrase unless a function returns one.
        """
        # Compare types too, because True equals 1.
        selection = next(
            (choice for choice in self.named_choices() if choice.value == value and type(choice.value) is type(value)),
            None,
        )
        if selection is not None and selection.phrase:
            return selection.phrase
        if callable(self.phrase):
            return self.phrase(value)
        return "" if value is None else self.phrase.format(value)


# Limits for all options of a network together. No architecture needs more.
_MAX_NUMBER, _MAX_VALUES, _MAX_LENGTH, _MAX_DEPTH = 10_000, 256, 200, 4


def bounded_options(options: dict[str, Any]) -> dict[str, Any]:  # Any: checked by the architecture
    """Return the options unchanged if none can make a library allocate huge objects before it validates them.

    Raises:
        ValueError: a number, the length of a text, or the number or depth of values exceeds its limit.
    """
    pending: list[tuple[str, object, int]] = [(name, value, 1) for name, value in options.items()]
    n_values = 0
    while pending:
        name, value, depth = pending.pop()
        n_values += 1
        if n_values > _MAX_VALUES or depth > _MAX_DEPTH:
            raise ValueError(text("options-too-many", limit=_MAX_VALUES, depth=_MAX_DEPTH))
        match value:
            case str() if len(value) > _MAX_LENGTH:
                raise ValueError(text("option-too-long", name=name[:_MAX_LENGTH], limit=_MAX_LENGTH))
            case int() | float() if not -_MAX_NUMBER <= value <= _MAX_NUMBER:
                raise ValueError(text("option-too-large", name=name[:_MAX_LENGTH], limit=_MAX_NUMBER))
            case list() | tuple():
                pending += [(name, each, depth + 1) for each in value]
            case dict():
                pending += [(f"{name}.{key}", each, depth + 1) for key, each in value.items()]
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a network or a loss (`model_options`, `loss_options`)."""

    name: str
    title: str
    help: str  # one plain sentence
    type: Literal["number", "integer", "boolean", "choice", "integers"]
    default: Any  # Any: of type `type`
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None  # of a number, or of each number of a list
    maximum: float | None = None
    length: int | None = None  # of a list

    def fault_in(self, value: object) -> str | None:
        """Return the fault of a value as the end of a sentence; None if the value is valid."""
        match self.type:
            case "boolean":
                return None if isinstance(value, bool) else text("option-no-boolean")
            case "choice":
                values = [choice.value for choice in self.choices]
                return None if value in values else text("option-no-choice", choices=", ".join(map(str, values)))
            case "integers":
                fits = isinstance(value, list | tuple) and len(value) == self.length and all(map(self._is_valid, value))
                return None if fits else text("option-no-list", n=self.length or 0, **self._range())
        if self._is_valid(value):
            return None
        return text("option-no-number", is_whole=self.type == "integer", **self._range())

    def _is_valid(self, value: object) -> bool:
        kinds = (int, float) if self.type == "number" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def _range(self) -> dict[str, Any]:
        """Return the message parameters for the range."""
        ends = ("both" if self.maximum is not None else "low") if self.minimum is not None else "high"
        return {
            "range": "none" if self.minimum is None and self.maximum is None else ends,
            "minimum": 0 if self.minimum is None else self.minimum,
            "maximum": 0 if self.maximum is None else self.maximum,
        }
