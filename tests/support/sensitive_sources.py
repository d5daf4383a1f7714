"""People with e-mail addresses and cards in a PostgreSQL server, and some who may read them."""

from __future__ import annotations

from typing import Any

from postgres_server import PostgresServer
from scanning import Scanner

PEOPLE = (
    "CREATE TABLE people (id int PRIMARY KEY, email text, card_number text, city text)",
    "INSERT INTO people SELECT i, 'ann' || i || '@example.org', (ARRAY['4111111111111111', '5500000000000004',"
    " '340000000000009', '6011000000000004'])[1 + i % 4], 'Berlin' FROM generate_series(1, 100) i",
    "CREATE TABLE parts (id int PRIMARY KEY, weight numeric)",
    "INSERT INTO parts SELECT i, i * 1.5 FROM generate_series(1, 20) i",
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clerk') THEN CREATE ROLE clerk LOGIN;"
    " CREATE ROLE readers; CREATE ROLE ben LOGIN IN ROLE readers; CREATE ROLE eve LOGIN; END IF; END $$",
    "GRANT SELECT (email) ON people TO clerk",
    "GRANT SELECT ON people TO readers",
)


async def of_postgres(scanner: Scanner, server: PostgresServer, name: str = "pg") -> int:
    at: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "database": server.database}
    return await scanner.source(name, "postgresql", user="postgres", tls="disable", **at)
