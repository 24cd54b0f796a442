"""Showing the images of a dataset to a network, when somebody asks for it."""
