"""Users, their passwords, and the secrets that show who sends a request."""

import datetime
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, select, update

from coverslip.app.clients import client_of
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Busy, Conflict, CoverslipError, NotFound, NotSignedIn, TooManyAttempts
from coverslip.server.folder import AccountServer, keys, members, users
from coverslip.workspace.store.database import write_transaction

if TYPE_CHECKING:
    from pwdlib import PasswordHash

Kind = Literal["session", "invitation", "script"]
MIN_PASSWORD = 10
SESSION_DAYS = 30
MAX_PASSWORD = 1_000
_DAYS: dict[Kind, int | None] = {"session": SESSION_DAYS, "invitation": 7, "script": None}
_NAME = re.compile(r"[^\s/\\:,;\"'<>|`\x00-\x1f]{1,64}")
USER_OF_KEY = (
    select(users)
    .join(keys, keys.c.user_id == users.c.id)
    .where(keys.c.sha256 == bindparam("sha256"), keys.c.kind == bindparam("kind"), users.c.is_active)
    .where(keys.c.expires.is_(None) | (keys.c.expires > bindparam("now")))
)


@dataclass(frozen=True, slots=True)
class User(DocumentedFields):
    """A person with an account."""

    id: str
    name: str
    is_admin: bool
    """May change accounts and projects, and everything in all projects."""
    is_active: bool
    """May sign in."""
    has_password: bool
    """Has set a password. If not, an invitation is open or expired."""
    has_proxy: bool
    """A reverse proxy signs this user in; there is no password."""
    created: str
    """ISO 8601, UTC."""
    is_removed: bool = False
    """Has no projects and cannot sign in. It can be restored."""


@dataclass(frozen=True, slots=True)
class ScriptKey(DocumentedFields):
    """A key with which a script sends requests for a user."""

    id: str
    name: str
    created: str
    """ISO 8601, UTC."""


def list_users(server: AccountServer) -> list[User]:
    """Return all users by name, including removed ones."""
    with server.engine.connect() as connection:
        return [user_in(row) for row in connection.execute(select(users).order_by(users.c.name)).mappings()]


def find_user(server: AccountServer, user_id: str) -> User:
    """Return a user by ID.

    Raises:
        NotFound: there is none.
    """
    with server.engine.connect() as connection:
        return user_in(_user_row(connection, user_id))


def find_user_by_name(server: AccountServer, name: str) -> User:
    """Return a user by name.

    Raises:
        NotFound: there is none, or the account was removed.
    """
    with server.engine.connect() as connection:
        row = connection.execute(select(users).where(users.c.name == name.lower())).mappings().first()
    if row is None or row["removed"]:
        raise NotFound("no-such-user")
    return user_in(row)


def add_user(server: AccountServer, name: str, *, is_admin: bool = False, has_proxy: bool = False) -> User:
    """Add a user, who sets a password with an invitation, unless a proxy signs the user in.

    Raises:
        CoverslipError: the name is not valid.
        Conflict: the name is that of another account, or of a removed one: its labels would be attributed to the new
            user.
    """
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise CoverslipError("user-name-not-valid")
    user = User(secrets.token_hex(5), name, is_admin, True, False, has_proxy, _time())
    with write_transaction(server.engine) as connection:
        if earlier := connection.execute(select(users.c.removed).where(users.c.name == name)).first():
            raise Conflict("user-name-removed" if earlier.removed else "user-name-used", name=name)
        values = {column: getattr(user, column) for column in ("id", "name", "has_proxy", "is_admin", "created")}
        connection.execute(insert(users).values(**values, is_active=True))
    return user


def change_user(
    server: AccountServer, user_id: str, *, is_admin: bool | None = None, is_active: bool | None = None
) -> User:
    """Change what a user may do. A user who is made inactive is signed out, and keys of scripts become invalid.

    Raises:
        NotFound: there is no such user.
        Conflict: no active administrator would remain.
    """
    changes = {name: value for name, value in (("is_admin", is_admin), ("is_active", is_active)) if value is not None}
    with write_transaction(server.engine) as connection:
        _user_row(connection, user_id)
        if changes:
            connection.execute(update(users).where(users.c.id == user_id).values(**changes))
        if is_active is False:
            connection.execute(delete(keys).where(keys.c.user_id == user_id))
        _check_admins(connection)
        return user_in(_user_row(connection, user_id))


