"""What real servers write into their logs of failed sign-ins, grants, exports, deletions and odd statements."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncmy
import asyncpg  # type: ignore[import-untyped]
from asyncmy.errors import MySQLError
from mariadb_server import MariadbServer
from postgres_server import PostgresServer
from waiting import wait_until

LOGGING = (
    "logging_collector=on",
    "log_destination=csvlog,jsonlog",
    "log_connections=on",
    "log_statement=all",
    "log_timezone=UTC",
    "log_directory=log",
)
_RULES = """
host all guarded 127.0.0.1/32 scram-sha-256
host all barred 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
"""
# Looks like records of a log, to whoever does not mind quotes.
FORGED = """SELECT '
2026-03-01 09:00:00.000 UTC,"root","shop",7,"203.0.113.9:5","65e.2",1,"x",,,0,FATAL,28P01,"password",,,,,,,,,"psql"
'"""
LONG = "SELECT '" + "x" * 200_000 + "'"
ODD = "SELECT 'it''s \"quoted\", \u2028 \x85 \x0b'"
STATEMENTS = (
    "CREATE TABLE cards (id int, n text)",
    "GRANT pg_monitor TO guarded",
    "ALTER ROLE guarded CREATEDB PASSWORD 'hunter2'",
    "COPY cards TO PROGRAM 'cat >/dev/null'",
    "SELECT *\n  FROM cards\n WHERE n = ''",
    FORGED,
    LONG,
    ODD,
    "SELEC 1",
    "SELECT '--'; TRUNCATE cards",
    "DELETE /* all\n of them */ FROM cards",
    "DROP TABLE cards",
    "SET log_statement = 'none'",
)
# Names that strangers may send, of whom no role has any; the third is of no encoding.
STRANGERS = (b"ghost", b"new\nline", b"caf\xff\xe9", b'q"uo,te')


def postgres_logs(server: PostgresServer) -> dict[str, list[bytes]]:
    """The files of csvlog and jsonlog by their suffix, the older first, of a server with `LOGGING`; it stops."""
    server.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'", "CREATE ROLE barred LOGIN")
    (server.data / "pg_hba.conf").write_text(_RULES)
    server.execute("SELECT pg_reload_conf()")
    for number in range(12):
        asyncio.run(_refused(server, "guarded", f"guess {number}"))
    asyncio.run(_refused(server, "barred", "any"))
    for name in STRANGERS:
        _stranger(server, name)
    asyncio.run(_run(server, STATEMENTS))
    server.execute("ALTER SYSTEM SET log_filename = 'newer.log'", "SELECT pg_reload_conf()")
    folder = server.data / "log"
    newer = folder / "newer.csv"
    wait_until(newer.exists, 30, lambda: f"the log was not rotated: {list(folder.iterdir())}")
    asyncio.run(_run(server, ("SELECT * FROM pg_authid",), user="guarded", password="hunter2"))
    # In order: what was logged is written before it ends.
    server.stop()
    return {suffix: _files(folder, suffix) for suffix in ("csv", "json")}


def _files(folder: Path, suffix: str) -> list[bytes]:
    newest = folder / f"newer.{suffix}"
    (older,) = (each for each in folder.glob(f"*.{suffix}") if each != newest)
    return [older.read_bytes(), newest.read_bytes()]


async def _refused(server: PostgresServer, user: str, password: str) -> None:
    with suppress(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(host="127.0.0.1", port=server.port, user=user, password=password, database="postgres")


def _stranger(server: PostgresServer, name: bytes) -> None:
    """Somebody says that this is the name of their role: the message that starts a session, as it is sent."""
    body = struct.pack("!i", 196_608) + b"user\0" + name + b"\0database\0postgres\0\0"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(struct.pack("!i", len(body) + 4) + body)
        while connection.recv(4096):
            continue


async def _run(server: PostgresServer, statements: Sequence[str], **login: str) -> None:
    """Each by itself, whatever comes of it."""
    login = {"user": "postgres", "database": "postgres", **login}
    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, server_settings={"application_name": 'my, "app"'}, **login
    )
    try:
        for statement in statements:
            with suppress(asyncpg.PostgresError):
                await connection.execute(statement)
    finally:
        await connection.close()


AUDITING = ("--plugin-load-add=server_audit=server_audit.so", "--server-audit-logging=ON")
MARIADB_STATEMENTS = (
    "CREATE TABLE cards (id int, n text)",
    "GRANT SELECT ON *.* TO guarded@'%' -- more\n WITH GRANT OPTION",
    "ALTER USER guarded@'%' IDENTIFIED BY 'hunter2'",
    "SELECT *\nFROM cards\tWHERE n = 'it''s \"x\", \u2028 \x85'",
    "SELEC 1",
    "DELETE\nFROM cards",
    "/*!50000 TRUNCATE cards */",
    "DROP TABLE cards",
    "SELECT load_file('/nowhere')",
    "SET GLOBAL server_audit_logging = OFF",
)
# Looks like the rest of a line of the log.
FORGED_NAME = "root,10.0.0.1,9,0,CONNECT,,"


def mariadb_log(server: MariadbServer) -> bytes:
    """What server_audit wrote."""
    server.execute("CREATE USER guarded@'%' IDENTIFIED BY 'right'", "CREATE USER 'odd, user'@'%'")
    for number in range(12):
        asyncio.run(_sign_in(server, "guarded", f"guess {number}"))
    for name in ("ghost", FORGED_NAME):
        asyncio.run(_sign_in(server, name, "any"))
    asyncio.run(_sign_in(server, "odd, user", ""))
    asyncio.run(_run_in_mariadb(server, server.new_database()))
    return (server.data / "server_audit.log").read_bytes()


async def _sign_in(server: MariadbServer, user: str, password: str) -> None:
    with suppress(MySQLError):
        connection = await asyncmy.connect(host="127.0.0.1", port=server.port, user=user, password=password)
        connection.close()


async def _run_in_mariadb(server: MariadbServer, database: str) -> None:
    for statement in MARIADB_STATEMENTS:
        with suppress(MySQLError):
            await server.execute_soon(statement, database=database)
