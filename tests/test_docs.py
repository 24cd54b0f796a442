"""The documentation keeps up with the program: nothing is missing, nothing is out of date, no example is wrong."""

import ast
import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("papers/*.md"))]
OURS = "coverslip"
LONG_PAGES = {"glossary.md": 2150, "words.md": 1600}  # words; the others have at most 1,200
# Pages whose links are followed, too. Their examples are for contributors, or commands of benchmarks.
FURTHER_PAGES = [
    *(ROOT / f"{name}.md" for name in ("ARCHITECTURE", "CHANGELOG", "CODE_OF_CONDUCT", "SECURITY")),
    *(
        ROOT / "benchmarks" / "RESULTS.md",
        ROOT / "benchmarks" / "NOT_KEPT.md",
        ROOT / "benchmarks" / "TWO_STEP.md",
        ROOT / "packaging" / "README.md",
        ROOT / "tests" / "REAL_IMAGES.md",
        *sorted(ROOT.glob("integrations/*/README.md")),
    ),
]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def in_code(text: str) -> set[str]:
    """Everything that stands between single backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    language: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of all pages in one of these languages."""
    blocks_of_page = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
            blocks_of_page.append(Block(path, match[1], text[: match.start()].count("\n") + 1, match[2]))
    return [block for block in blocks_of_page if block.language in languages]


def commands_in(block: Block) -> list[list[str]]:
    """The words of each command of a shell example; a backslash at the end of a line joins it with the next."""
    return [shlex.split(line, comments=True) for line in block.code.replace("\\\n", " ").splitlines()]


def calls(block: Block) -> list[list[str]]:
    """Those commands that are coverslip's."""
    return [words for words in commands_in(block) if words[:1] == [OURS]]


def models_in(block: Block) -> set[str]:
    """The networks that an example names: in a recipe, behind --model, in a loop over models, to `coverslip models`."""
    import yaml

    if block.language == "yaml":
        return {model for model in [yaml.safe_load(block.code).get("model")] if model}
    named = set()
    for words in commands_in(block):
        if words[:3] == ["for", "model", "in"]:
            named |= {word.rstrip(";") for word in words[3:]} - {"do"}
        if words[:2] == [OURS, "models"] and len(words) > 2 and not words[2].startswith("-"):
            named.add(words[2])
        named |= {name for option, name in pairwise(words) if option == "--model"}
    return {name for name in named if not name.startswith("$")}


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:  # Any: Typer's commands have no types
    import typer

    from coverslip.cli import app

    program: Any = typer.main.get_command(app)
    inner = {
        f"{name} {below}": command
        for name, group in program.commands.items()
        for below, command in getattr(group, "commands", {}).items()
    }
    return {"": program, **program.commands, **inner}


def options_of(command: Any) -> set[str]:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    named = {option for parameter in shown for option in parameter.opts if option.startswith("-")}
    return named | {"--help", "-h", "--debug"}


# Complete


