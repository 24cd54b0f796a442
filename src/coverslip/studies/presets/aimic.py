"""AIMIC (Liu and others 2022): ten networks, five folds, the mean over datasets, and the prediction time."""

from coverslip.studies.presets.record import BARE, COMMON, EPOCH, Deviation, Preset

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
    regimes=("imagenet",),
    baseline="mobilenet_v2",
    small_baseline="mobilenet_v2",
    primary_metric="macro_f1",
    recipe={
        "head": "native",
        "tta": 1,
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
        "primary_metric": "accuracy",  # selects the epoch
        "split": {"val": 0.2},
    },
    as_published={
        **BARE,
        "sampling": "all",
        "checkpoint_selection_set": "test",
        "split": {"near_duplicates": "ignore", "balance": "undersample", "val": 0},
    },
    deviations=(
        *COMMON,
        EPOCH,
        Deviation("deviation-aimic-undersampling", is_choice=True),
        Deviation("deviation-aimic-validation", is_choice=True),
        Deviation("deviation-aimic-epoch"),
    ),
    not_stated=("batch_size", "image_size", "loss", "weight_decay", "schedule", "normalization", "seed"),
)
