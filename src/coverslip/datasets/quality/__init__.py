"""Decoding every image once, and what is found wrong with a dataset."""
