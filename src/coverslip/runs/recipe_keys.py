"""All keys of a recipe as data, and recipes as text: YAML files and `key=value` settings.

The type, default and range of a key come from its field in `recipe.py`, its texts from `messages/en/recipe_keys.ftl`.
"""

import copy
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from coverslip.augmentation.table import AUGMENT_SETS
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRecipe
from coverslip.files import read_bytes, resolved_path, stated_paths, write_text
from coverslip.images.reader import LENGTH_FORMAT
from coverslip.keys import Key, Option, OptionType
from coverslip.messages import has_entry, localized_number, text
from coverslip.runs.recipe import OneOf, Pretraining, Recipe, augment_named, invalid_recipe, unknown_key

Schema = dict[str, Any]  # Any: JSON Schema
Values = dict[str, Any]  # Any: the value of each dotted key, as JSON
# The types after `text`: a number or a length in µm, list of numbers, list of numbers and names, list of names, names
# by name, lists of names by name, values by name, and initial weights.
KeyType = Literal[
    "number",
    "integer",
    "choice",
    "boolean",
    "text",
    "length",
    "integers",
    "channels",
    "names",
    "renames",
    "merges",
    "options",
    "start",
    "other",
]


GROUPS = ("split", "classes", "start", "augment", "balance", "images", "decision", "training", "basic", "protocol")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of keys that are shown together."""

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a key or an option has by name."""

    value: str | int | bool
    title: str


@dataclass(frozen=True, slots=True)
class RecipeOption:
    """One option of a network (`model_options`) or a loss (`loss_options`)."""

    name: str
    title: str
    help: str  # one or two sentences for users
    type: OptionType
    default: Any  # Any: of the type
    choices: list[Choice]
    minimum: float | None  # of a number, or of each number in a list
    maximum: float | None
    length: int | None  # of a list


@dataclass(frozen=True, slots=True)
class RecipeKey(DocumentedFields):
    """One key of a recipe. A key in a section has a dot: `split.val`.

    `type` is the kind of form field: `integer` with `choices` accepts a number or one of these names, and `other` has
    no form field. `empty` is the meaning of null, if null is allowed. `options` are those of a key such as
    `loss_options`, by the value of the related key (`loss`); the options of `model_options` are part of each network.
    """

    key: str
    """The key of the recipe, sections with dots: `split.folds`."""
    title: str
    group: str
    help: str
    meaning: str  # the exact meaning
    type: KeyType
    default: Any  # Any: the value of the key, as JSON
    allowed: str  # in words
    choices: list[Choice] | None
    """null: the values have no names."""
    is_optional: bool
    empty: str
    minimum: float | None
    maximum: float | None
    unit: str
    """Of numbers."""
    options: dict[str, list[RecipeOption]]


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A name that replaces all keys of a section, such as `augment: none`."""

    section: str
    name: str
    text: str
    values: Values


def recipe_keys(model: type[BaseModel] = Recipe) -> list[RecipeKey]:
    """Return every key, in the order of the recipe."""
    return [
        _recipe_key(key, field, schema)
        for (key, field), schema in zip(fields_of(model), _schemas_of(model), strict=True)
    ]


def key_names() -> list[str]:
    """Return every dotted key of a recipe."""
    return [key for key, _ in fields_of(Recipe)]


def recipe_groups() -> list[Group]:
    """Return the groups of keys, in the order of a form."""
    return [Group(name, text(f"key-group-{name}.name"), text(f"key-group-{name}.help")) for name in GROUPS]


def named_sets() -> list[NamedSet]:
    """Return the names that can replace the keys of a section."""
    return [
        NamedSet(
            "augment",
            augment_set.name,
            text(code_of("augment", augment_set.name)),
            {f"augment.{key}": value for key, value in augment_named(augment_set.name).model_dump(mode="json").items()},
        )
        for augment_set in AUGMENT_SETS.values()
    ]


def recipe_options(key: str, value: str, options: Iterable[Option]) -> list[RecipeOption]:
    """Return the options of one value of the related key, with their texts.

    Args:
        key: the key that holds the options: `model_options` or `loss_options`.
        value: the network or loss.
        options: of this network or loss.
    """
    return [_recipe_option(f"{key}.{value}.{option.name}", option) for option in options]


def values_of(recipe: BaseModel) -> Values:
    """Return the value of every dotted key."""
    dumped = recipe.model_dump(mode="json")
    return {key: _value_in(dumped, key) for key, _ in fields_of(type(recipe))}


def phrases(recipe: BaseModel) -> dict[str, str]:
    """Return what the methods text says of each key's value; empty if it says nothing.

    Args:
        recipe: a recipe, or one of its sections.
    """
    section = _section_name(type(recipe))
    return {key: _phrase(f"{section}{key}", field, _value_of(recipe, key)) for key, field in fields_of(type(recipe))}


def changed_phrases(recipe: BaseModel, group: str, *, besides: frozenset[str] = frozenset()) -> list[str]:
    """Return the phrases of the methods text for the changed keys of a group, except those in `besides`."""
    section = _section_name(type(recipe))
    return [
        phrase
        for key, field in fields_of(type(recipe))
        if record_of(field).group == group
        and key not in besides
        and (value := _value_of(recipe, key)) != field.get_default(call_default_factory=True)
        and (phrase := _phrase(f"{section}{key}", field, value))
    ]


def code_of(key: str, choice: str | int | bool | None = None) -> str:
    """Return the code of the catalogue's entry of a dotted key, or of one of its choices."""
    code = f"key-{key}" if choice is None else f"key-{key}-choice-{str(choice).lower()}"
    return code.replace(".", "-").replace("_", "-")


