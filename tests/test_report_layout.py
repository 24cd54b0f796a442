"""Reports as a browser lays them out: no text is clipped or covers other text, at any width and in print."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawing import write_cells
from synthetic_runs import write_run
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.inference.summarising import SampledPrediction, summary_of
from coverslip.reports.page import write_report
from coverslip.reports.proportions_page import write_proportions_report
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction
from coverslip.runs.recipe import Recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (800, 1280, 1920)
MadeOnce = Callable[[str, Callable[[Path], object]], Path]

LONG = tuple(f"cells of kind {k}, early, with {'x' * (8 * k)}" for k in range(1, 4))
MANY = (*LONG, "mitosis/metaphase_and_anaphase_of_polyploid_megakaryoblasts", *(f"kind {k}" for k in range(20)))


def write_multi_class(folder: Path) -> None:
    write_report(write_run(folder, n_test=120, n_groups=40))


def write_two_classes(folder: Path) -> None:
    recipe = Recipe(decide_by="sensitivity")
    names = ("healthy", "infected")
    write_report(write_run(folder, names, n_test=80, n_groups=25, skill=2, recipe=recipe, has_subgroups=True))


def write_few_groups(folder: Path) -> None:
    """Of three groups in the test set, which have counts in place of confidence intervals."""
    write_report(write_run(folder, LONG, n_test=60, n_groups=15, skill=2, finetuned=False, has_subgroups=True))


def write_many_classes(folder: Path) -> None:
    write_report(write_run(folder, MANY, n_test=200, n_groups=0, skill=2, finetuned=False))


def write_folds(folder: Path) -> None:
    recipe = INSTANT.model_copy(update={"split": INSTANT.split.model_copy(update={"folds": 3})})
    cs.train(cs.open_dataset(write_cells(folder / "cells"), group_pattern=GROUPS), recipe, out=folder / "run")


def write_proportions(folder: Path) -> None:
    """Of wells with conditions, and a class with a long name."""
    rng, classes = np.random.default_rng(0), ("healthy", LONG[2], "other")
    rows = [
        SampledPrediction(
            Prediction(f"{k}", f"{k}.png", None, classes[k], 1.0, classes[k], tuple(float(k == j) for j in range(3))),
            f"plate 1/{'ABC'[well % 3]}{1 + well // 3:02d}",
            ("0", "solvent with a long name, 5 percent", "30")[well // 3],
        )
        for well in range(9)
        for k in rng.choice(3, 20, p=(0.6, 0.3, 0.1))
    ]
    summary = summary_of(classes, rows, None, "0")
    (folder / "run").mkdir()
    write_proportions_report(summary, folder / "run" / "report.html")


WRITERS = {
    writer.__name__.removeprefix("write_"): writer
    for writer in (
        *(write_multi_class, write_two_classes, write_few_groups, write_many_classes, write_folds),
        write_proportions,
    )
}


ALIKE = ("multi_class", "few_groups", "folds")  # the others have nearly all that is in them


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.exhaustive] * (name in ALIKE))
        for name in (*WRITERS, "study", "evaluation")
    ],
)
def report(request: pytest.FixtureRequest, made_once: MadeOnce) -> Path:
    """Each kind of report in turn."""
    if request.param == "study":
        report_of_study: Path = request.getfixturevalue("study_report")
        return report_of_study
    if request.param != "evaluation":
        return made_once(f"report of {request.param}", WRITERS[request.param]) / "run" / "report.html"
    trained: Run = request.getfixturevalue("trained")

    def evaluate(folder: Path) -> None:
        shutil.copytree(trained.folder, folder / "run")
        data = cs.open_dataset(write_cells(folder / "other", 54, seed=9), group_pattern=GROUPS)
        cs.evaluate(folder / "run", data, name="other")

    return made_once("report of an evaluation", evaluate) / "run" / "evaluations" / "other" / "report.html"


_OPEN = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"

# Lines of the texts in an element: one for each text node and line.
_LINES = """
const linesIn = (element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const lines = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 0) lines.push({ node, box, text: node.data });
  }
  return lines;
};
const common = (a, b, start, end) => Math.min(a[end], b[end]) - Math.max(a[start], b[start]);
const meet = (a, b) => common(a, b, 'left', 'right') > 1 && common(a, b, 'top', 'bottom') > 1;
"""

_TABLE_FAULTS = f"""() => {{
  {_LINES}
  const faults = [];
  for (const table of document.querySelectorAll('table')) {{
    const scroller = table.parentElement;
    for (const cell of table.querySelectorAll('th, td')) {{
      const own = cell.getBoundingClientRect(), lines = linesIn(cell);
      for (const {{ box, text }} of lines) {{
        const isInside = box.left >= own.left - 1 && box.right <= own.right + 1 && box.bottom <= own.bottom + 1;
        if (!isInside) faults.push(`out of its cell: ${{text}}`);
      }}
      for (const [i, a] of lines.entries())
        for (const b of lines.slice(i + 1)) if (meet(a.box, b.box)) faults.push(`over ${{b.text}}: ${{a.text}}`);
      const interval = cell.querySelector('.ci');
      if (interval && interval.getBoundingClientRect().top < lines[0].box.bottom - 2)
        faults.push(`beside its value: ${{interval.innerText}}`);
      const name = cell.querySelector('.name');
      if (name && lines.length > 1 && name.innerText.length < 8 * lines.length)
        faults.push(`squeezed: ${{name.innerText}}`);
    }}
    const first = table.querySelector('tbody th'), last = table.querySelector('thead th:last-child');
    scroller.scrollLeft = scroller.scrollWidth;
    const box = scroller.getBoundingClientRect();
    if (last.getBoundingClientRect().right > box.right + 1) faults.push(`cut off: ${{last.innerText}}`);
    if (first && Math.abs(first.getBoundingClientRect().left - box.left) > 1) faults.push(`gone: ${{first.innerText}}`);
    scroller.scrollLeft = 0;
  }}
  return faults;
}}"""

# Text of a drawing may be turned, so its boxes are compared along their own axes.
_FIGURE_FAULTS = """() => {
  const faults = [], ground = getComputedStyle(document.body).backgroundColor;
  const corners = (text) => {
    const { x, y, width, height } = text.getBBox(), matrix = text.getScreenCTM();
    const inset = 0.15 * height;
    return [[x, y + inset], [x + width, y + inset], [x + width, y + height - inset], [x, y + height - inset]]
      .map(([u, v]) => [matrix.a * u + matrix.c * v + matrix.e, matrix.b * u + matrix.d * v + matrix.f]);
  };
  const areApart = (a, b) => [a, b].some((box) => [[0, 1], [1, 2]].some(([i, k]) => {
    const [u, v] = [box[k][0] - box[i][0], box[k][1] - box[i][1]];
    const along = (points) => points.map(([x, y]) => (x * u + y * v) / Math.hypot(u, v));
    const [p, q] = [along(a), along(b)];
    return Math.max(...p) <= Math.min(...q) + 0.5 || Math.max(...q) <= Math.min(...p) + 0.5;
  }));
  for (const svg of document.querySelectorAll('figure.drawing svg')) {
    const frame = svg.getBoundingClientRect(), isMatrix = svg.closest('.matrix') !== null;
    const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim());
    const boxes = texts.map(corners);
    texts.forEach((text, i) => {
      const [xs, ys] = [0, 1].map((axis) => boxes[i].map((corner) => corner[axis]));
      if (Math.min(...xs) < frame.left - 2 || Math.max(...xs) > frame.right + 2 ||
          Math.min(...ys) < frame.top - 2 || Math.max(...ys) > frame.bottom + 2)
        faults.push(`out of the figure: ${text.textContent}`);
      if (!isMatrix && getComputedStyle(text).fill === ground) faults.push(`invisible: ${text.textContent}`);
      for (let k = i + 1; k < texts.length; k++)
        if (!areApart(boxes[i], boxes[k])) faults.push(`${text.textContent} over ${texts[k].textContent}`);
    });
    if (svg.closest('figure').querySelector('figcaption') === null) faults.push('a figure without a caption');
  }
  return faults;
}"""
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def opened(browser: "Browser", report: Path, width: int) -> "Page":
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(report.as_uri())
    page.evaluate(_OPEN)
    return page


@pytest.mark.slow
def test_no_text_is_clipped_or_covers_other_text(browser: "Browser", report: Path) -> None:
    page = opened(browser, report, WIDTHS[0])
    try:
        assert page.locator("table").count() > 1
        assert page.locator("figure.drawing svg").count() > 1
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(_OVERFLOW) == 0, width
            assert page.evaluate(_TABLE_FAULTS) == [], width
            assert page.evaluate(_FIGURE_FAULTS) == [], width
    finally:
        page.close()


@pytest.mark.slow
def test_metrics_of_two_classes_need_no_scrolling(browser: "Browser", made_once: MadeOnce) -> None:
    """With the most columns that there are: those of a chosen threshold too."""
    report = made_once("report of two_classes", write_two_classes) / "run" / "report.html"
    for width in WIDTHS:
        page = opened(browser, report, width)
        try:
            table = page.locator(".wide", has_text="operating point")
            assert table.count() == 1
            assert table.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0, width
        finally:
            page.close()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_all_columns_are_printed(browser: "Browser", report: Path) -> None:
    page = opened(browser, report, 688)  # A4 between the margins
    try:
        page.emulate_media(media="print")
        rights = "[...document.querySelectorAll('td, th')].map((cell) => cell.getBoundingClientRect().right)"
        assert max(page.evaluate(rights)) <= 689
    finally:
        page.close()
