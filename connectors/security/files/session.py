"""A session of an audit with files: what statements are to servers, looks are here, each by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from connectors.errors import PathForbidden, StatementFailed
from connectors.security.check import Row, Server

Look = Callable[[], list[Row]]


class LookedAt:
    """A Session of `connectors.security.check`; looks run in a thread."""

    def __init__(self, server: Server, looks: Mapping[str, Look]) -> None:
        self.server = server
        self._looks = looks

    async def rows(self, statement: str) -> list[Row]:
        look = self._looks.get(statement)
        if look is None:
            raise StatementFailed(f"{statement!r} is nothing that is looked at in files of this kind")
        try:
            return await asyncio.to_thread(look)
        except OSError as error:
            raise PathForbidden(f"a file cannot be read: {error.strerror or error}") from None


def nothing_to_grant(login: str, database: str | None = None) -> str:  # noqa: ARG001 - as of servers
    """Files have no logins: the account that this server runs as has to be able to read them."""
    return "-- Nothing has to be granted: an audit of files needs to read them and their folder, and nothing else.\n"
