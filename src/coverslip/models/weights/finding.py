"""Which pretrained weights are on this machine: imported ones first, then packaged ones, then the hub's cache."""

from coverslip.models.records import registered_names
from coverslip.models.weights.hub import cached_timm_models, hub_source, is_in_hub_cache
from coverslip.models.weights.imported import imported_models, imported_source, is_imported, read_imported
from coverslip.models.weights.packaged import PACKAGED_MODELS, packaged_source, packaged_weights, read_packaged
from coverslip.models.weights.source import LocalWeights, WeightsSource


def weights_source(name: str) -> WeightsSource | None:
    """Which weights `init: imagenet` takes for a model, without opening them; None: none are on this machine.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: weights were imported, and what was written about them is damaged.
    """
    return imported_source(name) or packaged_source(name) or hub_source(name)


def is_at_hand(name: str) -> bool:
    """Whether a registered model's weights are on this machine: as `weights_source` finds them, without reading."""
    return is_imported(name) or packaged_weights(name) is not None or is_in_hub_cache(name)


def weights_at_hand() -> list[WeightsSource]:
    """All weights on this machine that coverslip would take, by model.

    Raises:
        WeightsUnavailable: what was written about imported weights is damaged.
    """
    names = dict.fromkeys((*imported_models(), *PACKAGED_MODELS, *registered_names()))
    found = [source for source in map(weights_source, names) if source is not None]
    seen = {source.file for source in found}
    others = map(weights_source, (name for name in cached_timm_models() if name not in names))
    found += [source for source in others if source is not None and source.file not in seen]
    return sorted(found, key=lambda source: source.model)


def local_weights(name: str) -> LocalWeights | None:
    """The tensors of a model's imported or packaged weights; None: there are none, ask the hub.

    Raises:
        WeightsUnavailable: they are damaged, or not the ones that were imported or published.
    """
    return read_imported(name) or read_packaged(name)
