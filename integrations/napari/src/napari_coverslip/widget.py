"""The widget: an export, an image and, optionally, its objects -> the class and probability of each object."""

from pathlib import Path

import napari.layers
import numpy as np
import pandas as pd
from magicgui import magic_factory
from napari.utils import progress

from napari_coverslip.classifier import ExportedClassifier, boxes_of, centers_of, channels_last


@magic_factory(
    call_button="Classify",
    export={"label": "Folder of the export", "mode": "d"},
    crop_size={"label": "Crop size (pixels, 0: as in training)", "max": 4096},
    objects={"label": "Objects", "nullable": True},
)
def classify_widget(
    export: Path,
    image: napari.layers.Image,
    objects: napari.layers.Labels | None = None,
    crop_size: int = 0,
) -> napari.types.LayerDataTuple:
    """Classify the objects of a labels layer, or the whole image if there are none.

    The objects get the columns `predicted`, `probability` and `decision`. A points layer shows the decisions.
    """
    classifier = ExportedClassifier(export)
    pixels = channels_last(np.asarray(image.data), is_color=image.rgb, n=classifier.n_channels)
    height, width = pixels.shape[:2]
    boxes, crops = {1: (0, 0, width, height)}, [pixels]
    if objects is not None:
        labels = np.asarray(objects.data)
        if labels.shape != (height, width):
            raise ValueError(
                f"The objects have {labels.shape} pixels and the image has {(height, width)}. Choose the labels layer "
                "of this image."
            )
        boxes, size = boxes_of(labels), _pixel_size_um(image)
        crops = [classifier.crop(pixels, box, crop_size, size) for box in boxes.values()]
    if not boxes:
        raise ValueError("The labels layer has no objects. Draw or segment objects first.")
    rows = [classifier.classify(crop) for crop in progress(crops, desc="Classifying")]
    table = pd.DataFrame(
        {
            "index": [*boxes],
            "predicted": [predicted for predicted, _, _ in rows],
            "probability": [probability for _, probability, _ in rows],
            "decision": [decision for _, _, decision in rows],
        }
    )
    if objects is not None:
        objects.features = table
    settings = {
        "name": f"Classes of {image.name if objects is None else objects.name}",
        "features": table.drop(columns="index"),
        "text": {"string": "{decision}", "color": "yellow", "anchor": "upper_left"},
        "face_color": "decision",
        "size": 6,
        "scale": image.scale[-2:] if not image.rgb else image.scale,
    }
    return centers_of(boxes), settings, "points"


def _pixel_size_um(image: napari.layers.Image) -> tuple[float, float] | None:
    """Return width and height of a pixel if the layer has a scale in µm."""
    if {str(unit) for unit in getattr(image, "units", ())[-2:]} != {"micrometer"}:
        return None
    return float(image.scale[-1]), float(image.scale[-2])
