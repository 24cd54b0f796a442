"""Explanations of measured and predicted images, drawn when somebody asks for one."""
