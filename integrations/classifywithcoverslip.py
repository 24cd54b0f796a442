"""CellProfiler 4: classify each image with a classifier that coverslip exported.

coverslip export runs/first --to onnx --out blood_cells_onnx

Install onnxruntime in the Python of CellProfiler. Put this file into CellProfiler's folder of plugins, and add the
module ClassifyWithCoverslip to a pipeline. Each image gets the measurements `Coverslip_Predicted`,
`Coverslip_Probability` and `Coverslip_Decision`: the predicted class, `uncertain` or `unfamiliar`. The file of the
image is read, not the image of the pipeline, whose pixel values CellProfiler has rescaled.
"""

import runpy
from pathlib import Path

from cellprofiler_core.constants.measurement import COLTYPE_FLOAT, COLTYPE_VARCHAR, IMAGE
from cellprofiler_core.module import Module
from cellprofiler_core.setting.subscriber import FileImageSubscriber
from cellprofiler_core.setting.text import Directory


class ClassifyWithCoverslip(Module):
    """Measures the predicted class of each image, and its probability."""

    module_name = "ClassifyWithCoverslip"
    category = "Measurement"
    variable_revision_number = 1

    def create_settings(self):
        self.image_name = FileImageSubscriber("Select the image", "None")
        self.folder = Directory("Folder of the export")

    def settings(self):
        return [self.image_name, self.folder]

    def prepare_run(self, workspace):
        folder = Path(self.folder.get_absolute_path())
        reader = runpy.run_path(str(folder / "classify.py"))
        self.read, self.classifier = reader["read"], reader["Classifier"](str(folder / "model.onnx"))
        return True

    def run(self, workspace):
        measurements, name = workspace.measurements, self.image_name.value
        parts = [measurements.get_current_image_measurement(f"{part}_{name}") for part in ("PathName", "FileName")]
        pixels = self.read(str(Path(*parts)), self.classifier.metadata["preprocessing"])
        results = self.classifier.classify(pixels)
        for (_, measurement, _), value in zip(self.get_measurement_columns(None), results, strict=True):
            measurements.add_image_measurement(measurement, value)

    def get_measurement_columns(self, pipeline):
        return [
            (IMAGE, "Coverslip_Predicted", COLTYPE_VARCHAR),
            (IMAGE, "Coverslip_Probability", COLTYPE_FLOAT),
            (IMAGE, "Coverslip_Decision", COLTYPE_VARCHAR),
        ]
