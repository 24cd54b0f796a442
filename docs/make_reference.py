"""Write the generated parts of the documentation: recipe keys, sets of random changes, formats, networks, help texts.

    python docs/make_reference.py

Each part stands in a page between two marker lines. `tests/test_docs.py` fails where a page is out of date.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coverslip.runs import RecipeKey

DOCS = Path(__file__).resolve().parent
COLUMNS = 100  # of help texts; a terminal's own width would change them from machine to machine


def main() -> None:
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8", newline="\n")


def pages() -> dict[Path, str]:
    """The pages with generated parts, as they should be."""
    recipe, commands, images, models = (DOCS / f"{name}.md" for name in ("recipe", "commands", "images", "models"))
    recipe_text = _with_part(recipe, recipe.read_text(encoding="utf-8"), "recipe keys", recipe_table())
    return {
        recipe: _with_part(recipe, recipe_text, "sets of random changes", augment_table()),
        commands: _with_part(commands, commands.read_text(encoding="utf-8"), "help texts", help_texts()),
        images: _with_part(images, images.read_text(encoding="utf-8"), "formats", formats_table()),
        models: _with_part(models, models.read_text(encoding="utf-8"), "networks", models_table()),
    }


def _with_part(page: Path, whole: str, name: str, text: str) -> str:
    """The page's text with the lines between the two markers of that name replaced.

    Raises:
        ValueError: the page does not have both markers once.
    """
    begin, end = f"<!-- begin: {name}; written by make_reference.py -->", f"<!-- end: {name} -->"
    if whole.count(begin) != 1 or whole.count(end) != 1:
        raise ValueError(f"{page.name} must hold these two lines once: {begin} and {end}")
    before, _, rest = whole.partition(begin)
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.partition(end)[2]}"


def recipe_table() -> str:
    """One row per key: default, what is allowed, what it means."""
    from coverslip.runs import recipe_keys

    head = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, recipe_keys())])


def augment_table() -> str:
    """One row per named set: what it changes, and where that comes from."""
    from coverslip.runs.recipe import named_sets

    head = ["| set | changes | why |", "|---|---|---|"]
    rows = []
    for one in named_sets():
        changes = {key.removeprefix("augment."): value for key, value in one.values.items() if value}
        words = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in changes.items())
        rows.append(f"| `{one.name}` | {words or 'nothing'} | {one.text} |")
    return "\n".join([*head, *rows])


def formats_table() -> str:
    """One row per format that is read, then those that are refused."""
    from coverslip.images import readers

    rows = {is_read: ["|---|---|"] for is_read in (True, False)}
    for reader in readers():
        suffixes = " ".join(f"`{suffix}`" for suffix in reader.suffixes)
        rows[reader.read is not None].append(f"| {reader.title} | {suffixes} |")
    return "\n".join(["| format | file names |", *rows[True], "", "| not read yet | file names |", *rows[False]])


def models_table() -> str:
    """One row per network, by family and size."""
    from coverslip.models import list_models

    head = [
        "| network | architecture | parameters | GMACs | px | compared in | weights | license of the weights |",
        "|---|---|---:|---:|---:|---|---|---|",
    ]
    rows = []
    for record in sorted(list_models(), key=lambda record: (record.family.lower(), record.parameters)):
        cells = (
            f"`{record.name}`",
            record.paper,
            f"{record.parameters:,}",
            "–" if record.macs is None else f"{record.macs / 1e9:.2f}",
            str(record.input_px),
            ", ".join(record.papers) or "–",
            record.weights or (f"to import: {record.weights_file}" if record.weights_file else "none"),
            record.license or "–",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*head, *rows])


def _row(key: "RecipeKey") -> str:
    cells = (f"`{key.key}`", f"`{json.dumps(key.default)}`".replace('"', ""), key.allowed, key.meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def help_texts() -> str:
    """What `--help` prints, of the program and of every command."""
    import typer

    from coverslip.cli import app

    program: Any = typer.main.get_command(app)  # Any: Typer's group, whose annotation has no types
    sizes = {"terminal_width": COLUMNS, "max_content_width": COLUMNS, "resilient_parsing": True}
    with program.make_context("coverslip", [], **sizes) as parent:
        sections = [_section("coverslip", program.get_help(parent))]
        sections += _sections_of(program, parent, "coverslip")
    return "\n\n".join(sections)


def _sections_of(group: Any, parent: Any, path: str) -> Iterator[str]:  # Any: Typer's, as above
    for name, command in group.commands.items():
        with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
            yield _section(f"{path} {name}", command.get_help(context))
            if hasattr(command, "commands"):
                yield from _sections_of(command, context, f"{path} {name}")


def _section(title: str, text: str) -> str:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join([f"## {title}", "", "```text", *lines, "```"])


if __name__ == "__main__":
    main()
