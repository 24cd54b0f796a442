"""Recipes that are broken, or written to keep a reader busy: one line that says what and where, at once."""

import time
from pathlib import Path

import pytest

from coverslip.cli import main
from coverslip.errors import BadRecipe
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import as_yaml, check_recipe, parse_recipe, with_settings


def bomb() -> str:
    """Under a kilobyte, and a thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    return "\n".join([*lines, "group: *a9"])


HOSTILE = {
    "aliases of aliases": (bomb(), "recipe-line-not-readable", 2),
    "an alias of itself": ("model_options: &a {x: *a}", "recipe-line-not-readable", 1),
    "deep sections": ("epochs: 3\nmodel_options: " + "{a: " * 900 + "1" + "}" * 900, "recipe-line-not-readable", 2),
    "deep lists": ("channels: " + "[" * 100_000, "recipe-line-not-readable", 1),
    "60,000 keys": ("".join(f"key{i}: 1\n" for i in range(60_000)), "recipe-not-readable", None),
    "1,000 keys": ("".join(f"key{i}: 1\n" for i in range(1000)), "invalid-recipe", 1),
    "an endless number": ("seed: 0x" + "f" * 100_000, "recipe-line-not-readable", 1),
    "a long number": (f"seed: {'9' * 2000}", "invalid-recipe", 1),
    "a long name": (f"stage: {'m' * 2000}", "invalid-recipe", 1),
}


@pytest.mark.parametrize(("source", "code", "line"), HOSTILE.values(), ids=HOSTILE)
def test_a_recipe_that_would_keep_a_reader_busy_is_refused_at_once_in_few_words(
    source: str, code: str, line: int | None
) -> None:
    begun = time.process_time()
    with pytest.raises(BadRecipe) as caught:
        parse_recipe(source)
    assert time.process_time() - begun < 5
    assert (caught.value.code, min(caught.value.lines.values(), default=None)) == (code, line)
    assert len(caught.value.faults) <= 21  # the last one counts the others
    assert len(str(caught.value)) < 2000


BROKEN = {
    "a date that is none": ("epochs: 3\nseed: 2024-99-99\n", "line 2: month must be"),
    "a time that is none": ("\n\nseed: 2024-01-01T00:00:99", "line 3: second must be"),
    "a control character": ("epochs: 3\nseed: \x01\n", "line 2: unacceptable character"),
    "a tab": ("epochs: 3\n\tseed: 2\n", "line 2: found character"),
    "a key twice": ("epochs: 3\nseed: 1\nepochs: 4\n", "line 3: found duplicate key"),
    "a type of a program": ("epochs: 3\nseed: !!python/object:os.system 1\n", "line 2: could not determine"),
    "braces left open": ("epochs: 3\nsplit: {val: 0.1\nseed: 3", "line 3: expected"),
    "a number as a key": ("epochs: 3\n5: 3\n", "line 2: there is no key '5'"),
    "no key": ("~: 3\n", "there is no key 'None'"),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_recipe_is_refused_with_the_line(text: str, expected: str) -> None:
    with pytest.raises(BadRecipe, match=expected):
        parse_recipe(text)


@pytest.mark.parametrize("setting", ["model_options={a: &a [1, 1], b: [*a, *a]}", "channels=" + "[" * 900, "seed=\x01"])
def test_settings_are_read_like_recipes(setting: str) -> None:
    with pytest.raises(BadRecipe) as refused:
        with_settings(Recipe(), [setting])
    assert refused.value.code == "setting-not-readable"


def test_deep_plain_data_are_refused_as_text_is() -> None:
    deep: object = 1
    for _ in range(900):
        deep = {"a": deep}
    with pytest.raises(BadRecipe) as refused:
        check_recipe({"model_options": deep})
    assert refused.value.code == "invalid-recipe"


@pytest.mark.slow
def test_a_large_recipe_of_a_usual_kind_is_read() -> None:
    merge = {f"class {i} of a long name": [f"class {i} by another name"] for i in range(1000)}
    recipe = check_recipe({"classes": {"merge": merge}})
    assert parse_recipe(as_yaml(recipe.model_dump(mode="json", exclude_unset=True)))[0] == recipe


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"epochs": "three"}, "epochs = 'three': it must be auto, or a whole number"),
        ({"split": {"vall": 0.1}}, "did you mean 'split.val'"),
        ({"self": 1}, "no key 'self'"),
    ],
)
def test_python_names_the_nearest_key_as_files_do(choices: dict[str, object], expected: str) -> None:
    with pytest.raises(BadRecipe, match=expected):
        Recipe(**choices)  # type: ignore[arg-type]


def test_a_strangers_run_with_a_bomb_for_a_recipe_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.yaml").write_text(bomb())
    with pytest.raises(BadRecipe) as refused:
        Run(tmp_path).recipe  # noqa: B018
    assert refused.value.code == "recipe-line-not-readable"
    assert main(["train", str(tmp_path), "--recipe", str(tmp_path / "recipe.yaml")]) == 1
    assert "line 2: aliases" in capsys.readouterr().err
