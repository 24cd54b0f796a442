"""Say what an audit found: .ci/audited.py pip|npm ANSWER LOCKED. Exit code 0: all packages known, no vulnerability."""

import json
import sys
from pathlib import Path
from typing import Any

Answer = dict[str, Any]  # Any: JSON values


def findings_of_pip(answer: Answer) -> tuple[list[str], list[str]]:
    """Vulnerabilities, and packages of which nothing is known, in what pip-audit writes."""
    packages = answer["dependencies"]
    found = [f"{own['name']} {own['version']}: {each['id']}" for own in packages for each in own.get("vulns", ())]
    return found, [own["name"] for own in packages if "skip_reason" in own]


def findings_of_npm(answer: Answer) -> tuple[list[str], list[str]]:
    """Vulnerabilities in what npm audit writes; the second is empty, since it asks of all packages at once."""
    return [f"{name}: {each['severity']}" for name, each in answer["vulnerabilities"].items()], []


def main(kind: str, answer: str, locked: str) -> int:
    """Print what was found, or that there was no answer."""
    try:
        told = json.loads(Path(answer).read_text(encoding="utf-8"))
        found, unknown = (findings_of_pip if kind == "pip" else findings_of_npm)(told)
    except (OSError, ValueError, KeyError):
        sys.stderr.write(f"audit: {locked}: NOT AUDITED: the service could not be reached, or gave no answer\n")
        return 1
    if unknown:
        sys.stderr.write(f"audit: {locked}: NOT AUDITED: {len(unknown)} packages, of which the service knows nothing\n")
    for each in found:
        sys.stderr.write(f"audit: {locked}: {each}\n")
    if not found and not unknown:
        sys.stdout.write(f"audit: {locked}: no known vulnerability\n")
    return bool(found or unknown)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
