"""Write the generated parts of the documentation, such as recipe keys, metrics, findings, networks, help and errors.

    python docs/make_reference.py

Each part stands in a page between two marker lines. `tests/test_docs.py` fails where a page is out of date.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluent.syntax import FluentParser
from fluent.syntax import ast as fluent

if TYPE_CHECKING:
    from coverslip.runs.recipe_keys import RecipeKey

DOCS = Path(__file__).resolve().parent
COLUMNS = 100  # of help texts; a terminal's own width would change them from machine to machine


def main() -> None:
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8", newline="\n")


def pages() -> dict[Path, str]:
    """The pages with generated parts, as they should be."""
    parts = {
        "recipe": {"recipe keys": recipe_table, "sets of random changes": augment_table},
        "commands": {"help texts": help_texts},
        "columns": {"columns": columns_table},
        "images": {"formats": formats_table},
        "file_kinds": {"kinds": kinds_table},
        "models": {"networks": models_table},
        "numbers": {"metrics": metrics_table},
        "checks": {"findings": findings_table},
        "python_events": {"events": events_table},
    }
    return {
        **{DOCS / f"{name}.md": _with_parts(DOCS / f"{name}.md", of_page) for name, of_page in parts.items()},
        DOCS / "python_functions.md": python_functions(),
        DOCS / "rest.md": rest_operations(),
        **error_pages(),
    }


def _with_parts(page: Path, parts: Mapping[str, Callable[[], str]]) -> str:
    whole = page.read_text(encoding="utf-8")
    for name, text in parts.items():
        whole = _with_part(page, whole, name, text())
    return whole


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
    from coverslip.runs.recipe_keys import recipe_keys

    head = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, recipe_keys())])


def augment_table() -> str:
    """One row per named set: what it changes, and where that comes from."""
    from coverslip.runs.recipe_keys import named_sets

    head = ["| set | changes | why |", "|---|---|---|"]
    rows = []
    for named_set in named_sets():
        changes = {key.removeprefix("augment."): value for key, value in named_set.values.items() if value}
        words = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in changes.items())
        rows.append(f"| `{named_set.name}` | {words or 'nothing'} | {named_set.text} |")
    return "\n".join([*head, *rows])


def columns_table() -> str:
    """One row per meaning: the accepted names in tables of images, and in tables of objects of other programs."""
    from coverslip.datasets.columns import IMAGE_TABLES, OBJECT_TABLE

    kinds = IMAGE_TABLES.columns, OBJECT_TABLE.columns
    meanings = [each for each in {**kinds[0], **kinds[1]} if not each.startswith("channel_")]
    names = [[" ".join(f"`{name}`" for name in kind.get(each, ())) or "–" for kind in kinds] for each in meanings]
    rows = [f"| `{each}` | {' | '.join(cells)} |" for each, cells in zip(meanings, names, strict=True)]
    return "\n".join(["| meaning | tables of images | tables of objects |", "|---|---|---|", *rows])


def formats_table() -> str:
    """One row per format that is read, then those that need the extra, then those that are refused."""
    from coverslip.images.formats import readers

    heads = "format", 'with `pip install "coverslip[formats]"`', "not read yet"
    rows = {head: [f"| {head} | file names |", "|---|---|"] for head in heads}
    for reader in readers():
        suffixes = " ".join(f"`{suffix}`" for suffix in reader.suffixes)
        head = heads[2] if reader.open is None else heads[1] if reader.package else heads[0]
        rows[head].append(f"| {reader.title} | {suffixes} |")
    return "\n\n".join("\n".join(rows[head]) for head in heads)


def kinds_table() -> str:
    """One row per kind of image file, of which a test writes and reads samples."""
    if (tests := str(DOCS.parent / "tests")) not in sys.path:
        sys.path.append(tests)
    import image_kinds

    return image_kinds.kinds_table()


def metrics_table() -> str:
    """One row per metric: its name in files, its title and its meaning."""
    from coverslip.evaluation.table import METRICS
    from coverslip.messages import text

    rows = [
        f"| `{name}` | {record.title} | {text(f'metric-{name}.meaning'.replace('_', '-'))} |"
        for name, record in METRICS.items()
    ]
    return "\n".join(["| name in files | metric | meaning |", "|---|---|---|", *rows])


def findings_table() -> str:
    """One row per kind of finding, the most severe first."""
    from coverslip.datasets.quality.findings import FINDINGS

    severities = ("error", "warning", "advice")
    kinds = sorted(FINDINGS.items(), key=lambda item: severities.index(item[1].severity))
    rows = [f"| `{name}` | {kind.severity} | {kind.heading} |" for name, kind in kinds]
    return "\n".join(["| finding | severity | meaning |", "|---|---|---|", *rows])


def events_table() -> str:
    """One row per event: what it says, and its fields."""
    from dataclasses import fields

    from coverslip import events

    rows = []
    for kind in events.Event.__subclasses__():
        if getattr(events, kind.__name__, None) is kind:  # slots leave the class without them, too
            names = [f"`{each.name}`" for each in fields(kind) if each.name not in ("fold", "is_pretraining")]
            rows.append(f"| `{kind.__name__}` | {(kind.__doc__ or '').partition(chr(10))[0]} | {', '.join(names)} |")
    return "\n".join(["| event | meaning | fields |", "|---|---|---|", *rows])


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


SUBJECTS = {
    "workspace": "App and workspace",
    "datasets": "Datasets",
    "objects": "Objects in fields of view",
    "finders": "Finders of objects",
    "images": "Image files",
    "runs": "Runs, recipes and classifiers",
    "training": "Training",
    "inference": "Predictions and explanations",
    "studies": "Studies",
    "models": "Networks and weights",
    "results": "Results and comparisons",
    "system": "Computer and files",
}
SOURCES = DOCS.parent / "src" / "coverslip"
ERRORS = """# Errors

