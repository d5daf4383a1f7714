"""Bundles of advisories over HTTP: what counts, who may bring a newer one, and which are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from http_node import Node, play

from analysis.advisories import bundles, signing
from handlers import advisory_bundles
from handlers.advisory_bundles import held
from storage import advisories
from tests.analysis.advisories.making import advisory, affected, bundle, event

HERE = "/security/advisories"
SECRET, PUBLIC = signing.new_key()
KEYS = (signing.read_key(PUBLIC),)
BYTES = {"content-type": "application/octet-stream"}
# The node's clock says the first of March 2026.
NEW = bundle(advisory("CVE-1", affected(event("15"), event(fixed="15.19"))), version=7, dated=date(2026, 2, 20))


def file_of(made: Any, secret: str = SECRET) -> bytes:
    return signing.sign(msgspec.json.encode(made), signing.read_key(secret))


def studio(place: Path | str, scenario: Any, *, keys: tuple[bytes, ...] = KEYS) -> None:
    async def run(node: Node) -> None:
        object.__setattr__(node.parts, "advisory_keys", keys)
        await node.make_user("root", is_admin=True)
        await node.make_user("eve")
        await scenario(node)

    play(place, run)


def with_old_release(place: Path | str, scenario: Any) -> None:
    """A release whose bundle is older than the node's clock, as it is on every node that people run."""
    old = bundles.Read(bundle(version=1, dated=date(2026, 1, 1)), "release")
    with patch.object(advisory_bundles, "_shipped", lambda: old):
        studio(place, scenario)


def test_the_releases_own_bundle_counts_until_there_is_another(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        shown = (await node.client("eve").get(HERE)).json()
        shipped = bundles.shipped()
        assert (shown["version"], shown["imported_at"], shown["refused"]) == (shipped.bundle.version, None, None)
        assert shown["advisories"] == len(shipped.bundle.advisories)
        assert shown["key"] == shipped.key
        assert {one["product"] for one in shown["products"]} == {"postgresql", "mysql", "mariadb", "sqlite"}

    studio(database_url, scenario)


def test_an_administrator_brings_a_newer_one_for_all_nodes(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client("root").post(HERE, content=file_of(NEW), headers=BYTES)
        assert answer.status_code == 200, answer.text
        taken = answer.json()
        assert (taken["version"], taken["dated"], taken["age_days"], taken["is_stale"]) == (7, "2026-02-20", 9, False)
        assert taken["imported_at"] == "2026-03-01T09:00:00Z"
        assert taken["key"] == signing.key_id(KEYS[0])
        assert (await node.client("eve").get(HERE)).json() == taken
        [row] = await node.audited()
        assert (row.action, row.target) == ("security.advisories.import", "advisories")
        async with node.parts.database.read() as connection:
            assert (await held(connection, KEYS)).read.bundle == NEW

    with_old_release(database_url, scenario)


def test_nobody_else_brings_one(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        answer = await node.client("eve").post(HERE, content=file_of(NEW), headers=BYTES)
        assert answer.status_code == 403

    studio(database_url, scenario)


def test_an_unsigned_a_foreign_and_an_older_one_are_refused_with_the_reason(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        root = node.client("root")
        assert (await root.post(HERE, content=file_of(NEW), headers=BYTES)).status_code == 200
        foreign, _ = signing.new_key()
        for file, reason in (
            (msgspec.json.encode(NEW), "no signed bundle"),
            (file_of(NEW, foreign), "not trusted here"),
            (file_of(NEW).replace(b"CVE-1", b"CVE-2"), "signature does not hold"),
            (file_of(NEW), "version 7 is held already"),
            (file_of(msgspec.structs.replace(NEW, version=6)), "version 7 is held already"),
            (file_of(msgspec.structs.replace(NEW, version=8, dated=date(2026, 3, 2))), "which is not yet"),
        ):
            answer = await root.post(HERE, content=file, headers=BYTES)
            assert (answer.status_code, answer.json()["code"]) == (400, "bundle_refused")
            assert reason in answer.json()["detail"]
        assert (await root.get(HERE)).json()["version"] == 7

    with_old_release(database_url, scenario)


def test_one_whose_key_is_trusted_no_more_does_not_count_and_says_so(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        async with node.parts.database.write() as connection:
            await advisories.replace(connection, 7, file_of(NEW), by="root", at=node.now())
        shown = (await node.client("eve").get(HERE)).json()
        assert shown["version"] == bundles.shipped().bundle.version
        assert "not trusted here" in shown["refused"]

    studio(database_url, scenario, keys=())


def test_one_that_was_changed_in_the_database_does_not_count(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        async with node.parts.database.write() as connection:
            changed = file_of(NEW).replace(b"CVE-1", b"CVE-9")
            await advisories.replace(connection, 7, changed, by="root", at=node.now())
        assert "signature does not hold" in (await node.client("eve").get(HERE)).json()["refused"]

    studio(database_url, scenario)
