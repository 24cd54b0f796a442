"""Live: processor time of a label, labels that its orders save, how often certain predictions are right, its estimate.

On five real sets, labels come from the truth: in the order that live suggests, or at random. The script prints, for
each set, the labels that reach 90% of the accuracy with 1,000 random labels (median of the seeds), the accuracy of the
20 most certain images of each predicted class with five labels a class, and, for users who stop as soon as they like
the number, how often its interval contains the accuracy on all images without a label at that time, and how far the
number is from it on average.

    python benchmarks/live.py [--data ../shared/data] [--seeds 3] [--users 20]
    python benchmarks/live.py --browser  # 60 labels of white blood cells by keys; built pages and Chromium

With `--browser`, the script labels suggested images in the gallery, and measures the time from a key to the predictions
of all shown images by this label.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from _records import ROOT, Record
from app import CHROMIUM, Server, serving, wait_for

from coverslip.audit.live import Live, LiveImages, open_live
from coverslip.datasets.index.opening import open_dataset
from coverslip.events import ignore

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECORD = Record("Live", ["src/coverslip/audit"])
SETS = ("blood_pbc", "nuclei_mitocheck", "chromosomes_qband", "blood_malaria", "pap_herlev")
MOST_IMAGES, MOST_LABELS, N_PAGE, TEST_SHARE = 2_000, 1_000, 20, 0.25
N_FEATURES, N_CLASSES = 3_680, 20  # of the measurement of time
N_OF_CLASS, N_KEYS, N_BETWEEN = 100, 60, 20  # images of a class, labels by keys, and labels before a new order
Bools = npt.NDArray[np.bool_]

# Milliseconds from a key to the frame after the first rows that were requested after the answer to its label.
SAMPLE = """
window.samples = [];
let pressed = null, isSaved = false;
addEventListener('keydown', () => { pressed = performance.now(); isSaved = false; }, { capture: true });
const original = window.fetch;
window.fetch = async (request, ...more) => {
  const url = String(request.url ?? request);
  const isOfRows = /lists\\/[^/]+\\/rows\\?rows=/.test(url) && isSaved;
  const answer = await original(request, ...more);
  if (url.endsWith('/changes')) isSaved = true;
  if (isOfRows && pressed !== null) {
    const from = pressed;
    pressed = null;
    answer.clone().text().then(() =>
      requestAnimationFrame(() => requestAnimationFrame(() => window.samples.push(performance.now() - from))));
  }
  return answer;
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--users", type=int, default=20, metavar="N")
    parser.add_argument("--browser", action="store_true", help="label by keys in Chromium instead")
    RECORD.add_option(parser)
    arguments = parser.parse_args()
    if arguments.browser:
        with tempfile.TemporaryDirectory() as folder:
            label_by_keys(Path(folder), arguments.data / "blood_pbc")
        RECORD.write(part="browser")
        return
    for n_images, n_labels in ((5_000, 60), (5_000, 500), (5_000, 1_000), (30_000, 1_000)):
        measure_time(n_images, n_labels)
    covered, biases = [], []
    for name in SETS:
        images, labels = images_of(arguments.data / name)
        compare_orders(name, images, labels, arguments.seeds)
        n_covered, bias = check_estimate(name, images, labels, arguments.users)
        covered.append(n_covered)
        biases.append(bias)
    claim, n = "Intervals with the accuracy, of users who like it", len(SETS) * arguments.users
    RECORD.add(claim, sum(covered), n=n, note=f"lowest of a set {min(covered)}")
    of_sets = f"{min(biases):+.3f} to {max(biases):+.3f}"
    RECORD.add("Number of 30 test images minus accuracy, mean", round(float(np.mean(biases)), 3), note=of_sets)
    RECORD.write()


def measure_time(n_images: int, n_labels: int) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n_images, N_FEATURES), np.float32)
    names = tuple(map(str, range(n_images)))
    label_of = [str(k % N_CLASSES) if k < n_labels else None for k in range(n_images)]
    live = Live(LiveImages(names, names, (None,) * n_images, features), label_of, np.zeros(n_images, bool))
    seconds = []
    for k in range(3):
        live.label([names[n_labels + k]], "0")
        before = time.process_time()
        assert live.fit is not None
        live.fit.predicted.sum()
        seconds.append(time.process_time() - before)
    value = round(float(np.median(seconds)), 3)
    print(f"{n_images} images, {n_labels} labels: {value} s of processor time")
    if n_labels == 1_000:
        RECORD.add("Processor time of a label, 1,000 labels", value, "s", of=f"{n_images:,} images")


