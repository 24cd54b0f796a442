"""CellProfiler 4: classify each image with a classifier that coverslip exported.

coverslip export runs/first --to onnx --out blood_cells_onnx

Install onnxruntime in the Python of CellProfiler. Put this file into CellProfiler's folder of plugins, and add the
module ClassifyWithCoverslip to a pipeline. Each image gets the measurements `Coverslip_Predicted` and
`Coverslip_Probability`. The file of the image is read, not the image of the pipeline, whose pixel values CellProfiler
has rescaled.
"""

import json
import os
import runpy
from pathlib import Path

import numpy

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; ONNX Runtime would send properties of the network
import onnxruntime
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
        self.read = runpy.run_path(str(folder / "classify.py"))["read"]
        model = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        properties = self.session.get_modelmeta().custom_metadata_map
        self.metadata = {name: json.loads(text) for name, text in properties.items()}
        return True

    def run(self, workspace):
        measurements, name = workspace.measurements, self.image_name.value
        parts = [measurements.get_current_image_measurement(f"{part}_{name}") for part in ("PathName", "FileName")]
        pixels = self.read(str(Path(*parts)), self.metadata["preprocessing"])
        (probability,) = self.session.run(["probabilities"], {"pixels": pixels[None]})[0]
        predicted = int(numpy.argmax(probability / (self.metadata["thresholds"]["operating_points"] or 1)))
        measurements.add_image_measurement("Coverslip_Predicted", self.metadata["classes"][predicted])
        measurements.add_image_measurement("Coverslip_Probability", float(probability[predicted]))

    def get_measurement_columns(self, pipeline):
        return [(IMAGE, "Coverslip_Predicted", COLTYPE_VARCHAR), (IMAGE, "Coverslip_Probability", COLTYPE_FLOAT)]
