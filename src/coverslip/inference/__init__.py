"""Loading of packaged classifiers and prediction of new images."""

from coverslip.inference.classifier import BATCH_SIZE, Classifier, PixelOutputs, load_classifier

__all__ = ["BATCH_SIZE", "Classifier", "PixelOutputs", "load_classifier"]
