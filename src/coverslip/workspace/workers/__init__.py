"""Background work of seconds or minutes, in processes that end with the server."""