def named_values(field: FieldInfo) -> list[str | int | bool]:
    """Return the values that a key has by name: those of a table, or the literals of its annotation."""
    for item in field.metadata:
        if isinstance(item, OneOf):
            return list(item.names())
    literals = list(_literals(field.annotation))
    has_boolean = bool in get_args(field.annotation) and literals
    return [True, False, *literals] if has_boolean else literals


def _literals(annotation: Any) -> Iterator[str | int | bool]:  # Any: an annotation
    for inner in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield inner
        else:
            yield from _literals(inner)


def _section_name(model: type[BaseModel]) -> str:
    """Return the section that a model describes, with its dot; empty for a recipe."""
    return next((f"{name}." for name, field in Recipe.model_fields.items() if field.annotation is model), "")


def _attribute(code: str, name: str) -> str:
    """Return an attribute of an entry; empty if the entry does not have it."""
    return text(f"{code}.{name}") if has_entry(f"{code}.{name}") else ""


def _phrase(key: str, field: FieldInfo, value: Any) -> str:  # Any: the value of the key
    """Return what the methods text says of a value: the phrase of the choice, else that of the key."""
    record, code = record_of(field), code_of(key)
    # The types are compared, too, because True equals 1.
    if any(value == choice and type(value) is type(choice) for choice in named_values(field)):
        return record.choice_name(value) if record.choice_name else _attribute(code_of(key, value), "phrase")
    if value is None or value is False or value in ((), [], {}) or (value == 0 and has_entry(f"{code}.phrase-off")):
        return _attribute(code, "phrase-off")
    if not has_entry(f"{code}.phrase"):
        return ""
    number = value if isinstance(value, int | float) else 0
    return text(
        f"{code}.phrase", value=localized_number(f"{value:.0%}") if record.is_percentage else _as_text(value), n=number
    )


def _as_text(value: Any) -> str:  # Any: the value of a key
    match value:
        case float():
            return localized_number(f"{value:g}")
        case dict():
            return ", ".join(f"{name} = {_as_text(item)}" for name, item in value.items())
        case list() | tuple():
            return ", ".join(map(_as_text, value))
    return str(value)


def record_of(field: FieldInfo) -> Key:
    """Return the `Key` in the annotation of a field.

    Raises:
        TypeError: there is none, which is a fault of the program.
    """
    record = next((item for item in field.metadata if isinstance(item, Key)), None)
    if record is None:
        raise TypeError("a recipe's key needs a Key in its annotation")
    return record


def _value_of(recipe: BaseModel, key: str) -> Any:  # Any: the value of the key
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _value_in(data: Values, key: str) -> Any:  # Any: the value of the key
    for part in key.split("."):
        data = data[part]
    return data


