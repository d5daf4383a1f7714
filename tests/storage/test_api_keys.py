"""API keys."""

import hashlib

import pytest

from storage import api_keys
from storage.api_keys import ApiKey
from storage.database import Database
from storage.errors import BrokenReference
from tests.storage.opened import NOW, SECOND, with_database

MINE, OTHERS = hashlib.sha256(b"mine").digest(), hashlib.sha256(b"others").digest()


def test_a_key_is_found_until_it_is_revoked(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            key = await api_keys.create(connection, name="ci", user_id="ann", fingerprint=MINE, prefix="csk_ab", at=NOW)
            assert key == ApiKey(key.id, "ci", "ann", "csk_ab", NOW, None, None, None)
            assert await api_keys.find(connection, MINE, at=NOW) == key
            assert await api_keys.find(connection, OTHERS, at=NOW) is None
            revoked = await api_keys.revoke(connection, key.id, at=NOW + SECOND)
            assert revoked is not None
            assert revoked.revoked_at == NOW + SECOND
            assert await api_keys.find(connection, MINE, at=NOW) is None
            assert await api_keys.revoke(connection, key.id, at=NOW) is None
            assert await api_keys.revoke(connection, 99, at=NOW) is None
            assert await api_keys.get(connection, key.id) == revoked
            assert await api_keys.get(connection, 99) is None

    with_database(database_url, body)


def test_a_key_is_found_until_it_expires(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            key = await api_keys.create(
                connection, name="ci", user_id="ann", fingerprint=MINE, prefix="csk", at=NOW, expires_at=NOW + SECOND
            )
            assert await api_keys.find(connection, MINE, at=NOW) == key
            assert await api_keys.find(connection, MINE, at=NOW + SECOND) is None

    with_database(database_url, body)


def test_use_is_noted_to_the_minute(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            key = await api_keys.create(connection, name="ci", user_id="ann", fingerprint=MINE, prefix="csk", at=NOW)
            noted = []
            for seconds in (0, 30, 59, 61, 62):
                await api_keys.note_use(connection, key.id, at=NOW + seconds * SECOND)
                found = await api_keys.get(connection, key.id)
                assert found is not None
                noted.append(found.last_used_at)
            assert noted == [NOW] * 3 + [NOW + 61 * SECOND] * 2

    with_database(database_url, body)


def test_lists_are_a_users_own(database_url: str) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            for i in range(5):
                await api_keys.create(
                    connection,
                    name=f"k{i}",
                    user_id=["ann", "bob"][i % 2],
                    fingerprint=bytes([i]),
                    prefix="csk",
                    at=NOW,
                )
            first = await api_keys.list_of(connection, "ann", limit=2)
            rest = await api_keys.list_of(connection, "ann", after=first[-1].id, limit=2)
            assert [key.name for key in first + rest] == ["k0", "k2", "k4"]

    with_database(database_url, body)


def test_a_hash_is_stored_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        async def create() -> None:
            async with database.write() as connection:
                await api_keys.create(connection, name="ci", user_id="ann", fingerprint=MINE, prefix="csk", at=NOW)

        await create()
        with pytest.raises(BrokenReference):
            await create()

    with_database(database_url, body)


def test_after_a_rotation_both_secrets_hold_for_a_while(database_url: str) -> None:
    newer = hashlib.sha256(b"newer").digest()

    async def body(database: Database) -> None:
        async with database.write() as connection:
            key = await api_keys.create(
                connection, name="ci", user_id="ann", fingerprint=MINE, prefix="csk_ab", at=NOW, scope="{}"
            )
            rotated = await api_keys.rotate(
                connection, key.id, fingerprint=newer, prefix="csk_cd", at=NOW, previous_until=NOW + SECOND
            )
            assert rotated is not None
            assert (rotated.prefix, rotated.scope, rotated.rotated_at) == ("csk_cd", "{}", NOW)
            before = await api_keys.find(connection, MINE, at=NOW)
            assert before is not None
            assert (before.id, before.expires_at) == (key.id, NOW + SECOND)
            assert await api_keys.stands(connection, MINE, at=NOW)
            assert not await api_keys.stands(connection, MINE, at=NOW + SECOND)
            assert await api_keys.find(connection, MINE, at=NOW + SECOND) is None
            assert await api_keys.find(connection, newer, at=NOW + SECOND) == rotated

            async def again() -> ApiKey | None:
                return await api_keys.rotate(
                    connection, key.id, fingerprint=OTHERS, prefix="csk_ef", at=NOW, previous_until=NOW
                )

            assert await again()
            # The secret before the last one holds no more, whatever was said then.
            assert [await api_keys.find(connection, secret, at=NOW) for secret in (MINE, newer)] == [None, None]
            await api_keys.revoke(connection, key.id, at=NOW)
            assert await again() is None

    with_database(database_url, body)
