"""Writes a page of `docs/studies/` from the folder of a study that was run: its numbers, and what they do not show.

    python docs/make_studies.py NAME STUDY --asks TEXT --command TEXT [--note TEXT]...

`STUDY` gets its tables and report anew on the way. Paths below the folder that `COVERSLIP_DATA` names are written
without it.
"""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from coverslip import studies
from coverslip.studies import DatasetComparison, StudyComparison, interval, usual_verdict, verdict

_PAGES = Path(__file__).parent / "studies"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the page, such as mobincep")
    parser.add_argument("study", type=Path, help="folder of the study")
    parser.add_argument("--asks", required=True, help="what it asks, in a sentence or two")
    parser.add_argument("--title", required=True)
    parser.add_argument("--command", required=True, help="how it was run")
    parser.add_argument("--note", action="append", default=[], help="what else the numbers do not show")
    asked = parser.parse_args()
    compared = studies.study_comparison(asked.study)
    lines = [
        f"# {asked.title}",
        "",
        "Written by `docs/make_studies.py` from the study's own files.",
        "",
        asked.asks,
        "",
        "```sh",
        *asked.command.splitlines(),
        "```",
        *_results(compared),
        "",
        "## What it does not show",
        "",
        *(f"- {note}" for note in (*asked.note, *compared.idle_first_steps, *compared.notes)),
        "",
    ]
    _PAGES.mkdir(exist_ok=True)
    page = "\n".join(lines)
    if root := os.environ.get("COVERSLIP_DATA"):
        page = page.replace(f"{root}/", "")
    (_PAGES / f"{asked.name}.md").write_text(page, encoding="utf-8")


def _results(compared: StudyComparison) -> Iterable[str]:
    for part in compared.datasets:
        size = f", {part.train_per_class} training images of each class" if part.train_per_class else ""
        yield from ("", f"## {part.dataset}{size}", "", *_means(part, compared.metric_title))
        yield from _differences(part)
    if (together := compared.overall) is not None:
        yield from ("", "## All datasets together", "")
        yield from _table(
            ("network", f"{compared.metric_title}, mean", "mean rank"),
            [(row.name, _number(row.mean), _number(row.mean_rank, 2)) for row in together.scores],
        )
        chance = _number(together.critical_difference, 2)
        yield from (
            "",
            f"Ranks closer than {chance} are no more than chance (Nemenyi).",
        )
    yield from _first_steps(compared)
    if compared.gaps:
        yield from ("", "## By the publication's protocol", "")
        yield from _table(
            ("dataset", "network", "as published", "here", "difference"),
            [
                (
                    gap.dataset,
                    gap.name,
                    f"{gap.as_published:.3f}",
                    f"{gap.own:.3f}",
                    f"{gap.as_published - gap.own:+.3f}",
                )
                for gap in compared.gaps
            ],
        )
    if compared.merged:
        yield from ("", "## One dataset alone, or among others: F1 by class", "")
        yield from _table(
            ("dataset", "network", "class", "images", "alone", "images", "together"),
            [
                (
                    row.dataset,
                    row.name,
                    row.class_name,
                    str(row.n_single),
                    _number(row.f1_single.value),
                    str(row.n_merged),
                    _number(row.f1_merged.value),
                )
                for row in compared.merged
            ],
        )


def _first_steps(compared: StudyComparison) -> Iterable[str]:
    if compared.distances:
        yield from ("", "## How far the first step's images are", "")
        yield from _table(
            ("dataset", "network", "MMD²", "95 % interval", "p", "CORAL"),
            [
                (
                    row.dataset,
                    row.model,
                    _number(row.mmd2.value, 4),
                    f"{_number(row.mmd2.low, 4)} to {_number(row.mmd2.high, 4)}",
                    _number(row.p),
                    f"{row.coral.value:.3g}",
                )
                for row in compared.distances
            ],
        )
    if compared.heat_maps:
        yield from ("", "## Where the networks look", "")
        yield from _table(
            ("dataset", "network", "start", "map", "like random weights", "beats the centre by", "at least", ""),
            [
                (
                    drawn.dataset,
                    drawn.model,
                    row.regime,
                    row.method,
                    _number(row.similarity, 2),
                    _number(row.gain),
                    _number(row.gain_low),
                    row.verdict,
                )
                for drawn in compared.heat_maps
                for row in drawn.maps
            ],
        )


def _means(part: DatasetComparison, metric: str) -> Iterable[str]:
    return _table(
        ("network", f"{metric}, mean", "sd over splits", "splits", "missing", "parameters, millions", "training, s"),
        [
            (
                row.name,
                _number(row.mean),
                _number(row.sd),
                str(row.n_splits),
                str(row.n_missing or ""),
                _number(row.parameters and row.parameters / 1000000.0, 2),
                _number(row.train_seconds, 0),
            )
            for row in part.scores
        ],
    )


def _differences(part: DatasetComparison) -> Iterable[str]:
    if not part.differences:
        return
    yield ""
    yield from _table(
        ("network", "against", "difference", "95 % interval", "p (Holm)", "", "publications' tests"),
        [
            (
                row.name,
                row.baseline,
                f"{row.difference.mean:+.3f}",
                interval(row.difference),
                _number(row.p_holm),
                verdict(row, part),
                usual_verdict(row).partition(";")[0],
            )
            for row in part.differences
        ],
    )


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
