"""Report sections on new images: external test sets, prediction sets, class proportions and unfamiliar images."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from coverslip.evaluation import METRICS, Metric, independent_difference, positive_class, predictive_values
from coverslip.evaluation.prediction_sets import LEVEL, SetCoverage, images_needed, set_coverage
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.tables import Cell, Estimate, below_values, estimate
from coverslip.reports.words import count, number, percent, plural
from coverslip.runs import Prediction

_SETS = ("test set of the run", "external test set")
THRESHOLD_BY_HAND = (
    "The decision threshold was set by hand. If it was set after looking at the run's test results, the metrics on "
    "that test set are too high."
)


def _own_test_text(run: ReportedRun) -> SectionText:
    own = run.run.metrics.metrics if run.run.is_measured else {}
    names = [metric.name for metric in content.metrics(run) if metric.name in own and METRICS[metric.name].is_compared]
    differences = [independent_difference(own[name], run.metrics[name], _SETS) for name in names]
    rows = [
        (METRICS[name].title, estimate(run.metrics[name]), estimate(own[name]), estimate(difference, is_signed=True))
        for name, difference in zip(names, differences, strict=True)
    ]
    words = list(_doubts(run))
    if any(difference.low is not None for difference in differences):
        words.append(f"{below_values(rows)} A difference whose CI includes 0 is not statistically significant.")
    columns = ("metric", *reversed(_SETS), "difference") if rows else ()
    return SectionText(words, columns, rows)


def against_own_test(run: ReportedRun) -> str:
    """How the primary metric differs from that on the run's own test set; empty where both cannot be compared."""
    own = run.run.metrics.metrics if run.run.is_measured else {}
    name = run.metrics.primary
    if name not in own:
        return ""
    difference = independent_difference(own[name], run.metrics[name], _SETS)
    if difference.value is None or difference.low is None or difference.high is None:
        return ""
    title, interval = METRICS[name].title, f"{estimate(difference, is_signed=True)}"
    if difference.low <= 0 <= difference.high:
        return f"{title} does not differ from that on the run's own test set by more than chance: {interval}."
    is_worse = (difference.value < 0) == (METRICS[name].better == "higher")
    what = (
        "For images like these, use the metrics of the external test set. Training on some of them may help."
        if is_worse
        else "Check whether these images are easier, or known to the classifier."
    )
    return f"{title} is {'WORSE' if is_worse else 'better'} than on the run's own test set: {interval}. {what}"


def _doubts(run: ReportedRun) -> Iterator[str]:
    """What must be known of the images of both sets before their numbers are compared."""
    own = ReportedRun(run.run)
    if own.run.is_measured and own.rule == "threshold set by hand":
        yield THRESHOLD_BY_HAND
    if n := len(own.labels_before):
        yield (
            f"{plural(n, 'image')} of the run's test set {'was' if n == 1 else 'were'} relabeled after looking at "
            "misclassified images, so the metrics on that test set may be too high."
        )
    n_images = len(run.measured.predictions)
    n_labeled = sum(row.label is not None for row in run.measured.predictions)
    if n_labeled < n_images:
        yield (
            f"Only {count(n_labeled)} of {plural(n_images, 'image')} have a label. If these were chosen because the "
            "classifier was unsure of them, as in a review of predictions, the metrics are too low for the others."
        )
    images = run.measured.evaluated_images
    if images is not None and images.is_of_unfinished_training:
        yield (
            "Training had not ended when these images were measured: the metrics are of the classifier until then. "
            "Resume the training or end it, then evaluate again."
        )
    if images is None or not run.initialisation_is_known:
        yield "It is not known which of these images were used for training, so the metrics may be too high."
    if images is not None and images.n_seen:
        yield (
            f"{plural(images.n_seen, 'image')} or {'its' if images.n_seen == 1 else 'their'} duplicates were used for "
            "training. Metrics on such images are too high."
        )
    if images is not None and images.n_of_seen_groups:
        yield (
            f"{plural(images.n_of_seen_groups, 'image')} {'has' if images.n_of_seen_groups == 1 else 'have'} a group "
            "name that training images have too. If these are the same patients or slides, the metrics are too high "
            "for new ones."
        )
    if run.metrics.n_groups is None:
        yield (
            "No groups are known. If several of these images come from one patient or slide, the confidence intervals "
            "are too narrow."
        )


OWN_TEST = Section(
    name="own-test",
    title="Comparison with the run's test set",
    order=50,
    subtitle=lambda run: "same classifier, two test sets",
    applies=lambda run: run.evaluation is not None,
    text=_own_test_text,
)


_MOST_GROUPS = 12
_GUARANTEE = {
    "validation images": "{sets} were calibrated on validation images, which also selected {selected}. "
    "Each image was predicted by a last layer that was fitted without it. The coverage is therefore approximate.",
    "held-out training images": "{sets} were calibrated on training images, each predicted by a linear probe that "
    "was trained without it (cross-conformal). Their guaranteed coverage is {worst:.0%} of the images of a class; the "
    "usual coverage is the target.",
    "the folds' images": "{sets} were calibrated on the validation images of all folds, each predicted by its fold's "
    "network (cross-conformal). Their guaranteed coverage is {worst:.0%} of the images of a class; the usual coverage "
    "is the target.",
}


