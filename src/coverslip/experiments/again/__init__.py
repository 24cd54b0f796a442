"""What is done again with a trained classifier, without training it."""
