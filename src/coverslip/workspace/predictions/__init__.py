"""What classifiers said of images, as rows, and what people say of that: corrections, datasets made of them."""
