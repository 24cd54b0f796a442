"""All keys of a recipe as data, for the form, the command line, the documentation and the report.

What is said of a key stands on its field; nothing is added here but the order and names of the groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from coverslip.augmentation import AUGMENT_SETS
from coverslip.keys import Key, Option
from coverslip.runs.recipe.choices import augment_named
from coverslip.runs.recipe.recipe import Recipe

Schema = dict[str, Any]  # Any: JSON Schema
Values = dict[str, Any]  # Any: whatever each dotted key holds, as JSON
# The last ones: list of numbers, list of names, name by name, names by name, values by name, where weights start.
KeyType = Literal[
    "number",
    "integer",
    "choice",
    "boolean",
    "text",
    "integers",
    "names",
    "renames",
    "merges",
    "options",
    "start",
    "other",
]


@dataclass(frozen=True, slots=True)
class Group:
    """Keys that stand together."""

    name: str
    title: str
    text: str


GROUPS = (
    Group("split", "Split", "which images are used for training, and which for testing"),
    Group(
        "classes", "Classes and groups", "which classes the classifier distinguishes, and which images belong together"
    ),
    Group(
        "start", "Initial weights", "of a network pretrained on photographs, random ones, or those of an earlier run"
    ),
    Group(
        "augment",
        "Data augmentation",
        "images are rotated, mirrored and shaded during training, so that the network generalizes to new images",
    ),
    Group("balance", "Rare classes", "whether they have a larger weight"),
    Group("images", "Preprocessing", "size, channels, intensities"),
    Group(
        "decision",
        "Decision threshold",
        "the positive class, target sensitivity or specificity, and when a prediction is uncertain",
    ),
    Group("training", "Fine-tuning", "epochs, learning rate, early stopping"),
    Group("basic", "Other settings", "random seed, and the device that computes"),
)


@dataclass(frozen=True, slots=True)
class NamedChoice:
    """A value that a key can be given by name."""

    value: str | int | bool
    title: str


@dataclass(frozen=True, slots=True)
class RecipeKey:
    """One choice of a recipe. `key` has a dot where it lies in a section.

    `type` says what field of a form can hold it: `integer` with `choices` takes a number or one of these names, and
    `other` is for shapes that no form knows yet. `empty` says what null means, where null is allowed. `options` are
    those of a key such as `loss_options`, by the value of the key that it belongs to (`loss`); those of
    `model_options` stand with the networks.
    """

    key: str
    title: str
    group: str
    help: str
    meaning: str  # the same, exactly
    type: KeyType
    default: Any  # Any: whatever the key holds, as JSON
    allowed: str  # in words
    choices: list[NamedChoice] | None
    is_optional: bool
    empty: str
    minimum: float | None
    maximum: float | None
    unit: str
    options: dict[str, tuple[Option, ...]]


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A name that stands for all keys of a section, such as `augment: none`."""

    section: str
    name: str
    text: str
    values: Values


def recipe_keys(model: type[BaseModel] = Recipe) -> list[RecipeKey]:
    """Every key, in the order of the recipe."""
    return [
        _described(key, field, schema)
        for (key, field), schema in zip(_fields_of(model), _schemas_of(model), strict=True)
    ]


def named_sets() -> list[NamedSet]:
    """The names that can be given in place of the keys of a section."""
    return [
        NamedSet(
            "augment",
            augment_set.name,
            augment_set.source,
            {f"augment.{key}": value for key, value in augment_named(augment_set.name).model_dump(mode="json").items()},
        )
        for augment_set in AUGMENT_SETS.values()
    ]


def values_of(recipe: BaseModel) -> Values:
    """The value of every dotted key."""
    dumped = recipe.model_dump(mode="json")
    return {key: _value_in(dumped, key) for key, _ in _fields_of(type(recipe))}


def phrases(recipe: BaseModel) -> dict[str, str]:
    """What the methods text says of each key's value; empty where there is nothing to say."""
    return {key: record_of(field).phrase_for(_value(recipe, key)) for key, field in _fields_of(type(recipe))}


def changed_phrases(recipe: BaseModel, group: str, *, besides: frozenset[str] = frozenset()) -> list[str]:
    """Return the phrases of the methods text for the changed keys of a group, except those in `besides`."""
    return [
        phrase
        for key, field in _fields_of(type(recipe))
        if record_of(field).group == group
        and key not in besides
        and (value := _value(recipe, key)) != field.get_default(call_default_factory=True)
        and (phrase := record_of(field).phrase_for(value))
    ]


def record_of(field: FieldInfo) -> Key:
    """What the field says of its key.

    Raises:
        TypeError: it says nothing, which is a fault of the program.
    """
    record = next((item for item in field.metadata if isinstance(item, Key)), None)
    if record is None:
        raise TypeError("a recipe's key needs a Key in its annotation")
    return record


