"""Loading of packaged classifiers and prediction of new images."""

from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier
from coverslip.inference.predictor import PixelOutputs, Predictor

__all__ = ["BATCH_SIZE", "Classifier", "PixelOutputs", "Predictor", "load_classifier"]
