"""A widget of napari that classifies images and objects with a classifier that coverslip exported."""

from napari_coverslip.widget import classify_widget

__all__ = ["classify_widget"]
