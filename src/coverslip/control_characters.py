"""Characters that a terminal obeys, that turn text around, or that XML forbids: escaped wherever text is shown."""

import re

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
_UNSAFE_IN_LINES = re.compile(r"(?![\n\t])[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")


def escape_controls(text: str) -> str:
    r"""Return `text` with each control character as an escape, such as `\x1b`; line ends and tabs too."""
    return _UNSAFE.sub(_escaped, text)


def escape_controls_in_lines(text: str) -> str:
    """Return `text` of several lines with each control character as an escape but line ends and tabs."""
    return _UNSAFE_IN_LINES.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()
