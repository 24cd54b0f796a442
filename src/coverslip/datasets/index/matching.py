"""Find images from elsewhere in a list of images: those of another run, or of a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from coverslip.images import ReadPlan, box_center

_POINT, _NO_PARTS = "point", frozenset[str]()


class ImageFinder:
    """Finds images by their files, and by what is read of these.

    Args:
        listed: the file of each image, its plan, and the parts of the plan that its table row states, or "point".
    """

    def __init__(self, listed: Iterable[tuple[str, ReadPlan, frozenset[str]]]) -> None:
        self._images = list(listed)
        self._of_file: dict[str, list[int]] = defaultdict(list)
        self._around: dict[tuple[str, tuple[int, int] | None], list[int]] = defaultdict(list)
        for k, (file, plan, _) in enumerate(self._images):
            self._of_file[file].append(k)
            self._around[file, _center(plan)].append(k)

    def find(self, file: str, plan: ReadPlan, stated: frozenset[str] = _NO_PARTS) -> int | None:
        """Return the index of an image: the only one of its file, the same crop, or the same plan.

        A recipe may read another plane, other channels or larger crops around points than a list states. If two images
        match, neither is chosen.

        Args:
            file: the file of the image.
            plan: its plan.
            stated: the parts of the plan that its table row states, or "point"; none: unknown.
        """
        of_file = self._of_file.get(file, [])
        # A field of view can contain thousands of images: only those around the same point are compared.
        candidates = of_file if len(of_file) == 1 else self._around.get((file, _center(plan)), [])
        same = [k for k in candidates if self._is_same_crop(k, plan, stated)]
        if not same and len(of_file) == 1 and None in (self._images[of_file[0]][1].region, plan.region):
            same = of_file  # only one of the two crops the file
        if len(same) > 1:
            same = [k for k in same if self._images[k][1] == plan] or self._with_same_parts(same, plan, stated)
        return same[0] if len(same) == 1 else None

    def _is_same_crop(self, k: int, plan: ReadPlan, stated: frozenset[str]) -> bool:
        _, listed, listed_parts = self._images[k]
        if _POINT in listed_parts | stated and None not in (listed.region, plan.region):
            return _center(listed) == _center(plan)
        return listed.region == plan.region

    def _with_same_parts(self, candidates: Sequence[int], plan: ReadPlan, stated: frozenset[str]) -> list[int]:
        values = _stated_values(plan, stated)
        return [k for k in candidates if stated and _stated_values(*self._images[k][1:]) == values]


def _stated_values(plan: ReadPlan, stated: frozenset[str]) -> dict[str, object]:
    return {name: getattr(plan, name) for name in stated - {_POINT, "region"}}


def _center(plan: ReadPlan) -> tuple[int, int] | None:
    return None if plan.region is None else box_center(plan.region)
