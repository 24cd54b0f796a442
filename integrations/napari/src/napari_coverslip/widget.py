"""The widget: an export, an image and, optionally, its objects -> the class and probability of each object."""

from pathlib import Path

import napari.layers
import numpy as np
import pandas as pd
from magicgui import magic_factory
from napari.utils import progress

from napari_coverslip.classifier import ExportedClassifier, channels_last, crops_around


@magic_factory(
    call_button="Classify",
    export={"label": "Folder of the export", "mode": "d"},
    crop_size={"label": "Crop size (pixels)", "min": 4, "max": 4096},
    objects={"label": "Objects", "nullable": True},
)
def classify_widget(
    export: Path,
    image: napari.layers.Image,
    objects: napari.layers.Labels | None = None,
    crop_size: int = 80,
) -> napari.types.LayerDataTuple:
    """Classify the objects of a labels layer, or the whole image if there are none.

    The objects get the columns `predicted` and `probability`. A points layer shows the classes.
    """
    classifier = ExportedClassifier(export)
    pixels = channels_last(np.asarray(image.data), is_color=image.rgb, n=classifier.n_channels)
    if objects is None:
        names, centers, crops = [1], [np.array(pixels.shape[:2]) / 2], [pixels]
    else:
        labels = np.asarray(objects.data)
        if labels.shape != pixels.shape[:2]:
            raise ValueError(
                f"The objects have {labels.shape} pixels and the image has {pixels.shape[:2]}. Choose the labels layer "
                "of this image."
            )
        names, centers, crops = crops_around(labels, pixels, crop_size)
    if not names:
        raise ValueError("The labels layer has no objects. Draw or segment objects first.")
    rows = [classifier.classify(crop) for crop in progress(crops, desc="Classifying")]
    table = pd.DataFrame(
        {
            "index": names,
            "predicted": [predicted for predicted, _ in rows],
            "probability": [probability for _, probability in rows],
        }
    )
    if objects is not None:
        objects.features = table
    settings = {
        "name": f"Classes of {image.name if objects is None else objects.name}",
        "features": table.drop(columns="index"),
        "text": {"string": "{predicted}", "color": "yellow", "anchor": "upper_left"},
        "face_color": "predicted",
        "size": 6,
        "scale": image.scale[-2:] if not image.rgb else image.scale,
    }
    return np.array(centers), settings, "points"
