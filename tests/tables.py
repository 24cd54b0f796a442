"""Files that coverslip writes, as tests read them."""

import csv
import json
from pathlib import Path
from typing import Any


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with table.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def json_of(file: Path) -> dict[str, Any]:  # Any: JSON
    """The object in a JSON file."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
