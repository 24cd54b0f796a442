"""Images to predict that the classifier learnt from: what it says of them tells nothing about new ones."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from coverslip.datasets import PreprocessedImage, counted
from coverslip.errors import UnreadableImage
from coverslip.messages import Note
from coverslip.runs import Prediction, Run


class LearntImages:
    """Counts copies of training and validation images among images that are predicted.

    Args:
        classifier: a run, or its packaged classifier; one without its run does not tell which images it knows.
    """

    def __init__(self, classifier: Run | Path | str) -> None:
        place = classifier.folder if isinstance(classifier, Run) else Path(classifier)
        run = Run(place.parent if place.name == "classifier" else place)
        self._hashes = frozenset([*run.seen.train, *run.seen.val]) if run.seen_file.is_file() else frozenset[str]()
        self._n = 0

    @property
    def is_known(self) -> bool:
        """Whether it is known which images these are."""
        return bool(self._hashes)

    def rows(
        self, predicted: Iterable[tuple[Prediction, PreprocessedImage | UnreadableImage | None]]
    ) -> Iterator[Prediction]:
        """The rows of hashed images as they come, counted."""
        for row, image in predicted:
            self._n += isinstance(image, PreprocessedImage) and image.pixel_hash in self._hashes
            yield row

    def note(self) -> Note | None:
        """What is to be said of them; None without any."""
        if not self._n:
            return None
        text = (
            f"Of these, {counted(self._n, 'image')} {'was' if self._n == 1 else 'were'} training or validation images "
            "of this classifier. Their predictions are right more often than those of new images."
        )
        return Note("training-images", text, level="warning", values={"n_images": self._n})
