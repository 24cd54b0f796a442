"""The one family of errors that coverslip raises on purpose.

Each says what happened, in which file, and what to do. Doors print it as one line; anything else that
reaches a door is a bug of ours and keeps its traceback.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from coverslip.messages import Failure, Remedy, Values


class CoverslipError(Exception):
    """Something the user can act on.

    Args:
        what: what happened, one sentence without a full stop.
        file: the file or folder it happened in.
        do: what to do about it, one sentence with its full stop, in words that belong to no door.
        remedies: the same as data, where it is one of the known ones: doors make an option or a button of each.
        values: what the sentences tell, for programs.
    """

    code = "failed"  # of each class its own: "bad-recipe"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(
        self,
        what: str,
        *,
        file: Path | None = None,
        do: str,
        remedies: Sequence[Remedy] = (),
        values: Values | None = None,
    ) -> None:
        self.what, self.file, self.do = what, file, do
        self.remedies, self.values = tuple(remedies), dict(values or {})
        super().__init__(f"{what}{f' ({file})' if file else ''}. {do}")

    @classmethod
    def of(cls, failure: Failure) -> "CoverslipError":
        """The error that was told by another process."""
        file = None if failure.file is None else Path(failure.file)
        error = cls(failure.what, file=file, do=failure.do, remedies=failure.remedies, values=failure.values)
        error.code = failure.code
        return error

    @property
    def failure(self) -> Failure:
        """The error as data, as files keep it and pages get it."""
        file = None if self.file is None else str(self.file)
        return Failure(
            code=self.code, what=self.what, do=self.do, file=file, values=self.values, remedies=self.remedies
        )


class UnreadableImage(CoverslipError):
    """One image file could not be turned into pixels; the others are not affected."""


class BadDataset(CoverslipError):
    """A folder or table of images cannot be used as it is."""


class LeakageFound(BadDataset):
    """The same pixels or the same group stand on both sides of a predefined split."""


class BadRecipe(CoverslipError):
    """A recipe has a key or value that is not valid.

    Args:
        what, file, do, remedies: as of every error.
        faults: each key that is at fault, sections with dots, and what is wrong with it, where that is known.
        lines: where these keys stand in the text that the recipe was read from, counted from 1.
    """

    def __init__(
        self,
        what: str,
        *,
        file: Path | None = None,
        do: str,
        remedies: Sequence[Remedy] = (),
        faults: Sequence[tuple[str, str]] = (),
        lines: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(what, file=file, do=do, remedies=remedies, values={"faults": dict(faults)} if faults else None)
        self.faults, self.lines = tuple(faults), dict(lines or {})


class BadRun(CoverslipError):
    """A run folder is missing, unfinished, or of a newer format."""


class BadClassifier(CoverslipError):
    """A packaged classifier is damaged, of a newer format, or not a classifier."""


class BadArchive(CoverslipError):
    """A zip is damaged, or holds what could do harm.

    Args:
        what, file, do: as of every error.
        why: the reason alone, as the end of a sentence.
    """

    def __init__(self, what: str, *, file: Path | None = None, do: str, why: str) -> None:
        super().__init__(what, file=file, do=do, values={"why": why})
        self.why = why


class UnknownModel(CoverslipError):
    """No model of that name is registered."""


class WeightsUnavailable(CoverslipError):
    """Pretrained weights are neither on this machine nor reachable."""


class DeviceUnavailable(CoverslipError):
    """This computer lacks the device that was asked for, such as a GPU."""


class Stopped(CoverslipError):
    """Work was ended on request (Ctrl-C, SIGTERM, a stop file); what was reached is kept."""


class OutOfTime(CoverslipError):
    """Work does not fit into the time that it may take."""


class OutOfMemory(CoverslipError):
    """Work does not fit into the memory that is free."""


class NotFound(CoverslipError):
    """There is nothing of that id."""


class Conflict(CoverslipError):
    """It can't be done now: something else is going on."""


class Busy(CoverslipError):
    """It can be done as soon as another transaction has ended."""


class TooLarge(CoverslipError):
    """More was sent than is taken."""


class UntrustedCluster(CoverslipError):
    """A Ray cluster asks for no token, and the user did not state to trust it."""


class ClusterUnreachable(CoverslipError):
    """No Ray cluster answers at an address."""


class BadClusterAnswer(CoverslipError):
    """A computer of a cluster answered what coverslip cannot have answered there.

    Args:
        why: the reason, as the end of a sentence.
    """

    def __init__(self, why: str) -> None:
        do = "Install the same version of coverslip on all computers, and use a cluster that you trust."
        super().__init__(f"An answer of the cluster is not accepted: {why}", do=do)


class ExtraNotInstalled(CoverslipError):
    """The work needs packages of an optional extra that is not installed.

    Args:
        what: what needs them, the subject of a sentence.
        extra: the extra of the package `coverslip`.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed",
            do=f"Run: pip install 'coverslip[{extra}]'",
            values={"extra": extra},
        )


# What is imported of each extra's packages.
EXTRA_MODULES: Mapping[str, tuple[str, ...]] = {
    "app": ("fastapi", "sqlalchemy", "starlette", "uvicorn"),
    "cluster": ("ray",),
    "keras": ("h5py",),
    "onnx": ("onnx", "onnxruntime", "openvino"),
    "pandas": ("pandas",),
}


def has_extra(extra: str) -> bool:
    """Return whether all packages of an extra are installed. They are not imported."""
    return all(find_spec(module) is not None for module in EXTRA_MODULES[extra])


def require_extra(extra: str, what: str) -> None:
    """Check that an extra is installed.

    Raises:
        ExtraNotInstalled: it is not; the error names `what` and how to install the extra.
    """
    if not has_extra(extra):
        raise ExtraNotInstalled(what, extra)