def images_of(folder: Path) -> tuple[LiveImages, list[str]]:
    """Return random images of a set with their features, and their true labels."""
    data = open_dataset(folder / "images.csv" if (folder / "images.csv").exists() else folder)
    some = np.sort(np.random.default_rng(0).permutation(len(data.records))[:MOST_IMAGES])
    data = replace(data, records=tuple(data.records[i] for i in some.tolist()))
    with open_live(data, np.zeros(len(data.records), bool), device="cpu", emit=ignore) as live:
        features = live.images.features[slice(0, len(live.labels))]
        groups = (None,) * len(live.labels)  # test sets are drawn from images
        return replace(live.images, features=features, groups=groups), [str(label) for label in live.labels]


def test_of(n: int, seed: int) -> Bools:
    is_test = np.zeros(n, bool)
    is_test[np.random.default_rng(seed).permutation(n)[: round(TEST_SHARE * n)]] = True
    return is_test


def accuracy(live: Live, truth: list[str], rows: npt.NDArray[np.int64]) -> float:
    fit = live.fit
    if fit is None:
        return 0.0
    return float(np.mean([fit.classes[k] == truth[row] for k, row in zip(fit.predicted[rows], rows, strict=True)]))


def curve(images: LiveImages, truth: list[str], seed: int, *, is_live: bool) -> Iterator[tuple[int, float, Live]]:
    """Yield the number of labels and the accuracy on the test set, after each 20 labels."""
    is_test = test_of(len(truth), seed)
    live = Live(images, [None] * len(truth), is_test)
    row_of = {name: row for row, name in enumerate(images.image_ids)}
    order = np.random.default_rng(seed).permutation(np.flatnonzero(~is_test))[:MOST_LABELS]
    for start in range(0, len(order), N_PAGE):
        if is_live:
            rows = [row_of[each.image_id] for each in live.suggest(N_PAGE)]
        else:
            rows = order[start : start + N_PAGE].tolist()
        for row in rows:
            live.label([images.image_ids[row]], truth[row])
        yield start + len(rows), accuracy(live, truth, np.flatnonzero(is_test)), live


def compare_orders(name: str, images: LiveImages, truth: list[str], n_seeds: int) -> None:
    needed: dict[bool, list[int]] = {True: [], False: []}
    certain: list[float] = []
    n_classes = len(set(truth))
    for seed in range(n_seeds):
        of_random = [(n, value) for n, value, _ in curve(images, truth, seed, is_live=False)]
        goal = 0.9 * of_random[-1][1]
        needed[False].append(next(n for n, value in of_random if value >= goal))
        has_page = False
        for n, value, live in curve(images, truth, seed, is_live=True):
            if n >= 5 * n_classes and not has_page:
                has_page = True
                certain += right_of_most_certain(live, truth)
            if value >= goal and has_page:
                needed[True].append(n)
                break
        else:
            needed[True].append(MOST_LABELS)
    of_live, at_random = (int(np.median(needed[is_live])) for is_live in (True, False))
    right = float(np.mean(certain))
    print(f"{name}: {of_live} labels in live order, {at_random} at random; {right:.3f} of certain predictions right")
    note = f"random {at_random}; {right:.2f}"
    claim = "Labels to 90% of the accuracy of 1,000 random ones (right of 20 most certain)"
    RECORD.add(claim, of_live, of=name, n=f"{n_seeds} seeds", note=note)


def right_of_most_certain(live: Live, truth: list[str]) -> list[float]:
    """Return the share of right predictions among the most certain images of each predicted class."""
    fit, rows = live.fit, live.rows(has_label=False)
    assert fit is not None
    by_certainty = rows[np.argsort(-fit.margin[rows], kind="stable")]
    pages = [by_certainty[fit.predicted[by_certainty] == k][:N_PAGE] for k in range(len(fit.classes))]
    return [float(np.mean([truth[row] == fit.classes[k] for row in page])) for k, page in enumerate(pages) if len(page)]


