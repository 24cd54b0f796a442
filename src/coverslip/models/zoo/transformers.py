"""Transformers, and ConvNeXt, which took its design from them."""

from coverslip.models.records import HALVES
from coverslip.models.zoo._entries import Layout, entry, numbered

_CONVNEXT = Layout(boundaries=("stem", *numbered("stages.", 4)), heatmap="stages.3", taps=("stem", "stages.*.blocks.*"))
_SWIN = Layout(
    boundaries=("patch_embed", *numbered("layers.", 4)), heatmap="layers.3", taps=("layers.*.blocks.*",), is_sized=True
)
# The class token alone is read after the last block: there the patches no longer count, before its attention they do.
_VIT = Layout(boundaries=numbered("blocks.", 12), heatmap="blocks.11.norm1", taps=("blocks.*",), is_sized=True)

NETWORKS = (
    entry(
        "convnext_tiny",
        "ConvNeXt Tiny",
        "timm:convnext_tiny.fb_in1k",
        "ConvNeXt",
        "Liu et al. 2022",
        _CONVNEXT,
        (28_589_128, 4_455_531_264, 57_048_000),
        papers=("chromosomes",),
        licence="apache-2.0",
    ),
    entry(
        "swin_t",
        "Swin Tiny",
        "timm:swin_tiny_patch4_window7_224.ms_in1k",
        "Swin",
        "Liu et al. 2021",
        _SWIN,
        (28_288_354, 4_490_566_656, 56_398_848),
        papers=("chromosomes",),
        licence="mit",
    ),
    entry(
        "vit_small_patch16_224",
        "ViT Small, patches of 16",
        "timm:vit_small_patch16_224.augreg_in21k_ft_in1k",
        "ViT",
        "Dosovitskiy et al. 2021; weights: Steiner et al. 2022",
        _VIT,
        (22_050_664, 4_598_882_304, 43_825_152),
        papers=("chromosomes",),
        licence="apache-2.0",
        normalisation=HALVES,
    ),
)
