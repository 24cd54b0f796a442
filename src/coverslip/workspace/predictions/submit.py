"""Submit predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from coverslip.files import write_json
from coverslip.messages import text
from coverslip.runs import find_classifier, open_classifier
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.jobs.records import Json, add_job, new_job_folder, unused_name
from coverslip.workspace.predictions.classifiers import place_of
from coverslip.workspace.predictions.corrections import labels_of_files
from coverslip.workspace.store.records import TableChoices, table_choices
from coverslip.workspace.store.rows import source_paths
from coverslip.workspace.store.workspace import Workspace


def queue_prediction(
    workspace: Workspace,
    *,
    classifier_id: str,
    dataset_id: str | None = None,
    sources: Sequence[str] | None = None,
    name: str | None = None,
    prevalence: Mapping[str, float] | None = None,
) -> str:
    """Queue a prediction; return its ID.

    Raises:
        NotFound, Conflict: the classifier or the dataset does not exist or is not ready.
        CoverslipError: a source is outside the allowed roots, or class proportions do not fit the classifier.
        BadClassifier: there is no classifier yet, or it is damaged.
    """
    classifier = place_of(workspace, classifier_id)
    card = open_classifier(find_classifier(classifier.path)).card
    if prevalence:
        from coverslip.inference.prevalence import stated_shares

        stated_shares(card, prevalence)  # reports errors before the prediction is queued
    paths, images_name, choices = _images_of(workspace, dataset_id, sources or ())
    job_id, folder = new_job_folder(workspace.predictions, name or images_name)
    request: Json = {"format_version": 1, "classifier": str(classifier.path), "sources": paths}
    request["prevalence"] = dict(prevalence or {})
    request["tables"] = {"columns": dict(choices.columns), "crop_size": choices.crop_size}
    request["roots"] = [str(root) for root in (*workspace.roots, workspace.folder)]
    if dataset_id is not None:
        with workspace.engine.connect() as connection:
            request["labels"] = labels_of_files(connection, dataset_id)
    write_json(folder / "request.json", request)
    add_job(
        workspace,
        id=job_id,
        kind="predict",
        name=name or unused_name(workspace, "predict", images_name),
        dataset_id=dataset_id,
        dataset_name=images_name,
        classifier_id=classifier_id,
        folder=str(folder),
        command=["-m", "coverslip.workspace.predictions.predicting", str(folder)],
        choices={
            "sources": paths,
            "classes": list(card.classes),
            "classifier_name": classifier.name,
            "prevalence": request["prevalence"],
        },
    )
    return job_id


def _images_of(
    workspace: Workspace, dataset_id: str | None, sources: Sequence[str]
) -> tuple[list[str], str, TableChoices]:
    """Return the paths of the images, their common name, and how to read their tables."""
    if dataset_id is not None:
        with workspace.engine.connect() as connection:
            dataset = refuse_unready(connection, dataset_id)
        return source_paths(dataset), dataset.name, table_choices(dataset)
    paths = [str(workspace.allowed(source)) for source in sources]
    name = Path(paths[0]).name if len(paths) == 1 else text("several-sources", n=len(paths))
    return paths, name, TableChoices()