def remove_user(server: AccountServer, user_id: str) -> None:
    """Remove a user. Labels and jobs keep the name of the user, which nobody else can get.

    Raises:
        NotFound: there is no such user.
        Conflict: no active administrator would remain.
    """
    with write_transaction(server.engine) as connection:
        _user_row(connection, user_id)
        connection.execute(delete(keys).where(keys.c.user_id == user_id))
        connection.execute(delete(members).where(members.c.user_id == user_id))
        values = {"removed": _time(), "is_active": False, "is_admin": False, "password_hash": None}
        connection.execute(update(users).where(users.c.id == user_id).values(**values))
        _check_admins(connection)


def restore_user(server: AccountServer, user_id: str) -> User:
    """Restore a removed user, without password, projects and the rights of an administrator.

    Raises:
        NotFound: there is no such removed user.
    """
    is_removed = (users.c.id == user_id) & users.c.removed.is_not(None)
    with write_transaction(server.engine) as connection:
        if not connection.execute(update(users).where(is_removed).values(removed=None, is_active=True)).rowcount:
            raise NotFound("no-such-user")
        return user_in(_user_row(connection, user_id))


def invite(server: AccountServer, user_id: str) -> str:
    """Return a new invitation, with which a user sets a password once. Earlier ones become invalid.

    Raises:
        NotFound: there is no such user.
        Conflict: a proxy signs this user in.
    """
    with write_transaction(server.engine) as connection:
        if _user_row(connection, user_id)["has_proxy"]:
            raise Conflict("user-has-proxy")
        connection.execute(delete(keys).where(keys.c.user_id == user_id, keys.c.kind == "invitation"))
        return _add_key(connection, user_id, "invitation")


def invited_user(server: AccountServer, invitation: str) -> User:
    """Return the user of an invitation.

    Raises:
        NotFound: it is not valid, or no longer.
    """
    user = user_of(server, invitation, "invitation")
    if user is None:
        raise NotFound("invitation-not-valid")
    return user


def accept_invitation(server: AccountServer, invitation: str, password: str) -> tuple[User, str]:
    """Set the password of an invited user; return the user and the secret of a new session.

    Other sessions end, and keys of scripts become invalid.

    Raises:
        NotFound: the invitation is not valid, or no longer.
        CoverslipError: the password is too short.
    """
    hashed = _hashed(password)
    with write_transaction(server.engine) as connection:
        user = invited_user(server, invitation)
        connection.execute(delete(keys).where(keys.c.user_id == user.id))
        connection.execute(update(users).where(users.c.id == user.id).values(password_hash=hashed))
        return user_in(_user_row(connection, user.id)), _add_key(connection, user.id, "session")


def change_password(server: AccountServer, user: User, current: str, new: str, *, client: str = "") -> str:
    """Change a password and return the secret of a new session. Other sessions of the user end.

    Raises:
        NotSignedIn: the current password is wrong.
        CoverslipError: the new one is too short.
    """
    _check_password(server, user.name, current, client)
    hashed = _hashed(new)
    with write_transaction(server.engine) as connection:
        connection.execute(delete(keys).where(keys.c.user_id == user.id, keys.c.kind != "script"))
        connection.execute(update(users).where(users.c.id == user.id).values(password_hash=hashed))
        return _add_key(connection, user.id, "session")


def sign_in(server: AccountServer, name: str, password: str, *, client: str = "") -> tuple[User, str]:
    """Return the user and the secret of a new session. `client` is the address that the request came from.

    Raises:
        NotSignedIn: the name or the password is wrong.
        TooManyAttempts: there were many wrong attempts.
    """
    user = _check_password(server, name.strip().lower(), password, client)
    with write_transaction(server.engine) as connection:
        return user, _add_key(connection, user.id, "session")


def sign_out(server: AccountServer, secret: str) -> None:
    """End a session."""
    with write_transaction(server.engine) as connection:
        connection.execute(delete(keys).where(keys.c.sha256 == _digest(secret), keys.c.kind == "session"))


def user_of(server: AccountServer, secret: str, kind: Kind) -> User | None:
    """Return the active user whom a secret of this kind belongs to; None if there is none or it has expired."""
    row = row_of_key(server, USER_OF_KEY, secret, kind)
    return None if row is None else user_in(row)


def row_of_key(
    server: AccountServer,
    query: Select[Any],  # Any: its columns
    secret: str,
    kind: Kind,
    **values: str,
) -> RowMapping | None:
    """Return the row of `USER_OF_KEY`, with further columns and their parameters, for a secret; None if invalid."""
    values |= {"sha256": _digest(secret), "kind": kind, "now": _time()}
    with server.engine.connect() as connection:
        return connection.execute(query, values).mappings().first()