def check_estimate(name: str, images: LiveImages, truth: list[str], n_users: int) -> tuple[int, float]:
    """Let users label the least certain images, with those of the test set among them, until they like the number.

    Returns:
        For how many of them the interval contains the accuracy when they stop, and the mean difference of the number
        of 30 test images from the accuracy.
    """
    covered = {"who stop at 30 test images": 0, "who stop when they like the number": 0}
    differences: list[float] = []
    for user in range(n_users):
        live = Live(images, [None] * len(truth), test_of(len(truth), 1_000 + user))
        liked = np.random.default_rng(user).uniform(0.5, 0.9)
        has_stopped = False
        for _ in range(30):
            offered = live.least_certain()
            if live.fit is None:
                offered = np.random.default_rng(user).permutation(offered)
            for row in offered[:6].tolist():
                live.label([images.image_ids[row]], truth[row])
            estimate = live.estimate()
            if estimate.low is None or estimate.high is None:
                continue
            rest = np.flatnonzero([label is None for label in live.labels])
            right = accuracy(live, truth, rest)
            is_covered = estimate.low <= right <= estimate.high
            if not has_stopped and (estimate.n_right / estimate.n >= liked or estimate.n >= 30):
                has_stopped = True
                covered["who stop when they like the number"] += is_covered
            if estimate.n >= 30:
                covered["who stop at 30 test images"] += is_covered
                differences.append(estimate.n_right / estimate.n - right)
                break
    for who, n in covered.items():
        print(f"{name}: the interval contains the accuracy for {n} of {n_users} users {who}")
    mean, sd = np.mean(differences), np.std(differences)
    print(f"{name}: with 30 test images, number minus accuracy is {mean:+.3f} on average, SD {sd:.3f}")
    return covered["who stop when they like the number"], float(mean)


def label_by_keys(folder: Path, source: Path) -> None:
    """Label suggested images of white blood cells by keys in the gallery, with a new order after each 20 labels."""
    from playwright.sync_api import sync_playwright

    classes = sorted(each.name for each in source.iterdir() if each.is_dir())
    for name in classes:
        (folder / "cells" / name).mkdir(parents=True)
        for file in sorted((source / name).iterdir())[:N_OF_CLASS]:
            shutil.copy(file, folder / "cells" / name)
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with serving(folder) as server, sync_playwright() as playwright:
        body = {"sources": [{"path": str(folder / "cells")}], "is_labeled": False}
        dataset = server.ask("datasets", body)["id"]
        wait_for(lambda: server.ask(f"datasets/{dataset}")["state"] == "ready", 600)
        server.ask(f"datasets/{dataset}", {"classes": classes}, "PATCH")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(SAMPLE)
        page.goto(f"{server.address}datasets/{dataset}?tab=images")
        page.get_by_role("button", name="Switch live on").click()
        page.get_by_role("button", name="Suggest images").wait_for(timeout=600_000)
        for k in range(N_KEYS // N_BETWEEN):
            with page.expect_response(lambda answer: "sort=suggested" in answer.url):
                page.get_by_role("button", name="Renew the order" if k else "Suggest images").click()
            page.wait_for_timeout(1_000)
            page.get_by_role("gridcell").first.click()
            press_keys(page, classes)
            right = share_right(server, dataset)
            print(f"{(k + 1) * N_BETWEEN} labels: {right:.2f} of the others right", flush=True)
        seconds = np.array(page.evaluate("window.samples")) / 1e3
        browser.close()
    median, p95 = np.median(seconds), np.quantile(seconds, 0.95)
    print(f"key to predictions: median {median:.3f} s, 95th percentile {p95:.3f} s, n = {len(seconds)}")
    n, note = f"{len(seconds)} labels", f"95th percentile {p95:.2f}; target: 0.4"
    RECORD.add("Key to new predictions in Chromium, median", round(float(median), 3), "s", n=n, note=note)
    RECORD.add("Right predictions with 60 labels", round(right, 2), n="740 white blood cells")


def press_keys(page: "Page", classes: list[str]) -> None:
    """Press the key of the class of the selected image, then wait for its predictions and the next image."""
    selected = page.locator("[role=gridcell][aria-selected=true]").first
    for _ in range(N_BETWEEN):
        name, n = selected.get_attribute("title") or "", page.evaluate("window.samples.length")
        page.keyboard.press(str(classes.index(name.split("/")[-2]) + 1))
        page.wait_for_function("(n) => window.samples.length > n", arg=n, timeout=60_000)
        page.wait_for_timeout(200)


def share_right(server: Server, dataset: str) -> float:
    """Return the share of right predictions among images without a label that have one."""
    listed = server.ask(f"lists/{dataset}/rows?limit=1000")["items"]
    rows = [row for row in listed if row["label"] is None and row["predicted"] is not None]
    return float(np.mean([row["predicted"] == row["path"].split("/")[-2] for row in rows]))


if __name__ == "__main__":
    main()
