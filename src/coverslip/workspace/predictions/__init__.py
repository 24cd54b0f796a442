"""Predictions of new images, and what people say of them."""
