"""One prediction per group (patient, slide), from all its images."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import below_values, estimate
from coverslip.reports.words import plural

_TITLES = {
    "accuracy": ("Accuracy", "share of the groups that are classified correctly"),
    "balanced_accuracy": ("Balanced accuracy", "mean of that share over classes"),
    "sensitivity": ("Sensitivity", "share of the positive groups that are predicted as positive"),
    "specificity": ("Specificity", "share of the negative groups that are predicted as negative"),
    "ppv": ("PPV", "share of the groups predicted as positive that are"),
    "npv": ("NPV", "share of the groups predicted as negative that are"),
}


def _text(run: ReportedRun) -> SectionText:
    decided = run.metrics.of_groups
    assert decided is not None, "the section is there only with them"
    words = [
        f"Each of {plural(decided.n, 'group')} gets one prediction from all its images: the class with the highest "
        "mean log probability. The decision thresholds of single images are not used."
    ]
    if decided.n_mixed:
        words.append(f"Excluded because their images are of several classes: {plural(decided.n_mixed, 'group')}.")
    if decided.n_alone:
        words.append(f"Not counted here because they have no known group: {plural(decided.n_alone, 'image')}.")
    if decided.n < 10:
        words.append("With so few groups, these metrics are uncertain.")
    rows = [(_TITLES[name][0], estimate(metric), _TITLES[name][1]) for name, metric in decided.metrics.items()]
    if below := below_values(rows):
        words.append(below)
    return SectionText(words, ("metric", "value", "meaning"), rows, ("meaning",))


GROUPS = Section(
    name="groups",
    title="Metrics per group",
    order=340,
    subtitle=lambda run: "one prediction per patient, slide or well",
    applies=lambda run: run.metrics.of_groups is not None,
    text=_text,
)
