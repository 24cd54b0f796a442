"""Datasets that the app knows: opening, reading, labelling and keeping them."""
