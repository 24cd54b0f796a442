"""Images for display: `filters` and `images` select them, `pictures` renders them.

This package is independent of the origin of images. Thumbnails are created while `datasets` reads images, or on
request.
"""
