"""What a computer of a cluster answers about a part of the images: JSON, which is checked as a stranger's."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coverslip.datasets import UNCERTAIN, UNFAMILIAR, UNREADABLE, ImageRecord, PreprocessedImage, name_as_text, one_line
from coverslip.errors import BadClusterAnswer, CoverslipError
from coverslip.messages import Failure, text
from coverslip.runs import Prediction

_LONGEST = 2_000  # characters of a text
_BYTES_AN_IMAGE, _BYTES_A_CLASS, _OTHER_BYTES = 20_000, 1_000, 100_000

Words = Annotated[str, Field(max_length=_LONGEST)]
Positive = Annotated[int, Field(ge=1)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class SeenImage(_Closed):
    """What an image was before it was preprocessed."""

    width_px: Positive
    height_px: Positive
    n_channels: Positive
    dtype: Annotated[str, Field(pattern="^[a-z0-9]{1,20}$")]
    note: Words | None
    pixel_hash: Annotated[str, Field(pattern="^[0-9a-f]{1,128}$")] | None


class Seen(_Closed):
    """The result of an image. Its position identifies the image."""

    predicted: Words | None
    probability: float | None
    decision: Words
    probabilities: tuple[float, ...]
    reason: Words | None
    warning: Words | None
    ood_score: float | None
    prediction_set: tuple[Words, ...] | None
    logits: tuple[float, ...]
    image: SeenImage | None  # None where it could not be read


class _Answer(_Closed):
    seen: tuple[Seen, ...] = ()
    what: Words | None = None  # why the classifier cannot be used there; None: it can
    do: Words = ""
    computer: Words = ""  # its name, where it cannot use the classifier


def answer_of(rows: Iterable[tuple[Prediction, PreprocessedImage | None]]) -> bytes:
    """Return the answer with the result of each image."""
    return _Answer(seen=tuple(_seen(row, image) for row, image in rows)).model_dump_json().encode()


def refusal_of(failure: Failure, computer: str) -> bytes:
    """Return the answer that states why a computer cannot use the classifier."""
    what, do, name = (one_line(words, _LONGEST) for words in (failure.what, failure.do, computer))
    return _Answer(what=what, do=do, computer=name).model_dump_json().encode()


def rows_of(
    answer: object, records: Sequence[ImageRecord], classes: Sequence[str]
) -> list[tuple[Prediction, PreprocessedImage | None]]:
    """The rows of a part's images, by their own names and labels; of read images, what they were, without pixels.

    Raises:
        BadClusterAnswer: it is no answer about these images and classes.
        CoverslipError: the computer could not use the classifier.
    """
    longest = _OTHER_BYTES + len(records) * (_BYTES_AN_IMAGE + _BYTES_A_CLASS * len(classes))
    if not isinstance(answer, bytes) or len(answer) > longest:
        raise BadClusterAnswer(text("answer-too-long"))
    try:
        checked = _Answer.model_validate_json(answer)
    except ValidationError as error:
        raise BadClusterAnswer(text("answer-with-bad-values", n_values=error.error_count())) from error
    if checked.what is not None:
        reason, advice, computer = (one_line(words, _LONGEST) for words in (checked.what, checked.do, checked.computer))
        raise CoverslipError("refused-by-computer", reason=reason, advice=advice, computer=computer)
    if len(checked.seen) != len(records):
        reason = text("answer-about-other-images", n_images=len(checked.seen), n_expected=len(records))
        raise BadClusterAnswer(reason)
    pairs = zip(checked.seen, records, strict=True)
    return [(_row(seen, record, classes), _image(seen.image)) for seen, record in pairs]


def _seen(row: Prediction, image: PreprocessedImage | None) -> Seen:
    fields = ("predicted", "probability", "decision", "probabilities", "ood_score", "prediction_set", "logits")
    return Seen(
        **{name: getattr(row, name) for name in fields},
        reason=None if row.reason is None else row.reason[:_LONGEST],
        warning=None if row.warning is None else row.warning[:_LONGEST],
        image=None
        if image is None
        else SeenImage(
            width_px=image.width_px,
            height_px=image.height_px,
            n_channels=image.n_channels,
            dtype=image.dtype,
            note=image.note,
            pixel_hash=image.pixel_hash,
        ),
    )


def _row(seen: Seen, record: ImageRecord, classes: Sequence[str]) -> Prediction:
    is_read = seen.image is not None
    shares = (*seen.probabilities, *(() if seen.probability is None else (seen.probability,)))
    if (
        is_read != (seen.decision != UNREADABLE)
        or is_read != (seen.predicted is not None)
        or seen.decision not in (*classes, UNCERTAIN, UNFAMILIAR, UNREADABLE)
        or not {*((seen.predicted,) if is_read else ()), *(seen.prediction_set or ())} <= {*classes}
        or len(seen.probabilities) != (len(classes) if is_read else 0)
        or len(seen.logits) not in (0, len(seen.probabilities))
        or not all(map(_is_share, shares))
    ):
        raise BadClusterAnswer(text("answer-not-possible", image=one_line(record.image_id)))
    return Prediction(
        record.image_id, name_as_text(str(record.path)), record.label, **{k: v for k, v in seen if k != "image"}
    )


def _image(seen: SeenImage | None) -> PreprocessedImage | None:
    if seen is None:
        return None
    note = None if seen.note is None else one_line(seen.note, _LONGEST)
    pixels = np.empty((0, 0, 0), np.uint8)
    return PreprocessedImage(
        pixels, seen.width_px, seen.height_px, seen.n_channels, seen.dtype, note=note, pixel_hash=seen.pixel_hash
    )


def _is_share(value: float) -> bool:
    return math.isnan(value) or 0 <= value <= 1
