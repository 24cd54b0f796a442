"""Selection of networks by name and by requirements, and description of their weights. Nothing here needs torch."""

from coverslip.errors import UnknownModel, require_extra
from coverslip.messages import Set
from coverslip.models.weights import has_weights, starting_weights
from coverslip.models.zoo import PAPERS, ModelRecord, is_registered, registered, registered_models


def list_models() -> tuple[ModelRecord, ...]:
    """Return all registered models, those with weights on this machine first, then by size."""
    return tuple(sorted(registered_models(), key=lambda record: (not has_weights(record), record.parameters)))


def select_models(*, paper: str | None = None, available: bool = False) -> tuple[ModelRecord, ...]:
    """Return the registered models that meet all requirements, in the order of `list_models`.

    Args:
        paper: a key of `PAPERS`, to select the models that this paper compares.
        available: select models whose pretrained weights are on this machine.

    Raises:
        UnknownModel: there is no such paper. The error lists the papers.
    """
    if paper is not None and paper not in PAPERS:
        raise UnknownModel("unknown-paper", name=paper, papers=", ".join(PAPERS))
    return tuple(
        record
        for record in list_models()
        if (paper is None or paper in record.papers) and (not available or has_weights(record))
    )


def model_info(name: str) -> ModelRecord:
    """Return the record of a registered model, or of any model of timm as `timm/NAME` (which imports timm).

    Raises:
        UnknownModel: no model has this name. The error gives the nearest name.
    """
    if is_registered(name):
        return registered(name)
    require_extra("train")
    from coverslip.models.building import is_in_timm, timm_record

    if name.startswith("timm/"):
        return timm_record(name)
    if not is_in_timm(name):
        return registered(name)  # raises the error
    nearest = f"timm/{name}"
    raise UnknownModel("model-of-timm", remedies=(Set("model", nearest),), name=name, nearest=nearest)


def describe_weights(name: str) -> dict[str, str | None]:
    """Return `model`, `kind`, `source`, `license` and `sha256` of the initial weights, for the record of a training.

    Weights that are not downloaded yet, and weights in torchvision's cache, have the kind `fetched` and no `sha256`.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: the record of imported weights is damaged.
    """
    record = model_info(name)
    source = starting_weights(record)
    if source is None:
        origin = {"source": record.weights, "license": record.license, "sha256": None}
        return {"model": record.weights_of or name, "kind": "fetched", **origin}
    origin = {"source": source.source, "license": source.license, "sha256": source.sha256}
    return {"model": source.model, "kind": source.kind, **origin}
