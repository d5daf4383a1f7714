"""Credentials become principals once, cheaply, and never a moment longer than they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from handlers.access import Access
from handlers.audit_trail import AuditTrail
from handlers.credentials import fingerprint, new_api_key, new_ticket, shown_part
from handlers.registry import NotAuthenticated, Principal
from server import auth
from server.auth import STANDING_HOLDS, Authenticator
from server.lockouts import Lockouts
from server.signing_in import open_session
from server.tokens import Identity, ServerIssuer
from server.visitors import Visitor
from storage import api_keys, sessions, tickets, users
from storage.database import Database
from storage.errors import Unavailable
from storage.shared_failures import Bounds

SECRET = "a secret for tests, long enough to sign with"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Door:
    """An authenticator over a real database, with a clock to turn and a count of what was asked of the database."""

    database: Database
    at: datetime = START
    reads: int = 0
    access: Access = field(init=False)
    lockouts: Lockouts = field(init=False)
    authenticator: Authenticator = field(init=False)

    def __post_init__(self) -> None:
        self.access = Access(self.database)
        self.lockouts = Lockouts(Bounds(3, 10, 30.0, 900.0), AuditTrail(self.database, lambda: self.at))
        self.authenticator = Authenticator(self.database, self.access, SECRET, lambda: self.at, self.lockouts)
        read = self.authenticator._read_user

        async def counted(user_id: str) -> users.User | None:
            self.reads += 1
            return await read(user_id)

        self.authenticator._users._read = counted

    def token(self, user: str = "ada", lifetime: timedelta = HOUR) -> str:
        return ServerIssuer(SECRET, lambda: self.at).issue(user, lifetime)

    async def __call__(self, credential: str) -> Principal:
        return await self.authenticator.authenticate(credential)

    async def refusal(self, credential: str) -> NotAuthenticated:
        with pytest.raises(NotAuthenticated) as caught:
            await self(credential)
        return caught.value

    async def change(self, user: str, *, is_active: bool | None = None, is_admin: bool | None = None) -> None:
        """As another process does it: nobody here is told."""
        async with self.database.write() as connection:
            await users.change(connection, user, is_active=is_active, is_admin=is_admin)

    async def make_key(self, *, expires_at: datetime | None = None) -> tuple[int, str]:
        secret = new_api_key()
        async with self.database.write() as connection:
            key = await api_keys.create(
                connection,
                name="robot",
                user_id="ada",
                fingerprint=fingerprint(secret),
                prefix=shown_part(secret),
                at=self.at,
                expires_at=expires_at,
            )
        return key.id, secret

    async def make_ticket(self) -> str:
        secret = new_ticket()
        async with self.database.write() as connection:
            await tickets.create(connection, fingerprint(secret), "ada", expires_at=self.at + timedelta(seconds=30))
        return secret


def play(url: str, scenario: Callable[[Door], Awaitable[None]]) -> None:
    async def run() -> None:
        database = await Database.open(url)
        try:
            async with database.write() as connection:
                await users.ensure(connection, "ada", at=START)
                await users.ensure(connection, "root", at=START, is_admin=True)
            await scenario(Door(database))
        finally:
            await database.close()

    asyncio.run(run())


def test_a_token_lets_its_user_in_until_its_end(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        assert await door(token) == Principal("ada", False, "token", START + HOUR)
        assert (await door(door.token("root"))).is_admin
        door.at += HOUR - timedelta(seconds=1)
        assert (await door(token)).user_id == "ada"
        door.at += timedelta(seconds=1)
        assert door.authenticator.peek(token) is None
        assert "expired" in (await door.refusal(token)).message

    play(sqlite_url, scenario)


def test_a_thousand_sockets_with_one_token_cost_one_signature_and_one_read(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = 0
    verify = ServerIssuer.verify

    async def counted(self: ServerIssuer, token: str) -> Identity:
        nonlocal verified
        verified += 1
        return await verify(self, token)

    monkeypatch.setattr(ServerIssuer, "verify", counted)

    async def scenario(door: Door) -> None:
        token = door.token()
        await door(token)
        for _ in range(1000):
            assert door.authenticator.peek(token) is not None
            assert (await door(token)).user_id == "ada"
        assert (verified, door.reads) == (1, 1)
        door.at += STANDING_HOLDS
        assert door.authenticator.peek(token) is None
        await asyncio.gather(*(door(token) for _ in range(1000)))
        assert (verified, door.reads) == (1, 2)

    play(sqlite_url, scenario)


def test_sockets_that_come_at_once_share_one_read(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        await asyncio.gather(*(door(token) for _ in range(100)))
        assert door.reads == 1

    play(sqlite_url, scenario)


def test_an_unknown_user_is_refused_and_welcome_as_soon_as_known(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token("bob")
        assert (await door.refusal(token)).code == "unknown_user"
        async with door.database.write() as connection:
            await users.ensure(connection, "bob", at=START)
        assert (await door(token)).user_id == "bob"

    play(sqlite_url, scenario)


def test_a_user_deactivated_here_is_refused_at_once(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        await door(token)
        await door.change("ada", is_active=False)
        door.access.invalidate(user_id="ada")
        assert door.authenticator.peek(token) is None
        assert (await door.refusal(token)).code == "deactivated"
        await door.change("ada", is_active=True)
        door.access.invalidate(user_id="ada")
        assert (await door(token)).user_id == "ada"

    play(sqlite_url, scenario)


def test_a_user_deactivated_elsewhere_is_refused_within_two_seconds(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        await door(token)
        await door.change("ada", is_active=False)
        door.at += timedelta(seconds=2)
        assert (await door.refusal(token)).code == "deactivated"

    play(sqlite_url, scenario)


def test_a_user_deactivated_while_being_read_is_not_let_in(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        cache = door.authenticator._users
        read = cache._read
        reads = 0

        async def deactivated_meanwhile(user_id: str) -> users.User | None:
            nonlocal reads
            reads += 1
            user = await read(user_id)
            if reads == 1:
                await door.change("ada", is_active=False)
                door.access.invalidate(user_id="ada")
            return user

        cache._read = deactivated_meanwhile
        assert (await door.refusal(token)).code == "deactivated"
        assert reads == 2
        assert door.authenticator.peek(token) is None

    play(sqlite_url, scenario)


def test_a_change_of_role_in_a_workspace_costs_no_reading(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        await door(token)
        door.access.invalidate("default", "ada")
        assert door.authenticator.peek(token) is not None

    play(sqlite_url, scenario)


def test_a_new_administrator_is_one_within_two_seconds(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        assert not (await door(token)).is_admin
        await door.change("ada", is_admin=True)
        door.at += timedelta(seconds=2)
        assert (await door(token)).is_admin

    play(sqlite_url, scenario)


def test_a_clock_that_goes_back_makes_nothing_hold_longer(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        await door(token)
        await door.change("ada", is_active=False)
        door.at -= timedelta(seconds=5)
        assert (await door.refusal(token)).code == "deactivated"

    play(sqlite_url, scenario)


def test_an_api_key_acts_as_its_user_and_its_use_is_noted(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        number, secret = await door.make_key()
        assert await door(secret) == Principal("ada", False, "api_key", None, key_hash=fingerprint(secret))
        async with door.database.read() as connection:
            key = await api_keys.get(connection, number)
        assert key is not None
        assert key.last_used_at == START

    play(sqlite_url, scenario)


def test_an_api_key_ends_when_revoked_or_expired(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        number, revoked = await door.make_key()
        _, expiring = await door.make_key(expires_at=START + timedelta(seconds=1))
        assert (await door(revoked)).expires_at is None
        assert (await door(expiring)).expires_at == START + timedelta(seconds=1)
        async with door.database.write() as connection:
            await api_keys.revoke(connection, number, at=door.at)
        door.at += timedelta(seconds=2)
        for secret in (revoked, expiring, new_api_key(), "csk_", "csk_x.y.z"):
            assert "unknown, revoked or expired" in (await door.refusal(secret)).message

    play(sqlite_url, scenario)


def test_an_api_key_revoked_here_is_refused_at_once(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        number, secret = await door.make_key()
        await door(secret)
        async with door.database.write() as connection:
            await api_keys.revoke(connection, number, at=door.at)
        door.access.invalidate(user_id="ada")
        await door.refusal(secret)

    play(sqlite_url, scenario)


def test_a_ticket_lets_in_once(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        ticket = await door.make_ticket()
        principal = await door(ticket)
        assert (principal.user_id, principal.via) == ("ada", "ticket")
        assert principal.expires_at == START + auth.TICKET_SESSION
        assert door.authenticator.peek(ticket) is None
        assert "used" in (await door.refusal(ticket)).message

    play(sqlite_url, scenario)


def test_of_many_with_one_ticket_one_comes_in(database_url: str) -> None:
    async def scenario(door: Door) -> None:
        ticket = await door.make_ticket()
        answers = await asyncio.gather(*(door(ticket) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(answer, Principal) for answer in answers) == 1
        assert sum(isinstance(answer, NotAuthenticated) for answer in answers) == 7

    play(database_url, scenario)


def test_a_ticket_that_is_late_unknown_or_of_a_deactivated_user_is_refused(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        late, deactivated = await door.make_ticket(), await door.make_ticket()
        await door.refusal(new_ticket())
        await door.change("ada", is_active=False)
        assert (await door.refusal(deactivated)).code == "deactivated"
        door.at += timedelta(seconds=30)
        assert "expired" in (await door.refusal(late)).message

    play(sqlite_url, scenario)


def test_only_so_many_credentials_are_remembered(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED", 3)

    async def scenario(door: Door) -> None:
        tokens = [door.token() for _ in range(5)]
        for token in tokens:
            await door(token)
        known = [door.authenticator.peek(token) is not None for token in tokens]
        assert known == [False, False, True, True, True]
        assert (await door(tokens[0])).user_id == "ada"

    play(sqlite_url, scenario)


def test_no_credential_is_kept_in_memory(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token = door.token()
        await door(token)
        assert token not in repr(door.authenticator._verified)
        assert token.rpartition(".")[2] not in repr(door.authenticator._verified)

    play(sqlite_url, scenario)


@pytest.mark.parametrize("value", ["{}", "bearer {}", "BEARER  {} ", "Bearer {}"])
def test_the_authorization_header(sqlite_url: str, value: str) -> None:
    async def scenario(door: Door) -> None:
        headers = {"authorization": value.format(door.token())}
        if value == "{}":
            with pytest.raises(NotAuthenticated, match="Authorization: Bearer TOKEN"):
                await door.authenticator.authenticate_headers(headers)
        else:
            principal = await door.authenticator.authenticate_headers(headers)
            assert principal is not None
            assert principal.user_id == "ada"

    play(sqlite_url, scenario)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YWRhOng=", "Bearer x y"])
def test_a_header_that_is_no_bearer_token_is_refused_not_taken_for_nobody(sqlite_url: str, value: str) -> None:
    async def scenario(door: Door) -> None:
        with pytest.raises(NotAuthenticated):
            await door.authenticator.authenticate_headers({"authorization": value})

    play(sqlite_url, scenario)


def test_no_header_is_nobody(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        assert await door.authenticator.authenticate_headers({"accept": "*/*"}) is None

    play(sqlite_url, scenario)


async def open_a_session(door: Door, user: str = "ada") -> tuple[str, int]:
    """A token of a session, and the session's id."""
    issuer = ServerIssuer(SECRET, lambda: door.at)
    async with door.database.write() as connection:
        token = await open_session(connection, issuer, user, HOUR, door.at, opened_by="test")
        [session] = await sessions.list_of(connection, user, at=door.at, limit=1)
    return token, session.id


