"""AutoGluon MultiModal: the preset `medium_quality`, with Lite0 in place of its own mobile network.

Rate, batch size and epochs are within the ranges that AutoGluon searches. With its defaults (batches of 128, 20 epochs)
80 images are 20 steps. Patience and validation are those of its preset for object detection. On 320 other images of
blood_pbc, macro-F1 was .56 with the rate and patience of `medium_quality` and .78 with these (n = 100). Validation
images, which select epochs, are of other groups than those trained on.
"""

import json

import numpy as np
from _cell import NETWORK, declare_operators, read_cell

BATCH = 16
EPOCHS = 30  # at most: AutoGluon ends early


def main() -> None:
    declare_operators()
    import pandas as pd
    import timm
    import torch
    from autogluon.multimodal import MultiModalPredictor
    from sklearn.model_selection import StratifiedGroupKFold

    cell = read_cell()
    local = cell.folder / "network"  # a folder of AutoGluon's format for weights of timm
    local.mkdir()
    tensors = torch.load(cell.weights, weights_only=True)
    torch.save({name: tensors[name] for name in tensors if "classifier" not in name}, local / "pytorch_model.bin")
    network = timm.create_model(NETWORK)
    config = {"architecture": NETWORK, "num_features": network.num_features, "pretrained_cfg": network.default_cfg}
    (local / "config.json").write_text(json.dumps(config))

    table = pd.DataFrame({"image": cell.paths, "label": [row["label"] for row in cell.training]})
    splitter = StratifiedGroupKFold(min(5, np.bincount(cell.label).min()), shuffle=True, random_state=cell.seed)
    train, val = next(splitter.split(table, cell.label, cell.groups))
    predictor = MultiModalPredictor(label="label", path=str(cell.folder / "autogluon"))
    predictor.fit(
        table.iloc[train],
        tuning_data=table.iloc[val],
        presets="medium_quality",
        seed=cell.seed,
        hyperparameters={
            "model.names": ["timm_image"],
            "model.timm_image.checkpoint_name": str(local),
            "model.timm_image.image_size": 96,
            "env.batch_size": BATCH,
            "env.per_gpu_batch_size": BATCH,
            "env.num_gpus": 0,
            "env.num_workers": 0,
            "env.num_workers_inference": 0,
            "optim.max_epochs": EPOCHS,
            "optim.lr": 1e-3,
            "optim.patience": 20,  # epochs
            "optim.val_check_interval": 1.0,  # epochs
        },
    )
    probability = predictor.predict_proba(pd.DataFrame({"image": cell.test_paths}))
    cell.write(probability[cell.classes].to_numpy(dtype=float))


if __name__ == "__main__":
    main()
