"""Read microscope images as pixels, describe them, and preprocess them for a network."""
