"""A real server, and people who come and go through the client."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from collab_studio import Studio, connect
from server_process import ServerProcess


@dataclass
class House:
    """A running server, and the keys of the people who were let into it."""

    process: ServerProcess
    chief: str
    keys: dict[tuple[str, str | None], str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.process.url

    async def key(self, user: str, role: str | None = "editor", *, seconds: float | None = None) -> str:
        """An API key of a user who has this role in `default`, or none; good for so many seconds, or for ever."""
        known = self.keys.get((user, role))
        if known is not None and seconds is None:
            return known
        end = None if seconds is None else datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        async with connect(self.url, token=self.chief) as admin:
            made = await admin.call("api_keys.create", name="a test's", user_id=user, expires_at=end)
            if role is not None:
                await admin.call("collaboration.members.put", workspace_id="default", user_id=user, role=role)
        secret: str = made["secret"]
        if seconds is None:
            self.keys[user, role] = secret
        return secret

    @contextlib.asynccontextmanager
    async def people(self, *names: str) -> AsyncIterator[list[Studio]]:
        """A connection for each, as an editor."""
        keys = [await self.key(name) for name in names]
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(connect(self.url, token=key)) for key in keys]

    async def contents(self, name: str) -> str:
        """The text that a newcomer gets."""
        async with self.people("ann") as (newcomer,):
            return str((await newcomer.open(name)).text())

    async def start(self) -> None:
        await asyncio.to_thread(self.process.start)
