"""Answers of a program as values by path: normalized, so that two runs of the same session have the same values."""

import csv
import hashlib
import html
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

Values = dict[str, Any]  # Any: JSON values without objects

# The first of these keys that all objects of a list have, each with another value, replaces the position in the path.
KEYS = ("image_id", "name", "id", "key", "code", "path", "folder", "condition", "class", "row_id", "title", "value")

_ID = re.compile(r"(?<!\d\.)\b(?:[0-9a-f]{10}|[0-9a-f]{12}|[0-9a-f]{16})\b")  # 16: of tables, a hash of paths
_PART = re.compile(r"\.[0-9a-f]{8}\.part\b")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?")
_DURATION = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)?\s?(?:ms|s|min|h|seconds?|minutes?)\b(?:\s\d+\s?(?:s|min)\b)?")
_IS_TIME = re.compile(r"seconds|(^|_)(ms|s|began|time|times|heartbeat|mtime|per_second|age)$")


class Names:
    """Names for what differs from run to run: identifiers, folders, times and durations.

    An identifier is named by the step of the session that returned it first, so that one more identifier does not
    change the names of others.

    Args:
        folders: names of folders by their path.
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = dict(sorted(folders.items(), key=lambda item: -len(item[0])))
        self._names: dict[str, str] = {}

    def name(self, identifier: str, name: str) -> None:
        """Name an identifier, before it is returned."""
        self._names.setdefault(identifier, f"<{name}>")

    def _name_of(self, identifier: str, name: str) -> str:
        if identifier not in self._names:
            n = sum(other.startswith(f"<{name}") for other in self._names.values())
            self._names[identifier] = f"<{name}, {n + 1}>" if n else f"<{name}>"
        return self._names[identifier]

    def without_folders(self, text: str) -> str:
        """Return a text with the names of folders."""
        for folder, name in self._folders.items():
            text = text.replace(folder, f"<{name}>")
        return text

    def normalized(self, text: str, where: str) -> str:
        """Return a text that every run has; `where` names identifiers that are new."""
        text = _PART.sub(".<part>", _TIME.sub("<time>", self.without_folders(text)))
        text = _ID.sub(lambda match: self._name_of(match[0], f"id of {where}"), text)
        return _DURATION.sub("<duration>", text)


def flat(value: Any, names: Names, step: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value in JSON with its path. Times and durations are normalized.

    Objects in a list have the value of one of `KEYS` instead of their position, and the order is a value of its own.
    A list of other values is one value.
    """
    if _IS_TIME.search(path.rpartition(".")[2]) and not isinstance(value, (dict, list)):
        yield path, "<time>"
    elif isinstance(value, str):
        yield path, names.normalized(value, f"{step}: {path}")
    elif isinstance(value, dict):
        if not value:
            yield path, {}
        for name, inner in value.items():
            yield from flat(inner, names, step, joined(path, names.normalized(str(name), f"{step}: {path}")))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        labels = _labels(value, names, f"{step}: {path}")
        yield joined(path, "length"), len(value)
        if labels is not None and len(labels) > 1:
            yield joined(path, "order"), labels
        for k, item in enumerate(value):
            yield from flat(item, names, step, f"{path}[{k if labels is None else labels[k]}]")
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        yield joined(path, "length"), len(value)
        for k, item in enumerate(value):
            yield from flat(item, names, step, f"{path}[{k}]")
    elif isinstance(value, list):
        yield path, [names.normalized(item, f"{step}: {path}") if isinstance(item, str) else item for item in value]
    else:
        yield path, value


def joined(path: str, name: str) -> str:
    """Return the path of a member."""
    return f"{path}.{name}" if path else name


def _labels(items: Sequence[Mapping[str, Any]], names: Names, where: str) -> list[str] | None:
    for key in KEYS:
        values = [item.get(key) for item in items]
        if all(isinstance(value, (str, int)) for value in values) and len(set(values)) == len(values):
            return [names.normalized(str(value), where) for value in values]
    return None


