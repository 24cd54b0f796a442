"""Images to be looked at: `filters` and `images` say which, `pictures` and `colours` show them.

It knows nothing of where images come from; `thumbnails` are made while `datasets` reads images, or when asked for.
"""
