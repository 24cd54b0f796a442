"""What a training is asked for with: a form of the recipe, networks in plain words, the recipe made of them."""
