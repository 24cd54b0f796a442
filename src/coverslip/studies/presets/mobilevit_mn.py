"""MobileViT-MN (Wei and others 2025): the rows of its tables 2 and 3, and the comparison networks."""

from typing import Any

from coverslip.studies.plan import Changes
from coverslip.studies.presets.record import USUAL_RECIPE, Preset


def _row(name: str, dsc: bool, mv2: str, block: str, *, by: str = "counts", **more: Any) -> Changes:  # Any: options
    options = {"dsc": dsc, "mv2_attention": mv2, "mobilevit_attention": block, "placement": by, **more}
    return {"name": name, "recipe": {"model": "mobilevit_mn", "model_options": options}}


_ONE, _THREE = [1, 1, 1], [3, 3, 3]
_TABLE_2 = (
    _row("MobileViT", False, "none", "none"),
    _row("Model_DSC", True, "none", "none"),
    _row("MV2_SE", True, "se", "none"),
    _row("MV2_SE_Mb_tr1", True, "se", "none", depths=_ONE),
    _row("MV2_SE_Mb_tr3", True, "se", "none", depths=_THREE),
    _row("MV2_NAM", True, "nam", "none"),
    _row("MV2_NAM_Mb_tr1", True, "nam", "none", depths=_ONE),
    _row("MV2_NAM_Mb_tr3", True, "nam", "none", depths=_THREE),
    _row("Mb_SE", False, "none", "se"),
    _row("Mb_NAM", False, "none", "nam"),
    _row("MV2_SE_Mb_NAM", False, "se", "nam"),
    _row("MV2_NAM_Mb_SE", False, "nam", "se"),
)
_TABLE_3 = (  # the rows that are not in table 2
    _row("no_trans", False, "none", "none"),
    _row("no_trans_DSC", True, "none", "none"),
    _row("trans_DSC_NAM", True, "none", "nam", by="text"),
    _row("trans_DSC_SE_NAM", True, "se", "nam", by="text"),
)


def _from_scratch(row: Changes) -> Changes:
    return {**row, "recipe": {**row["recipe"], "init": "scratch"}}


MOBILEVIT_MN = Preset(
    name="mobilevit-mn",
    citation=(
        "Wei, Cao, Li & Chen 2025, An efficient cell micronucleus classification network based on multi-"
        "layer perception attention mechanism, Scientific Reports"
    ),
    page="papers/mobilevit_mn.md",
    models=(
        *_TABLE_2,
        *(_from_scratch(row) if row["name"].startswith("no_trans") else row for row in _TABLE_3),
        "mobilenet_v1",
        "vgg16",
        "googlenet",
        "resnet50",
        "alexnet",
    ),
    small_models=(*map(_from_scratch, (*_TABLE_2, *_TABLE_3[2:])), "mobilenet_v2"),
    baseline="MobileViT",
    small_baseline="MobileViT",
    primary_metric="balanced_accuracy",
    recipe_model="trans_DSC_SE_NAM",
    recipe={
        **USUAL_RECIPE,
        "dropout": "torchvision",
        "image_size": 224,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "epochs": 50,
        "patience": None,
        "warmup": 0,
        "batch_norm": "learn",
        "sampling": "undersample",
        "rare_class_repeats": 5,  # 436 images of the rare class become 2,180: 68 steps in each epoch
        "augment": "mobilevit_mn",
    },
    protocol={"checkpoint_selection": "best", "split": {"val": 0.2}},
    shortcuts={"image-split": {}, "augmented-validation": {"validation_copies": 4}},
    own_models=("trans_DSC_SE_NAM", "MobileViT"),
    perturbations=({"blur": 2.0}, {"brightness": 0.7}, {"scale": 0.8}, {"noise": 0.1}),
    deviations=(
        "deviation-duplicates-together",
        "deviation-mobilevit-folds",
        "deviation-mobilevit-epoch",
        "deviation-augmentation-ranges",
        "deviation-mobilevit-augmentation",
        "deviation-mobilevit-perturbations",
        "deviation-mobilevit-separable",
        "deviation-mobilevit-attention",
        "deviation-mobilevit-networks",
        "deviation-auxiliary-heads",
    ),
    not_stated=(
        "optimizer",
        "loss",
        "schedule",
        "weight_decay",
        "last_batch",
        "dropout",
        "normalization",
        "checkpoint_selection",
        "seed",
    ),
)
