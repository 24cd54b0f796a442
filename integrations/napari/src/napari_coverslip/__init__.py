"""Widgets of napari: classify images and objects with a classifier that coverslip exported, and label objects live."""

from napari_coverslip.live import LiveWidget
from napari_coverslip.widget import classify_widget

__all__ = ["LiveWidget", "classify_widget"]
