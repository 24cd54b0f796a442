"""How the zoo's records are written: what networks of one kind share is said once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.keys import Option
from coverslip.models.records import BACKBONE, IMAGENET, ModelRecord, Normalization


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a family's networks can be cut and looked into."""

    boundaries: tuple[str, ...]  # modules with parameters, earliest first, that every head keeps
    heatmap: str  # the last module whose output is still a map, and on which every head depends at every place
    taps: tuple[str, ...]
    is_sized: bool = False
    side_multiple: int = 1


def numbered(prefix: str, n: int) -> tuple[str, ...]:
    """`prefix` with each number from 0 below `n`."""
    return tuple(f"{prefix}{i}" for i in range(n))


def inverted(n_stages: int) -> Layout:
    """EfficientNets and MobileNets in timm: the stem, then every block."""
    stages = numbered("blocks.", n_stages)
    return Layout(boundaries=("bn1", *stages), heatmap=stages[-1], taps=("bn1", "blocks.*.*"))


# A MobileViT's stages, in timm's network and in ours.
MOBILEVIT = Layout(boundaries=("stem", *numbered("stages.", 5)), heatmap="stages.4", taps=("stem", "stages.*.*"))


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
    """Return a record.

    Args:
        name, title, builder, family, paper, papers, normalization, weights_file, weights_of, transfer, license,
            options: as in the record.
        layout: where the network can be cut and looked into.
        counts: parameters, multiply-accumulates of one image, twice the weights of convolutions and linear layers.
        px: side of the images that it was made for.
        weights: where they come from; default: from the builder, where they have a license.
        paper_boundaries: cuts inside a part that the layout names.
        builder_options: what the builder gets besides, and recipes may not set.
    """
    kind, _, built = builder.partition(":")
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
        weights=weights or (f"{kind} {built}" if license else None),
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


def _boundaries(layout: Layout, inside: Mapping[str, str]) -> dict[str, str]:
    """Earliest first: a cut inside a part comes before the part's own end."""
    ordered: dict[str, str] = {}
    for part in layout.boundaries:
        ordered |= {name: end for name, end in inside.items() if end.startswith(f"{part}.")} | {part: part}
    return ordered | {BACKBONE: ""}