def user_of_proxy(server: AccountServer, name: str) -> User | None:
    """Return the active user whom a trusted proxy has signed in. An unknown user gets an account without projects.

    None if the user is not active, was removed, has a password, or the name is not valid: nobody signs in in two ways.
    """
    try:
        user = find_user_by_name(server, name.strip())
    except NotFound:
        try:
            user = add_user(server, name, has_proxy=True)
        except CoverslipError:
            # Another request may have added the user meanwhile.
            added = [each for each in list_users(server) if each.name == name.strip().lower()]
            if not added:
                return None
            (user,) = added
    return user if user.is_active and user.has_proxy else None


def add_script_key(server: AccountServer, user: User, name: str) -> tuple[ScriptKey, str]:
    """Return a new key for scripts of a user, and its secret, which is not stored."""
    with write_transaction(server.engine) as connection:
        secret = _add_key(connection, user.id, "script", name)
        row = connection.execute(select(keys).where(keys.c.sha256 == _digest(secret))).mappings().one()
    return _script_key(row), secret


def list_script_keys(server: AccountServer, user: User) -> list[ScriptKey]:
    """Return the keys for scripts of a user, the newest first."""
    query = select(keys).where(keys.c.user_id == user.id, keys.c.kind == "script").order_by(keys.c.created.desc())
    with server.engine.connect() as connection:
        return [_script_key(row) for row in connection.execute(query).mappings()]


def remove_script_key(server: AccountServer, user: User, key_id: str) -> None:
    """Make a key for scripts of a user invalid.

    Raises:
        NotFound: the user has no such key.
    """
    is_key = (keys.c.id == key_id) & (keys.c.user_id == user.id) & (keys.c.kind == "script")
    with write_transaction(server.engine) as connection:
        if not connection.execute(delete(keys).where(is_key)).rowcount:
            raise NotFound("no-such-script-key")


def delete_expired_keys(server: AccountServer) -> None:
    """Delete secrets that are no longer valid."""
    with write_transaction(server.engine) as connection:
        connection.execute(delete(keys).where(keys.c.expires <= _time()))


def _add_key(connection: Connection, user_id: str, kind: Kind, name: str = "") -> str:
    secret, days = secrets.token_urlsafe(32), _DAYS[kind]
    expires = None if days is None else _time(datetime.timedelta(days=days))
    values = {"sha256": _digest(secret), "id": secrets.token_hex(5), "user_id": user_id, "kind": kind, "name": name}
    connection.execute(insert(keys).values(**values, created=_time(), expires=expires))
    return secret


def _check_password(server: AccountServer, name: str, password: str, client: str) -> User:
    """Return the user of this name and password."""
    with _attempts.of(name, client_of(client)):
        with server.engine.connect() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).mappings().first()
        # Without a user, the same time passes, so that it does not reveal which names exist.
        hashed = row["password_hash"] if row and row["password_hash"] else _other_hash()
        if not _hashing_slots.acquire(timeout=_HASHING_SECONDS):
            raise Busy("many-sign-ins")
        try:
            is_right = len(password) <= MAX_PASSWORD and _hashing().verify(password, hashed)
        finally:
            _hashing_slots.release()
        if row is None or not row["password_hash"] or not row["is_active"] or not is_right:
            raise NotSignedIn("wrong-name-or-password")
    return user_in(row)


_hashing_slots = threading.Semaphore(2)  # a hash needs much memory and time on purpose
_HASHING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Gate:
    """The state of one limit: how many attempts were wrong, and until when the next must wait."""

    n: int
    until: float


