"""Names that may be one name with several spellings: of classes, of groups, and of the classes of several readers."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# White space, punctuation and invisible characters. Symbols, such as + and <, distinguish names.
_SEPARATOR = "[\\s_.,;:'\"()\\[\\]{}/\\\\\\u2010-\\u2015\\u00ad\\u200b-\\u200f\\u2060\\ufeff-]"
_BETWEEN_NUMBERS = re.compile(rf"(?<=\d){_SEPARATOR}+(?=\d)")
_SEPARATORS = re.compile(f"{_SEPARATOR}+")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_NUMBER = re.compile(r"([+-]?)\s*(\d+)(?:[.,]0{0,2})?")  # 1, 01, 1.0; three zeros may be thousands
_MARK = "|"  # keeps numbers apart: 1-2 is not 12
_MINUS = "\u2212"  # a sign, as in -1 and CD4-


def similar_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the sets of different names that may be one name with several spellings, in the order of `names`.

    They differ in capitals, leading zeros, white space and punctuation, the form of Unicode characters, or the format
    of a number (1, 01, 1.0). They can be different names all the same: only a person can tell.
    """
    spellings: dict[str, dict[str, None]] = {}
    for name in names:
        spellings.setdefault(_plain(name), {})[name] = None
    return [tuple(each) for each in spellings.values() if len(each) > 1]


def merge_of(spellings: Sequence[str], n_images: dict[str, int]) -> dict[str, list[str]]:
    """Return the spellings as a choice to join them: under the name of most images, the first of them."""
    return {max(spellings, key=lambda name: n_images.get(name, 0)): list(spellings)}


def _plain(name: str) -> str:
    """Return what the spellings of a name have in common."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    name = name.casefold().strip()
    if number := _NUMBER.fullmatch(name):
        return f"{_MINUS if number[1] == '-' else ''}{number[2].lstrip('0') or '0'}"
    sign = _MINUS if re.match(r"-\s*\d", name) else ""
    end = _MINUS if name.endswith("-") else ""
    plain = _SEPARATORS.sub("", _BETWEEN_NUMBERS.sub(_MARK, name))
    return f"{sign}{_LEADING_ZEROS.sub('', plain)}{end}" if plain else name
