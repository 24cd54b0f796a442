"""Keys of a recipe and options of networks and losses: how each is grouped, shown and checked.

The type, default and range of a key are in its field; its texts are in the catalogue, `messages/en/recipe_keys.ftl`:

    epochs: Annotated[int, Key("training")] = Field(8, ge=1)

The form of the app, the command line, the REST document, the documentation and the methods text of a report use these.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coverslip.messages import text


@dataclass(frozen=True, slots=True)
class Key:
    """Annotation of a recipe's field: where the key is shown, and what the catalogue does not say."""

    group: str  # the section of the form and the part of the methods text
    is_percentage: bool = False  # the methods text shows the value as a percentage
    choice_name: Callable[[Any], str] | None = None  # the name of a value, if a table has it and not the catalogue
    # The options of each value of the related key, for a key that holds options by name (`loss` for `loss_options`).
    options: "Callable[[], Mapping[str, tuple[Option, ...]]] | None" = None


OptionType = Literal["number", "integer", "boolean", "choice", "integers"]

# Limits of all options of a network together. No architecture needs more, and some build lists of a given length.
_LARGEST_NUMBER, _MOST_VALUES, _LONGEST_TEXT, _DEEPEST = 10_000, 256, 200, 4


def bounded_options(options: dict[str, Any]) -> dict[str, Any]:  # Any: the architecture checks them
    """Return the options, checked so that none makes a library build something huge before it can refuse the option.

    Raises:
        ValueError: a number, a text, or the number of values exceeds its limit; the message names it.
    """
    unchecked: list[tuple[str, object, int]] = [(name, value, 1) for name, value in options.items()]
    n_values = 0
    while unchecked:
        name, value, depth = unchecked.pop()
        n_values += 1
        if n_values > _MOST_VALUES or depth > _DEEPEST:
            raise ValueError(text("options-too-many", limit=_MOST_VALUES, depth=_DEEPEST))
        match value:
            case str() if len(value) > _LONGEST_TEXT:
                raise ValueError(text("option-too-long", name=name[:_LONGEST_TEXT], limit=_LONGEST_TEXT))
            case int() | float() if not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
                raise ValueError(text("option-too-large", name=name[:_LONGEST_TEXT], limit=_LARGEST_NUMBER))
            case list() | tuple():
                unchecked += [(name, item, depth + 1) for item in value]
            case dict():
                unchecked += [(f"{name}.{key}", item, depth + 1) for key, item in value.items()]
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a network (`model_options`) or a loss (`loss_options`).

    Its texts are the entry `key-model-options-NETWORK-NAME` or `key-loss-options-LOSS-NAME` of the catalogue.
    """

    name: str
    type: OptionType
    default: Any  # Any: of the type
    choices: tuple[str, ...] = ()
    minimum: float | None = None  # of a number, or of each number in a list
    maximum: float | None = None
    length: int | None = None  # of a list

    def fault_in(self, value: object) -> str | None:
        """Return what is wrong with a value, as the end of a sentence; None if it is valid."""
        match self.type:
            case "boolean":
                return None if isinstance(value, bool) else text("option-no-boolean")
            case "choice":
                return None if value in self.choices else text("option-no-choice", choices=", ".join(self.choices))
            case "integers":
                fits = (
                    isinstance(value, list | tuple) and len(value) == self.length and all(map(self._is_number, value))
                )
                return None if fits else text("option-no-list", n=self.length or 0, **self._range())
        if self._is_number(value):
            return None
        return text("option-no-number", is_whole=self.type == "integer", **self._range())

    def _is_number(self, value: object) -> bool:
        types = (int, float) if self.type == "number" else (int,)
        if isinstance(value, bool) or not isinstance(value, types):
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
