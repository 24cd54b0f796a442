"""Helpers that write the records of the zoo: layouts of network families, and `entry`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.keys import Option
from coverslip.models.records import BACKBONE, IMAGENET, ModelRecord, Normalization


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Freeze boundaries, heat-map layer and taps of a family of networks."""

    boundaries: tuple[str, ...]  # modules with parameters, earliest first, that every head keeps
    heatmap: str  # the last module whose output is a map and on which every head depends at every position
    taps: tuple[str, ...]
    is_sized: bool = False
    side_multiple: int = 1


def numbered(prefix: str, n: int) -> tuple[str, ...]:
    """Return `prefix` followed by each number from 0 to `n` - 1."""
    return tuple(f"{prefix}{i}" for i in range(n))


def inverted(n_stages: int) -> Layout:
    """Return the layout of EfficientNets and MobileNets in timm: the stem, then every block."""
    stages = numbered("blocks.", n_stages)
    return Layout(boundaries=("bn1", *stages), heatmap=stages[-1], taps=("bn1", "blocks.*.*"))


def entry(
    name: str,
    title: str,
    builder: str,
    family: str,
    paper: str,
    layout: Layout,
    counts: tuple[int, int, int],
    *,
    papers: tuple[str, ...] = (),
    px: int = 224,
    normalization: Normalization = IMAGENET,
    weights: str | None = None,
    weights_file: str | None = None,
    weights_of: str | None = None,
    transfer: str | None = None,
    license: str | None = None,
    paper_boundaries: Mapping[str, str] | None = None,
    builder_options: Mapping[str, Any] | None = None,  # Any: as the builder takes them
    options: tuple[Option, ...] = (),
) -> ModelRecord:
    """Return the record of a network.

    Args:
        name, title, builder, family, paper, papers, normalization, weights_file, weights_of, transfer, license,
            options: as in `ModelRecord`.
        layout: freeze boundaries, heat-map layer and taps.
        counts: parameters, multiply-accumulates of one image, twice the weights of convolutions and linear layers.
        px: image side in pixels for which the network was designed.
        weights: source of the pretrained weights. Default: the builder, if there is a license.
        paper_boundaries: freeze boundaries inside a module of the layout.
        builder_options: further arguments of the builder, which recipes cannot set.
    """
    library, _, library_name = builder.partition(":")
    parameters, macs, weights_x2 = counts
    return ModelRecord(
        name=name,
        title=title,
        family=family,
        paper=paper,
        papers=papers,
        builder=builder,
        builder_options=builder_options or {},
        options=options,
        input_px=px,
        is_sized=layout.is_sized,
        side_multiple=layout.side_multiple,
        normalization=normalization,
        weights=weights or (f"{library} {library_name}" if license else None),
        weights_file=weights_file,
        weights_of=weights_of,
        transfer=transfer,
        license=license,
        freeze_boundaries=_boundaries(layout, paper_boundaries or {}),
        heatmap_layer=layout.heatmap,
        taps=layout.taps,
        parameters=parameters,
        macs=macs,
        conv_linear_weights_x2=weights_x2,
    )


def _boundaries(layout: Layout, inner: Mapping[str, str]) -> dict[str, str]:
    """Return the freeze boundaries, earliest first: a boundary inside a module precedes the end of that module."""
    ordered: dict[str, str] = {}
    for module in layout.boundaries:
        ordered |= {name: end for name, end in inner.items() if end.startswith(f"{module}.")} | {module: module}
    return ordered | {BACKBONE: ""}
