"""The errors that coverslip raises on purpose.

Each is a message of the catalogue: what happened, in which file, and what to do. Commands print it as one line. Any
other exception that reaches a command or the app is a fault of coverslip and keeps its traceback.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from coverslip.messages import Failure, Parameters, Remedy, has_entry, text


class CoverslipError(Exception):
    """An error that the user can act on.

    The message `code` of the catalogue says what happened, in one sentence without a full stop. Its attribute `.do`
    says what to do about it, in words that suit the command line and the app.

    Args:
        code: the message.
        file: the file or folder that is affected.
        remedies: what to do, as data. The command line shows an option or a command for each, a page a button.
        cause: the error that led to this one. Its text is the parameter `what` of the message. Where this error has no
            `file`, `remedies` or `.do`, those of the cause are used.
        parameters: those of the message; further ones are for programs.
    """

    kind = "failed"  # of each class its own: "bad-recipe"

    def __init_subclass__(cls) -> None:
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(
        self,
        code: str,
        *,
        file: Path | None = None,
        remedies: Sequence[Remedy] = (),
        cause: "CoverslipError | None" = None,
        **parameters: Any,
    ) -> None:
        if cause is not None:
            parameters = {"what": cause.what, **parameters}
            file, remedies = file or cause.file, remedies or cause.remedies
        do = cause.do if cause and not has_entry(f"{code}.do") else text(f"{code}.do", **parameters)
        self._set(code, text(code, **parameters), do, file, remedies, parameters)

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return the error that another process reported."""
        error = cls.__new__(cls)
        file = None if failure.file is None else Path(failure.file)
        error.kind = failure.kind
        error._set(failure.code, failure.what, failure.do, file, failure.remedies, failure.parameters)
        return error

    def _set(
        self, code: str, what: str, do: str, file: Path | None, remedies: Iterable[Remedy], parameters: Parameters
    ) -> None:
        self.code, self.what, self.do, self.file = code, what, do, file
        self.remedies, self.parameters = tuple(remedies), dict(parameters)
        self.args = (f"{what}{f' ({file})' if file else ''}. {do}",)

    @property
    def failure(self) -> Failure:
        """The error as data."""
        file = None if self.file is None else str(self.file)
        return Failure(
            kind=self.kind,
            code=self.code,
            what=self.what,
            do=self.do,
            file=file,
            parameters=self.parameters,
            remedies=self.remedies,
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
        faults: each invalid key, sections with dots, and what is wrong with it.
        lines: the lines of these keys in the text of the recipe, counted from 1.
        code, further: as of every error.
    """

    lines: Mapping[str, int] = {}

    def __init__(
        self,
        code: str,
        *,
        faults: Sequence[tuple[str, str]] = (),
        lines: Mapping[str, int] | None = None,
        **further: Any,
    ) -> None:
        super().__init__(code, **further)
        if faults:
            self.parameters["faults"] = dict(faults)
        self.lines = dict(lines or {})

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Each invalid key and what is wrong with it."""
        return tuple(self.parameters.get("faults", {}).items())


class BadRun(CoverslipError):
    """A run folder is missing, unfinished, or of a newer format."""


class BadClassifier(CoverslipError):
    """A packaged classifier is damaged, of a newer format, or not a classifier."""


class BadArchive(CoverslipError):
    """A zip is damaged, or has content that could do harm.

    Args:
        code: as of every error.
        why: the reason alone, as the end of a sentence. It is a parameter of the message.
        further: as of every error.
    """

    def __init__(self, code: str, *, why: str, **further: Any) -> None:
        super().__init__(code, why=why, **further)
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
        super().__init__("bad-cluster-answer", why=why)


class ExtraNotInstalled(CoverslipError):
    """The work needs packages of an optional extra that is not installed.

    Args:
        what: what needs them, the subject of a sentence.
        extra: the extra of the package `coverslip`.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__("extra-not-installed", what=what, extra=extra)


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
