"""Recipe keys as listed by the command line."""

import json
import textwrap

from coverslip.runs.recipe import GROUPS, RecipeKey, recipe_keys


def keys_as_text(width: int = 100) -> str:
    """Return every key below the title of its group: its possible values, default and meaning."""
    keys = recipe_keys()
    blocks = []
    for group in GROUPS:
        rows = [_row(key, width) for key in keys if key.group == group.name]
        blocks.append("\n".join([f"{group.title}: {group.text}", *rows]))
    return "\n\n".join(blocks)


def _row(key: RecipeKey, width: int) -> str:
    allowed, default = key.allowed.replace("`", ""), json.dumps(key.default).strip('"')
    meaning = textwrap.fill(f"{key.title}. {key.help}", width, initial_indent="      ", subsequent_indent="      ")
    return f"  {key.key}={default}  ({allowed})\n{meaning}"
