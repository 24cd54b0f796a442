"""A PostgreSQL server for the tests, from Debian's package."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "a+b%c d"  # noqa: S105 - of the tests; with characters that addresses encode
ENCODED = "a%2Bb%25c%20d"


class PostgreSQL:
    """A running server, whose user `coverslip` signs in with a password."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self._programs, self.folder, self.port = programs, folder, port

    def address(self, database: str, user: str = f"coverslip:{ENCODED}", port: int | None = None) -> str:
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def socket_address(self, database: str) -> str:
        return f"postgresql://coverslip:{ENCODED}@:{self.port}/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Create a database; return its name."""
        name = f"t{secrets.token_hex(4)}"
        self.sql("postgres", f"CREATE DATABASE {name} OWNER coverslip")
        return name

    def sql(self, database: str, *statements: str) -> str:
        """Return the output of statements of the administrator of the database."""
        command = [self._programs / "psql", "-h", self.folder, "-p", str(self.port), "-U", "postgres", "-At"]
        options = [option for statement in statements for option in ("-c", statement)]
        done = subprocess.run([*command, "-d", database, *options], check=True, capture_output=True, text=True)
        return done.stdout.strip()


def _programs() -> Path | None:
    """Return the folder of the programs, which Debian keeps out of PATH."""
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return folders[-1] if folders else None


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Run a server in a temporary folder. Without its programs, the test is skipped."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed. Run: .ci/programs")
    folder = Path(tempfile.mkdtemp(prefix="coverslip-postgresql-"))
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"

    def run(program: str, *arguments: object) -> None:
        command = [*as_user, str(programs / program), "-D", str(data), *map(str, arguments)]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        with (data / "pg_hba.conf").open("w") as rules:
            rules.write("local all postgres trust\nlocal all all scram-sha-256\nhost all all all scram-sha-256\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-o", options, "-l", folder / "log", "-w", "start")
        try:
            server = PostgreSQL(programs, folder, port)
            server.sql("postgres", f"CREATE ROLE coverslip LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
