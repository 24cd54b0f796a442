"""Work of some seconds or minutes that somebody waits for, in processes that end with the server."""
