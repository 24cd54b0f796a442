"""Datasets that the app knows.

`folders` and `uploads` are where images come from, `sources` lists them, `reading_images` decodes each once; `labels`,
`classes`, `grouping` and `changing` are what people do with them; `snapshots` are what trainings are given.
"""
