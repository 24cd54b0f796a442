"""Which pretrained weights are on this machine: imported ones first, then packaged ones, then the hub's cache."""

from typing import Any

from coverslip.errors import WeightsUnavailable
from coverslip.messages import ImportWeights, Set
from coverslip.models.records import ModelRecord
from coverslip.models.table import registered, registered_models
from coverslip.models.weights.hub import cached_timm_models, can_fetch, hub_source, is_in_hub_cache
from coverslip.models.weights.imported import imported_models, imported_source, is_imported, read_imported
from coverslip.models.weights.packaged import PACKAGED_MODELS, packaged_source, packaged_weights, read_packaged
from coverslip.models.weights.source import LocalWeights, WeightsSource


def weights_source(name: str) -> WeightsSource | None:
    """Return which weights there are of a model's own, without opening them; None: none are on this machine.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: weights were imported, and what was written about them is damaged.
    """
    return imported_source(name) or packaged_source(name) or hub_source(name)


def starting_weights(record: ModelRecord) -> WeightsSource | None:
    """The weights that `init: imagenet` of a model takes, or takes what fits of; None: they are not on this machine.

    Raises:
        WeightsUnavailable: weights were imported, and what was written about them is damaged.
    """
    source = weights_source(record.name)
    return weights_source(record.weights_of) if source is None and record.weights_of is not None else source


def has_weights(record: ModelRecord) -> bool:
    """Return whether pretrained weights are on this machine, as `starting_weights` finds them, without opening them."""
    return _is_here(record.name) or (record.weights_of is not None and _is_here(record.weights_of))


def check_weights(record: ModelRecord) -> None:
    """See that pretrained weights are on this machine or can be fetched, before any work is done.

    Weights that torchvision fetches are not checked: they do not lie on the hub.

    Raises:
        WeightsUnavailable: there are none here, and none are published or the hub does not answer.
    """
    origin = record if record.weights_of is None else registered(record.weights_of)
    if has_weights(record):
        return
    if origin.weights is None or (origin.builder.startswith("timm:") and not can_fetch()):
        raise weights_unavailable(record)


def _is_here(name: str) -> bool:
    return is_imported(name) or packaged_weights(name) is not None or is_in_hub_cache(name)


def models_with_weights() -> tuple[str, ...]:
    """Return names of the models whose pretrained weights are on this machine, the smallest first."""
    by_size = sorted(registered_models(), key=lambda record: record.parameters)
    return tuple(record.name for record in by_size if has_weights(record))


def available_weights() -> list[WeightsSource]:
    """Return all weights on this machine that coverslip would take, by model.

    Raises:
        WeightsUnavailable: what was written about imported weights is damaged.
    """
    registered = (record.name for record in registered_models())
    names = dict.fromkeys((*imported_models(), *PACKAGED_MODELS, *registered))
    sources = [source for source in map(weights_source, names) if source is not None]
    seen = {source.file for source in sources}
    others = map(weights_source, (name for name in cached_timm_models() if name not in names))
    sources += [source for source in others if source is not None and source.file not in seen]
    return sorted(sources, key=lambda source: source.model)


def local_weights(name: str) -> LocalWeights | None:
    """Return the tensors of a model's imported or packaged weights; None: there are none, ask the hub.

    Raises:
        WeightsUnavailable: they are damaged, or not the ones that were imported or published.
    """
    return read_imported(name) or read_packaged(name)


def weights_unavailable(record: ModelRecord) -> WeightsUnavailable:
    """Return the error for pretrained weights that are not here and cannot be fetched, or do not exist."""
    scratch, models = Set("init", "scratch"), ", ".join(models_with_weights())
    alternatives: dict[str, Any] = {"has_models": bool(models), "models": models}
    if record.weights is not None:
        return WeightsUnavailable("weights-not-fetched", remedies=(scratch,), model=record.name, **alternatives)
    if record.weights_file is None:
        return WeightsUnavailable("no-imagenet-weights", remedies=(scratch,), model=record.name, **alternatives)
    return WeightsUnavailable(
        "weights-not-imported",
        remedies=(ImportWeights(record.name), scratch),
        model=record.name,
        weights_file=record.weights_file,
        **alternatives,
    )


def without_these_weights(error: WeightsUnavailable) -> WeightsUnavailable:
    """Return the same error, which also says how to train without the weights that are missing."""
    models = ", ".join(models_with_weights())
    return WeightsUnavailable(
        "train-without-these-weights",
        cause=error,
        remedies=(*error.remedies, Set("init", "scratch")),
        advice=error.do,
        has_models=bool(models),
        models=models,
    )
