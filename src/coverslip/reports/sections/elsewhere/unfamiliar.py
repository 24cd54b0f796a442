"""Out-of-distribution images: those whose features are far from those of the training images."""

from collections import Counter

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, plural

_MOST_SHOWN = 12
_FEWEST, _MANY = 2, 0.1  # images of a group, and their share: a group of one image tells nothing
_MOST_GROUPS = 5  # that are named
_COLUMNS = ("image", "predicted class", "OOD score (threshold: 1)")
_HOW = {
    "held-out training images": "{learned} images, each scored without its own features",
    "validation images": "validation images, which also selected the network's epoch",
    "the folds' images": "images that were scored by the networks of the folds that were not trained on them",
}


def _text(run: ReportedRun) -> SectionText:
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
    named = [f"{name} ({n_unlike[name]} of {n_of[name]})" for name in many[:_MOST_GROUPS]]
    first = "the first: " if len(many) > _MOST_GROUPS else ""
    return f"{text}: {first}{', '.join(named)}."


UNFAMILIAR = Section(
    name="unfamiliar",
    title="Out-of-distribution images",
    order=355,
    applies=lambda run: any(row.unfamiliarity is not None for row in run.measured.predictions),
    text=_text,
)