class _Attempts:
    """Wrong attempts to sign in. After several of them, the next must wait.

    Attempts are counted for a name from a client; for a name from all clients together, with more of them free, because
    anybody could keep its user from signing in otherwise; and for a client with all names together. Many people can
    share the address of a client. So it has a token bucket: free attempts, which return one by one whatever others at
    this address try. The counts are bounded: the oldest are forgotten first.
    """

    WAIT_SECONDS = 15.0  # doubled with each further attempt
    LONGEST_SECONDS = 900.0  # after which a count begins again
    FREE_FROM_CLIENT = 5  # with a name
    FREE_WITH_NAME = 100
    CLIENT_ATTEMPTS = 100  # with all names, as long as the bucket is full
    CLIENT_SECONDS = 1.0  # in which one of them returns
    MOST_KEYS = 20_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        # By name and client (None: all of them), and by client: when its bucket is full. The latest is at the end.
        self._gates: dict[tuple[str, str | None], _Gate] = {}
        self._full: dict[str, float] = {}

    @contextmanager
    def of(self, name: str, client: str) -> Iterator[None]:
        """Count an attempt, which is wrong if the block raises `NotSignedIn`. Other errors are not counted."""
        now = self._clock()
        limits = {(name, client): self.FREE_FROM_CLIENT, (name, None): self.FREE_WITH_NAME}
        with self._lock:
            before = {key: self._gates.get(key) for key in limits}
            full = max(self._full.get(client, now), now)
            wait = max(gate.until - now if gate else 0.0 for gate in before.values())
            wait = max(wait, full - now - (self.CLIENT_ATTEMPTS - 1) * self.CLIENT_SECONDS)
            if wait > 0:
                raise TooManyAttempts("too-many-attempts", seconds=round(wait) or 1)
            # Recorded before the password is checked: attempts at the same time count too.
            counted = {key: self._next(before[key], n_free, now) for key, n_free in limits.items()}
            self._record(counted, client, full + self.CLIENT_SECONDS)
        try:
            yield
        except NotSignedIn:
            raise
        except BaseException:  # for example `Busy`: the password was not checked
            with self._lock:
                self._return_token(client, now)
                for key, gate in counted.items():
                    self._take_back(key, gate, before[key])
            raise
        with self._lock:
            # Somebody who can sign in must not clear what the same client tried with other names.
            self._return_token(client, now)
            for key in limits:
                self._gates.pop(key, None)

    def _next(self, gate: _Gate | None, n_free: int, now: float) -> _Gate:
        """Return the state of a limit after one more attempt."""
        n = 1 if gate is None or now > gate.until + self.LONGEST_SECONDS else gate.n + 1
        if n < n_free:
            return _Gate(n, now)
        return _Gate(n, now + min(self.WAIT_SECONDS * 2 ** min(n - n_free, 10), self.LONGEST_SECONDS))

    def _record(self, gates: dict[tuple[str, str | None], _Gate], client: str, full: float) -> None:
        for key, gate in gates.items():
            self._gates.pop(key, None)
            self._gates[key] = gate
        self._full.pop(client, None)
        self._full[client] = full
        while len(self._gates) > self.MOST_KEYS:
            del self._gates[next(iter(self._gates))]
        while len(self._full) > self.MOST_KEYS:
            del self._full[next(iter(self._full))]

    def _return_token(self, client: str, now: float) -> None:
        if client in self._full:
            self._full[client] -= self.CLIENT_SECONDS
            if self._full[client] <= now:
                del self._full[client]

    def _take_back(self, key: tuple[str, str | None], counted: _Gate, before: _Gate | None) -> None:
        """Remove an attempt from a limit, to which another attempt may have been added."""
        current = self._gates.pop(key, None)
        restored = before if current == counted else current and _Gate(current.n - 1, current.until)
        if restored:
            self._gates[key] = restored


_attempts = _Attempts()


@cache
def _hashing() -> "PasswordHash":
    from pwdlib import PasswordHash

    return PasswordHash.recommended()


@cache
def _other_hash() -> str:
    return _hashing().hash(secrets.token_hex())


def _hashed(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise CoverslipError("password-length", n=MIN_PASSWORD)
    return _hashing().hash(password)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _time(later: datetime.timedelta = datetime.timedelta()) -> str:
    return (datetime.datetime.now(datetime.UTC) + later).isoformat(timespec="milliseconds")


def _check_admins(connection: Connection) -> None:
    query = select(func.count()).select_from(users).where(users.c.is_admin, users.c.is_active)
    if not connection.execute(query).scalar_one():
        raise Conflict("last-administrator")


def _user_row(connection: Connection, user_id: str) -> RowMapping:
    row = connection.execute(select(users).where(users.c.id == user_id)).mappings().first()
    if row is None or row["removed"]:
        raise NotFound("no-such-user")
    return row


def user_in(row: RowMapping) -> User:
    """Return the user of a row."""
    return User(
        id=row["id"],
        name=row["name"],
        is_admin=row["is_admin"],
        is_active=row["is_active"],
        has_password=row["password_hash"] is not None,
        has_proxy=row["has_proxy"],
        created=row["created"],
        is_removed=row["removed"] is not None,
    )


def _script_key(row: RowMapping) -> ScriptKey:
    return ScriptKey(id=row["id"], name=row["name"], created=row["created"])
