"""The tables of accounts, projects, members and activity."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table

VERSION = 2  # changes with the tables
metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),  # in lower case
    Column("password_hash", String),  # None: none was set yet, or the proxy signs this user in
    Column("has_proxy", Boolean, nullable=False),  # a reverse proxy signs this user in; there is never a password
    Column("is_admin", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("removed", String),  # ISO 8601, UTC; the name is kept, because labels name their author
)

# Secrets that show who sends a request. Only their hashes are stored.
keys = Table(
    "keys",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("id", String, nullable=False, unique=True),  # public
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String, nullable=False),  # session, invitation, script
    Column("name", String, nullable=False),  # of the key of a script
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("expires", String),  # ISO 8601, UTC; None: never
)

projects = Table(
    "projects",
    metadata,
    Column("id", String, primary_key=True),  # the name of its folder
    Column("name", String, nullable=False),
    Column("roots", JSON, nullable=False),  # absolute folders whose images it may read
    Column("max_bytes", BigInteger),  # of its folder; None: no limit
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("removed", String),  # ISO 8601, UTC; its folder is kept
)

members = Table(
    "members",
    metadata,
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String, nullable=False),  # viewer, annotator, editor
    sqlite_with_rowid=False,
)

# Requests that change something, and attempts to sign in.
activity = Table(
    "activity",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String, nullable=False),  # ISO 8601, UTC
    Column("user", String, nullable=False),  # the name at that time; empty: nobody was signed in
    Column("project_id", String),
    Column("method", String, nullable=False),
    Column("path", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("address", String, nullable=False),  # of the client
    Column("object", String, nullable=False),  # the name of what was changed, if it is recorded
    Column("before", String, nullable=False),
    Column("after", String, nullable=False),
    Index("activity_by_project", "project_id", "id"),
)
