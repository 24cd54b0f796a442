"""The look that app, report and drawings share, as `tokens.css` has it."""

import re
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("tokens.css")

N_CLASS_COLOURS = 8  # beyond, they repeat with other dashes


@cache
def light_colors() -> dict[str, str]:
    """Each color by its name without dashes in front, as `#rrggbb`, as it is in the light theme."""
    colors = re.findall(r"--([\w-]+): (?:light-dark\()?(#[0-9a-f]{6})", FILE.read_text(encoding="utf-8"))
    return dict(colors)


def class_color(index: int) -> str:
    """The color of class `index` (0-based): the same in the app, the report and every drawing."""
    return light_colors()[f"class-{index % N_CLASS_COLOURS}"]
