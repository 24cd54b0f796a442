"""What numbers mean for images from elsewhere: pure functions of arrays."""
