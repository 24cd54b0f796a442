"""The app and its computer, and the choices for a training: networks and recipe keys."""

from dataclasses import dataclass

from fastapi import Request
from pydantic import Field

from coverslip._version import __version__
from coverslip.app.clients import Role
from coverslip.app.guard import PROJECT, USER, needs, role_of
from coverslip.app.requests import Paged, ServedWorkspace, api_router
from coverslip.app.schemas import Body, Recipe
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import has_extra, install_command
from coverslip.machine import likely_device, memory_mib, n_cores
from coverslip.messages import language
from coverslip.runs.recipe_keys import Group, NamedSet, RecipeKey, named_sets, recipe_groups, recipe_keys
from coverslip.workspace import recipes
from coverslip.workspace.jobs.queue import is_copy
from coverslip.workspace.recipes import AdvisedModel, RecipeText, advised_models
from coverslip.workspace.store.rows import Page

router = api_router("system")

_PYTORCH_BYTES = 900_000_000  # docs/install.md


@dataclass(frozen=True, slots=True)
class MissingPyTorch(DocumentedFields):
    """The extra `train`, which is not installed: fine-tuning, networks other than the default one, heat maps."""

    command: str | None
    """The command that installs it; null: it cannot be added to this installation."""
    disk_bytes: int
    """Approximate disk space, with PyTorch's build for processors."""


@dataclass(frozen=True, slots=True)
class System(DocumentedFields):
    """The server and the computer that it runs on."""

    version: str
    workspace: str
    """The folder of the app."""
    is_copy: bool
    """Whether this folder was copied from another workspace, or moved to another disk."""
    roots: list[str]
    """Images can be opened in these folders and their subfolders."""
    device: str
    """The device that trainings probably use: cpu, cuda or mps."""
    n_cores: int
    memory_mib: int
    missing_pytorch: MissingPyTorch | None
    """null: PyTorch is installed."""


@router.get("/system")
def get_system(workspace: ServedWorkspace) -> System:
    """The server, its workspace, and the computer."""
    return System(
        version=__version__,
        workspace=str(workspace.folder),
        is_copy=is_copy(workspace),
        roots=[str(root) for root in workspace.roots],
        device=likely_device(),
        n_cores=n_cores(),
        memory_mib=memory_mib(),
        missing_pytorch=None if has_extra("train") else MissingPyTorch(install_command("train"), _PYTORCH_BYTES),
    )


@dataclass(frozen=True, slots=True)
class Session(DocumentedFields):
    """The user who sends a request, and the project of its address."""

    user: str | None
    """The name of the user. null: the server has no accounts."""
    is_admin: bool
    """May change accounts and projects."""
    project: str | None
    """The name of the project. null: the server has no accounts."""
    role: Role
    """What the user may do in the project."""


@router.get("/session")
def get_session(request: Request) -> Session:
    """Who sends the request, and what the role in the project allows. Without accounts, everything is allowed."""
    user, project = request.scope.get(USER), request.scope.get(PROJECT)
    return Session(
        user=None if user is None else user.name,
        is_admin=user is not None and user.is_admin,
        project=None if project is None else project.name,
        role=role_of(request),
    )


@router.get("/models")
def list_models(paging: Paged) -> Page[AdvisedModel]:
    """The networks, with their cost relative to the default network."""
    return paging.page_of(advised_models())


@dataclass(frozen=True, slots=True)
class RecipeKeys(DocumentedFields):
    """The keys of a recipe and their groups, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
    sets: list[NamedSet]
    """Names for the values of all keys of a section."""


@router.get("/recipe")
def get_recipe_keys(request: Request) -> RecipeKeys:
    """The keys of a recipe, each with title, range, default and description, and their groups."""
    by_language: dict[str, RecipeKeys] = request.app.state.recipe_keys  # each page asks
    if language() not in by_language:
        by_language[language()] = RecipeKeys(groups=recipe_groups(), keys=recipe_keys(), sets=named_sets())
    return by_language[language()]


class TextOfRecipe(Body):
    """The content of a recipe file."""

    text: str = Field(max_length=1_000_000, examples=["model: efficientnet_lite0\nsplit:\n  folds: 5\n"])
    """YAML."""


@router.post("/recipe/read")
@needs("viewer")
def read_recipe(body: TextOfRecipe) -> RecipeText:
    """The values of the keys in a recipe file. Errors give the key and the line."""
    return recipes.read_text(body.text)


class ChoicesOfRecipe(Body):
    """The values of a form."""

    recipe: Recipe
    is_complete: bool = False
    """Write the defaults of all other keys too."""


@router.post("/recipe/write")
@needs("viewer")
def write_recipe(body: ChoicesOfRecipe) -> RecipeText:
    """The recipe file with these values. Errors give the key."""
    return recipes.write_text(body.recipe, is_complete=body.is_complete)
