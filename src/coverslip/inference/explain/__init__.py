"""Explanations of predictions: checked heat maps and the nearest training images."""
