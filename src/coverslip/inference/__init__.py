"""The packaged classifier at work: loading it and predicting."""

from coverslip.inference.classifier import BATCH_SIZE, Classifier, load_classifier

__all__ = ["BATCH_SIZE", "Classifier", "load_classifier"]
