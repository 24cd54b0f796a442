"""What every door says of one choice: the record stands on the field itself, in its annotation.

    epochs: Annotated[int, Key("Maximum epochs", "basic", "In an epoch, …", "at most {} epochs")] = Field(8, ge=1)

The app's form, the command line, the API's document, the documentation and a report's methods paragraph read it there;
default, range and exact meaning stand in the field beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coverslip.messages import text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a key can be given by name."""

    value: str | int | bool
    title: str
    phrase: str = ""  # for the methods text; empty where nothing is to be said


@dataclass(frozen=True, slots=True)
class Key:
    """How one choice is shown and described."""

    title: str
    group: str  # the section of the form and the part of the methods text that it belongs to
    help: str  # one everyday sentence, or two
    # For the methods text, with the value in place of {}; a function where that is not enough.
    phrase: str | Callable[[Any], str] = ""  # Any: whatever the key holds
    choices: tuple[Choice, ...] | Callable[[], tuple[Choice, ...]] = ()  # a function where a table says which
    unit: str = ""
    empty: str = ""  # what null means, in a word or two
    # Of a key that holds values by name, for each value of the key that it belongs to (`loss` of `loss_options`).
    options: "Callable[[], Mapping[str, tuple[Option, ...]]] | None" = None

    def named_choices(self) -> tuple[Choice, ...]:
        """Return the values that it can be given by name, as they are now."""
        return self.choices() if callable(self.choices) else self.choices

    def phrase_for(self, value: object) -> str:
        """Return what the methods text says of a value; empty where there is nothing to say.

        The phrase of a choice made by name goes first; null has none unless a function gives it.
        """
        # By identity of type too: True equals 1, and means something else.
        selection = next(
            (choice for choice in self.named_choices() if choice.value == value and type(choice.value) is type(value)),
            None,
        )
        if selection is not None and selection.phrase:
            return selection.phrase
        if callable(self.phrase):
            return self.phrase(value)
        return "" if value is None else self.phrase.format(value)


# Of all options of a network together. No architecture has use for more, and lists are made as long as one says.
_LARGEST_NUMBER, _MOST_VALUES, _LONGEST_TEXT, _DEEPEST = 10_000, 256, 200, 4


def bounded_options(options: dict[str, Any]) -> dict[str, Any]:  # Any: the architecture checks them
    """Return the same options, none of which makes a library build something huge before it can refuse it.

    Raises:
        ValueError: a number, a text, or the number of values is beyond its limit; which one is said.
    """
    waiting: list[tuple[str, object, int]] = [(name, value, 1) for name, value in options.items()]
    n_values = 0
    while waiting:
        name, value, depth = waiting.pop()
        n_values += 1
        if n_values > _MOST_VALUES or depth > _DEEPEST:
            raise ValueError(text("options-too-many", limit=_MOST_VALUES, depth=_DEEPEST))
        match value:
            case str() if len(value) > _LONGEST_TEXT:
                raise ValueError(text("option-too-long", name=name[:_LONGEST_TEXT], limit=_LONGEST_TEXT))
            case int() | float() if not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
                raise ValueError(text("option-too-large", name=name[:_LONGEST_TEXT], limit=_LARGEST_NUMBER))
            case list() | tuple():
                waiting += [(name, each, depth + 1) for each in value]
            case dict():
                waiting += [(f"{name}.{key}", each, depth + 1) for key, each in value.items()]
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value that a network or a loss can be given by name (`model_options`, `loss_options`)."""

    name: str
    title: str
    help: str  # one everyday sentence
    type: Literal["number", "integer", "boolean", "choice", "integers"]
    default: Any  # Any: of the type
    choices: tuple[Choice, ...] = ()
    minimum: float | None = None  # of a number, or of each of several
    maximum: float | None = None
    length: int | None = None  # of several

    def fault_in(self, value: object) -> str | None:
        """Return what is wrong with a value, as the end of a sentence; None where nothing is."""
        match self.type:
            case "boolean":
                return None if isinstance(value, bool) else text("option-no-boolean")
            case "choice":
                values = [choice.value for choice in self.choices]
                return None if value in values else text("option-no-choice", choices=", ".join(map(str, values)))
            case "integers":
                fits = isinstance(value, list | tuple) and len(value) == self.length and all(map(self._is_one, value))
                return None if fits else text("option-no-list", n=self.length or 0, **self._range())
        if self._is_one(value):
            return None
        return text("option-no-number", is_whole=self.type == "integer", **self._range())

    def _is_one(self, value: object) -> bool:
        kinds = (int, float) if self.type == "number" else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def _range(self) -> dict[str, Any]:
        """Return the parameters of a message for the range."""
        ends = ("both" if self.maximum is not None else "low") if self.minimum is not None else "high"
        return {
            "range": "none" if self.minimum is None and self.maximum is None else ends,
            "minimum": 0 if self.minimum is None else self.minimum,
            "maximum": 0 if self.maximum is None else self.maximum,
        }
