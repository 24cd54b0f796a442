"""`classifier/`: a trained network with all that is needed to use it, as a folder or as one file."""

from coverslip.runs.classifier.packed import (
    CalibrationImages,
    ClassifierCard,
    OodThreshold,
    PackedClassifier,
    TrainedOn,
    card_of,
    export_classifier,
    find_classifier,
    fingerprint_of,
    open_classifier,
    stamp_of,
    write_card,
    write_classifier,
)

__all__ = [
    "CalibrationImages",
    "ClassifierCard",
    "OodThreshold",
    "PackedClassifier",
    "TrainedOn",
    "card_of",
    "export_classifier",
    "find_classifier",
    "fingerprint_of",
    "open_classifier",
    "stamp_of",
    "write_card",
    "write_classifier",
]
