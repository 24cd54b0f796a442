"""Vision transformers, and ConvNeXt, whose design follows them."""

from coverslip.models.records import HALVES, UNCHANGED
from coverslip.models.zoo._entries import Layout, entry, numbered

_CONVNEXT = Layout(boundaries=("stem", *numbered("stages.", 4)), heatmap="stages.3", taps=("stem", "stages.*.blocks.*"))
_SWIN = Layout(
    boundaries=("patch_embed", *numbered("layers.", 4)),
    heatmap="layers.3",
    taps=("layers.*.blocks.*",),
    is_sized=True,
    side_multiple=4,
)
# Only the class token is used after the last block. The heat map reads the input of its attention, where patches count.
_VIT, _DINOV2 = (
    Layout(
        boundaries=numbered("blocks.", 12),
        heatmap="blocks.11.norm1",
        taps=("blocks.*",),
        is_sized=True,
        side_multiple=patch,
    )
    for patch in (16, 14)
)
# After some blocks the channels of an image are concatenated. Before the last block the patches still count.
_CHANNELWISE = Layout(
    boundaries=numbered("blocks.", 12),
    heatmap="together.3",
    taps=("together.0", "together.1", "together.2", "together.4"),
    side_multiple=16,
)

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
        license="apache-2.0",
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
        license="mit",
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
        license="apache-2.0",
        normalization=HALVES,
    ),
    # timm builds DINOv2 for 518 pixels, which have 5 times as many patches; DinoBloom was trained at 224.
    entry(
        "dinov2_small",
        "DINOv2 ViT Small, patches of 14",
        "timm:vit_small_patch14_dinov2.lvd142m",
        "ViT",
        "Oquab et al. 2024",
        _DINOV2,
        (22_013_800, 6_123_945_984, 43_686_912),
        license="apache-2.0",
    ),
    entry(
        "dinobloom_small",
        "DinoBloom ViT Small, patches of 14",
        "timm:vit_small_patch14_dinov2",
        "ViT",
        "Oquab et al. 2024; weights: Koch et al. 2024",
        _DINOV2,
        (22_013_800, 6_123_945_984, 43_686_912),
        weights_file="DinoBloom-S.pth (Apache-2.0, zenodo.org/records/10908163)",
    ),
    entry(
        "morphem_small",
        "MorphEm ViT Small, channel by channel",
        "coverslip.models.architectures.channelwise_vit:ChannelwiseViT",
        "ViT",
        "Dosovitskiy et al. 2021; weights: Agrawal et al. 2025",
        _CHANNELWISE,
        (22_622_056, 13_681_041_408, 44_967_936),
        normalization=UNCHANGED,
        weights_file="model.safetensors (MIT, huggingface.co/CaicedoLab/MorphEm)",
    ),
)
