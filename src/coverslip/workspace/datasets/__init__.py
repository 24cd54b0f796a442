"""Datasets of the app.

`folders` has the origins of images. `sources` opens and changes datasets, `image_rows` stores their images,
`reading_images` decodes and inspects each image once. Users work with `labels`, whose tables are the input of
trainings, and `grouping`; `state` describes datasets.
"""
