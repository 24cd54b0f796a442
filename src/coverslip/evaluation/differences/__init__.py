"""Two classifiers, or two ways of training, side by side: by how much they differ, and whether that could be luck."""
