"""Where a request comes from."""

from __future__ import annotations

from starlette.requests import HTTPConnection


def address_of(connection: HTTPConnection) -> str | None:
    """The caller's address; behind a trusted proxy the one that it forwards. None where there is no such."""
    return connection.client.host if connection.client else None
