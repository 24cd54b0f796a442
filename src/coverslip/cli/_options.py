"""Options that several commands share."""

import csv
import json
import textwrap
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from coverslip.runs.recipe import RecipeKey


def network_names(incomplete: str) -> list[str]:
    """Return the networks whose names have this prefix."""
    from coverslip.models import list_models

    return [record.name for record in list_models() if record.name.startswith(incomplete)]


def recipe_settings(incomplete: str) -> list[str]:
    """Return the keys with this prefix, each followed by `=`."""
    from coverslip.runs.recipe import key_names

    return [f"{key}=" for key in key_names() if key.startswith(incomplete)]


def keys_as_text(width: int = 100) -> str:
    """Return every key below the title of its group: its possible values, default and meaning."""
    from coverslip.runs.recipe import recipe_groups, recipe_keys

    keys = recipe_keys()
    blocks = []
    for group in recipe_groups():
        rows = [_row(key, width) for key in keys if key.group == group.name]
        blocks.append("\n".join([f"{group.title}: {group.text}", *rows]))
    return "\n\n".join(blocks)


def _row(key: "RecipeKey", width: int) -> str:
    allowed, default = key.allowed.replace("`", ""), json.dumps(key.default).strip('"')
    meaning = textwrap.fill(f"{key.title}. {key.help}", width, initial_indent="      ", subsequent_indent="      ")
    return f"  {key.key}={default}  ({allowed})\n{meaning}"


Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA",
        help="A folder with one sub-folder per class, or a table (CSV, TSV) with the columns path and label.",
        show_default=False,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="COLUMN",
        help="Column of the table with the group of each image (patient, slide, well). All images of a group stay in "
        "the same set.",
        show_default=False,
    ),
]
GroupPattern = Annotated[
    str | None,
    typer.Option(
        "--group-pattern",
        metavar="PATTERN",
        help="For folders: a regular expression that finds the group in an image's path, "
        r"for example 'slide\d+' or '(patient_[0-9]+)_'.",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME=COLUMN,...",
        help="Names of a table's columns if they differ from the standard names, such as path=File,label=Class. "
        "Standard names: path, label, group, split, image_id, x, y, width, height. `split=` ignores a column.",
        show_default=False,
    ),
]
CropSize = Annotated[
    int | None,
    typer.Option(
        "--crop-size",
        metavar="PIXELS",
        min=4,
        max=10_000,
        help="For a table of points (x, y): side of the square crop around each point, in pixels.",
        show_default=False,
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option("--device", help="Where the network runs. auto: a GPU if there is one, otherwise the processor."),
]
AllClasses = Annotated[
    bool,
    typer.Option(
        "--all-classes", help="Show every class. By default, only the most important of many classes are shown."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def setting(help_text: str) -> Any:  # Any: option type of Typer
    """Return the option `--set` of a command, which may be repeated."""
    return typer.Option(
        "--set", metavar="KEY=VALUE", autocompletion=recipe_settings, help=help_text, show_default=False
    )


def one_or_all(data: list[str]) -> str | list[str]:
    """Return a single source without a list: a folder has a different meaning than a list of files."""
    return data[0] if len(data) == 1 else data


def columns_of(option: str | None) -> dict[str, str]:
    """Return the columns that `--columns` sets, by their content.

    Raises:
        typer.BadParameter: a part of the text is not NAME=COLUMN, or a name is repeated.
    """
    columns: dict[str, str] = {}
    for pair in next(csv.reader([option]), []) if option else []:
        name, separator, column = (part.strip() for part in pair.partition("="))
        if not separator or not name or name in columns:
            is_repeated = name in columns
            raise usage_error("usage-columns", hint="--columns", column=pair.strip(), is_repeated=is_repeated)
        columns[name] = column
    return columns


def check_groups(group: str | None, group_pattern: str | None) -> None:
    """Reject `--group` together with `--group-pattern`.

    Raises:
        typer.BadParameter: both options are set.
    """
    if group is not None and group_pattern is not None:
        raise usage_error("usage-two-groups")


def usage_error(code: str, *, hint: str | None = None, **parameters: Any) -> typer.BadParameter:
    """Return the error for wrong usage, from a message of the catalogue.

    Args:
        code, parameters: as of `messages.text`.
        hint: the option or argument that is wrong.
    """
    from coverslip.messages import text

    return typer.BadParameter(text(code, **parameters), param_hint=hint)
