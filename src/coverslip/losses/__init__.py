"""Losses and regularizers: the records that a recipe can name. Importing this package does not import PyTorch."""
