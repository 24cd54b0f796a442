"""Whole groups (patients, slides) decided by all their images together."""

from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import plural

_TITLES = {
    "accuracy": ("Accuracy", "of the groups, how many are named rightly"),
    "balanced_accuracy": ("Balanced accuracy", "the same, every class counting alike"),
    "sensitivity": ("Sensitivity", "of the positive groups, how many are found"),
    "specificity": ("Specificity", "of the other groups, how many are spared"),
    "ppv": ("PPV", "of the groups called positive, how many are"),
    "npv": ("NPV", "of the groups called negative, how many are"),
}


def _text(run: ReportedRun) -> SectionText:
    decided = run.metrics.of_groups
    assert decided is not None, "the section is there only with them"
    words = [
        f"Here each of {plural(decided.n, 'group')} is one case, named by all its images together: the class of the "
        "highest mean logarithm of the probability. The mean, not the sum, since images of one group resemble each "
        "other and are no independent evidence; the logarithm, so that one sure image counts for more than one that is "
        "in doubt. Intervals are over groups. Thresholds of single images play no part."
    ]
    if decided.n_mixed:
        words.append(f"Left out, since their images are of several classes: {plural(decided.n_mixed, 'group')}.")
    if decided.n < 10:
        words.append("With so few groups the intervals are wide, and that is all that is known.")
    rows = [(_TITLES[name][0], *content.shown(metric), _TITLES[name][1]) for name, metric in decided.metrics.items()]
    return SectionText(words, ("", "value", "95\N{NO-BREAK SPACE}% interval", "meaning"), rows)


GROUPS = Section(
    name="groups",
    title="Group by group",
    order=340,
    subtitle=lambda run: "patients, slides or wells as they would be decided",
    applies=lambda run: run.metrics.of_groups is not None,
    text=_text,
)
