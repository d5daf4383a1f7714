"""To which servers a check of MySQL and MariaDB applies."""

from __future__ import annotations

from connectors.security.check import Applies, Server

MYSQL = "mysql"
MARIADB = "mariadb"
_NAMES = {MYSQL: "MySQL", MARIADB: "MariaDB"}


def only(product: str, why: str) -> Applies:
    """Means nothing on the other one, for this reason."""

    def applies(server: Server) -> str | None:
        return None if server.product == product else f"{why}: it is a matter of {_NAMES[product]} only"

    return applies


def before_mysql(version_num: int, why: str) -> Applies:
    """On MariaDB, and on MySQL up to that version (80003 for 8.0.3)."""

    def applies(server: Server) -> str | None:
        return why if server.product == MYSQL and server.version_num >= version_num else None

    return applies


def version_number(text: str) -> int:
    """101119 of `5.5.5-10.11.19-MariaDB-0+deb12u1`; 0 where no version is at the beginning."""
    parts = text.removeprefix("5.5.5-").partition("-")[0].split(".")
    if len(parts) < 3 or not all(part.isdigit() for part in parts[:3]):
        return 0
    major, minor, patch = map(int, parts[:3])
    return major * 10_000 + minor * 100 + patch
