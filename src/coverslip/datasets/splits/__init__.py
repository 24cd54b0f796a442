"""Splits into training, validation and test set, and cross-validation folds."""
