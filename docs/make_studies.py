"""Write a page of `docs/studies/` from the folder of a study: its tables and its limitations.

    python docs/make_studies.py NAME STUDY --purpose TEXT --command TEXT [--note TEXT]...

The script also updates the tables and the report of `STUDY`. It shortens paths below the folder `COVERSLIP_DATA`, which
then start at this folder.
"""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from coverslip.reports.metric_rows import Cell
from coverslip.studies.comparing import StudyComparison
from coverslip.studies.report import study_sections
from coverslip.studies.study import study_comparison

_PAGES = Path(__file__).parent / "studies"
_ONLY_IN_REPORT = {  # sections that a page would only repeat
    *("Performance and cost", "All metrics", "Training curves", "Training and validation metrics", "Settings"),
    *("Heat maps", "Differences from the publication"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="name of the page, such as mobincep")
    parser.add_argument("study", type=Path, help="folder of the study")
    parser.add_argument("--purpose", required=True, help="purpose and data of the study, in one to three sentences")
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True, help="commands that ran the study")
    parser.add_argument("--note", action="append", default=[], help="a further limitation of the results")
    options = parser.parse_args()
    compared = study_comparison(options.study)
    lines = [
        f"# {options.title}",
        "",
        "`docs/make_studies.py` wrote this page from the files of the study.",
        "",
        options.purpose,
        "",
        "```sh",
        *options.command.splitlines(),
        "```",
        *_results(compared),
        "",
        "## Limitations of the study",
        "",
        *(f"- {note}" for note in options.note),
        "",
    ]
    _PAGES.mkdir(exist_ok=True)
    page = "\n".join(lines)
    if root := os.environ.get("COVERSLIP_DATA"):
        page = page.replace(f"{root}/", "")
    (_PAGES / f"{options.name}.md").write_text(page, encoding="utf-8")


def _results(compared: StudyComparison) -> Iterable[str]:
    for section in study_sections(compared):
        if section.title.startswith("Tables and figures of") or section.title in _ONLY_IN_REPORT:
            continue
        blocks = [block for block in section.blocks if block.rows or block.words]
        if blocks:
            yield from ("", f"## {section.title}")
        for block in blocks:
            if block.heading == "Settings by arm":
                continue
            if block.heading:
                yield from ("", f"### {block.heading}")
            if block.rows:
                yield ""
                yield from _table(block.columns, block.rows)
            for words in block.words:
                yield from ("", words)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterable[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


if __name__ == "__main__":
    main()