The errors of coverslip by subject and `code`. A problem of the [REST API](rest_concepts.md) has a `code` and a
`type`, which is the address of its section. Texts contain the names of parameters, for example `reason`, whose values
a problem has."""
PYTHON = """# Python functions

Each public name of `coverslip` with its parameters, from its docstring. [Python](python.md) shows how to use them."""
REST = """# REST operations

All operations of the app by subject, below `/api/v1`, from its OpenAPI document.
[Lists, jobs and errors of the REST API](rest_concepts.md) explains them; `/api/v1/docs` of a running app has all
fields."""


def error_pages() -> dict[Path, str]:
    """A page of errors for each subject, and the page that lists the codes of all."""
    from coverslip import errors

    kinds = [name for name, each in vars(errors).items() if isinstance(each, type)]
    calls = re.compile(rf"\b(?:failure|{'|'.join(kinds)})\(\s*\"([a-z0-9-]+)\"")
    sources = "\n".join(file.read_text(encoding="utf-8") for file in sorted(SOURCES.rglob("*.py")))
    raised = set(calls.findall(sources))
    pages, index = {}, [ERRORS]
    for name, title in SUBJECTS.items():
        resource = FluentParser().parse((SOURCES / f"messages/en/{name}.ftl").read_text(encoding="utf-8"))
        sections = [f"# Errors: {title}", "[All errors](problems.md)"]
        codes = []
        for entry in resource.body:
            if not isinstance(entry, fluent.Message) or entry.value is None:
                continue
            do = next((each.value for each in entry.attributes if each.id.name == "do"), None)
            if do is None and entry.id.name not in raised:
                continue
            codes.append(entry.id.name)
            paragraphs = [f"{_pattern(entry.value)}.", *([_pattern(do)] if do else [])]
            sections.append("\n\n".join([f"## {entry.id.name}", *paragraphs]))
        pages[DOCS / f"problems_{name}.md"] = "\n\n".join(sections) + "\n"
        links = ",\n".join(f"[`{code}`](problems_{name}.md#{code})" for code in sorted(codes))
        index += [f"## [{title}](problems_{name}.md)", links]
    return {DOCS / "problems.md": "\n\n".join(index) + "\n", **pages}


def _pattern(pattern: fluent.Pattern) -> str:
    """The text of a message, with the names of its parameters instead of their values."""
    text = "".join(map(_element, pattern.elements))
    return " ".join(text.split())


def _element(element: Any) -> str:  # Any: elements and expressions of Fluent have no common type
    if isinstance(element, fluent.Placeable):
        return _element(element.expression)
    if isinstance(element, fluent.TextElement | fluent.StringLiteral):
        return str(element.value)
    if isinstance(element, fluent.VariableReference):
        return f"`{element.id.name}`"
    if isinstance(element, fluent.FunctionReference):
        return _element(element.arguments.positional[0])
    plural = {"one", "other"}
    keys = {getattr(variant.key, "name", getattr(variant.key, "value", "")) for variant in element.variants}
    texts = [_pattern(variant.value) for variant in element.variants if keys - plural or variant.default]
    return " / ".join(filter(None, texts))


def python_functions() -> str:
    """A section for each public name: parameters and docstring."""
    import inspect

    import coverslip

    sections = [PYTHON]
    for name in coverslip.__all__:
        each = getattr(coverslip, name)
        if callable(each):
            lines = "\n".join(line.rstrip() for line in (inspect.getdoc(each) or "").splitlines())
            parameters = () if isinstance(each, type) else inspect.signature(each).parameters.values()
            call = f"{name}({', '.join(_parameters(list(parameters)))})" if parameters else name
            sections.append(f"## {name}\n\n```text\n{call}\n\n{lines}\n```")
    return "\n\n".join(sections) + "\n"


def _parameters(parameters: list[Any]) -> Iterator[str]:  # Any: parameters of inspect
    """Names of parameters with their defaults; those after `*` by name only."""
    is_star = False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not is_star:
            is_star = True
            yield "*"
        is_shown = each.default is not each.empty and not callable(each.default)
        mark = "*" if each.kind is each.VAR_POSITIONAL else ""
        yield f"{mark}{each.name}={each.default!r}" if is_shown else f"{mark}{each.name}"


def rest_operations() -> str:
    """A table of operations for each subject."""
    document = json.loads((DOCS.parent / "web" / "openapi.json").read_text(encoding="utf-8"))
    rows: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            effect = " ".join(operation.get("description", "").partition("\n\n")[0].split()).replace("|", "\\|")
            address = path.removeprefix("/api/v1")
            rows.setdefault(operation["tags"][0], []).append(f"| `{method.upper()} {address}` | {effect} |")
    sections = [
        f"## {tag}\n\n| request | effect |\n|---|---|\n" + "\n".join(each) for tag, each in sorted(rows.items())
    ]
    return "\n\n".join([REST, *sections]) + "\n"


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
