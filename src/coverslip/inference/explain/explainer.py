"""One classifier and what can be shown of it: the kind of map that passes its checks, and the images it learnt from."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.datasets import Dataset, ImageRecord, PreprocessedImage, read_preprocessed
from coverslip.engines import as_input
from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Noted, progress_reporter
from coverslip.inference.classifier import Classifier
from coverslip.inference.explain.maps import (
    FEWEST_IMAGES,
    Checked,
    Method,
    averaged,
    check_maps,
    maps_by,
    methods_of,
    turned,
    with_random_weights,
)
from coverslip.inference.explain.neighbors import NearestTraining, Neighbor, training_ids
from coverslip.messages import note
from coverslip.models import model_info
from coverslip.models.networks import Network, create_network
from coverslip.runs import CheckedOn, MapCheck, MapChecks, Run, RunContext, unchanged_images

if TYPE_CHECKING:
    from pathlib import Path

Pixels = npt.NDArray[np.unsignedinteger]

_MOST_CHECKED = 24  # images


class Explainer:
    """A classifier whose predictions are to be explained.

    Args:
        name: to call it by.
        classifier: ready to predict.
        run: the training that it comes from; None where only the classifier was passed on.
        context: its device and listener.
    """

    def __init__(self, name: str, classifier: Classifier, run: Run | None, context: RunContext) -> None:
        self.name, self.classifier, self.run = name, classifier, run
        self._context = context
        self.checks: dict[Method, MapCheck] = {}
        self.checked_on: CheckedOn = "validation"

    @cached_property
    def network(self) -> Network:
        """In evaluation mode, on the device."""
        return self.classifier.network.to(self._context.device).eval()

    def choose(self, method: Method | None, fingerprint: str, explained: Dataset) -> Method:
        """The first kind of map that passes both checks; where none does, the first kind. `method` leaves no choice.

        Checks are made on validation images, else on training images, else on those to be explained, and kept in the
        run folder.

        Raises:
            CoverslipError: the network has no such map.
            Stopped: on request.
        """
        possible = methods_of(self.network)
        if method is not None and method not in possible:
            raise CoverslipError("method-not-available", name=self.name, method=method, methods=", ".join(possible))
        wanted = possible if method is None else (method,)
        stored_checks = self._known(fingerprint)
        x: Tensor | None = None  # read where a kind has to be checked
        randomized: list[Network] = []
        for place, each in enumerate(wanted, start=1):
            if each in stored_checks:
                self.checks[each] = stored_checks[each]
            else:
                x = self._images_to_check(explained) if x is None else x
                if len(x) >= FEWEST_IMAGES:
                    randomized = randomized or with_random_weights(self._build, x)
                    self.checks[each] = self._checked(each, x, randomized, of=(place, len(wanted)))
                    self._keep(fingerprint, len(x), stored_checks)  # each takes long, and the next may be given up
            if each in self.checks and self.checks[each].passes:
                break
        return next((each for each in wanted if each in self.checks and self.checks[each].passes), wanted[0])

    def map_of(self, method: Method, pixels: Pixels, class_name: str) -> npt.NDArray[np.float32]:
        """(h, w): what speaks for a class, by place.

        Args:
            method: of `methods_of`.
            pixels: (S, S, C) as preprocessed.
            class_name: of the classifier's.
        """
        x = self._as_input(pixels[None])
        number = torch.tensor([self.classifier.classes.index(class_name)], device=x.device)
        drawn = averaged(maps_by(method), self.network, x, number, self.classifier.card.tta)
        return drawn[0].float().cpu().numpy()

    def neighbors(self, pixels: Pixels, digest: str, n: int) -> list[Neighbor]:
        """The n training images that are most like an image; none where they are not there any more."""
        if self._nearest is None:
            return []
        x = self._as_input(pixels[None])
        with torch.no_grad():
            copies = [self.network.features(turned(x, copy)) for copy in range(self.classifier.card.tta)]
        features = torch.stack(copies).mean(dim=0)[0].float().cpu().numpy()
        return self._nearest.of(features, digest, n)

    def close(self) -> None:
        """Let go of what is open."""
        if "_nearest" in self.__dict__ and self._nearest is not None:
            self._nearest.close()

    @cached_property
    def _nearest(self) -> NearestTraining | None:
        if self.run is None:
            return None
        try:
            return NearestTraining(self.run, self.classifier.network.to("cpu"), self.classifier.card, self._context)
        except Stopped:
            raise
        except CoverslipError as error:
            self._context.emit(Noted.of(note("no-neighbors", level="warning", name=self.name, reason=error.what)))
            return None
        finally:
            self.network.to(self._context.device)

    def _as_input(self, pixels: Pixels) -> Tensor:
        return torch.from_numpy(as_input(pixels)).to(self._context.device)

    def _build(self) -> Network:
        card = self.classifier.card
        return create_network(
            card.model,
            n_classes=len(card.classes),
            head=card.head,
            channels=card.preprocessing.channels,
            pretrained=False,
            options=card.model_options,
            image_size=card.preprocessing.image_size if model_info(card.model).is_sized else None,
        )

    def _checked(self, method: Method, x: Tensor, randomized: list[Network], of: tuple[int, int]) -> MapCheck:
        place, most = of  # the kinds after one that passes are not checked
        which = method if most == 1 else f"{method}, {place} of up to {most}"
        tell = progress_reporter(self._context.emit, f"checking heat maps ({which})", unit="images")

        def tell_unless_stopped(done: int, total: int) -> None:
            self._context.stop.check()
            tell(done, total)

        return as_record(method, check_maps(self.network, maps_by(method), x, randomized, tell_unless_stopped))

    def _known(self, fingerprint: str) -> dict[Method, MapCheck]:
        """What was found out before, of the same weights."""
        record = None if self.run is None else self.run.map_checks
        if record is None or record.classifier != fingerprint:
            return {}
        self.checked_on = record.checked_on
        return {check.method: check for check in record.checks}

    def _keep(self, fingerprint: str, n_images: int, stored_checks: dict[Method, MapCheck]) -> None:
        if self.run is None or self.checked_on == "explained":
            return
        record = MapChecks(
            classifier=fingerprint,
            checked_on=self.checked_on,
            n_images=n_images,
            checks=tuple((stored_checks | self.checks).values()),
        )
        with suppress(CoverslipError):  # a run on a disk that cannot be written to: checked again next time
            record.write(self.run.map_checks_file)

    def _images_to_check(self, explained: Dataset) -> Tensor:
        """(n, C, S, S) of some images of each class, none of them a test image."""
        records: Sequence[ImageRecord] = ()
        if self.run is not None:
            with suppress(CoverslipError):  # they were moved away since
                records = _some(_not_tested(self.run))
                is_val = {row.image_id for row in self.run.split if row.split == "val"}
                self.checked_on = "validation" if records and records[0].image_id in is_val else "training"
        if not records:
            records, self.checked_on = _some(list(explained.records)), "explained"
        images = read_preprocessed(records, self.classifier.card.preprocessing)
        pixels = [image.pixels for image in images if isinstance(image, PreprocessedImage)]
        side, channels = self.classifier.card.preprocessing.image_size, self.classifier.card.preprocessing.channels
        return self._as_input(np.stack(pixels)) if pixels else torch.zeros(0, channels, side, side)


def as_record(method: Method, checked: Checked) -> MapCheck:
    """For the run folder."""
    values = {name: value for name, value in asdict(checked).items() if name != "n_images"}
    verdicts = {name: getattr(checked, name) for name in ("changes", "beats_center", "passes")}
    return MapCheck(method=method, **values, **verdicts)


def run_of(place: "Path") -> Run | None:
    """The training that a classifier was given by; None where only the classifier was."""
    run = Run(place)
    return run if run.recipe_file.is_file() and run.split_file.is_file() else None


def _not_tested(run: Run) -> list[ImageRecord]:
    """Validation images of a run, else training images."""
    data = unchanged_images(run)
    for wanted in ({row.image_id for row in run.split if row.split == "val"}, training_ids(run)):
        records = [record for record in data.records if record.image_id in wanted]
        if len(records) >= FEWEST_IMAGES:
            return records
    return []


def _some(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Up to so many as are checked, every class in turn, spread evenly over its images."""
    by_class: dict[str | None, list[ImageRecord]] = {}
    for record in records:
        by_class.setdefault(record.label, []).append(record)
    each = -(-_MOST_CHECKED // max(len(by_class), 1))
    spread = [some[:: max(1, len(some) // each)][:each] for some in by_class.values()]
    in_turn = [some[i] for i in range(each) for some in spread if i < len(some)]
    return in_turn[:_MOST_CHECKED]
