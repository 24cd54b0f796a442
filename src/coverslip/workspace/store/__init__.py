"""The folder of the workspace and its content: database, background threads, and the lock of the server.

`home` is the folder, `tables` and `database` are SQLite, `rows` and `records` convert their content.
"""
