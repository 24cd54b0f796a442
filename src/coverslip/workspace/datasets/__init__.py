"""Datasets of the app.

`folders` and `uploads` are the origins of images. `sources` opens and changes datasets, `image_rows` stores their
images, `reading_images` decodes each image once, `inspections` checks them. Users work with `labels` and `grouping`;
`state` describes datasets. `snapshots` are the input of trainings.
"""
