"""The packaged classifier at work: loading it, predicting, writing rows."""

from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.predictions import Prediction, Predictions, PredictionsFile
from coverslip.inference.results import write_results

__all__ = [
    "BATCH_SIZE",
    "Classifier",
    "Prediction",
    "Predictions",
    "PredictionsFile",
    "load_classifier",
    "write_results",
]