def content_of(data: bytes, kind: str, names: Names) -> Any:
    """Return JSON for the content of a file or an answer; `kind` is its content type."""
    if "json" in kind:
        return json.loads(data) if data else None
    if "csv" in kind or "tab-separated" in kind:
        return table_of(data, names)
    if kind.startswith("image/") and "svg" not in kind:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image)
        return {"shape": list(pixels.shape), "sha256 of pixels": hashlib.sha256(pixels.tobytes()).hexdigest()}
    if "html" in kind:
        text = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", "", data.decode())
        text = html.unescape(re.sub(r"<[^>]*>", "\n", text))
        return {"lines": [line.strip() for line in text.splitlines() if line.strip()]}
    if "zip" in kind:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {"files": sorted(archive.namelist())}
    if kind.startswith("text/") or "yaml" in kind:
        return {"lines": data.decode().splitlines()}
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def table_of(data: bytes, names: Names) -> Any:
    """Return the columns and rows of a table, and the SHA-256 of its bytes without folders and identifiers."""
    text = data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in text.partition("\n")[0] else ","))
    normalized = names.normalized(text, "a table")
    return {
        "columns": list(rows[0]) if rows else text.splitlines()[:1],
        "rows": rows,
        "sha256 of the bytes": hashlib.sha256(normalized.encode()).hexdigest(),
    }


# Comparing ----------------------------------------------------------------------------------------------------------


def renamed(values: Values, renames: Mapping[str, str]) -> Values:
    """Return values under their new paths; keys of `renames` are regular expressions for parts of a path."""
    result = {}
    for path, value in values.items():
        for pattern, new in renames.items():
            path = re.sub(pattern, new, path)
        result[path] = value
    return result


def differences(before: Values, after: Values) -> Iterator[str]:
    """Yield a line for each difference; more than three alike, in different items of a list, share one line.

    An item of a list that only one side has is one difference.
    """
    items_before, items_after = ({_item_of(path) for path in values} for values in (before, after))
    alike: dict[tuple[str, str], dict[str, str]] = {}
    for path in [*before, *(path for path in after if path not in before)]:
        if path not in after:
            kind, text = "only before", shortened(before[path])
            path = path if _item_of(path) in items_after else _item_of(path)
        elif path not in before:
            kind, text = "only after", shortened(after[path])
            path = path if _item_of(path) in items_before else _item_of(path)
        elif before[path] != after[path]:
            kind, text = "different", difference(before[path], after[path])
        else:
            continue
        group = alike.setdefault((kind, re.sub(r"\[.*?\]", "[…]", path)), {})
        group.setdefault(path, text)
    for (kind, pattern), each in alike.items():
        mark = "" if kind == "different" else f"{kind}: "
        if len(each) > 3:
            path, text = next(iter(each.items()))
            yield f"{pattern}: {len(each)} values {kind}, such as {path}: {text}"
        else:
            yield from (f"{path}: {mark}{text}" for path, text in each.items())


def _item_of(path: str) -> str:
    """Return the path of the innermost item of a list that contains a value; the path itself if there is none."""
    return path[: path.rindex("]") + 1] if "]" in path else path


def difference(before: Any, after: Any) -> str:
    """Describe the difference of two values."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return f"{shortened(before)} -> {shortened(after)}"
    if sorted(map(str, before)) == sorted(map(str, after)):
        k = next(k for k, (was, now) in enumerate(zip(before, after, strict=True)) if was != now)
        return f"another order of the same {len(before)}, from {k} on: {shortened(before[k])} -> {shortened(after[k])}"
    if len(before) != len(after):
        texts = [set(map(str, values)) for values in (before, after)]
        gone, new = (shortened(", ".join(sorted(first - second))) for first, second in (texts, texts[::-1]))
        return f"{len(before)} -> {len(after)} items; only before: {gone or '-'}; only after: {new or '-'}"
    pairs = [(k, was, now) for k, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    k, was, now = pairs[0]
    return f"{len(pairs)} of {len(before)} items, such as {k}: {shortened(was)} -> {shortened(now)}"


def shortened(value: Any) -> str:
    """Return a value as text of at most 80 characters."""
    text = " ".join((value if isinstance(value, str) else json.dumps(value)).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
