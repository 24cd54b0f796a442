"""EfficientNetV2-B0 on actin (Kakumani and Padma Sree): three freezing boundaries, and three other networks."""

from coverslip.studies.presets.record import USUAL_RECIPE, Preset

EFFICIENTNETV2_CELL = Preset(
    name="efficientnetv2-cell",
    citation=(
        "Kakumani & Padma Sree, Deep learning architecture for classification of breast cancer cells in "
        "fluorescence microscopy images"
    ),
    page="papers/efficientnetv2_b0.md",
    models=(
        {"name": "first 200 of 271 frozen", "recipe": {"model": "efficientnetv2_b0", "freeze_to": "first_200_of_271"}},
        {"name": "nothing frozen", "recipe": {"model": "efficientnetv2_b0"}},
        {"name": "all but the last layer frozen", "recipe": {"model": "efficientnetv2_b0", "freeze_to": "backbone"}},
        {
            "name": "first 200 of 271 frozen, scaled twice",
            "recipe": {
                "model": "efficientnetv2_b0",
                "freeze_to": "first_200_of_271",
                "normalization": "rescaled-twice",
            },
        },
        "inception_v3",
        "nasnet_mobile",
        "vgg16",
    ),
    small_models=(
        {"name": "first blocks frozen", "recipe": {"model": "efficientnet_lite0", "freeze_to": "blocks.4"}},
        {"name": "nothing frozen", "recipe": {"model": "efficientnet_lite0"}},
        {"name": "all but the last layer frozen", "recipe": {"model": "efficientnet_lite0", "freeze_to": "backbone"}},
        {
            "name": "first blocks frozen, scaled twice",
            "recipe": {"model": "efficientnet_lite0", "freeze_to": "blocks.4", "normalization": "rescaled-twice"},
        },
        "efficientnet_lite1",
        "mobilenet_v2",
    ),
    folds=10,
    baseline="nothing frozen",
    small_baseline="nothing frozen",
    primary_metric="accuracy",
    recipe={
        **USUAL_RECIPE,
        "dropout": "keras",
        "image_size": 224,
        "resize": "stretch",
        "augment": "efficientnetv2_b0",
        "batch_norm": "learn",
        "batch_size": 16,
        "epochs": 70,
        "patience": None,
        "optimizer": "adam",
        "learning_rate": 5e-5,
        "weight_decay": 0,
        "schedule": "constant",
        "warmup": 0,
    },
    protocol={"checkpoint_selection": "best", "split": {"val": 0.1}},
    shortcuts={"image-split": {}, "copies": {"split": {"copies": 4}}},
    own_models=("first 200 of 271 frozen", "first blocks frozen", "nothing frozen"),
    deviations=(
        "deviation-duplicates-together",
        "deviation-efficientnet-folds",
        "deviation-efficientnet-epoch",
        "deviation-augmentation-ranges",
        "deviation-efficientnet-copies",
        "deviation-efficientnet-nasnet",
        "deviation-efficientnet-scaling",
        "deviation-auxiliary-heads",
    ),
    not_stated=(
        "weight_decay",
        "schedule",
        "last_batch",
        "dropout",
        "normalization",
        "checkpoint_selection",
        "resize",
        "split.copies",
        "seed",
    ),
)
