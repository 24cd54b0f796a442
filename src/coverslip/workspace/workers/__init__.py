"""Background work of some seconds or minutes, in processes that end with the server."""
