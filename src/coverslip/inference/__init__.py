"""The packaged classifier at work: loading it, predicting, writing rows."""

from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.predictions import Prediction, Predictions, PredictionsFile, cells_of, columns_for
from coverslip.inference.results import write_results

__all__ = [
    "BATCH_SIZE",
    "Classifier",
    "Prediction",
    "Predictions",
    "PredictionsFile",
    "cells_of",
    "columns_for",
    "load_classifier",
    "write_results",
]
