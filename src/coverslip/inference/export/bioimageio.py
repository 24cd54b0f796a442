"""The description of a classifier in the format of the BioImage Model Zoo (BioImage.IO, format version 0.5)."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.files import sha256_file, write_text
from coverslip.runs import ClassifierCard

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 _+().-]")
_TITLES = {
    "probabilities": "Calibrated probability of each class",
    "logits": "Logit of each class before calibration",
    "features": "Features, averaged over test-time augmentation",
    "ood_score": "Out-of-distribution score: 0 is typical, above 1 unfamiliar",
}


def write_description(
    folder: Path,
    name: str,
    card: ClassifierCard,
    metadata: Mapping[str, Any],  # Any: JSON values
    example: npt.NDArray[np.unsignedinteger],
    outputs: Mapping[str, npt.NDArray[np.floating] | None],
) -> None:
    """Write `rdf.yaml`, `README.md` and test arrays for a folder that contains `model.onnx`.

    Args:
        folder: of the export.
        name: of the classifier.
        card: of the classifier.
        metadata: accompanies the network.
        example: (1, S, S, C) pixels.
        outputs: of the example, by name.
    """
    import onnx
    from ruamel.yaml import YAML

    np.save(folder / "test_input.npy", example)
    _, side, _, n_channels = example.shape
    batch, classes = {"type": "batch"}, ", ".join(card.classes)
    inputs = [
        {
            "id": "pixels",
            "description": f"Pixels, resized ({card.preprocessing.resize}) and scaled as classify.py does",
            "axes": [
                batch,
                {"type": "space", "id": "y", "size": side},
                {"type": "space", "id": "x", "size": side},
                {"type": "channel", "id": "channel", "channel_names": [f"channel{i}" for i in range(n_channels)]},
            ],
            "data": {"type": example.dtype.name},
            "test_tensor": _source(folder / "test_input.npy"),
        }
    ]
    described = []
    for output, array in outputs.items():
        if array is None:
            continue
        np.save(folder / f"test_{output}.npy", array)
        axis = "class" if output in ("probabilities", "logits") else "feature"
        sizes = [{"type": "index", "id": f"{axis}_index", "size": array.shape[1]}] if array.ndim == 2 else []
        described.append(
            {
                "id": output,
                "description": _TITLES[output],
                "axes": [batch, *sizes],
                "data": {"type": "float32"},
                "test_tensor": _source(folder / f"test_{output}.npy"),
            }
        )
    write_text(folder / "README.md", f"# {name}\n\nClasses: {classes}\n\n{metadata['model_card']}\n")
    opset = onnx.load(folder / "model.onnx", load_external_data=False).opset_import[0].version
    description = {
        "type": "model",
        "format_version": "0.5.3",
        "name": _NOT_IN_NAMES.sub("_", name)[:128],
        "description": f"Classifier of images: {classes}"[:1024],
        "authors": [{"name": "unknown"}],
        "tags": ["classification", "coverslip"],
        "documentation": "README.md",
        "attachments": [_source(folder / "classify.py")],
        "inputs": inputs,
        "outputs": described,
        "weights": {"onnx": {**_source(folder / "model.onnx"), "opset_version": opset}},
        "config": {"coverslip": {key: value for key, value in metadata.items() if key != "model_card"}},
    }
    yaml = YAML()
    yaml.default_flow_style = False
    with (folder / "rdf.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(json.loads(json.dumps(description)), file)  # a copy without shared values, which would be aliases


def _source(file: Path) -> dict[str, str]:
    return {"source": file.name, "sha256": sha256_file(file)}
