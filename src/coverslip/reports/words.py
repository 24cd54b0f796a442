"""What a report says in words."""

from collections.abc import Callable, Sequence

from coverslip.reports.reading import RunFolder


def percent(value: float) -> str:
    """0.951 as '95.1 %'; never rounded up to a perfect 100."""
    shown = f"{100 * value:.1f}"
    return ("100" if value == 1 else "99.9" if shown == "100.0" else shown) + "\N{NO-BREAK SPACE}%"


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def count(n: int) -> str:
    """1234 as '1 234'."""
    return f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(n: int, noun: str) -> str:
    many = noun if n == 1 else noun + ("es" if noun.endswith("s") else "s")
    return f"{count(n)} {many}"


def headline(run: RunFolder) -> str:
    """The result in one sentence."""
    matrix = run.metrics["confusion_matrix"]
    right = sum(matrix[k][k] for k in range(len(matrix)))
    n = run.metrics["n"]
    is_unseen = run.metrics.get("split") != "val" and not run.environment.get("allow_leakage") and run.start_is_known
    images = f"{plural(n, 'image')} it had never seen" if is_unseen else plural(n, "image")
    return f"Of {images}, it named {'all' if right == n else count(right)} correctly."


def lead(run: RunFolder) -> list[str]:
    """The sentences below the headline."""
    metrics, matrix = run.metrics["metrics"], run.metrics["confusion_matrix"]
    accuracy = metrics["accuracy"]
    sentences = [f"Accuracy is {percent(accuracy['value'])}{_range(accuracy, percent)}."]
    f1 = metrics["macro_f1"]
    if f1["value"] is not None:
        words = "Macro-F1, where a rare class counts as much as a frequent one, is"
        sentences.append(f"{words} {number(f1['value'])}{_range(f1, number)}.")
    counts = [sum(row) for row in matrix]
    most = counts.index(max(counts))
    share = percent(counts[most] / max(sum(counts), 1))
    if n_frozen := run.n_frozen:
        where = f"In {n_frozen} of {run.n_folds} folds fine-tuning" if run.n_folds else "Fine-tuning"
        sentences.append(f"{where} did no better on the images to choose by, so the instant classifier was kept.")
    sentences.append(f"Always answering “{run.classes[most]}” would be right for {share}.")
    if run.metrics.get("n_groups"):
        whose = "to which no training image belongs" if not run.environment.get("allow_leakage") else "of the test part"
        whose = "each of which was tested by a network that had not seen it" if run.n_folds else whose
        sentences.append(f"The images come from {plural(run.metrics['n_groups'], 'group')} {whose}.")
    return sentences


def _range(metric: dict[str, float | None], shown: Callable[[float], str]) -> str:
    low, high, level = metric.get("low"), metric.get("high"), metric.get("level") or 0.95
    if low is None or high is None:
        return ""
    return f" ({100 * level:.0f}\N{NO-BREAK SPACE}% interval {shown(low)} to {shown(high)})"


def weights_words(run: RunFolder) -> str:
    """Which pretrained weights the training started from, and under which licence; empty where it is not recorded."""
    weights = run.environment.get("weights")
    if not weights:
        return ""
    licence = f"licence {weights['licence']}" if weights["licence"] else "licence not stated"
    digest = f" · SHA-256 {weights['sha256'][:12]}" if weights["sha256"] else ""
    return f"Pretrained weights: {weights['source']} ({weights['kind']}) · {licence}{digest}"


def operating_point_words(run: RunFolder) -> str:
    """What the operating points in the table by class are; empty where the most probable class is predicted."""
    if run.recipe.decide_by == "highest":
        return ""
    rule = "The class whose probability is largest in proportion to its operating point is predicted."
    if run.n_folds:
        return f"{rule} These are the classifier's, set on all folds' validation images; the folds had their own."
    return f"{rule} Operating points were set on validation images."


def split_words(run: RunFolder) -> str:
    split = run.metrics.get("split", "test")
    return {
        "test": "test images, which no choice has seen",
        "val": "validation images, on which choices were made",
        "out-of-fold": "images held out in turn (out-of-fold)",
    }.get(split, f"the images of “{split}”")


def image_kind(run: RunFolder) -> str:
    """Sizes, formats and depths of the images in one line; empty where they are not recorded."""
    sides: list[dict[str, float]] = [run.data.get(side) or {} for side in ("width_px", "height_px")]
    if not all({"min", "median", "max"} <= side.keys() for side in sides):
        return ""
    smallest, median, largest = (" × ".join(f"{side[key]:g}" for side in sides) for key in ("min", "median", "max"))
    size = f"{median} pixels" if smallest == largest else f"{smallest} to {largest} pixels (median {median})"
    formats, depths, channels = (list(run.data.get(key) or {}) for key in ("formats", "bit_depths", "channels"))
    kinds = [", ".join(formats), f"{' and '.join(depths)} bit" if depths else ""]
    kinds.append(f"{' or '.join(channels)} channel{'s' if channels != ['1'] else ''}" if channels else "")
    return " · ".join([size, *filter(None, kinds)])


def best_epoch(run: RunFolder) -> int | None:
    """The epoch that was kept, if the network was fine-tuned."""
    epoch = (run.stage("finetune") or {}).get("best_epoch")
    return epoch if isinstance(epoch, int) else None


def listed(names: Sequence[str], at_most: int = 8) -> str:
    """'a, b and c', or the first few and how many more; nothing of nothing."""
    names = [*names[:at_most], f"{len(names) - at_most} more"] if len(names) > at_most else list(names)
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"