def _value(recipe: BaseModel, key: str) -> Any:  # Any: whatever the key holds
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _value_in(data: Values, key: str) -> Any:  # Any: whatever the key holds
    for part in key.split("."):
        data = data[part]
    return data


def _fields_of(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """(dotted key, field) of every key, those of a section at its place."""
    for name, field in model.model_fields.items():
        if (inner := _section_of(field)) is not None:
            yield from _fields_of(inner, f"{section}{name}.")
        else:
            yield f"{section}{name}", field


def _schemas_of(model: type[BaseModel]) -> Iterator[Schema]:
    """The JSON Schema of every key, in the order of `_fields_of`; it takes long, and only a form asks for it."""
    properties = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        if (inner := _section_of(field)) is not None:
            yield from _schemas_of(inner)
        else:
            yield properties[name]


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a key that is a section of its own, such as `split`."""
    is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    return field.annotation if is_section else None


def _described(key: str, field: FieldInfo, schema: Schema) -> RecipeKey:
    record, kinds = record_of(field), _kinds(schema)
    return RecipeKey(
        key=key,
        title=record.title,
        group=record.group,
        help=record.help,
        meaning=field.description or record.help,
        type=_type(kinds),
        default=_as_json(field.get_default(call_default_factory=True)),
        allowed=" or ".join(dict.fromkeys(map(_allowed, kinds))),
        choices=[NamedChoice(choice.value, choice.title) for choice in record.named_choices()] or None,
        is_optional=any(kind.get("type") == "null" for kind in kinds),
        empty=record.empty,
        minimum=_limit(kinds, "minimum", "exclusiveMinimum"),
        maximum=_limit(kinds, "maximum", "exclusiveMaximum"),
        unit=record.unit,
        options=dict(record.options()) if record.options else {},
    )


def _kinds(schema: Schema) -> list[Schema]:
    """The ways to give a value; sections among them (`init`) stand for themselves."""
    ways = schema.get("anyOf") or schema.get("oneOf")
    return [kind for way in ways for kind in _kinds(way)] if ways else [schema]


def _type(kinds: list[Schema]) -> KeyType:
    types = {_type_of(kind) for kind in kinds} - {None}
    if len(types) == 1:
        return types.pop() or "other"
    if "start" in types:
        return "start"
    if types == {"choice", "boolean"}:
        return "choice"
    if types == {"choice", "number"}:
        return "number"
    return "integer" if types == {"choice", "integer"} else "other"


def _type_of(kind: Schema) -> KeyType | None:
    """What field of a form one way to give a value needs; None for null."""
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
            return "text"
        case "array":
            return _LISTS.get(kind["items"].get("type", ""), "other")
        case "object":
            inner = kind.get("additionalProperties")
            if isinstance(inner, dict) and "exclusiveMinimum" in inner:  # a schedule, not options by name
                return "other"
            return _MAPPINGS.get(str(inner.get("type")), "options") if isinstance(inner, dict) else "options"
    return "other"


_LISTS: dict[str, KeyType] = {"integer": "integers", "string": "names"}
_MAPPINGS: dict[str, KeyType] = {"string": "renames", "array": "merges"}


def _limit(kinds: list[Schema], *names: str) -> float | None:
    limits = [float(kind[name]) for kind in kinds for name in names if name in kind]
    return (max if names[0] == "minimum" else min)(limits, default=None)


def _as_json(value: Any) -> Any:  # Any: whatever the key holds
    return list(value) if isinstance(value, tuple) else value


def _allowed(kind: Schema) -> str:
    """What a key may hold, in words: `{"type": "integer", "minimum": 1}` is "whole number, 1 or more"."""
    if "const" in kind or "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind.get("enum", [kind.get("const")]))
    match kind.get("type"):
        case "null":
            return "`null`"
        case "boolean":
            return "`true`, `false`"
        case "array":
            return f"list of {_allowed(kind['items'])}s"
        case "integer" | "number" as name:
            return ", ".join(filter(None, ["whole number" if name == "integer" else "", _range(kind)]))
        case "string":
            return "text"
    return "`key: value` lines"


def _range(kind: Schema) -> str:
    low, above = kind.get("minimum"), kind.get("exclusiveMinimum")
    high, below = kind.get("maximum"), kind.get("exclusiveMaximum")
    is_open = above is not None and (low is None or above >= low)
    start = f"above {above:g}" if is_open else "" if low is None else f"{low:g}"
    if high is not None:
        return f"{start}{', at most' if is_open else ' to'} {_number(high)}"
    if below is not None:
        return f"{start}{',' if is_open else ' or more,'} below {_number(below)}"
    return start if is_open or not start else f"{start} or more"


def _number(limit: float) -> str:
    return f"{limit:,.0f}" if limit == int(limit) else f"{limit:,}"
