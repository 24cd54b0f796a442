"""Looking up networks, by name and by what one needs; what is known of their weights included. No torch."""

from coverslip.errors import UnknownModel
from coverslip.messages import Set
from coverslip.models.records import PAPERS, ModelRecord
from coverslip.models.table import is_registered, registered, registered_models
from coverslip.models.weights import has_weights, starting_weights


def list_models() -> tuple[ModelRecord, ...]:
    """Return all registered models, those with available weights first, then by size."""
    return tuple(sorted(registered_models(), key=lambda record: (not has_weights(record), record.parameters)))


def select_models(
    *,
    paper: str | None = None,
    max_parameters: float | None = None,
    max_macs: float | None = None,
    available: bool = False,
) -> tuple[ModelRecord, ...]:
    """Return the registered models that meet every demand, in the order of `list_models`.

    Args:
        paper: a key of `PAPERS`; models that this paper compares.
        max_parameters: at most so many, with the 1000-class head.
        max_macs: at most so many multiply-accumulates for one image of the model's own size.
        available: pretrained weights are on this machine.

    Raises:
        UnknownModel: there is no such paper; the error lists the names.
    """
    if paper is not None and paper not in PAPERS:
        raise UnknownModel("unknown-paper", name=paper, papers=", ".join(PAPERS))
    return tuple(
        record
        for record in list_models()
        if (paper is None or paper in record.papers)
        and (max_parameters is None or record.parameters <= max_parameters)
        and (max_macs is None or (record.macs is not None and record.macs <= max_macs))
        and (not available or has_weights(record))
    )


def model_info(name: str) -> ModelRecord:
    """Return the record of a registered model, or of any of timm's as `timm/NAME` (this imports timm).

    Raises:
        UnknownModel: there is none of that name; the nearest is named.
    """
    if is_registered(name):
        return registered(name)
    from coverslip.models.architectures.timm_backbones import is_in_timm, timm_record

    if name.startswith("timm/"):
        return timm_record(name)
    if not is_in_timm(name):
        return registered(name)  # which says that there is none
    nearest = f"timm/{name}"
    raise UnknownModel("model-of-timm", remedies=(Set("model", nearest),), name=name, nearest=nearest)


def describe_weights(name: str) -> dict[str, str | None]:
    """For the record of a training: `model`, `kind`, `source`, `license` and `sha256` of the weights it starts from.

    Weights that are still to be fetched have no `sha256` yet, nor have those that torchvision keeps; their kind is
    `fetched`.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: weights were imported, and what was written about them is damaged.
    """
    record = model_info(name)
    source = starting_weights(record)
    if source is None:
        origin = {"source": record.weights, "license": record.license, "sha256": None}
        return {"model": record.weights_of or name, "kind": "fetched", **origin}
    origin = {"source": source.source, "license": source.license, "sha256": source.sha256}
    return {"model": source.model, "kind": source.kind, **origin}
