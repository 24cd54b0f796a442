"""AIMIC (Liu and others 2022): ten networks, five folds, the mean over datasets, and the prediction time."""

from coverslip.studies.presets.record import USUAL_RECIPE, Preset

AIMIC = Preset(
    name="aimic",
    citation=(
        "Liu, Dai, Wu, Wang, Wan & Liu 2022, AIMIC: Deep Learning for Microscopic Image Classification, "
        "Computer Methods and Programs in Biomedicine, doi 10.1016/j.cmpb.2022.107162"
    ),
    page="papers/aimic.md",
    models=(
        "mobilenet_v2",
        "vgg16",
        "resnet34",
        "resnet50",
        "googlenet",
        "inception_v3",
        "resnext50_32x4d",
        "shufflenet_v2_x1_0",
        "mobilenet_v3_large",
        "efficientnet_b0",
    ),
    small_models=("mobilenet_v2", "efficientnet_lite0", "efficientnet_lite1"),
    own_models=("mobilenet_v2", "resnext50_32x4d", "efficientnet_lite0"),
    regimes=("imagenet",),
    baseline="mobilenet_v2",
    small_baseline="mobilenet_v2",
    primary_metric="macro_f1",
    recipe={
        **USUAL_RECIPE,
        "dropout": "torchvision",
        "augment": "aimic",
        "batch_norm": "learn",
        "epochs": 500,
        "patience": 50,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "weight_decay": 0,
        "schedule": "constant",
        "warmup": 0,
        "sampling": "undersample",
    },
    protocol={"primary_metric": "accuracy", "checkpoint_selection": "best", "split": {"val": 0.2}},
    shortcuts={
        "image-split": {},
        "test-epoch": {"checkpoint_selection_set": "test"},
        "balance": {"split": {"balance": "undersample"}},
    },
    deviations=(
        "deviation-duplicates-together",
        "deviation-aimic-epoch",
        "deviation-training-share",
        "deviation-auxiliary-heads",
    ),
    not_stated=(
        "batch_size",
        "last_batch",
        "image_size",
        "loss",
        "weight_decay",
        "schedule",
        "normalization",
        "dropout",
        "seed",
    ),
)
