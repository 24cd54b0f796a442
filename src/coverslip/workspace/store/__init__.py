"""The workspace's folder and its database."""
