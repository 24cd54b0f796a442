"""All keys of a recipe as data, for the form, the command line, the documentation and the report.

The type, default and range of a key come from its field, its texts from the catalogue (`messages/en/recipe_keys.ftl`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from coverslip.augmentation import AUGMENT_SETS
from coverslip.images import LENGTH_FORMAT
from coverslip.keys import Key, Option, OptionType
from coverslip.messages import has_entry, text
from coverslip.runs.recipe.recipe import Recipe
from coverslip.runs.recipe.sections import OneOf, augment_named

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
class RecipeKey:
    """One key of a recipe. A key in a section has a dot: `split.val`.

    `type` is the kind of form field: `integer` with `choices` accepts a number or one of these names, and `other` has
    no form field. `empty` is the meaning of null, if null is allowed. `options` are those of a key such as
    `loss_options`, by the value of the related key (`loss`); the options of `model_options` are part of each network.
    """

    key: Annotated[str, Field(description="The key of the recipe, sections with dots: `split.folds`.")]
    title: str
    group: str
    help: str
    meaning: str  # the exact meaning
    type: KeyType
    default: Any  # Any: the value of the key, as JSON
    allowed: str  # in words
    choices: Annotated[list[Choice] | None, Field(description="null: the values have no names.")]
    is_optional: bool
    empty: str
    minimum: float | None
    maximum: float | None
    unit: Annotated[str, Field(description="Of numbers.")]
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
    return {key: _phrase(f"{section}{key}", field, _value(recipe, key)) for key, field in fields_of(type(recipe))}


def changed_phrases(recipe: BaseModel, group: str, *, besides: frozenset[str] = frozenset()) -> list[str]:
    """Return the phrases of the methods text for the changed keys of a group, except those in `besides`."""
    section = _section_name(type(recipe))
    return [
        phrase
        for key, field in fields_of(type(recipe))
        if record_of(field).group == group
        and key not in besides
        and (value := _value(recipe, key)) != field.get_default(call_default_factory=True)
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
    if value is None or value is False or value in ((), [], {}):
        return _attribute(code, "phrase-off")
    if not has_entry(f"{code}.phrase"):
        return ""
    number = value if isinstance(value, int | float) else 0
    return text(f"{code}.phrase", value=f"{value:.0%}" if record.is_percentage else _as_text(value), n=number)


def _as_text(value: Any) -> str:  # Any: the value of a key
    match value:
        case float():
            return f"{value:g}"
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


def _value(recipe: BaseModel, key: str) -> Any:  # Any: the value of the key
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
    is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    return field.annotation if is_section else None


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
