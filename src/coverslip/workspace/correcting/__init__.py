"""Corrections of labels among results and predictions. They are saved in the dataset of the image, with a history."""
