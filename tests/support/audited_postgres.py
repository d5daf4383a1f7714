"""Two PostgreSQL servers to audit: one with everything wrong that can be, one put right; and four logins on each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
from postgres_server import PostgresServer, running_postgres

from connectors.security.catalogue import grant_script
from connectors.settings import SourceSettings

LOGINS = ("plain", "monitor", "granted", "postgres")

# As the newest initdb has it by itself.
CHECKSUMS = ("--data-checksums",)
BAD_SETTINGS = (
    "listen_addresses=*",
    "password_encryption=md5",
    "authentication_timeout=120",
    "ssl_min_protocol_version=TLSv1",
    "ssl_ciphers=RC4:HIGH",
    "ssl_prefer_server_ciphers=off",
    "log_min_messages=fatal",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_file_mode=0644",
    "debug_print_parse=on",
    "log_parameter_max_length_on_error=-1",
    "log_min_duration_statement=0",
    "lo_compat_privileges=on",
    "allow_system_table_mods=on",
    "wal_level=logical",
)
HARDENED_SETTINGS = (
    "fsync=on",
    "shared_preload_libraries=auth_delay",
    "unix_socket_permissions=0770",
    "log_connections=on",
    "log_disconnections=on",
    "log_statement=ddl",
    "log_line_prefix=%m [%p] %q%u@%d %h ",
    "log_replication_commands=on",
    "logging_collector=on",
    "archive_mode=on",
    "archive_command=/bin/true",
    "ssl_ciphers=HIGH:!aNULL:!MD5",
)
BAD_RULES = """
local all all peer
host all all 127.0.0.1/32 trust
host all all 10.0.0.0/8 md5
host all all 0.0.0.0/0 trust
"""
HARDENED_RULES = """
local all all peer
host all postgres 127.0.0.1/32 scram-sha-256
host all all 0.0.0.0/0 reject
"""
BAD_OBJECTS = """
CREATE ROLE second SUPERUSER LOGIN PASSWORD 'kept badly';
CREATE ROLE bypasser BYPASSRLS;
CREATE ROLE "Creator-1" CREATEROLE CREATEDB;
CREATE ROLE copier REPLICATION LOGIN;
CREATE ROLE runner; GRANT pg_execute_server_program, pg_write_server_files, pg_read_all_data TO runner;
CREATE ROLE hidden LOGIN; GRANT second TO hidden WITH ADMIN OPTION;
CREATE ROLE gone LOGIN VALID UNTIL '2001-01-01';
ALTER ROLE gone SET row_security = off;
CREATE SCHEMA shop; GRANT CREATE, USAGE ON SCHEMA shop TO PUBLIC;
CREATE TABLE shop.customers (id int, password text, iban text);
GRANT SELECT, INSERT ON shop.customers TO PUBLIC;
GRANT SELECT ON shop.customers TO runner WITH GRANT OPTION;
CREATE FUNCTION shop.lend(int) RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO runner;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC;
CREATE TABLE shop.unguarded (id int); CREATE POLICY forgotten ON shop.unguarded USING (id > 1);
CREATE TABLE shop.closed (id int); ALTER TABLE shop.closed ENABLE ROW LEVEL SECURITY;
CREATE TABLE shop.guarded (id int); ALTER TABLE shop.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY anything ON shop.guarded FOR ALL USING (true);
CREATE VIEW shop.around AS SELECT * FROM shop.guarded;
CREATE MATERIALIZED VIEW shop.copy AS SELECT * FROM shop.guarded; GRANT SELECT ON shop.copy TO PUBLIC;
CREATE LANGUAGE unbound HANDLER plpgsql_call_handler;
CREATE EXTENSION hstore SCHEMA public VERSION '1.4';
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; GRANT USAGE ON FOREIGN SERVER elsewhere TO PUBLIC;
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'u', password 'kept badly');
CREATE FOREIGN TABLE shop.afar (id int) SERVER elsewhere; GRANT SELECT ON shop.afar TO PUBLIC;
CREATE SUBSCRIPTION follower CONNECTION 'host=127.0.0.1 password=kept_badly' PUBLICATION p WITH (connect = false);
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE FUNCTION shop.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted BEFORE INSERT ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.noted();
ALTER TABLE shop.customers DISABLE TRIGGER noted;
SELECT pg_create_physical_replication_slot('forgotten', true);
"""
_HARDENED = """
CREATE ROLE shopkeeper NOLOGIN;
CREATE SCHEMA shop AUTHORIZATION shopkeeper;
SET ROLE shopkeeper;
CREATE TABLE shop.customers (id int PRIMARY KEY, password_hash text, note text);
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.customers FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.customers USING (note = current_user);
CREATE VIEW shop.mine WITH (security_invoker = true) AS SELECT id FROM shop.customers;
CREATE FUNCTION shop.lend() RETURNS int SECURITY DEFINER SET search_path = pg_catalog, pg_temp LANGUAGE sql
  AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION shop.lend() FROM PUBLIC;
