"""Architectures that timm and torchvision build, and architectures that neither library has."""
