"""Explanations of predictions: checked heat maps and the nearest training images."""

from coverslip.inference.explain.explaining import ChecksOfRun, Explanation, Explanations, explain, explanation_of

__all__ = ["ChecksOfRun", "Explanation", "Explanations", "explain", "explanation_of"]
