"""Who sends a request, and what the role in a project allows: viewer, annotator, editor.

Without accounts, the user of the app may do everything.
"""

from fastapi import Request
from starlette.types import Scope

from coverslip.app.clients import ROLES, Change, Role
from coverslip.app.guard import PORT, SAFE_METHODS
from coverslip.errors import DiskFull, Forbidden

# Keys in the scope of a request to a server with accounts:
USER = "coverslip.user"  # the user who sends it, or None
ROLE = "coverslip.role"  # of the user in the project of the address
PROJECT = "coverslip.project"  # the project of the address
IS_FULL = "coverslip.is_full"  # whether this project has reached its limit
CHANGE = "coverslip.change"  # what the request changes, for the record of activity
IS_SCRIPT = "coverslip.is_script"  # whether the key of a script was sent, not that of a session
# Routes whose role does not follow from their method, by name. They change nothing that is shown to others:
_VIEWER = frozenset(
    {
        "predict_images",
        "preview_augmentation",
        "preview_finder",
        "preview_split",
        "preview_study",
        "preview_time",
        "read_recipe",
        "write_recipe",
    }
)
_ANNOTATOR = frozenset(
    {
        "confirm_labels",
        "correct_row",
        "create_explanation",
        "create_map",
        "create_suggestions",
        "exclude_images",
        "label_spot_check",
        "read_image",
        "redo_labels",
        "set_labels",
        "stop_job",
        "undo_exclusions",
        "undo_labels",
    }
)
# Beside those that create something:
_WRITES_MUCH = frozenset({"finish_upload", "import_classifier", "resume_job", "send_archive", "send_file"})
_EDITOR = frozenset({"get_folder"})  # shows names of files of the server


def needed_role(method: str, name: str) -> Role:
    """Return the role that a route needs, by its method and name. New routes that change something need an editor."""
    if name in _VIEWER:
        return "viewer"
    if name in _ANNOTATOR:
        return "annotator"
    return "viewer" if method in SAFE_METHODS and name not in _EDITOR else "editor"


def role_of(request: Request) -> Role:
    """Return the role of the user who sends a request."""
    role: Role = request.scope.get(ROLE, "editor")
    return role


def is_signed_in(request: Request) -> bool:
    """Return whether the server has accounts, and a user of them sends the request."""
    return ROLE in request.scope


def record_change(request: Request, name: str, before: str = "", after: str = "") -> None:
    """Note for the record of activity what a request changes. Without accounts, there is no such record."""
    change: Change | None = request.scope.get(CHANGE)
    if change is not None:
        change.object, change.before, change.after = name, before, after


async def check_role(request: Request) -> None:
    """Check that the user may use the route of a request.

    Raises:
        Forbidden: the role of the user does not suffice.
        DiskFull: the project has reached its limit, and the route writes much.
    """
    name = request.scope["route"].name
    needed = needed_role(request.method, name)
    if ROLES.index(role_of(request)) < ROLES.index(needed):
        raise Forbidden("role-too-low", role=role_of(request), needed=needed)
    if request.scope.get(IS_FULL) and (name.startswith("create_") or name in _WRITES_MUCH):
        raise DiskFull("project-full")


def check_is_editor(request: Request) -> None:
    """Raise Forbidden if the user is no editor."""
    if role_of(request) != "editor":
        raise Forbidden("role-too-low", role=role_of(request), needed="editor")


def cookie_of(scope: Scope) -> tuple[str, str | None]:
    """Return the name of the session cookie of this server, and its value in a request."""
    # Cookies ignore ports. Two servers of one computer need different names.
    name = f"coverslip-session-{(scope.get('server') or ('', PORT))[1]}"
    return name, Request(scope).cookies.get(name)
