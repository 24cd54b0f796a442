"""AIMIC (Liu and others 2022): ten networks, five folds, the mean over datasets, and the prediction time."""

from coverslip.studies.presets.record import BARE, COMMON, EPOCH, Deviation, Preset

_SOURCE = "AIMIC (2022), mean of its four datasets, image-level folds, epoch selected on the test fold"

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
        "split": {"val": 0.2},
    },
    as_published=BARE,
    deviations=(
        *COMMON,
        EPOCH,
        Deviation("deviation-aimic-undersampling"),
        Deviation("deviation-aimic-batch-size"),
    ),
    published=(
        {"name": "ResNeXt-50 32x4d", "metrics": {"accuracy": 0.9683, "macro_f1": 0.9682}, "source": _SOURCE},
        {"name": "ResNet-50", "metrics": {"accuracy": 0.9670, "macro_f1": 0.9669}, "source": _SOURCE},
        {"name": "MobileNet-v2", "metrics": {"accuracy": 0.9572, "macro_f1": 0.9571}, "source": _SOURCE},
        {"name": "MobileNet-v3-Large", "metrics": {"accuracy": 0.9536, "macro_f1": 0.9534}, "source": _SOURCE},
    ),
)
