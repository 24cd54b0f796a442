"""The folder of the workspace and its content: database, background threads, and the lock of the server.

`workspace` is the folder, `tables` and `database` are SQLite, `sql` has queries of many values, `rows` converts their
content, `serving` holds the lock and the token of the server.
"""
