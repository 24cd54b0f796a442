"""Files that coverslip writes, as tests read them."""

import codecs
import csv
import io
import json
from pathlib import Path
from typing import Any

from httpx import Client, Response


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with table.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def json_of(file: Path) -> dict[str, Any]:  # Any: JSON
    """The object in a JSON file."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def label_changes(client: Client, dataset: str) -> list[dict[str, str]]:
    """The images of each change of labels of a dataset, by its address, the oldest first."""
    text = downloaded(client.get(f"{dataset}/download/label-changes"))
    return list(csv.DictReader(io.StringIO(text)))


def downloaded(answer: Response) -> str:
    """The text of a CSV table from the app, which is marked as UTF-8 for Excel."""
    assert answer.content.startswith(codecs.BOM_UTF8)
    return answer.content.decode("utf-8-sig")
