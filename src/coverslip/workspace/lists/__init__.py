"""The images that jobs measured or predicted: read from their tables once, and listed for pages, downloads and maps."""
