"""Pretrained weights on this machine: imported weights first, then those of installed packages, then the hub's cache.

Code of packages that carry weights is never run.
"""

from typing import Any

from coverslip.errors import WeightsUnavailable
from coverslip.messages import ImportWeights, Set
from coverslip.models.records import LocalWeights, ModelRecord, WeightsSource
from coverslip.models.weights.hub import cached_timm_models, can_fetch, hub_source, is_in_hub_cache
from coverslip.models.weights.imported import (
    imported_models,
    imported_source,
    is_imported,
    read_imported,
    remove_imported,
)
from coverslip.models.weights.packaged import PACKAGED_MODELS, packaged_source, packaged_weights, read_packaged
from coverslip.models.zoo import registered, registered_models

__all__ = [
    "LocalWeights",
    "WeightsSource",
    "available_weights",
    "check_weights",
    "has_weights",
    "local_weights",
    "models_with_weights",
    "packaged_weights",
    "remove_imported",
    "starting_weights",
    "weights_source",
    "weights_unavailable",
    "without_these_weights",
]


def weights_source(name: str) -> WeightsSource | None:
    """Return the source of a model's own weights without opening the file; None if there are none on this machine.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: the record of imported weights is damaged.
    """
    return imported_source(name) or packaged_source(name) or hub_source(name)


def starting_weights(record: ModelRecord) -> WeightsSource | None:
    """Return the source of the weights that `init: imagenet` uses, as a whole or in part; None if not on this machine.

    Raises:
        WeightsUnavailable: the record of imported weights is damaged.
    """
    source = weights_source(record.name)
    return weights_source(record.weights_of) if source is None and record.weights_of is not None else source


def has_weights(record: ModelRecord) -> bool:
    """Return whether pretrained weights, as of `starting_weights`, are on this machine. No file is opened."""
    return _has_own_weights(record.name) or (record.weights_of is not None and _has_own_weights(record.weights_of))


def check_weights(record: ModelRecord) -> None:
    """Check that pretrained weights are on this machine or can be downloaded, before any work is done.

    Weights that torchvision downloads are not checked, because they are not on the hub.

    Raises:
        WeightsUnavailable: there are none on this machine, and none are published or the hub does not answer.
    """
    origin = record if record.weights_of is None else registered(record.weights_of)
    if has_weights(record):
        return
    if origin.weights is None or (origin.builder.startswith("timm:") and not can_fetch()):
        raise weights_unavailable(record)


def _has_own_weights(name: str) -> bool:
    return is_imported(name) or packaged_weights(name) is not None or is_in_hub_cache(name)


def models_with_weights() -> tuple[str, ...]:
    """Return the names of the models whose pretrained weights are on this machine, the smallest model first."""
    by_size = sorted(registered_models(), key=lambda record: record.parameters)
    return tuple(record.name for record in by_size if has_weights(record))


def available_weights() -> list[WeightsSource]:
    """Return the sources of all weights on this machine that coverslip can use, sorted by model.

    Raises:
        WeightsUnavailable: a record of imported weights is damaged.
    """
    registered_names = (record.name for record in registered_models())
    names = dict.fromkeys((*imported_models(), *PACKAGED_MODELS, *registered_names))
    sources = [source for source in map(weights_source, names) if source is not None]
    files = {source.file for source in sources}
    unregistered = map(weights_source, (name for name in cached_timm_models() if name not in names))
    sources += [source for source in unregistered if source is not None and source.file not in files]
    return sorted(sources, key=lambda source: source.model)


def local_weights(name: str) -> LocalWeights | None:
    """Return the tensors of a model's imported or packaged weights; None if there are none.

    Raises:
        WeightsUnavailable: the file is damaged, or is not the one that was imported or published.
    """
    return read_imported(name) or read_packaged(name)


def weights_unavailable(record: ModelRecord) -> WeightsUnavailable:
    """Return the error for weights that do not exist, or are not on this machine and cannot be downloaded."""
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
    """Return the same error with the remedy of training without the missing weights."""
    models = ", ".join(models_with_weights())
    return WeightsUnavailable(
        "train-without-these-weights",
        cause=error,
        remedies=(*error.remedies, Set("init", "scratch")),
        advice=error.do,
        has_models=bool(models),
        models=models,
    )
