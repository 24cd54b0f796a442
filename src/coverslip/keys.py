"""What every door says of one choice: the record stands on the field itself, in its annotation.

    epochs: Annotated[int, Key("Most rounds (epochs)", "basic", "In each, …", "at most {} epochs")] = Field(8, ge=1)

The app's form, the command line, the API's document, the documentation and a report's methods paragraph read it there;
default, range and exact meaning stand in the field beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a key can be given by name."""

    value: str | int | bool
    title: str
    phrase: str = ""  # for the methods text; empty where nothing is to be said


@dataclass(frozen=True, slots=True)
class Key:
    """How one choice is shown and told."""

    title: str
    group: str  # the section of the form and the part of the methods text that it belongs to
    help: str  # one everyday sentence, or two
    # For the methods text, with the value in place of {}; a function where that is not enough.
    phrase: str | Callable[[Any], str] = ""  # Any: whatever the key holds
    choices: tuple[Choice, ...] | Callable[[], tuple[Choice, ...]] = ()  # a function where a table says which
    unit: str = ""
    empty: str = ""  # what null means, in a word or two

    def named_choices(self) -> tuple[Choice, ...]:
        """The values that it can be given by name, as they are now."""
        return self.choices() if callable(self.choices) else self.choices

    def phrase_for(self, value: object) -> str:
        """What the methods text says of a value; empty where there is nothing to say.

        The phrase of a choice made by name goes first; null has none unless a function gives it.
        """
        # By identity of type too: True equals 1, and means something else.
        chosen = next(
            (choice for choice in self.named_choices() if choice.value == value and type(choice.value) is type(value)),
            None,
        )
        if chosen is not None and chosen.phrase:
            return chosen.phrase
        if callable(self.phrase):
            return self.phrase(value)
        return "" if value is None else self.phrase.format(value)
