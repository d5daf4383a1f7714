"""Push keys: shown once, stored as a hash, made and revoked by those who administrate, with a trail."""

from __future__ import annotations

from datetime import timedelta

from http_node import Node, play, serving
from pushing import shop
from sqlalchemy import select

from handlers.ingest.push_keys import MOST_KEYS
from storage.metric_tables import push_keys

LINE = b'{"metric": "load", "value": 1}'
LINES = {"content-type": "application/x-ndjson"}


def test_the_secret_is_shown_once_and_stored_nowhere(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        listed = (await there.ada.get(there.address("push-keys"))).json()["items"]
        assert [(key["id"], key["name"], key["data_source_id"]) for key in listed] == [
            (there.key_id, "Collector", there.source_id)
        ]
        assert there.secret.startswith(listed[0]["prefix"])
        assert len(listed[0]["prefix"]) == 10
        assert there.secret not in str(listed)
        async with node.parts.database.read() as connection:
            rows = (await connection.execute(select(push_keys))).all()
        trail = await node.audited()
        for text in (str(rows), str(trail)):
            assert there.secret not in text
        assert not any(there.secret.encode() in value for row in rows for value in row if isinstance(value, bytes))

    play(database_url, scenario)


def test_only_those_who_administrate_have_to_do_with_them(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        keys = there.address("push-keys")
        await node.make_user("mallory")
        for user, status in (("bob", 403), ("eve", 403), ("mallory", 404)):
            client = node.client(user)
            answers = [
                await client.post(keys, json={"name": "x"}),
                await client.get(keys),
                await client.delete(f"{keys}/{there.key_id}"),
            ]
            assert [answer.status_code for answer in answers] == [status] * 3, user
        other = there.address(f"push-keys/{there.key_id}", there.other_id)
        assert (await there.ada.delete(other)).status_code == 404
        assert (await there.pusher.post(there.address(), content=LINE, headers=LINES)).status_code == 200

    play(database_url, scenario)


def test_revoking_is_told_once_and_leaves_a_trail(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        address = there.address(f"push-keys/{there.key_id}")
        assert [(await there.ada.delete(address)).status_code for _ in range(2)] == [204, 204]
        assert (await there.ada.delete(there.address("push-keys/99"))).status_code == 404
        (key,) = (await there.ada.get(there.address("push-keys"))).json()["items"]
        assert key["revoked_at"] is not None
        done = [(row.action, row.actor, row.target) for row in await node.audited() if row.outcome == "done"]
        source = str(there.source_id)
        assert done[-2:] == [("push_keys.create", "ada", source), ("push_keys.revoke", "ada", source)]

    play(database_url, scenario)


def test_a_key_that_is_revoked_is_refused_by_every_node_at_once(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        async with serving(database_url, node_id="other") as second:
            pusher = second.client(None, credential=there.secret)
            # As its service does, at a hint of the other node.
            await second.parts.access.refresh()
            pushers = (pusher, there.pusher)

            async def answers() -> list[int]:
                return [(await each.post(there.address(), content=LINE, headers=LINES)).status_code for each in pushers]

            # The first use is noted, and the key read once more; from then on it is remembered.
            assert [await answers() for _ in range(2)] == [[200, 200], [200, 200]]
            await there.ada.delete(there.address(f"push-keys/{there.key_id}"))
            await second.parts.access.refresh()
            assert await answers() == [401, 401]

    play(database_url, scenario)


def test_a_node_that_hears_of_nothing_believes_a_key_for_a_second(sqlite_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        async with serving(sqlite_url, node_id="other") as second:
            pusher = second.client(None, credential=there.secret)
            assert (await pusher.post(there.address(), content=LINE, headers=LINES)).status_code == 200
            assert (await pusher.post(there.address(), content=LINE, headers=LINES)).status_code == 200
            await there.ada.delete(there.address(f"push-keys/{there.key_id}"))
            second.clock += timedelta(seconds=1)
            assert (await pusher.post(there.address(), content=LINE, headers=LINES)).status_code == 401

    play(sqlite_url, scenario)


def test_its_last_use_is_known_to_ten_minutes(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)

        async def last_use() -> str:
            (key,) = (await there.ada.get(there.address("push-keys"))).json()["items"]
            return str(key["last_used_at"])

        seen = [await last_use()]
        for minutes in (0, 5, 6):
            node.clock += timedelta(minutes=minutes)
            assert (await there.pusher.post(there.address(), content=LINE, headers=LINES)).status_code == 200
            seen.append(await last_use())
        assert seen == ["None", "2026-03-01T09:00:00Z", "2026-03-01T09:00:00Z", "2026-03-01T09:11:00Z"]

    play(database_url, scenario)


def test_a_source_has_so_many_keys(sqlite_url: str) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        keys = there.address("push-keys")
        made = [await there.ada.post(keys, json={"name": f"key {i}"}) for i in range(MOST_KEYS)]
        assert [answer.status_code for answer in made] == [201] * (MOST_KEYS - 1) + [409]
        assert made[-1].json()["code"] == "too_many_keys"
        await there.ada.delete(f"{keys}/{there.key_id}")
        assert (await there.ada.post(keys, json={"name": "one more"})).status_code == 201

    play(sqlite_url, scenario)
