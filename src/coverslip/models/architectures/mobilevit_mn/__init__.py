"""MobileViT-MN, a network for cells with micronuclei: its parts, the whole, and weights that it can start from."""
