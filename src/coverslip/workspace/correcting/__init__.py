"""Labels corrected where a mistake is seen: they join the dataset that the image comes from, with their history."""