def fields_of(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (dotted key, field) of every key, with the keys of a section at the position of the section."""
    for name, field in model.model_fields.items():
        if (inner := _section_of(field)) is not None:
            yield from fields_of(inner, f"{section}{name}.")
        else:
            yield f"{section}{name}", field


def _schemas_of(model: type[BaseModel]) -> Iterator[Schema]:
    """Yield the JSON Schema of every key, in the order of `fields_of`."""
    properties = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        if (inner := _section_of(field)) is not None:
            yield from _schemas_of(inner)
        else:
            yield properties[name]


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a section such as `split`; None for a key."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _recipe_key(key: str, field: FieldInfo, schema: Schema) -> RecipeKey:
    record, code, kinds = record_of(field), code_of(key), _kinds(schema)
    of_values = record.options() if record.options else {}
    choice_name = record.choice_name or (lambda value: text(code_of(key, value)))
    return RecipeKey(
        key=key,
        title=text(f"{code}.name"),
        group=record.group,
        help=text(f"{code}.help"),
        meaning=_attribute(code, "meaning") or text(f"{code}.help"),
        type=_type(kinds),
        default=_as_json(field.get_default(call_default_factory=True)),
        allowed=_allowed(kinds),
        choices=[Choice(value, choice_name(value)) for value in named_values(field)] or None,
        is_optional=any(kind.get("type") == "null" for kind in kinds),
        empty=_attribute(code, "empty"),
        minimum=_limit(kinds, "minimum", "exclusiveMinimum"),
        maximum=_limit(kinds, "maximum", "exclusiveMaximum"),
        unit=_attribute(code, "unit"),
        options={value: recipe_options(key, value, options) for value, options in of_values.items()},
    )


def _recipe_option(key: str, option: Option) -> RecipeOption:
    return RecipeOption(
        name=option.name,
        title=text(f"{code_of(key)}.name"),
        help=text(f"{code_of(key)}.help"),
        type=option.type,
        default=option.default,
        choices=[Choice(value, text(code_of(key, value))) for value in option.choices],
        minimum=option.minimum,
        maximum=option.maximum,
        length=option.length,
    )


def _kinds(schema: Schema) -> list[Schema]:
    """Return the alternatives of a schema; those that are models (`init`) are not resolved."""
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    return [kind for each in alternatives for kind in _kinds(each)] if alternatives else [schema]


def _type(kinds: list[Schema]) -> KeyType:
    types = {_type_of(kind) for kind in kinds} - {None}
    if len(types) == 1:
        return types.pop() or "other"
    if "start" in types:
        return "start"
    if types == {"choice", "boolean"}:
        return "choice"
    if "length" in types:
        return "length"
    if types == {"choice", "number"}:
        return "number"
    return "integer" if types == {"choice", "integer"} else "other"


def _type_of(kind: Schema) -> KeyType | None:
    """Return the kind of form field for one alternative of a schema; None for null."""
    if "enum" in kind or "const" in kind:
        return "choice"
    if "$ref" in kind:
        return "start"
    match kind.get("type"):
        case "null":
            return None
        case "number":
            return "number"
        case "integer":
            return "integer"
        case "boolean":
            return "boolean"
        case "string":
            return "length" if kind.get("format") == LENGTH_FORMAT else "text"
        case "array":
            return _LISTS.get(" ".join(str(item.get("type")) for item in _kinds(kind["items"])), "other")
        case "object":
            inner = kind.get("additionalProperties")
            if isinstance(inner, dict) and "exclusiveMinimum" in inner:  # `schedule_changes`
                return "other"
            return _MAPPINGS.get(str(inner.get("type")), "options") if isinstance(inner, dict) else "options"
    return "other"


_LISTS: dict[str, KeyType] = {"integer": "integers", "integer string": "channels", "string": "names"}
_MAPPINGS: dict[str, KeyType] = {"string": "renames", "array": "merges"}


def _limit(kinds: list[Schema], *names: str) -> float | None:
    limits = [float(kind[name]) for kind in kinds for name in names if name in kind]
    return (max if names[0] == "minimum" else min)(limits, default=None)


def _as_json(value: Any) -> Any:  # Any: the value of the key
    return list(value) if isinstance(value, tuple) else value


def _allowed(kinds: list[Schema]) -> str:
    """Return the allowed values in words: `{"type": "integer", "minimum": 1}` is "whole number, 1 or more"."""
    alternatives = list(dict.fromkeys(map(_allowed_of, kinds)))
    allowed = alternatives[0]
    for alternative in alternatives[1:]:
        allowed = text("values-or", first=allowed, second=alternative)
    return allowed


def _allowed_of(kind: Schema) -> str:
    if "const" in kind or "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind.get("enum", [kind.get("const")]))
    match kind.get("type"):
        case "null":
            return "`null`"
        case "boolean":
            return "`true`, `false`"
        case "array":
            return text("values-list", items=_allowed(_kinds(kind["items"])))
        case "integer" | "number" as name:
            return ", ".join(filter(None, [text("values-whole-number") if name == "integer" else "", _range(kind)]))
        case "string":
            return text("values-length") if kind.get("format") == LENGTH_FORMAT else text("values-text")
    return text("values-mapping")


def _range(kind: Schema) -> str:
    low, above = kind.get("minimum"), kind.get("exclusiveMinimum")
    high, below = kind.get("maximum"), kind.get("exclusiveMaximum")
    is_open = above is not None and (low is None or above >= low)
    return text(
        "values-range",
        low_end="exclusive" if is_open else "none" if low is None else "inclusive",
        low=above if is_open else low or 0,
        high_end="inclusive" if high is not None else "none" if below is None else "exclusive",
        high=high if high is not None else below or 0,
    )


# Recipes as text: YAML files and `key=value` settings.
#
# YAML aliases and deep nesting are refused. Recipes do not need them, and a few hundred bytes of aliases or some
# thousand brackets could exhaust the memory or the stack.

_LARGEST_TEXT = 128 * 1024  # characters; a recipe that names a thousand classes has half as many
LARGEST_BYTES = 4 * _LARGEST_TEXT  # of a file; a character has at most four bytes
_LONGEST_VALUE = 3_000  # characters; the longest values are paths
_DEEPEST = 12  # nested sections; the deepest key is init.recipe.classes.merge


class _Unreadable(Exception):
    def __init__(self, reason: str, line: int | None) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def read_yaml(source: str, file: Path | None = None) -> tuple[dict[str, Any], dict[str, int]]:  # Any: as YAML gives it
    """Return plain data, and the line of each dotted key.

    Raises:
        BadRecipe: the source is not YAML, or larger than any recipe; the error has the line.
    """
    try:
        data, node = _parse_yaml(source)
    except _Unreadable as error:
        if error.line is None:
            raise BadRecipe("recipe-not-readable", file=file, reason=error.reason) from error
        raise BadRecipe(
            "recipe-line-not-readable",
            file=file,
            faults=[("", error.reason)],
            lines={"": error.line},
            line=error.line,
            reason=error.reason,
        ) from error
    if data is not None and not isinstance(data, dict):
        raise BadRecipe("recipe-not-a-mapping", file=file)
    return copy.deepcopy(data) or {}, dict(_lines(node))


def read_value(source: str) -> Any:  # Any: as YAML gives it
    """Return the value in a YAML text.

    Raises:
        ValueError: the text is not YAML, or too large.
    """
    try:
        return copy.deepcopy(_parse_yaml(source)[0])
    except _Unreadable as error:
        raise ValueError(error.reason) from error


def check_depth(data: object) -> None:
    """Check that plain data are not nested more deeply than any recipe.

    Raises:
        BadRecipe: the nesting is too deep.
    """
    inner: list[object] = [data]
    for _ in range(_DEEPEST):
        inner = [
            value
            for each in inner
            if isinstance(each, dict | list)
            for value in (each.values() if isinstance(each, dict) else each)
        ]
        if not inner:
            return
    raise _one_problem(_too_deep())


def _one_problem(problem: str) -> BadRecipe:
    return BadRecipe("invalid-recipe", problems=problem)


def _too_deep() -> str:
    return text("recipe-too-deep", limit=_DEEPEST)


@lru_cache(maxsize=32)  # the recipe of a run is read often, and parsing YAML is the slowest part
def _parse_yaml(source: str) -> tuple[Any, Any]:  # Any: as YAML gives it, and a node of ruamel.yaml
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    if len(source) > _LARGEST_TEXT:
        raise _Unreadable(text("recipe-too-long", n_characters=len(source), limit=_LARGEST_TEXT), None)
    yaml = YAML(typ="safe", pure=True)
    try:
        _check_events(YAML(typ="safe", pure=True).parse(source))
        node = yaml.compose(source)
        return _constructed(yaml, node), node
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable(error.problem or str(error).splitlines()[0], mark.line + 1 if mark else None) from error
    except ReaderError as error:
        raise _Unreadable(str(error).splitlines()[0], source.count("\n", 0, error.position) + 1) from error
    except YAMLError as error:
        raise _Unreadable(str(error).splitlines()[0], None) from error


def _check_events(events: Iterator[Any]) -> None:  # Any: events of ruamel.yaml
    """Check the events of a YAML text before values are built, reading no more of the text than needed."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

    depth = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            raise _Unreadable(text("recipe-with-alias", name=event.anchor), line)
        if isinstance(event, ScalarEvent) and len(event.value) > _LONGEST_VALUE:
            raise _Unreadable(text("recipe-value-too-long", n_characters=len(event.value)), line)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise _Unreadable(_too_deep(), line)


def _constructed(yaml: Any, node: Any) -> Any:  # Any: ruamel.yaml, a node, and its value
    if node is None:
        return None
    try:
        return yaml.constructor.construct_document(node)
    except ValueError as error:  # a date such as 2024-99-99
        bad = next((scalar for scalar in _scalars(node) if not _is_valid(yaml, scalar)), node)
        raise _Unreadable(str(error).splitlines()[0], bad.start_mark.line + 1) from error


def _is_valid(yaml: Any, scalar: Any) -> bool:  # Any: ruamel.yaml, and a node
    try:
        yaml.constructor.construct_document(scalar)
    except ValueError:
        return False
    return True


def _scalars(node: Any) -> Iterator[Any]:  # Any: nodes of ruamel.yaml
    match node.id:
        case "mapping":
            for pair in node.value:
                yield from (scalar for inner in pair for scalar in _scalars(inner))
        case "sequence":
            for inner in node.value:
                yield from _scalars(inner)
        case _:
            yield node


def _lines(node: Any, section: str = "") -> Iterator[tuple[str, int]]:  # Any: a node of ruamel.yaml
    if node is not None and node.id == "mapping":
        for key, value in node.value:
            yield f"{section}{key.value}", key.start_mark.line + 1
            yield from _lines(value, f"{section}{key.value}.")


def line_of(key: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of a key, or of the section that should contain it."""
    names = key.split(".")
    paths = (".".join(names[:n]) for n in range(len(names), 0, -1))
    return next((lines[path] for path in paths if path in lines), None)


def load_recipe(path: Path | str) -> Recipe:
    """Read a recipe from YAML. Relative paths in it are relative to its folder.

    Raises:
        BadRecipe: the file is not YAML, or a key or a value is not valid. The error names the nearest valid key.

    Examples:
        >>> recipe = cs.load_recipe("mine.yaml")
        >>> recipe.stage, recipe.epochs
        ('instant', 5)
    """
    path = Path(path)
    if not path.is_file():
        raise BadRecipe("recipe-is-a-folder" if path.is_dir() else "no-recipe-file", file=path)
    try:
        source = read_bytes(path, LARGEST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8
        raise BadRecipe("recipe-not-readable", file=path, reason=str(error).splitlines()[0]) from error
    return parse_recipe(source, file=path)[0]


def with_paths(data: Mapping[str, Any], convert: Callable[[str], str]) -> Values:  # Any: values of recipe keys
    """Return the values of a recipe, or of some of its keys, with the paths of runs and images converted."""

    def converted(name: str, value: Any) -> Any:  # Any: of each key its own
        match name, value:
            case "recipe", dict():
                return with_paths(value, convert)
            case "run" | "train_on", str() if value:
                return convert(value)
        return value

    sections = {key: section for key in ("init", "split") if isinstance(section := data.get(key), dict)}
    return {
        **data,
        **{key: {name: converted(name, value) for name, value in section.items()} for key, section in sections.items()},
    }


def parse_recipe(source: str, *, file: Path | None = None) -> tuple[Recipe, Values]:
    """Return the recipe in a YAML text, and the values of the dotted keys that the text sets.

    A name in place of a section (`augment: none`) sets all keys of that section.

    Raises:
        BadRecipe: the text is not YAML, or a key or a value is not valid. The error has all faults with their lines.
    """
    data, lines = read_yaml(source, file)
    if file is not None:
        data = with_paths(data, partial(resolved_path, folder=file.parent))
    recipe = check_recipe(data, file=file, lines=lines)
    return recipe, values_given(recipe, data)


def values_given(recipe: Recipe, data: Mapping[str, Any]) -> Values:  # Any: values as YAML gives them
    """Return the values of the dotted keys that plain data set."""
    return {key: value for key, value in values_of(recipe).items() if _sets(data, key.split("."))}


def save_recipe(recipe: Recipe, path: Path, *, only_set: bool = False) -> None:
    """Write the recipe as YAML, atomically.

    Args:
        recipe: to write.
        path: of the file.
        only_set: write only the keys that were set, so that defaults stay open.
    """
    write_text(path, recipe_text(recipe, stated_paths(path.parent), only_set=only_set))


def recipe_text(recipe: Recipe, stated: Callable[[str], str] = str, *, only_set: bool = True) -> str:
    """Return the recipe as YAML. `stated` returns the path in the text of an absolute path."""
    values = with_paths(recipe.model_dump(mode="json", exclude_unset=only_set), stated)
    return as_yaml({"format_version": 1, **values})


def as_yaml(data: Mapping[str, Any]) -> str:  # Any: JSON values
    """Return plain data as YAML with `key: value` lines, in their order."""
    from ruamel.yaml import YAML

    lines = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _representer()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # annotated as None
    yaml.dump(dict(data), lines)
    return lines.getvalue()


@cache
def _representer() -> Any:  # Any: a class of ruamel.yaml
    """Return the representer of plain data that escapes U+0085: unescaped, YAML reads this line break as a space."""
    from ruamel.yaml.representer import SafeRepresenter

    class Representer(SafeRepresenter):
        def represent_str(self, data: str) -> Any:
            style = '"' if "\x85" in data else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Representer.add_representer(str, Representer.represent_str)
    return Representer


def check_recipe(
    data: Mapping[str, Any],  # Any: values as YAML gives them
    *,
    file: Path | None = None,
    lines: Mapping[str, int] | None = None,
) -> Recipe:
    """Return the recipe of plain data.

    Args:
        data: the keys that differ from the defaults.
        file: the source, for errors.
        lines: the line of each dotted key in the file.

    Raises:
        BadRecipe: a key or a value is not valid. The error has all faults, each with the nearest valid key or the
            allowed values.
    """
    data = dict(data)
    version = data.pop("format_version", 1)
    if version != 1:
        raise BadRecipe("newer-recipe-format", file=file, version=str(version))
    check_depth(data)
    try:
        recipe = Recipe(**{str(key): value for key, value in data.items()})
    except BadRecipe as error:
        raise invalid_recipe(error.faults, file=file, lines=_lines_of(error.faults, lines or {})) from error
    if not isinstance(recipe.init, Pretraining):
        return recipe
    try:
        pretraining_recipe(recipe, file=file)
    except BadRecipe as error:
        if not (line_numbers := _lines_of(error.faults, lines or {})):
            raise
        raise BadRecipe(
            "recipe-fault-at-line",
            cause=error,
            file=file,
            faults=error.faults,
            lines=line_numbers,
            line=min(line_numbers.values()),
        ) from error
    return recipe


def _lines_of(faults: Sequence[tuple[str, str]], lines: Mapping[str, int]) -> dict[str, int]:
    return {key: line for key, _ in faults if (line := line_of(key, lines)) is not None}


def _sets(data: Any, parts: Sequence[str]) -> bool:  # Any: as YAML gives it
    if not parts or not isinstance(data, dict):
        return True  # the key is set, or a name sets the whole section
    return parts[0] in data and _sets(data[parts[0]], parts[1:])


def pretraining_recipe(recipe: Recipe, *, file: Path | None = None) -> Recipe:
    """Return the recipe of the pretraining: the recipe of the training, without the keys that describe its images.

    The whole network is trained from ImageNet weights with one split, unless `init.recipe` sets other values.

    Args:
        recipe: with `init: {train_on: DATA, recipe: {...}}`.
        file: the source, for errors.

    Raises:
        BadRecipe: `init.recipe` is not valid, or would not change the network.
    """
    assert isinstance(recipe.init, Pretraining)
    of_images = {"classes", "group", "images", "channel_files", "crop_size", "crop_margin", "degrade"}
    values = recipe.model_dump(mode="json", exclude={"init", "freeze_to", *of_images})
    changes = recipe.init.recipe
    # Pretraining uses all images of the other dataset, with a separate split.
    split = {**values["split"], "folds": 0, "by_domain": False, "train_per_class": None, "run": None}
    if "split" in changes:
        split = {**split, **changes["split"]} if isinstance(changes["split"], dict) else changes["split"]
    try:
        first = check_recipe({**values, "stage": "finetune", **changes, "split": split}, file=file)
    except BadRecipe as error:
        faults = [(f"init.recipe.{key}", fault) for key, fault in error.faults]
        raise BadRecipe("invalid-pretraining-recipe", cause=error, file=file, faults=faults) from error
    if first.stage == "instant" or isinstance(first.init, Pretraining):
        is_instant = first.stage == "instant"
        fault = text("pretraining-without-training.fault" if is_instant else "nested-pretraining.fault")
        raise BadRecipe(
            "pretraining-without-training" if is_instant else "nested-pretraining",
            file=file,
            faults=[("init.recipe", fault)],
        )
    same = ("model", "model_options", "head")
    if [getattr(first, key) for key in same] != [getattr(recipe, key) for key in same]:
        raise BadRecipe(
            "pretraining-of-other-network",
            file=file,
            faults=[("init.recipe", text("pretraining-of-other-network.fault"))],
        )
    return first


def with_settings(recipe: Recipe, settings: list[str]) -> Recipe:
    """Return the recipe with `key=value` settings applied. Keys in sections have dots (`split.val=0.1`).

    Raises:
        BadRecipe: as of `with_values`, or a setting has no `=` or no value in YAML.
    """
    return with_values(recipe, map(_setting, settings))


def _setting(setting: str) -> tuple[str, Any]:  # Any: as YAML gives it
    key, equals, value = setting.partition("=")
    if not equals:
        raise BadRecipe("setting-without-value", setting=setting)
    try:
        return key.strip(), read_value(value)
    except ValueError as error:
        raise BadRecipe("setting-not-readable", setting=setting) from error


def with_values(recipe: Recipe, values: Iterable[tuple[str, Any]]) -> Recipe:  # Any: of each key its own
    """Return the recipe with these values of dotted keys, of which later ones replace earlier ones.

    `model_fields_set` of the result has the keys (without dots) that the recipe and the values set.

    Raises:
        BadRecipe: a key is unknown, or a value is not valid.
    """
    data: dict[str, Any] = recipe.model_dump(mode="json")
    set_keys = set(recipe.model_fields_set)
    for key, value in values:
        *sections, last = key.split(".")
        set_keys.add((*sections, last)[0])
        if sections[:1] == ["init"] and not isinstance(data["init"], dict):  # such as init.run=runs/first
            data["init"] = {}
        section_data = data
        for depth, section in enumerate(sections):
            if depth and sections[:2] in (["init", "recipe"], ["init", "labels"]):  # contain only the keys that are set
                section_data.setdefault(section, {})
            inner = section_data.get(section)
            if not isinstance(inner, dict):
                raise _one_problem(unknown_key(key, sections, Recipe))
            section_data = inner
        section_data[last] = value
        if key == "augment":  # a name is replaced by its keys, so that later settings can change them
            data = check_recipe(data).model_dump(mode="json")
    return Recipe.model_construct(_fields_set=set_keys, **dict(check_recipe(data)))
