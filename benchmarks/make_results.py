"""Write benchmarks/RESULTS.md from the records in benchmarks/results (`make results`), and list those to repeat.

The page marks records that are older than the code that they measure: a record contains the hashes of the measured
files and folders, which are compared with those of the last commit. A mark is as of the last `make results`, so that a
commit to the code does not make the page wrong for each contributor.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from _records import Json, hashes_of, read_records

PAGE = Path(__file__).resolve().parent / "RESULTS.md"
OLDER = ", **older**"  # than its code: the page explains it
INTRODUCTION = """# Measurements

Each section is the record of a benchmark. `make results` writes this page from [benchmarks/results](results).
[NOT_KEPT.md](NOT_KEPT.md) lists what failed.

- **Repeat**: `make bench SCRIPT=spot_checks`. Images: `COVERSLIP_DATA`.
- **Age**: date, commit. *Older*: than its code.
- **Computer**: two shared cores without a GPU, unless stated. *Load*: other programs kept all cores busy, so
  times are long.

Square brackets: 95% confidence intervals (CI). SE: standard error.
"""


def main() -> None:
    records = read_records()
    older = {name for name, record in records.items() if is_older(record)}
    PAGE.write_text(page_of(records, older), encoding="utf-8")
    n_words = len(PAGE.read_text(encoding="utf-8").split())
    print(f"{PAGE.name}: {len(records)} records, {n_words:,} words")
    for name in sorted(older):
        print(f"{name}: older than its code; {records[name]['command']}")


def is_older(record: Json) -> bool:
    """Return whether the measured code has changed since; of records without a commit, this is unknown."""
    return record["commit"] is not None and hashes_of(list(record["measures"])) != record["measures"]


def page_of(records: Mapping[str, Json], older: set[str]) -> str:
    """Return the page, with a mark at some records."""
    sections: dict[str, list[str]] = {}
    for name in sorted(records):
        sections.setdefault(records[name]["title"], []).append(_block(records[name], is_marked=name in older))
    by_title = sorted(sections.items(), key=lambda item: item[0].lower())
    return INTRODUCTION + "".join(f"\n## {title}\n\n" + "\n".join(blocks) for title, blocks in by_title)


def without_marks(page: str) -> str:
    return page.replace(OLDER, "")


def _block(record: Json, *, is_marked: bool) -> str:
    """Return the command, the age and the figures of a record."""
    commit = f", {record['commit']}" if record["commit"] else ""
    n_cores, load = record["machine"]["cores"], record["machine"].get("load") or 0
    computer = ("" if n_cores == 2 else f", {n_cores} cores") + (f", load {load:g}" if load > n_cores else "")
    age = f"{record['date']}{commit}{computer}{OLDER if is_marked else ''}"
    part = f"**{record['part']}**: " if "part" in record else ""
    return f"{part}`{record['command']}` ({age})\n\n" + "".join(_lines(record["figures"]))


def _lines(figures: Iterable[Json]) -> Iterator[str]:
    """Yield a list entry for each claim: its figure, or its figures and what each of them is of."""
    by_claim: dict[str, list[Json]] = {}
    for figure in figures:
        by_claim.setdefault(figure["claim"], []).append(figure)
    for claim, shown in by_claim.items():
        if len(shown) == 1:
            of = f", {shown[0]['of']}" if "of" in shown[0] else ""
            yield f"- {claim}{of}: {_cell(shown[0])}\n"
            continue
        sizes = {_size(figure) for figure in shown}
        size = sizes.pop() if len(sizes) == 1 else ""
        yield f"- {claim[:-1]}; {size}):\n" if size and claim.endswith(")") else f"- {claim}{size and f' ({size})'}:\n"
        for figure in shown:
            yield f"  - {figure['of']}: {_cell(figure | {'n': None} if size else figure)}\n"


def _cell(figure: Json) -> str:
    """Return a figure such as **0.98** ms [0.97, 0.99] (n = 30; note)."""
    cell = f"**{figure['value']:,}**" + (f" {figure['unit']}" if "unit" in figure else "")
    if "interval" in figure:
        cell += f" [{figure['interval'][0]:,}, {figure['interval'][1]:,}]"
    remarks = "; ".join(filter(None, (_size(figure), figure.get("note"))))
    return cell + (f" ({remarks})" if remarks else "")


def _size(figure: Json) -> str:
    n = figure.get("n")
    return "" if n is None else f"n = {n:,}" if isinstance(n, int) else f"n = {n}"


if __name__ == "__main__":
    main()
