"""Images for display: `images` selects them, `pictures` and `tiles` render them.

This package is independent of the origin of images. Thumbnails are created while `datasets` reads images, or on
request.
"""
