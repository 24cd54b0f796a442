"""The catalogue of messages: every code has its entry, every entry its use, and every variable its parameter."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from fluent.runtime import FluentBundle, FluentResource
from fluent.syntax import FluentParser
from fluent.syntax import ast as fluent
from sources import calls_in, nodes_of

import coverslip
from coverslip import errors
from coverslip.augmentation.table import AUGMENT_SETS
from coverslip.datasets.quality.findings import FINDINGS
from coverslip.errors import EXTRA_MODULES
from coverslip.evaluation.table import METRICS
from coverslip.events import COMPUTING_FEATURES
from coverslip.keys import Option
from coverslip.losses.table import LOSSES
from coverslip.messages import LANGUAGES, entries, note, subject_of, text
from coverslip.models import list_models
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import GROUPS, code_of, fields_of, named_values, record_of
from coverslip.studies.presets import PRESETS

SOURCES = Path(coverslip.__file__).parent
CALL_IN_TEMPLATE = re.compile(r"""\btext\(["']([\w.-]+)["']((?:, *\w+=[^,)]+)*)\)""")
# The functions that take a code and its parameters, besides errors; and those of their arguments that are none.
FUNCTIONS = {"text", "message", "note", "finding_case", "failure", "noted", "limit", "usage_error"}
FUNCTIONS_OF_STAGES = {"Progressed", "paced", "progress_reporter"}
PARAMETERS_OF_DEVIATIONS = frozenset({"arms", "networks", "settings", "stated"})  # of `notes_of_plan`
FUNCTIONS_OF_CODES = {"column_titles"}  # every argument is the code of a message without variables
NOT_PARAMETERS = {
    *("file", "remedies", "cause", "faults", "lines", "images", "notes", "level", "kind", "do"),
}


@dataclass(frozen=True)
class Use:
    """A call that names a message."""

    where: str
    code: str
    parameters: frozenset[str] | None  # None: passed as a mapping that is no literal
    is_error: bool
    has_value_only: bool  # attributes are not rendered
    has_cause: bool


def is_error_class(name: str) -> bool:
    member = getattr(errors, name, None)
    return isinstance(member, type) and issubclass(member, errors.CoverslipError)


def codes_in(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*codes_in(node.body), *codes_in(node.orelse)]
    return []


def uses_in_templates() -> Iterator[Use]:
    for file in sorted(SOURCES.rglob("*.html")):
        for code, arguments in CALL_IN_TEMPLATE.findall(file.read_text(encoding="utf-8")):
            parameters = frozenset(re.findall(r"(\w+)=", arguments))
            yield Use(
                str(file.relative_to(SOURCES)),
                code,
                parameters,
                is_error=False,
                has_value_only=True,
                has_cause=False,
            )


@cache
def uses() -> tuple[Use, ...]:
    return (*uses_in_templates(), *uses_in_modules())


def uses_in_modules() -> Iterator[Use]:
    own_errors = {"MissingSource", "ImagesChanged", "ChangedSince"}
    for file in sorted(SOURCES.rglob("*.py")):
        for node, function in calls_in(file):
            name = function.rpartition(".")[2]
            if name in FUNCTIONS_OF_CODES:
                for code in (code for argument in node.args for code in codes_in(argument)):
                    yield Use(f"{file.relative_to(SOURCES)}:{node.lineno}", code, frozenset(), False, True, False)
            if name == "Deviation":
                where = f"{file.relative_to(SOURCES)}:{node.lineno}"
                for code in codes_in(node.args[0]):
                    yield Use(where, code, PARAMETERS_OF_DEVIATIONS, False, True, False)
            if name in FUNCTIONS_OF_STAGES:
                yield from uses_of_stage(node, f"{file.relative_to(SOURCES)}:{node.lineno}")
            is_error = is_error_class(name) or name in own_errors or function == "super().__init__"
            keywords = {keyword.arg for keyword in node.keywords}
            if (
                not (is_error or (name in FUNCTIONS and isinstance(node.func, ast.Name)))
                or "do" in keywords
                or not node.args
            ):
                continue
            reserved = set() if name in ("text", "message") else NOT_PARAMETERS
            of_mappings = [keys_of_mapping(file, each.value) for each in node.keywords if each.arg is None]
            keys = set().union(*(each for each in of_mappings if each is not None), filter(None, keywords))
            parameters = None if None in of_mappings else frozenset(keys) - reserved
            for code in codes_in(node.args[0]):
                if " " not in code:
                    where = f"{file.relative_to(SOURCES)}:{node.lineno}"
                    yield Use(where, code, parameters, is_error, name in ("text", "message"), "cause" in keywords)


def keys_of_mapping(file: Path, mapping: ast.expr) -> set[str] | None:
    """The keys of a literal, or of the literal that a variable was last assigned before; None if there is none."""
    if isinstance(mapping, ast.Name):
        assigned = [
            (node.lineno, node.value)
            for node in nodes_of(file)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and node.lineno < mapping.lineno
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == mapping.id
        ]
        mapping = max(assigned, key=lambda each: each[0])[1] if assigned else mapping
    keys = mapping.keys if isinstance(mapping, ast.Dict) else [None]
    return None if None in keys else {code for key in keys if key for code in codes_in(key)}


def uses_of_stage(call: ast.Call, where: str) -> Iterator[Use]:
    """The entries of the stage whose progress a call reports, and of what it counts."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    stage = keywords["stage"] if "stage" in keywords else call.args[1] if len(call.args) > 1 else None
    for code in codes_in(stage) if stage else []:
        yield Use(where, f"stage-{code}", frozenset(keywords), False, True, False)
    unit = keywords["unit"] if "unit" in keywords else call.args[2] if len(call.args) > 2 else None
    for code in codes_in(unit) if unit else []:
        yield Use(where, f"unit-{code}", frozenset(), False, True, False)


def variables(pattern: fluent.Pattern) -> set[str]:
    """The variables that must be there to render a pattern."""
    names: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, fluent.VariableReference):
            names.add(node.id.name)
        for child in (
            vars(node).values() if isinstance(node, fluent.BaseNode) else node if isinstance(node, list) else ()
        ):
            visit(child)

    visit(pattern)
    return names


@cache
def parsed() -> dict[str, fluent.Message]:
    messages = {}
    for code, source in entries().items():
        (entry,) = FluentParser().parse(source).body
        assert isinstance(entry, fluent.Message), f"{code}: {entry}"
        messages[code] = entry
    return messages


@pytest.mark.slow
def test_every_code_has_an_entry_and_every_variable_a_parameter() -> None:
    messages, faults = parsed(), []
    for use in uses():
        name, _, attribute = use.code.partition(".")
        if name not in messages:
            faults.append(f"{use.where}: no entry '{name}'")
            continue
        attributes = {each.id.name: each.value for each in messages[name].attributes}
        if use.is_error and not use.has_cause and "do" not in attributes:
            faults.append(f"{use.where}: '{name}' does not say what to do")
        of_attributes = [] if use.has_value_only else attributes.values()
        patterns = [attributes.get(attribute)] if attribute else [messages[name].value, *of_attributes]
        needed = set().union(*(variables(pattern) for pattern in patterns if pattern))
        if use.parameters is not None:
            missing = needed - use.parameters - ({"what"} if use.has_cause else set())
            faults += [f"{use.where}: '{use.code}' misses {each}" for each in sorted(missing)]
    assert faults == []


def quoted_strings() -> set[str]:
    """All strings of the sources, each without the attribute that follows a code."""
    return {
        node.value.partition(".")[0]
        for file in SOURCES.rglob("*.py")
        for node in nodes_of(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.slow
def test_every_code_in_a_table_of_codes_has_an_entry() -> None:
    prefixes = re.compile(r"(column|figure-(label|title)|excluded|report-title)-[a-z0-9-]+")
    assert {code for code in quoted_strings() if prefixes.fullmatch(code)} - set(entries()) == set()


@pytest.mark.slow
def test_every_entry_is_used() -> None:
    quoted = quoted_strings()
    in_templates = {use.code.partition(".")[0] for use in uses_in_templates()}
    presets = {f"preset-{name}" for name in PRESETS}
    sources = "".join(file.read_text(encoding="utf-8") for file in SOURCES.rglob("*.py"))
    names_of_kinds = re.findall(r'\bKind\(\s*"([a-z-]+)"', sources)
    assert len(set(names_of_kinds)) == len(names_of_kinds)
    kinds = {f"cache-kind-{name}" for name in names_of_kinds}
    findings = {f"finding-{code}" for code in FINDINGS}
    extras = {f"extra-for-{name}" for name in EXTRA_MODULES}
    of_tables = {*findings, *extras, *key_codes(), *metric_codes(), *stage_codes(), *unit_codes(), *presets, *kinds}
    assert set(entries()) - quoted - in_templates - of_tables == set()
    assert presets | kinds <= set(entries())


def stage_codes() -> set[str]:
    """The entries of the stages of work."""
    return {use.code for use in uses() if use.code.startswith("stage-")} | {f"stage-{COMPUTING_FEATURES}"}


def unit_codes() -> set[str]:
    """The entries of what stages of work count; some are in `Progressed` and in progress reporters."""
    return {use.code for use in uses() if use.code.startswith("unit-")} | {
        "unit-images",
        "unit-images-and-copies",
        "unit-steps",
    }


@pytest.mark.slow
def test_every_stage_of_work_and_what_it_counts_have_names() -> None:
    assert stage_codes() == {code for code in entries() if code.startswith("stage-")}
    assert unit_codes() == {code for code in entries() if code.startswith("unit-")}


def key_codes() -> list[str]:
    """The entries of the groups, keys, choices, named sets and options of a recipe."""
    codes = [f"key-group-{name}" for name in GROUPS]
    for key, field in fields_of(Recipe):
        has_names = record_of(field).choice_name is None
        codes += [code_of(key), *(code_of(key, value) for value in named_values(field) if has_names)]
    codes += [code_of("augment", name) for name in AUGMENT_SETS]
    for key, option in options():
        codes += [code_of(key), *(code_of(key, value) for value in option.choices)]
    return codes


def options() -> Iterator[tuple[str, Option]]:
    """Each option of networks and losses with its dotted key."""
    for record in (*LOSSES.values(), *list_models()):
        key = "loss_options" if record.name in LOSSES else "model_options"
        yield from ((f"{key}.{record.name}.{option.name}", option) for option in record.options)


@pytest.mark.slow
def test_every_key_and_choice_has_its_texts() -> None:
    messages = parsed()
    assert set(key_codes()) == {code for code in messages if code.startswith("key-")}
    allowed = {"name", "help", "meaning", "unit", "empty", "phrase", "phrase-off"}
    for code in key_codes():
        attributes = {each.id.name for each in messages[code].attributes}
        if "-choice-" in code:
            assert messages[code].value is not None, code
            assert attributes <= {"phrase"}, code
        else:
            assert {"name", "help"} <= attributes <= allowed, code
            assert messages[code].value is None, code
        variables_of = set().union(*(variables(each.value) for each in messages[code].attributes))
        assert variables_of <= {"value", "n"}, code


def metric_codes() -> dict[str, str]:
    """The entry of each metric, and its name."""
    return {f"metric-{name}".replace("_", "-"): name for name in METRICS}


@pytest.mark.slow
def test_every_metric_has_its_texts() -> None:
    messages = parsed()
    assert set(metric_codes()) == {code for code in messages if code.startswith("metric-")}
    for code, name in metric_codes().items():
        assert messages[code].value is not None, code
        attributes = {each.id.name for each in messages[code].attributes}
        assert {"meaning"} <= attributes <= {"meaning", "undefined", "no-interval"}, code
        assert ("no-interval" in attributes) == (
            METRICS[name].influence is None and not METRICS[name].is_before_calibration
        ), code


def test_the_help_of_every_option_is_an_entry() -> None:
    literals = [
        f"{file.name}:{node.lineno}"
        for file in sorted((SOURCES / "cli").glob("*.py"))
        for node, name in calls_in(file)
        if name.startswith("typer.")
        for keyword in node.keywords
        if keyword.arg in ("help", "epilog") and isinstance(keyword.value, ast.Constant)
    ]
    assert literals == []


def test_help_is_shown_without_parsing() -> None:
    sources = {code: source.strip() for code, source in entries().items() if code.startswith("help-")}
    assert {code for code, source in sources.items() if "\n" in source or "{" in source} == set()


@pytest.mark.slow
def test_an_entry_without_variables_has_the_text_that_fluent_renders() -> None:
    for code, message in parsed().items():
        if message.value is not None and not message.attributes and not variables(message.value):
            bundle = FluentBundle(["en-US"], use_isolating=False)
            bundle.add_resource(FluentResource(entries()[code]))
            assert text(code) == bundle.format_pattern(bundle.get_message(code).value)[0], code


@pytest.mark.slow
def test_every_error_has_a_section_in_the_documentation() -> None:
    docs = Path(__file__).parent.parent / "docs"
    sections = {
        f"{file.stem}#{code}"
        for file in docs.glob("problems_*.md")
        for code in re.findall(r"^## ([a-z0-9-]+)$", file.read_text(encoding="utf-8"), re.M)
    }
    raised = {use.code for use in uses() if use.is_error and not use.where.startswith("cli/")}
    addresses = {f"problems_{subject_of(code)}#{code}" for code in raised}
    assert addresses - sections == set(), "run: python docs/make_reference.py"


def test_no_code_has_two_entries() -> None:
    for language in LANGUAGES:
        files = (SOURCES / "messages" / language).glob("*.ftl")
        lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        assert sum(" =" in line and line[0].isalpha() for line in lines) == len(entries(language))


def test_what_to_do_is_whole_sentences() -> None:
    for code, message in parsed().items():
        for attribute in message.attributes:
            if attribute.id.name == "do":
                last = attribute.value.elements[-1]
                assert not isinstance(last, fluent.TextElement) or last.value.rstrip()[-1] in ".)'`]?", code


def test_a_message_has_the_plural_and_the_numbers_of_its_language() -> None:
    assert text("excluded-rows", n_images=1).startswith("1 image was excluded")
    assert text("excluded-rows", n_images=2).startswith("2 images were excluded")
    assert text("excluded-rows", n_images=12000).startswith("12,000 images were excluded")


def test_a_note_has_its_code_text_and_parameters() -> None:
    made = note("excluded-rows", level="warning", n_images=3)
    assert (made.code, made.level, made.parameters) == ("excluded-rows", "warning", {"n_images": 3})
    assert made.text == text("excluded-rows", n_images=3)


def test_an_error_that_another_one_caused_has_its_text_and_code_and_what_to_do() -> None:
    cause = errors.ExtraNotInstalled("Reading", "onnx")
    error = errors.CoverslipError("all-rows-excluded", cause=cause)
    assert error.parameters["what"] == {"code": cause.code, "parameters": cause.parameters}
    assert error.do != cause.do  # it says itself what to do


@pytest.mark.parametrize("n", [10, 1_000, 1_001, 2_501, 100_000])
def test_a_value_may_be_of_any_length(n: int) -> None:
    assert text("command-error", line="x" * n) == "Error: " + "x" * n
