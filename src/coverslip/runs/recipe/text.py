"""Recipes as text: YAML files and `key=value` settings.

YAML aliases and deep nesting are refused. Recipes do not need them, and a few hundred bytes of aliases or some thousand
brackets could exhaust the memory or the stack.
"""

import copy
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from coverslip.errors import BadRecipe
from coverslip.files import read_bytes, write_text
from coverslip.messages import text
from coverslip.runs.recipe.faults import invalid_recipe, unknown_key
from coverslip.runs.recipe.keys import Values, values_of
from coverslip.runs.recipe.recipe import Recipe
from coverslip.runs.recipe.training import Pretraining

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
        data, node = _read(source)
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
        return copy.deepcopy(_read(source)[0])
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
def _read(source: str) -> tuple[Any, Any]:  # Any: as YAML gives it, and a node of ruamel.yaml
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
    """Read a recipe from YAML.

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


def parse_recipe(source: str, *, file: Path | None = None) -> tuple[Recipe, Values]:
    """Return the recipe in a YAML text, and the values of the dotted keys that the text sets.

    A name in place of a section (`augment: none`) sets all keys of that section.

    Raises:
        BadRecipe: the text is not YAML, or a key or a value is not valid. The error has all faults with their lines.
    """
    data, lines = read_yaml(source, file)
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
    write_text(path, as_yaml({"format_version": 1, **recipe.model_dump(mode="json", exclude_unset=only_set)}))


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
    values = recipe.model_dump(mode="json", exclude={"init", "classes", "group", "freeze_to", "degrade"})
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

    `model_fields_set` of the result has the keys (without dots) that the recipe and the settings set.

    Raises:
        BadRecipe: a setting has no `=`, an unknown key or a value that is not valid.
    """
    data: dict[str, Any] = recipe.model_dump(mode="json")
    set_keys = set(recipe.model_fields_set)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise BadRecipe("setting-without-value", setting=setting)
        *sections, last = key.strip().split(".")
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
        try:
            section_data[last] = read_value(value)
        except ValueError as error:
            raise BadRecipe("setting-not-readable", setting=setting) from error
        if key.strip() == "augment":  # a name is replaced by its keys, so that later settings can change them
            data = check_recipe(data).model_dump(mode="json")
    return Recipe.model_construct(_fields_set=set_keys, **dict(check_recipe(data)))
