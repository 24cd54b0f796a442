"""The workspace's folder on disk, and which folders of images it may look into."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import CoverslipError
from coverslip.images import Fields, Pixels, ReadPlan, read_pixels
from coverslip.messages import ChooseOther
from coverslip.workspace.store.background import Background

if TYPE_CHECKING:
    from sqlalchemy import Engine


def default_workspace_folder() -> Path:
    """`COVERSLIP_HOME`, else `coverslip` in the user's own folder, where results are easy to find."""
    chosen = os.environ.get("COVERSLIP_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / "coverslip"


@dataclass(frozen=True)
class Workspace:
    """One folder with everything the app keeps; several servers must not share one."""

    folder: Path  # absolute
    roots: tuple[Path, ...]  # absolute; images may be opened below these
    background: Background = field(default_factory=Background, compare=False, repr=False)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def studies(self) -> Path:
        return self.folder / "studies"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def snapshots(self) -> Path:
        return self.folder / "snapshots"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def trash(self) -> Path:
        return self.folder / "trash"

    @property
    def downloads(self) -> Path:
        """What is being made to be taken away."""
        return self.folder / "downloads"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "app.log"

    @cached_property
    def engine(self) -> "Engine":
        """The database, made when it is first asked for."""
        from coverslip.workspace.store.database import open_database

        described = (self.runs, self.studies, self.predictions, self.uploads, self.snapshots)
        return open_database(self.folder / "workspace.sqlite", described)

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders below which files may be read."""
        return (*self.roots, self.folder)

    def allowed(self, path: str | Path) -> Path:
        """The real path of `path`, which must exist below one of the roots; links out of them are refused.

        Raises:
            CoverslipError: it lies elsewhere or does not exist.
        """
        try:
            real = Path(path).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise CoverslipError("missing-path", file=Path(str(path).replace("\0", ""))) from error
        if not any(real.is_relative_to(root) for root in self.readable):
            shown = ", ".join(str(root) for root in self.roots)
            raise CoverslipError("outside-roots", file=real, remedies=(ChooseOther("root"),), roots=shown)
        return real

    def may_read(self, path: Path) -> bool:
        """Whether there is such a file below one of the roots, also behind links."""
        try:
            self.allowed(path)
        except CoverslipError:
            return False
        return True

    def allowed_image(self, path: Path, plan: ReadPlan) -> tuple[Path, ReadPlan]:
        """The real path of an image, and its plan with those of the files of its further channels.

        Raises:
            CoverslipError: one of its files lies elsewhere or does not exist.
        """
        first, *others = map(self.allowed, plan.files(path))
        return first, plan.model_copy(update={"other_files": tuple(map(str, others))}) if others else plan

    def read_image(self, path: Path, plan: ReadPlan, fields: Fields | None = None) -> Pixels:
        """The pixels of an image below one of the roots; the file that is read is the one that was checked.

        Raises:
            CoverslipError: one of its files lies elsewhere, does not exist or cannot be read.
        """
        return read_pixels(*self.allowed_image(path, plan), fields=fields, within=self.readable)


def open_workspace(folder: Path | None = None, roots: tuple[Path, ...] = ()) -> Workspace:
    """A workspace at `folder`, made if need be; without roots, the user's own folder may be read."""
    home = (folder or default_workspace_folder()).absolute()
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)  # images of patients are nobody else's
    except OSError as error:
        raise CoverslipError(
            "workspace-not-created", file=home, remedies=(ChooseOther("workspace"),), reason=error.strerror
        ) from error
    real = tuple(root.expanduser().resolve() for root in roots) or (Path.home().resolve(),)
    if missing := next((root for root in real if not root.is_dir()), None):
        raise CoverslipError("missing-root", file=missing, remedies=(ChooseOther("root"),))
    return Workspace(home.resolve(), real)