@pytest.mark.slow
def test_generated_parts_are_up_to_date(reference: ModuleType) -> None:
    stale = [path.name for path, text in reference.pages().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run: python docs/make_reference.py"


def test_every_picture_is_shown_on_a_page_and_small() -> None:
    shown = set()
    for path in PAGES:
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            shown.add((path.parent / name).resolve())
    folders = (DOCS, DOCS / "app", DOCS / "readme")
    pictures = {path.resolve() for folder in folders for path in [*folder.glob("*.png"), *folder.glob("*.webp")]}
    assert pictures - shown == set(), "no page shows them"
    assert shown - pictures == set(), "run: python docs/make_pictures.py, or docs/make_readme_pictures.py"
    limits = {"readme": 150_000}
    assert [path.name for path in pictures if path.stat().st_size > limits.get(path.parent.name, 40_000)] == []


def test_pages_are_short_and_together_not_longer() -> None:
    words = {path: len(written(path).split()) for path in PAGES if DOCS in path.parents and not is_generated(path)}
    too_long = {
        path.name: n for path, n in words.items() if n > LONG_PAGES.get(path.relative_to(DOCS).as_posix(), 1200)
    }
    assert too_long == {}
    assert sum(words.values()) <= 50_200, "shorten another page"
    assert len(re.findall(r"!\[[^\]]+\]\(", page("is_it_for_me.md"))) >= 4


def is_generated(path: Path) -> bool:
    return path.name.startswith("problems") or path.name in ("rest.md", "python_functions.md")


def written(path: Path) -> str:
    """The text of a page without its generated parts."""
    return re.sub(r"<!-- begin:.*?<!-- end:[^>]*-->", "", path.read_text(encoding="utf-8"), flags=re.S)


def test_the_front_pages_are_short_and_the_readme_shows_four_pictures() -> None:
    limits = {"README.md": 450, "CONTRIBUTING.md": 900, "CHANGELOG.md": 900}
    words = {name: len((ROOT / name).read_text(encoding="utf-8").split()) for name in limits}
    assert {name: n for name, n in words.items() if n > limits[name]} == {}
    assert len(re.findall(r"!\[[^\]]+\]\(docs/readme/", (ROOT / "README.md").read_text(encoding="utf-8"))) == 4


def test_the_guide_for_contributors_names_every_room_and_no_other() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| package |")[2].partition("\n\n")[0]
    folder = ROOT / "src" / OURS
    rooms = {f"{each.name}/" for each in folder.iterdir() if (each / "__init__.py").is_file()}
    modules = {each.name for each in folder.glob("*.py") if not each.name.startswith("_")}
    assert in_code(table) == rooms | modules


def test_pages_link_to_pages_by_their_titles() -> None:
    names = {
        (path.name, text) for path in PAGES for text in re.findall(r"\[([\w/.-]+\.md)\]\(", path.read_text("utf-8"))
    }
    assert names == {("security.md", "SECURITY.md")}
    index = page("README.md")
    for text, name in re.findall(r"^- \[([^\]]+)\]\((\w+\.md)\)", index, re.M):
        assert page(name).startswith(f"# {text}\n"), name


def test_every_recipe_key_is_documented_with_its_meaning() -> None:
    from coverslip.runs.recipe_keys import recipe_keys

    keys = recipe_keys()
    assert {key.key for key in keys} - in_code(page("recipe.md")) == set()
    assert [key.key for key in keys if not key.meaning] == []
    assert {"split.val", "augment.flip", "model"} <= {key.key for key in keys}


def test_every_command_and_option_is_documented(commands: dict[str, Any]) -> None:
    text = page("commands.md")
    overview = text.partition("\n## coverslip\n")[2].partition("\n## ")[0]
    for name, command in commands.items():
        assert f"\n## coverslip {name}".rstrip() + "\n" in text, name
        assert f"  {name.partition(' ')[0]}" in overview, name
        section = text.partition(f"\n## coverslip {name}".rstrip() + "\n")[2].partition("\n## ")[0]
        assert {option for option in options_of(command) - {"--debug"} if option not in section} == set(), name


def test_every_public_name_is_documented() -> None:
    import coverslip

    text = page("python_functions.md")
    assert [name for name in coverslip.__all__ if not name.startswith("__") and name not in text] == []


def test_every_event_is_documented() -> None:
    from coverslip import events

    names = {kind.__name__ for kind in events.Event.__subclasses__() if kind.__module__ == events.__name__}
    assert names - in_code(page("python_events.md")) == set()


def test_every_image_suffix_is_documented() -> None:
    from coverslip.images.formats import image_suffixes

    documented = {word for code in in_code(page("images.md")) for word in code.split()}
    assert image_suffixes() - documented == set()


def test_every_column_of_a_table_and_its_other_names_are_documented() -> None:
    from coverslip.datasets.columns import IMAGE_COLUMNS

    further_channels = {f"channel_{n}" for n in range(3, 17)}  # the first two stand for them
    assert IMAGE_COLUMNS - in_code(page("data.md") + page("columns.md")) == further_channels


def test_every_finding_is_documented() -> None:
    from coverslip.datasets.quality.findings import FINDINGS

    assert set(FINDINGS) - in_code(page("checks.md")) == set()


def test_every_column_and_metric_of_a_run_is_documented() -> None:
    from dataclasses import fields

    from coverslip.evaluation.table import METRICS
    from coverslip.runs.predictions import columns_for
    from coverslip.runs.split import SplitRow
    from coverslip.runs.training import Epoch

    columns = {field.name for table in (SplitRow, Epoch) for field in fields(table)}
    wanted = {*columns, *columns_for(["CLASS"])}
    assert wanted - in_code(page("predictions_table.md") + page("classifier_files.md")) == set()
    assert set(METRICS) - in_code(page("numbers.md")) == set()


# Right


def test_links_lead_somewhere() -> None:
    broken = []
    for path in [*PAGES, *FURTHER_PAGES]:
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, heading = link.partition("#")
            target = path.parent / name if name else path
            if not target.exists() or (heading and heading not in anchors(target)):
                broken.append(f"{path.relative_to(ROOT)}: {link}")
    assert broken == []


def anchors(path: Path) -> set[str]:
    """What a page's headings are called in links, as GitHub makes it."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_python_examples_compile_and_use_names_that_exist() -> None:
    missing = []
    for block in blocks("python"):
        tree = ast.parse(block.code, str(block))
        modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == OURS:
                module = importlib.import_module(node.module or "")
                missing += [f"{block}: {alias.name}" for alias in node.names if not hasattr(module, alias.name)]
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == OURS:
                        modules[alias.asname or alias.name] = importlib.import_module(alias.name)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
                continue
            if node.value.id in modules and not hasattr(modules[node.value.id], node.attr):
                missing.append(f"{block}: {ast.unparse(node)}")
    assert missing == []


def test_python_examples_call_functions_with_arguments_that_they_take() -> None:
    import inspect

    import coverslip

    refused = []
    calls = [(block, node) for block in blocks("python") for node in ast.walk(ast.parse(block.code))]
    for block, node in calls:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "cs":
            named = {keyword.arg: None for keyword in node.keywords if keyword.arg}
            function = getattr(coverslip, node.func.attr)
            try:
                inspect.signature(function).bind(*node.args, **named)
            except TypeError as error:
                refused.append(f"{block}: {node.func.attr}: {error}")
    assert refused == []


def test_example_recipes_are_valid(tmp_path: Path) -> None:
    from coverslip import load_recipe
    from coverslip.errors import CoverslipError
    from coverslip.studies.study import plan_study

    refused = []
    for block in blocks("yaml"):
        (tmp_path / "recipe.yaml").write_text(block.code, encoding="utf-8")
        try:
            if "datasets:" in block.code:
                assert plan_study(tmp_path / "recipe.yaml", tmp_path), str(block)
            else:
                load_recipe(tmp_path / "recipe.yaml")
        except CoverslipError as error:
            refused.append(f"{block}: {error}")
    assert refused == []


def test_shell_examples_name_commands_options_and_settings_that_exist(commands: dict[str, Any]) -> None:
    from coverslip import Recipe
    from coverslip.errors import CoverslipError
    from coverslip.runs.recipe_keys import with_settings

    wrong = []
    for block in blocks("sh"):
        for words in calls(block):
            name = " ".join(words[1:3]) if " ".join(words[1:3]) in commands else words[1]
            line = f"{block}: {shlex.join(words)}"
            used = {word for word in words[2:] if word.startswith("--") and " " not in word}  # else a value
            if name not in commands or used - options_of(commands[name]):
                wrong.append(line)
                continue
            try:
                with_settings(Recipe(), [value for option, value in pairwise(words) if option == "--set"])
            except CoverslipError as error:
                wrong.append(f"{line}: {error}")
    assert wrong == []


def test_every_block_is_in_a_language_that_is_checked() -> None:
    languages = {
        language
        for path in PAGES
        for language in re.findall(r"^ *```(.*)\n(?:.*\n)*?^ *```$", path.read_text(encoding="utf-8"), re.M)
    }
    assert languages <= {"python", "r", "sh", "text", "toml", "yaml"}


def test_shell_examples_are_valid_for_a_shell() -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("no bash")
    for block in blocks("sh"):
        done = subprocess.run([shell, "-n"], input=block.code, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{block}: {done.stderr}"


def test_make_targets_and_scripts_in_examples_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for block in blocks("sh"):
        for words in commands_in(block):
            if words[:1] == ["make"]:
                assert {word for word in words[1:] if "=" not in word} <= targets, str(block)
            elif words[:1] == ["python"] and len(words) > 1 and words[1].endswith(".py") and "/" in words[1]:
                assert (ROOT / words[1]).is_file() or block.page.name == "export.md", str(block)


def test_toml_examples_are_valid() -> None:
    for block in blocks("toml"):
        assert tomllib.loads(block.code), str(block)


@pytest.mark.slow
def test_examples_name_models_that_exist() -> None:
    from coverslip.errors import UnknownModel
    from coverslip.models import model_info

    unknown = []
    for block in blocks("sh", "yaml"):
        for name in models_in(block):
            try:
                assert model_info(name).name == name, str(block)
            except UnknownModel:
                unknown.append(f"{block}: {name}")
    assert unknown == []


def test_the_pages_of_papers_have_one_form() -> None:
    headings = {
        path.name: re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.M)
        for path in PAGES
        if path.parent == DOCS / "papers" and path.name != "README.md"
    }
    assert len(headings) >= 5
    assert {name for name, titles in headings.items() if titles != headings["aimic.md"]} == set()


def test_the_table_of_group_patterns_gives_the_groups_that_it_says(tmp_path: Path) -> None:
    from coverslip.datasets.index.opening import grouped_by_pattern
    from coverslip.datasets.index.records import ImageRecord
    from coverslip.images.reader import ReadPlan

    rows = re.findall(r"^\| `(monocyte/[^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", page("groups.md"), re.M)
    assert len(rows) >= 5
    for path, pattern, group in rows:
        record = ImageRecord(path, tmp_path / path, "monocyte", None, "", None, ReadPlan())
        (grouped,), _ = grouped_by_pattern([record], lambda record: record.image_id, pattern)
        assert grouped.group == group, pattern


def test_pages_name_no_place_on_one_machine() -> None:
    for path in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|work|Users|tmp)/", path.read_text(encoding="utf-8")), path
