"""Differences between two classifiers, two ways of training, or two sets of images, with intervals and tests."""
