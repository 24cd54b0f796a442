"""The split of an earlier training, for one that shall be compared with it."""

from sqlalchemy import select

from coverslip.errors import BadRun, Conflict, NotFound
from coverslip.runs import Recipe, Run
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import folder_of_run
from coverslip.workspace.store.tables import jobs


def keeping_split_of(workspace: Workspace, run_id: str, dataset_id: str, recipe: Recipe) -> Recipe:
    """The recipe with the split of an earlier training on the same dataset.

    Returns:
        The recipe as it is where one of the two trainings has folds, which test every image once anyway.

    Raises:
        NotFound: there is no such training.
        Conflict: it was of another dataset, or never came to its split.
    """
    with workspace.engine.connect() as connection:
        folder = folder_of_run(connection, run_id)
        its_dataset = connection.execute(select(jobs.c.dataset_id).where(jobs.c.id == run_id)).scalar_one_or_none()
    if folder is None:
        raise NotFound("There is no such training", do="It may have been deleted: look at the list.")
    if its_dataset != dataset_id:
        raise Conflict("That training was on another dataset", do="Train without the split of an earlier training.")
    try:
        rows = Run(folder).split
    except BadRun as error:
        raise Conflict(f"The split of that training cannot be kept: {error.what}", do=error.do) from error
    if not rows:
        raise Conflict("That training never came to its split", do="Train without its split.")
    if recipe.split.asks_for_folds or any(row.fold for row in rows):
        return recipe
    return recipe.model_copy(update={"split": recipe.split.model_copy(update={"run": str(folder)})})
