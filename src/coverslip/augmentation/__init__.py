"""Data augmentation: the records that a recipe can name. Importing this package does not import PyTorch."""
