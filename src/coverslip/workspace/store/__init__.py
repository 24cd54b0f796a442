"""The folder of the workspace and its content: database, background threads, and the lock of the server.

`workspace` is the folder, `tables` and `database` are SQLite, or PostgreSQL by `postgres`, `sql` has what they write
differently, `rows` converts their content, `serving` holds the lock and
the token of the server.
"""