def test_a_token_ends_with_its_session(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token, number = await open_a_session(door)
        other, _ = await open_a_session(door)
        assert (await door(token)).sid != (await door(other)).sid
        async with door.database.write() as connection:
            await sessions.end(connection, "ada", number, at=door.at)
        # As another node did it, which nobody here was told: for as long as standing holds.
        assert (await door(token)).user_id == "ada"
        door.at += STANDING_HOLDS
        assert (await door.refusal(token)).code == "session_ended"
        assert (await door(other)).user_id == "ada"

    play(sqlite_url, scenario)


def test_a_token_names_no_session_of_somebody_else(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token, _ = await open_a_session(door, "root")
        sid = (await door(token)).sid
        for claimed in (sid, "none that there is"):
            stranger = ServerIssuer(SECRET, lambda: door.at).issue("ada", HOUR, claimed)
            assert (await door.refusal(stranger)).code == "session_ended"

    play(sqlite_url, scenario)


def test_a_ticket_is_of_the_session_or_the_key_that_made_it(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token, number = await open_a_session(door)
        sid = (await door(token)).sid
        key_id, key = await door.make_key()
        made = [new_ticket() for _ in range(4)]
        async with door.database.write() as connection:
            for ticket, bearer in zip(made, [{"sid": sid}, {"key_hash": fingerprint(key)}] * 2, strict=True):
                soon = door.at + timedelta(seconds=30)
                await tickets.create(connection, fingerprint(ticket), "ada", expires_at=soon, **bearer)  # type: ignore[arg-type]
        assert (await door(made[0])).sid == sid
        assert (await door(made[1])).key_hash == fingerprint(key)
        async with door.database.write() as connection:
            await sessions.end(connection, "ada", number, at=door.at)
            await api_keys.revoke(connection, key_id, at=door.at)
        assert (await door.refusal(made[2])).code == "session_ended"
        assert (await door.refusal(made[3])).code == "invalid_token"

    play(sqlite_url, scenario)


def test_the_use_of_a_session_is_noted_now_and_then(sqlite_url: str) -> None:
    async def scenario(door: Door) -> None:
        token, _ = await open_a_session(door)
        home, away = Visitor("192.0.2.7", "Mosaic"), Visitor("198.51.100.1", "Lynx")

        async def used(visitor: Visitor, after: timedelta) -> tuple[datetime | None, str | None]:
            door.at += after
            await door.authenticator.authenticate(token, visitor)
            async with door.database.read() as connection:
                [session] = await sessions.list_of(connection, "ada", at=door.at, limit=2)
            return session.last_seen_at, session.address

        assert await used(home, timedelta()) == (START, home.address)
        assert await used(home, timedelta(minutes=9)) == (START, home.address)
        moved = await used(away, timedelta(seconds=3))
        assert moved == (door.at, away.address)
        # Two places at once make no more than a note a minute.
        assert await used(home, timedelta(seconds=3)) == moved
        assert await used(home, timedelta(minutes=1)) == (door.at, home.address)

    play(sqlite_url, scenario)


def test_a_database_that_cannot_be_written_to_lets_tokens_in(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(door: Door) -> None:
        token, _ = await open_a_session(door)

        def write() -> None:
            raise Unavailable("it is read-only")

        monkeypatch.setattr(door.database, "write", write)
        assert (await door(token)).user_id == "ada"

    play(sqlite_url, scenario)
