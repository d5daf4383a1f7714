"""Sealed secrets open with their key, for their purpose, and unchanged; with anything else they say so."""

import asyncio

import pytest

from storage.database import Database
from storage.sealing import Sealer, WrongKey, open_sealer
from tests.storage.opened import with_database

KEY = b"a key of tests"


def test_what_was_sealed_opens() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"secret", "source:1")
    assert b"secret" not in sealed
    assert sealer.open(sealed, "source:1", sealer.key_id) == b"secret"
    assert Sealer(KEY).open(sealed, "source:1") == b"secret"


def test_no_two_seals_are_alike() -> None:
    sealer = Sealer(KEY)
    assert sealer.seal(b"secret", "source:1") != sealer.seal(b"secret", "source:1")


def test_another_key_is_told_by_its_name_before_anything_is_tried() -> None:
    sealer, other = Sealer(KEY), Sealer(b"another")
    with pytest.raises(WrongKey, match=f"{sealer.key_id}.*{other.key_id}.*STUDIO_CREDENTIALS_KEY"):
        other.open(sealer.seal(b"secret", "source:1"), "source:1", sealer.key_id)
    assert KEY.hex()[:16] not in sealer.key_id


def test_it_opens_for_nothing_else() -> None:
    sealer = Sealer(KEY)
    with pytest.raises(WrongKey, match="damaged"):
        sealer.open(sealer.seal(b"secret", "source:1"), "source:2", sealer.key_id)


def test_every_changed_byte_is_noticed() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"secret", "source:1")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(WrongKey):
            sealer.open(bytes(changed), "source:1")
    for length in range(len(sealed)):
        with pytest.raises(WrongKey):
            sealer.open(sealed[:length], "source:1")


def test_nodes_that_ask_at_once_get_one_key(database_url: str) -> None:
    async def body(database: Database) -> None:
        first, second = await asyncio.gather(open_sealer(database, None), open_sealer(database, None))
        assert first.key_id == second.key_id == (await open_sealer(database, None)).key_id
        configured = await open_sealer(database, "set by the operator")
        assert configured.key_id == Sealer(b"set by the operator").key_id != first.key_id

    with_database(database_url, body)
