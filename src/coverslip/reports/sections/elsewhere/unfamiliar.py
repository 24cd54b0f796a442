"""Images that are unlike those of training, by what the network sees in them."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, plural

_MOST_SHOWN = 12
_HOW = {
    "held-out training images": "training and validation images, each held out in turn from what was learnt of the "
    "others",
    "validation images": "validation images, which also chose the network's epoch",
    "the folds' images": "what the folds' networks said of the images that they were not trained on",
}


def _text(run: ReportedRun) -> SectionText:
    judged = [row for row in run.measured.predictions if row.unfamiliarity is not None]
    unlike = sorted(
        (row for row in judged if row.decision == "unfamiliar"), key=lambda row: row.unfamiliarity or 0, reverse=True
    )
    known = run.run.card.familiarity if run.run.card is not None else None
    words = [
        f"{count(len(unlike))} of {plural(len(judged), 'image')} measured here are called unfamiliar: what the network "
        "sees in them lies farther from every class than in nearly all images like those of training. Numbers count "
        "them like others."
    ]
    if known is not None:
        words.append(
            f"The limit was learnt from {plural(known.n, 'image')} ({_HOW[known.learnt_on]}); {known.n_beyond} of them "
            "lie beyond it. Test images took no part."
        )
    words.append(
        "Where it was tried, nearly all images of another stain, instrument or object were told so. An unknown kind of "
        "cell that looks like a known class is often not: that an image is familiar does not mean that its class is "
        "known."
    )
    rows = [(row.image_id, row.predicted or "", f"{row.unfamiliarity:.2f}") for row in unlike[:_MOST_SHOWN]]
    return SectionText(words, ("image", "predicted", "distance, 1 being the limit") if rows else (), rows)


UNFAMILIAR = Section(
    name="unfamiliar",
    title="Unlike the training images",
    order=355,
    applies=lambda run: any(row.unfamiliarity is not None for row in run.measured.predictions),
    text=_text,
)
