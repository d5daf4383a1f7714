"""Two MariaDB servers to audit: one with everything wrong, and one hardened."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mariadb_server import MariadbServer, running_mariadb

from connectors.security.mysql.source import grant_script
from connectors.settings import SourceSettings

SECRET = "correct-Horse-9-battery"
PLAIN = "plain"
GRANTED = "granted"

_BAD_OPTIONS = (
    "--local-infile=ON",
    "--secure-auth=OFF",
    "--tls-version=TLSv1.1,TLSv1.2",
    "--bind-address=*",
    "--skip-name-resolve=OFF",
    "--log-warnings=1",
    "--general-log=ON",
    "--event-scheduler=ON",
    "--sql-mode=",
    "--log-bin-trust-function-creators=ON",
)
_BAD = (
    "CREATE USER ''@'10.0.0.%'",
    "CREATE USER nopassword@'10.0.0.%'",
    f"CREATE USER powerful@'10.0.0.%' IDENTIFIED BY '{SECRET}'",
    "GRANT SUPER, FILE, PROCESS, SHUTDOWN, RELOAD, CREATE USER ON *.* TO powerful@'10.0.0.%' WITH GRANT OPTION",
    f"CREATE USER wide@'%' IDENTIFIED BY '{SECRET}'",
    "GRANT SELECT ON mysql.* TO wide@'%'",
    "GRANT SELECT ON `shop%`.* TO wide@'%'",
    "CREATE DATABASE test",
    "CREATE DATABASE app",
    "CREATE TABLE app.old (id int) ENGINE=MyISAM",
    "CREATE VIEW app.everything AS SELECT 1 AS one",
    "CREATE PROCEDURE app.act() SELECT 1",
    "CREATE EVENT app.daily ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "CREATE FUNCTION sphinx_snippets RETURNS STRING SONAME 'ha_sphinx.so'",
)
# Things that look like the bad ones and are not: they must stay quiet.
_HARDENED = (
    "DROP USER root@'localhost'",
    "CREATE DATABASE app",
    "CREATE DATABASE tested",
    "CREATE TABLE app.kept (id int PRIMARY KEY) ENGINE=InnoDB",
    f"CREATE USER owner@'10.0.0.%' IDENTIFIED VIA ed25519 USING PASSWORD('{SECRET}') REQUIRE SSL",
    f"CREATE USER modern@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('{SECRET}') REQUIRE SSL",
    "CREATE USER asleep@'10.0.0.%' IDENTIFIED VIA ed25519 USING '' REQUIRE SSL ACCOUNT LOCK",
    "CREATE USER local@localhost IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket",
    r"GRANT SELECT, INSERT ON `a\_p`.* TO owner@'10.0.0.%'",
    "GRANT SHOW VIEW ON *.* TO owner@'10.0.0.%'",
    "CREATE DEFINER = owner@'10.0.0.%' VIEW app.limited AS SELECT 1 AS one",
    "CREATE SQL SECURITY INVOKER VIEW app.asking AS SELECT 1 AS one",
    "CREATE DEFINER = owner@'10.0.0.%' PROCEDURE app.act() SELECT 1",
    "CREATE PROCEDURE app.asking() SQL SECURITY INVOKER SELECT 1",
    "CREATE DEFINER = owner@'10.0.0.%' EVENT app.daily ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
)


@dataclass(frozen=True)
class Audited:
    server: MariadbServer
    root_password: str
    tls: str

    def settings(self, user: str) -> SourceSettings:
        password = self.root_password if user == "root" else SECRET
        return SourceSettings(
            host="127.0.0.1", port=self.server.port, database="open", user=user, password=password, tls=self.tls
        )


def statements_of(script: str) -> list[str]:
    """Those of a grant script, one by one, as a client sends them."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]


def _logins(host: str, identified: str) -> list[str]:
    """One that may do nothing but sign in, and one with what our grant script gives."""
    made = ["CREATE DATABASE open", "CREATE TABLE open.nothing (id int)"]
    for user in (PLAIN, GRANTED):
        made += [f"CREATE USER {user}@'{host}' {identified}", f"GRANT SELECT ON open.nothing TO {user}@'{host}'"]
    return made + statements_of(grant_script(f"{GRANTED}@{host}"))


@contextmanager
def bad_mariadb() -> Iterator[Audited]:
    with running_mariadb(*_BAD_OPTIONS) as server:
        server.execute(*_BAD, *_logins("%", f"IDENTIFIED BY '{SECRET}'"))
        yield Audited(server, "", "disable")


@contextmanager
def hardened_mariadb() -> Iterator[Audited]:
    """Its last statement has the server refuse connections that are not encrypted, as the audit's are."""
    # The server runs as another user: its files lie where that one may come.
    folder = Path(tempfile.mkdtemp(prefix="studio-hardened-"))
    folder.chmod(0o755)
    try:
        with _hardened_in(folder) as audited:
            yield audited
    finally:
        shutil.rmtree(folder)


@contextmanager
def _hardened_in(folder: Path) -> Iterator[Audited]:
    certificate, key, at_rest = folder / "certificate.pem", folder / "key.pem", folder / "keys"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    at_rest.write_text("1;" + "0f" * 16 + "\n", encoding="utf-8")
    for path in (key, at_rest):
        path.chmod(0o644)
    options = (
        f"--ssl-cert={certificate}",
        f"--ssl-key={key}",
        "--local-infile=OFF",
        f"--secure-file-priv={folder}",
        "--log-bin=changes",
        "--server-id=1",
        "--max-password-errors=20",
        "--plugin-load-add=server_audit",
        "--plugin-load-add=auth_ed25519",
        "--plugin-load-add=file_key_management",
        f"--file-key-management-filename={at_rest}",
        "--innodb-encrypt-tables=ON",
    )
    # The driver cannot sign in by ed25519: these accounts, and only these, have the weaker kind of password.
    identified = f"IDENTIFIED BY '{SECRET}'"
    with running_mariadb(*options) as server:
        [name] = server.execute("SELECT User, Host FROM mysql.user WHERE User = 'root' AND Host NOT IN "
                                "('localhost', '127.0.0.1', '::1')")  # fmt: skip
        server.execute(
            f"DROP USER root@'{name[1]}'",
            "DROP USER root@'::1'",
            *_HARDENED,
            *_logins("127.0.0.1", f"{identified} REQUIRE SSL"),
            f"ALTER USER root@'127.0.0.1' {identified}",
            # Not from the start: accounts without a usable password are made above, and root's would have expired.
            "INSTALL SONAME 'simple_password_check'",
            "SET GLOBAL default_password_lifetime = 365",
            "SET GLOBAL require_secure_transport = ON",
        )
        yield Audited(server, SECRET, "require")