def _prediction_sets_text(run: ReportedRun) -> SectionText:
    rows = _with_sets(run)
    if not rows:
        needed = images_needed()
        text = (
            f"There are no prediction sets. A coverage of {LEVEL:.0%} per class needs {needed} calibration images of a "
            "class that were not used for training, and no class has that many."
        )
        return SectionText((text,))
    whole = _coverage(rows, run.classes)
    words = [
        "A prediction set lists the plausible classes of an image, the most probable one always. The target is that "
        f"{LEVEL:.0%} of the images of each class have their true class in the set. "
        f"Of {plural(whole.n, 'image')} measured here, {percent(whole.n_covered / whole.n)} do. "
        f"A set has {whole.mean_size:.2f} classes on average, and {count(whole.n_single)} sets have one class. "
        "The target holds for images like the training images; it does not hold for images from another source.",
    ]
    if run.run.training is not None:
        worst = 2 * LEVEL - 1
        is_instant = run.run.training.chosen == "instant"
        selected = "the shrinkage" if is_instant else "the epoch and the weight of the refitted last layer"
        sets = "The final classifier's sets" if run.n_folds else "The sets"  # the table is of the folds' networks
        words.append(
            _GUARANTEE[run.run.training.calibration.learnt_on].format(sets=sets, worst=worst, selected=selected)
        )
    if always := _in_every_set(run):
        words.append(
            f"These classes have fewer than {images_needed()} calibration images, so they are in every set: "
            f"{', '.join(always)}."
        )
    if run.n_groups:
        words.append(
            "The calibration treats images as independent, although images of a group are similar. The target "
            "therefore holds for further images of the same groups. Images of new groups reach nearly the same "
            "coverage if a class has many small groups, and less if it has a few large ones. The table lists the "
            "groups with the lowest coverage."
        )
    if run.n_folds:
        words.append(
            "The table is of the folds' networks instead. Their sets were calibrated on each fold's validation images."
        )
    return SectionText(
        words, ("class or group", "images", "true class in the set", "mean set size"), list(_lines(run, rows))
    )


def _with_sets(run: ReportedRun) -> Sequence[Prediction]:
    return [
        row
        for row in run.measured.predictions.measured().rows
        if row.prediction_set is not None and row.label is not None
    ]


def _in_every_set(run: ReportedRun) -> list[str]:
    """Classes with too few images to be excluded from a set."""
    card = run.run.card
    if card is None or card.set_floors is None:
        return []
    return [name for name, floor in zip(card.classes, card.set_floors, strict=True) if floor == 0]


def _lines(run: ReportedRun, rows: Sequence[Prediction]) -> Iterator[tuple[str, ...]]:
    for name in run.classes:
        yield _line(name, _coverage([row for row in rows if row.label == name], run.classes))
    group_of = {row.image_id: row.named_group for row in run.run.split} if run.evaluation is None else {}
    by_group: dict[str, list[Prediction]] = defaultdict(list)
    for row in rows:
        if group := group_of.get(row.image_id):
            by_group[group].append(row)
    of_groups = {name: _coverage(own, run.classes) for name, own in by_group.items()}
    worst = sorted(of_groups, key=lambda name: of_groups[name].n_covered / of_groups[name].n)
    for name in worst[:_MOST_GROUPS]:
        yield _line(f"group {name}", of_groups[name])


def _line(name: str, coverage: SetCoverage) -> tuple[str, ...]:
    if not coverage.n:
        return (name, "0", "–", "–")
    return (name, count(coverage.n), percent(coverage.n_covered / coverage.n), number(coverage.mean_size, 2))


def _coverage(rows: Sequence[Prediction], classes: Sequence[str]) -> SetCoverage:
    is_in_set = np.array([[name in (row.prediction_set or ()) for name in classes] for row in rows], dtype=bool)
    label = np.array([classes.index(row.label or "") for row in rows], dtype=np.int64)
    return set_coverage(is_in_set.reshape(len(rows), len(classes)), label)


PREDICTION_SETS = Section(
    name="prediction_sets",
    title="Prediction sets",
    order=650,
    applies=lambda run: run.metrics.n > 0,
    text=_prediction_sets_text,
)


_PREVALENCES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
_RANGES = (
    "Each value is followed by the range from the lower to the upper limits of the CIs of sensitivity and specificity."
)
_SAME_SHOWN = 0.0005  # shares that are so near to one another are written alike


def _prevalence_text(run: ReportedRun) -> SectionText:
    name = positive_class(run.classes, run.recipe.positive_class) or ""
    scores = run.metrics.per_class[name].metrics
    sensitivity, specificity = scores["recall"], scores["specificity"]
    own = run.metrics.per_class[name].n / max(run.metrics.n, 1)
    words = (
        f"{percent(own)} of the images measured here are {name}. Predictive values depend on this proportion. "
        "Sensitivity and specificity do not, as long as the images of a class look the same.",
        f"PPV is the share of the images predicted as {name} that are. NPV is the share of the other images that are "
        "not.",
        *([_RANGES] if sensitivity.low is not None and specificity.low is not None else []),
    )
    rows: list[list[Cell]] = [
        [percent(share), *(_with_ends(sensitivity, specificity, share, which) for which in ("ppv", "npv"))]
        for share in sorted({own, *(each for each in _PREVALENCES if abs(each - own) >= _SAME_SHOWN)})
        if 0 < share < 1
    ]
    return SectionText(words, (f"proportion of {name}", "PPV", "NPV"), rows)