RESET ROLE;
CREATE SCHEMA extensions;
CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION pg_stat_statements SCHEMA extensions;
CREATE PUBLICATION chosen FOR TABLE shop.customers;
REVOKE CONNECT, TEMPORARY ON DATABASE postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO plain, monitor, granted;
"""


# Of versions before it there is no such setting: a server does not start with one that it does not know.
_SINCE_18 = "md5_password_warnings=off"


@contextlib.contextmanager
def bad_postgres(programs: Path | None = None) -> Iterator[PostgresServer]:
    """`programs` are those of an older version than the wheel's."""
    settings = BAD_SETTINGS if programs else (*BAD_SETTINGS, _SINCE_18)
    with running_postgres(settings, init=CHECKSUMS, programs=programs) as server:
        _make_logins(server)
        run_script(server, BAD_OBJECTS)
        server.execute("CREATE DATABASE pattern IS_TEMPLATE true")
        _write(server, "pg_hba.conf", BAD_RULES)
        _damage(server)
        _change_for_a_restart(server)
        # From here on the server looks at its files only when asked what is in them.
        _write(server, "pg_hba.conf", "host all all\n", mode="a")
        _write(server, "postgresql.conf", "no_such_setting = 1\n", mode="a")
        with contextlib.closing(_remote_session(server)):
            yield server


@contextlib.contextmanager
def hardened_postgres(programs: Path | None = None) -> Iterator[PostgresServer]:
    with running_postgres(HARDENED_SETTINGS, init=CHECKSUMS, programs=programs) as server:
        _make_logins(server, " VALID UNTIL '2100-01-01' CONNECTION LIMIT 5")
        run_script(server, _HARDENED)
        if programs:
            # The wheel's was built without TLS.
            encrypt(server)
        _write(server, "pg_hba.conf", HARDENED_RULES)
        yield server


def encrypt(server: PostgresServer) -> None:
    """Has a server that was built with TLS offer it."""
    owner = server.data.stat().st_uid
    certificate, key = server.data / "server.crt", server.data / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    for path in (certificate, key):
        path.chmod(0o600)
        os.chown(path, owner, -1)
    server.execute("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    _wait_until(server, "SELECT 1 FROM pg_settings WHERE name = 'ssl' AND setting = 'on'")


def settings_of(server: PostgresServer, login: str, database: str = "postgres") -> SourceSettings:
    return SourceSettings(host="127.0.0.1", port=server.port, database=database, user=login)


def other_address() -> str | None:
    """An address of this machine that is not the loopback's."""
    addresses = [one for of_one in psutil.net_if_addrs().values() for one in of_one]
    found = [one.address for one in addresses if one.family == socket.AF_INET and not one.address.startswith("127.")]
    return found[0] if found else None


def _make_logins(server: PostgresServer, options: str = "") -> None:
    for login in LOGINS[:-1]:
        server.execute(f"CREATE ROLE {login} LOGIN{options}")
    server.execute("GRANT pg_monitor TO monitor")
    run_script(server, grant_script("postgresql", "granted"))


def run_script(server: PostgresServer, script: str, database: str = "postgres") -> None:
    """Several statements at once."""

    async def go() -> None:
        connection = await asyncpg.connect(server.url, database=database)
        try:
            await connection.execute(script)
        finally:
            await connection.close()

    asyncio.run(go())


def _write(server: PostgresServer, name: str, text: str, mode: str = "w") -> None:
    with (server.data / name).open(mode, encoding="utf-8") as file:
        file.write(text)


def _change_for_a_restart(server: PostgresServer) -> None:
    """A setting that waits for one. The server takes note of it a little later."""
    server.execute("ALTER SYSTEM SET max_connections = 90", "SELECT pg_reload_conf()")
    _wait_until(server, "SELECT name FROM pg_settings WHERE pending_restart")


def _wait_until(server: PostgresServer, question: str) -> None:
    """Until it has an answer."""
    deadline = time.monotonic() + 10
    while not server.execute(question):
        assert time.monotonic() < deadline, question


def _damage(server: PostgresServer) -> None:
    """A page that does not hold what was written, and somebody who met it."""
    [path] = server.execute(
        "CREATE TABLE shop.damaged AS SELECT generate_series(1, 10) AS id",
        "CHECKPOINT",
        "SELECT pg_relation_filepath('shop.damaged')",
    )
    server.stop()
    with (server.data / path).open("r+b") as file:
        file.seek(8000)
        file.write(b"damaged!")
    server.start()
    with contextlib.suppress(Exception):
        server.execute("SELECT * FROM shop.damaged")


def _remote_session(server: PostgresServer) -> socket.socket:
    """A superuser who came by another address than the loopback's, and stays."""
    connection = socket.create_connection((other_address() or "127.0.0.1", server.port), timeout=10)
    _sign_in(connection)
    return connection


def encrypted_session(server: PostgresServer, version: ssl.TLSVersion) -> ssl.SSLSocket:
    """A superuser who came by this version of TLS, and stays."""
    with warnings.catch_warnings():
        # That a version is old is why it is asked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    plain.sendall(struct.pack("!II", 8, 80877103))
    assert plain.recv(1) == b"S"
    connection = context.wrap_socket(plain)
    _sign_in(connection)
    return connection


def _sign_in(connection: socket.socket) -> None:
    body = struct.pack("!I", 196608) + b"user\0postgres\0database\0postgres\0\0"
    connection.sendall(struct.pack("!I", len(body) + 4) + body)
    answer = b""
    # That it is ready for a statement.
    while not answer.endswith(b"Z\0\0\0\5I"):
        more = connection.recv(4096)
        assert more, answer
        answer += more
