"""Datasets of the app.

`folders` and `uploads` are the origins of images, `sources` lists them, `reading_images` decodes each image once. Users
work with `labels`, `classes`, `grouping` and `changing`. `snapshots` are the input of trainings.
"""
