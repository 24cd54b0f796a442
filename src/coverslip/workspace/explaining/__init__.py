"""Explanations of measured and predicted images, drawn on request."""