def _with_ends(sensitivity: Metric, specificity: Metric, share: float, which: str) -> Estimate:
    """The value, and what the ends of both intervals give."""

    def at(sensitive: float | None, specific: float | None) -> float | None:
        if sensitive is None or specific is None:
            return None
        value: float | None = getattr(predictive_values(sensitive, specific, share), which)
        return value

    low, high = at(sensitivity.low, specificity.low), at(sensitivity.high, specificity.high)
    return estimate(Metric(value=at(sensitivity.value, specificity.value), low=low, high=high))


PREVALENCE = Section(
    name="prevalence",
    title="Predictive values by class proportion",
    order=350,
    applies=lambda run: len(run.classes) == 2 and run.metrics.n > 0,
    text=_prevalence_text,
)


_MOST_SHOWN = 12
_FEWEST, _MANY = 2, 0.1  # images of a group, and their share: a group of one image tells nothing
_MOST_UNFAMILIAR_GROUPS = 5  # that are named
_COLUMNS = ("image", "predicted class", "OOD score (threshold: 1)")
_HOW = {
    "held-out training images": "{learned} images, each scored without its own features",
    "validation images": "validation images, which also selected the network's epoch",
    "the folds' images": "images that were scored by the networks of the folds that were not trained on them",
}


def _unfamiliar_text(run: ReportedRun) -> SectionText:
    judged = [row for row in run.measured.predictions if row.unfamiliarity is not None]
    unlike = sorted(
        (row for row in judged if row.decision == "unfamiliar"), key=lambda row: row.unfamiliarity or 0, reverse=True
    )
    known = run.run.card.familiarity if run.run.card is not None else None
    words = [
        f"{count(len(unlike))} of {plural(len(judged), 'image')} measured here {'is' if len(unlike) == 1 else 'are'} "
        "labeled unfamiliar (out-of-distribution, OOD): their features are farther from every class than those of "
        "nearly all training images. The metrics include these images."
    ]
    if known is not None:
        # After folds the classifier is trained on all images, those measured here among them.
        how = _HOW[known.learnt_on].format(learned="training" if run.n_folds else "training and validation")
        whose = "The final classifier's OOD threshold" if run.n_folds else "The OOD threshold"
        text = f"{whose} was set on {plural(known.n, 'image')} ({how}). {count(known.n_beyond)} of them exceed it."
        if run.n_folds:
            words.append("Each image was measured in the fold that it is a test image of, with this fold's threshold.")
            words.append(f"{text} They include the images measured here.")
        else:
            words.append(f"{text} Test images were not used.")
    words.append(
        "In benchmarks, nearly all images of another stain, instrument or object were labeled unfamiliar. A new cell "
        "type that looks like a known class is often not detected."
    )
    if by_group := _by_group(run, {row.image_id for row in judged}, {row.image_id for row in unlike}):
        words.insert(1, by_group)
    rows = [(row.image_id, row.predicted or "", f"{row.unfamiliarity:.2f}") for row in unlike[:_MOST_SHOWN]]
    return SectionText(words, _COLUMNS if rows else (), rows, ("predicted class",))


def _by_group(run: ReportedRun, judged: set[str], unlike: set[str]) -> str:
    """In which groups many images are unfamiliar; empty where no groups are known, as of an external test set."""
    rows = run.used if run.evaluation is None else ()
    group_of = {row.image_id: row.named_group for row in rows if row.named_group}
    n_of = Counter(group_of[image_id] for image_id in judged if image_id in group_of)
    n_unlike = Counter(group_of[image_id] for image_id in unlike if image_id in group_of)
    if not n_of:
        return ""
    many = sorted(
        (name for name, n in n_unlike.items() if n >= _FEWEST and n > _MANY * n_of[name]),
        key=lambda name: (-n_unlike[name] / n_of[name], name),
    )
    text = (
        f"In {count(len(many))} of {plural(len(n_of), 'group')}, at least {_FEWEST} images and more than {_MANY:.0%} "
        "are unfamiliar"
    )
    if not many:
        return f"{text}."
    named = [f"{name} ({n_unlike[name]} of {n_of[name]})" for name in many[:_MOST_UNFAMILIAR_GROUPS]]
    first = "the first: " if len(many) > _MOST_UNFAMILIAR_GROUPS else ""
    return f"{text}: {first}{', '.join(named)}."


UNFAMILIAR = Section(
    name="unfamiliar",
    title="Out-of-distribution images",
    order=355,
    applies=lambda run: any(row.unfamiliarity is not None for row in run.measured.predictions),
    text=_unfamiliar_text,
)
