"""Predictions of images as rows, and corrections of them."""
