"""The description of a classifier in the format of the BioImage Model Zoo (BioImage.IO, format version 0.5)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.datasets import one_line
from coverslip.errors import CoverslipError
from coverslip.files import sha256_file, write_text
from coverslip.runs import ClassifierCard

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 _+()-]")
_LEAST_NAME, _MOST_NAME = 5, 128  # characters
_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_DOI, _URL = re.compile(r"\b10\.\d{4,9}/[^\s,;]*[^\s,;.)]"), re.compile(r"https?://[^\s,;]*[^\s,;.)]")
_TITLES = {
    "probabilities": "Calibrated probability of each class",
    "logits": "Logit of each class before calibration",
    "features": "Features, averaged over test-time augmentation",
    "ood_score": "Out-of-distribution score: 0 is typical, above 1 unfamiliar",
}


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who made a classifier, its license, and what to cite.

    Raises:
        CoverslipError: a value is invalid.
    """

    authors: tuple[str, ...] = ()
    license: str | None = None  # an identifier of SPDX
    citation: str | None = None  # a text with a DOI or an address

    def __post_init__(self) -> None:
        for author in self.authors:
            if not author.strip() or "/" in author or not author.isprintable():
                raise CoverslipError("export-author-invalid", author=one_line(author, 60))
        if self.license is not None and not _LICENSE.fullmatch(self.license):
            raise CoverslipError("export-license-invalid", license=one_line(self.license, 60))
        if self.citation is not None and not (_DOI.search(self.citation) or _URL.search(self.citation)):
            raise CoverslipError("export-citation-without-link", citation=one_line(self.citation, 120))

    def __bool__(self) -> bool:
        return self != Attribution()

    def described(self) -> dict[str, Any]:  # Any: JSON values
        """Return the values of `rdf.yaml`."""
        values: dict[str, Any] = {"authors": [{"name": each.strip()} for each in self.authors or ("unknown",)]}
        if self.license is not None:
            values["license"] = self.license
        if self.citation is not None:
            doi, url = _DOI.search(self.citation), _URL.search(self.citation)
            link = {"doi": doi[0]} if doi else {"url": url[0] if url else ""}
            values["cite"] = [{"text": one_line(self.citation), **link}]
        return values


def _valid_name(name: str) -> str:
    """Return a name that the format allows."""
    name = _NOT_IN_NAMES.sub("_", name)[:_MOST_NAME]
    return name if len(name) >= _LEAST_NAME else f"{name} classifier".strip()


def write_description(
    folder: Path,
    name: str,
    card: ClassifierCard,
    metadata: Mapping[str, Any],  # Any: JSON values
    example: npt.NDArray[np.unsignedinteger],
    outputs: Mapping[str, npt.NDArray[np.floating] | None],
    attribution: Attribution,
) -> None:
    """Write `rdf.yaml`, `README.md` and test arrays for a folder that contains `model.onnx`.

    Args:
        folder: of the export.
        name: of the classifier.
        card: of the classifier.
        metadata: accompanies the network.
        example: (1, S, S, C) pixels.
        outputs: of the example, by name.
        attribution: authors, license and citation.
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
        "name": _valid_name(name),
        "description": f"Classifier of images: {classes}"[:1024],
        **attribution.described(),
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
