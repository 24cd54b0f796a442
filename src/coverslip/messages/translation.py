"""Translation of stored English reasons without code: why an image cannot be read, or a metric has no value.

Files and tables hold such a reason as a text, often long before a page shows it. The text is compared with the English
entries of reasons, and rendered again from the entry that it fits.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from coverslip.messages.catalogue import ENGLISH, codes_of_file, entries, language, text

_SUBJECTS = ("images", "metrics")  # the files with the reasons of readers and of metrics
_OTHER_REASONS = (
    *("channel-facts-differ", "image-not-reached", "no-memory-for-image"),
    *("reason-uncertain", "reason-unfamiliar"),
)
_FEWEST_LETTERS = 8  # of an entry: entries of few words and many variables fit any text

# A regular expression with the variables as groups, and values of selectors.
_Case = tuple[str, Mapping[str, int | str]]


def localized_reason(reason: str) -> str:
    """Return a reason in the current language; itself if it is of none of the entries.

    Args:
        reason: the stored English text.
    """
    return reason if language() == ENGLISH else _translated(reason)


def _translated(reason: str) -> str:
    for code, cases in _reasons().items():
        for pattern, selected in cases:
            if match := pattern.fullmatch(reason):
                values = {name: _value(each) for name, each in match.groupdict().items()}
                try:
                    return text(code, **{**selected, **values})
                except KeyError:  # a number of another form
                    return reason
    return reason


def _value(written: str) -> float | str:
    """Return the value of a variable: a number as English writes it, or another text, which can be a reason itself."""
    figures = written.replace(",", "")
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", figures):
        number = float(figures) if "." in figures else int(figures)
        return number if f"{number:,}" == written else written  # "1000" and "2,5" are names
    return _translated(written)


@cache
def _reasons() -> dict[str, list[tuple[re.Pattern[str], Mapping[str, int | str]]]]:
    """Return the cases of each entry; entries of more words come first."""
    from fluent.syntax import FluentParser, ast

    sources, parser = entries(), FluentParser()
    cases_of: dict[str, list[_Case]] = {}
    for code in (*(code for subject in _SUBJECTS for code in codes_of_file(subject)), *_OTHER_REASONS):
        (entry,) = parser.parse(sources[code]).body
        if isinstance(entry, ast.Message) and entry.value is not None:
            cases_of[code] = list(_cases(entry.value))
    long_enough = {code: cases for code, cases in cases_of.items() if _letters(cases) >= _FEWEST_LETTERS}
    return {
        code: [(re.compile(pattern, re.DOTALL), selected) for pattern, selected in long_enough[code]]
        for code in sorted(long_enough, key=lambda code: -_letters(long_enough[code]))
    }


def _letters(cases: list[_Case]) -> int:
    """Return the number of letters beside variables in the shortest case."""
    return min(len(re.sub(r"\(\?P<?=?\w+>?(\.\+\?)?\)|\W", "", pattern)) for pattern, _ in cases)


def _cases(pattern: object) -> Iterator[_Case]:
    """Yield the forms of a pattern, one for each combination of its variants."""
    from fluent.syntax import ast

    assert isinstance(pattern, ast.Pattern)
    cases: list[_Case] = [("", {})]
    for element in pattern.elements:
        added: list[_Case] = []
        if isinstance(element, ast.TextElement):
            added = [(re.escape(element.value), {})]
        elif isinstance(element.expression, ast.StringLiteral):
            added = [(re.escape(element.expression.parse()["value"]), {})]
        elif isinstance(element.expression, ast.SelectExpression):
            name = _variable(element.expression.selector)
            for variant, key in zip(element.expression.variants, _keys(element.expression), strict=True):
                added += [(form, {name: key, **selected}) for form, selected in _cases(variant.value)]
        else:
            added = [(f"(?P<{_variable(element.expression)}>.+?)", {})]
        cases = [(_joined(form, more), {**before, **after}) for form, before in cases for more, after in added]
    yield from cases


def _keys(expression: object) -> list[int | str]:
    """Return a value of the selector for each variant. If some variants are of numbers, the others get numbers too."""
    from fluent.syntax import ast

    assert isinstance(expression, ast.SelectExpression)
    keys = [
        each.key.name if isinstance(each.key, ast.Identifier) else int(each.key.value) for each in expression.variants
    ]
    numbers = [key for key in keys if isinstance(key, int)]
    numbers_of = {"one": 1, "other": max(numbers, default=0) + 2} if numbers else {}
    return [numbers_of.get(key, key) if isinstance(key, str) else key for key in keys]


def _joined(form: str, more: str) -> str:
    """Join two forms. A variable that occurs again has the same value."""
    for name in re.findall(r"\(\?P<(\w+)>", more):
        if f"(?P<{name}>" in form:
            more = more.replace(f"(?P<{name}>.+?)", f"(?P={name})")
    return form + more


def _variable(expression: object) -> str:
    """Return the name of a variable, also as the first argument of a function such as NUMBER."""
    from fluent.syntax import ast

    if isinstance(expression, ast.FunctionReference):
        expression = expression.arguments.positional[0]
    assert isinstance(expression, ast.VariableReference)
    return str(expression.id.name)
