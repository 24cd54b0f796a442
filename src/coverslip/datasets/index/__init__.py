"""The images of a dataset with their labels, groups and sets from names and tables, without decoding."""
