"""Translations of the catalogue of messages: complete, with the parameters of English, and other texts."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fluent.syntax import FluentParser, FluentSerializer
from fluent.syntax import ast as fluent

import coverslip
from coverslip.messages import ENGLISH, LANGUAGES, entries, failure, failure_of, in_language, note, note_of, text

MESSAGES = Path(coverslip.__file__).parent / "messages"
# Texts of the report and of the command line are in English only.
ENGLISH_FILES = {"reports.ftl", "help.ftl", "commands.ftl"}
TRANSLATIONS = sorted(set(LANGUAGES) - {ENGLISH})
# Texts of these words only are the same in English and German.
SAME_WORDS = {
    *(
        "Adam",
        "AdamW",
        "AMSGrad",
        "Dropout",
        "Fold",
        "Folds",
        "Gamma",
        "ImageNet",
        "In",
        "Installation",
        "Label",
        "Labels",
        "MB",
        "NPV",
        "PPV",
        "Seed",
    ),
    *("Set", "Sets", "Zoom", "init", "recipe", "positive_class", "µm"),
}


@cache
def patterns(language: str) -> dict[str, dict[str, fluent.Pattern]]:
    """The patterns of a language by file, and by code with attribute."""
    of_file: dict[str, dict[str, fluent.Pattern]] = {}
    for file in sorted((MESSAGES / language).glob("*.ftl")):
        if file.name in ENGLISH_FILES:
            continue
        of_file[file.name] = {}
        for entry in FluentParser().parse(file.read_text(encoding="utf-8")).body:
            assert not isinstance(entry, fluent.Junk), f"{file}: {entry.content}"
            if isinstance(entry, fluent.Message):
                values = {entry.id.name: entry.value}
                values |= {f"{entry.id.name}.{each.id.name}": each.value for each in entry.attributes}
                of_file[file.name] |= {code: value for code, value in values.items() if value is not None}
    return of_file


def nodes(node: object) -> Iterator[fluent.BaseNode]:
    """All nodes of a pattern."""
    if isinstance(node, fluent.BaseNode):
        yield node
    children = vars(node).values() if isinstance(node, fluent.BaseNode) else node if isinstance(node, list) else ()
    for child in children:
        yield from nodes(child)


def variables(pattern: fluent.BaseNode) -> set[str]:
    return {node.id.name for node in nodes(pattern) if isinstance(node, fluent.VariableReference)}


def keys_of(pattern: fluent.Pattern) -> dict[str, list[str | int]]:
    """The values of each variable that select different texts; for plurals one and several."""
    keys: dict[str, list[str | int]] = {}
    for node in nodes(pattern):
        if not isinstance(node, fluent.SelectExpression):
            continue
        names = [each.id.name for each in nodes(node.selector) if isinstance(each, fluent.VariableReference)]
        for variant in node.variants:
            key = variant.key.name if isinstance(variant.key, fluent.Identifier) else int(variant.key.value)
            keys.setdefault(names[0], []).append({"one": 1, "other": 2_000}.get(str(key), key))
    return keys


@pytest.mark.slow
@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_has_the_files_codes_attributes_and_variables_of_english(language: str) -> None:
    def shape(name: str) -> dict[str, dict[str, set[str]]]:
        return {file: {code: variables(each) for code, each in of.items()} for file, of in patterns(name).items()}

    assert shape(language) == shape(ENGLISH)


@pytest.mark.slow
@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_message_of_a_translation_can_be_rendered(language: str) -> None:
    for code, pattern in ((code, each) for of in patterns(language).values() for code, each in of.items()):
        values: dict[str, str | int] = {name: (keys_of(pattern).get(name) or [7])[0] for name in variables(pattern)}
        cases = [values, *({**values, name: key} for name, keys in keys_of(pattern).items() for key in keys)]
        with in_language(language):
            for case in cases:
                assert text(code, **case), code


@pytest.mark.slow
@pytest.mark.parametrize("language", TRANSLATIONS)
def test_no_text_of_a_translation_is_english(language: str) -> None:
    def written(pattern: fluent.Pattern) -> str:
        return FluentSerializer().serialize(fluent.Resource([fluent.Message(fluent.Identifier("code"), pattern)]))

    same = []
    for file, of in patterns(ENGLISH).items():
        for code, english in of.items():
            if written(english) == written(patterns(language)[file][code]):
                parts = (node.value for node in nodes(english) if isinstance(node, fluent.TextElement))
                same += [code] * bool(set(re.findall(r"\w+", " ".join(parts))) - SAME_WORDS)
    assert same == []


# Code in texts, whose quotes belong to it.
QUOTED_CODE = (
    *(
        'tifffile.imwrite("labels.tif", zarr.open("BILD.zarr/labels/NAME/0")[:])',
        'X[["path"]]',
        '"groups": groups',
        "'image': images, 'label': labels",
        "model.save('NAME.h5')",
        "'group=\"a: b\"'",
    ),
    *('np.save("labels.npy", labels.astype("int32"))', '--slurm "--partition=gpu --gres=gpu:1"'),
)


def test_german_quotes_are_german() -> None:
    quotes = []
    for of in patterns("de").values():
        for code, pattern in of.items():
            written = "".join(node.value for node in nodes(pattern) if isinstance(node, fluent.TextElement))
            for quoted in QUOTED_CODE:
                written = written.replace(quoted, "")
            if set(written) & set("'\"”’‘»«") or written.count("„") != written.count("“"):
                quotes.append(code)
    assert quotes == []


def test_numbers_follow_the_language_and_texts_without_a_translation_are_english() -> None:
    with in_language("de"):
        assert "2.000" in text("names-and-more", names="a", n=2_000)
        only_english = next(code for code in entries() if code not in entries("de") and "{" not in entries()[code])
        assert text(only_english) == _in_english(only_english)
    assert "2,000" in text("names-and-more", names="a", n=2_000)


def _in_english(code: str) -> str:
    with in_language(ENGLISH):
        return text(code)


def test_stored_notes_and_failures_are_read_in_the_language_of_the_reader() -> None:
    stored_note = note("given-in-memory", n_images=3, folder="plates")
    stored = {"code": stored_note.code, "text": stored_note.text, "level": "info", "remedies": []}
    parameters = dict(stored_note.parameters)
    with in_language("de"):
        assert note_of({**stored, "parameters": parameters}) == note("given-in-memory", **parameters)
        assert note_of({**stored, "parameters": {}}).text == stored_note.text, "the parameters are of another version"
    assert note_of({**stored, "parameters": parameters}) == stored_note

    refused = failure("no-such-address", host="lab")
    plain = {name: getattr(refused, name) for name in ("kind", "code", "what", "do", "file", "parameters", "remedies")}
    with in_language("de"):
        assert failure_of(plain) == failure("no-such-address", host="lab") != refused
