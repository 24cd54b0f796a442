"""The web app: a REST door and built pages in front of the workspace."""
