"""The folder of the workspace and its content: database, background threads, and the lock of the server.

`workspace` is the folder, with the lock and the token of the server. `tables` and `database` are SQLite, `rows` has
queries of many values and converts content.
"""
