"""What was sent, sending it again, and trying it out."""

from __future__ import annotations

from typing import Any

from integration_nodes import HERE, Setting, play_sending
from receivers import Reply

from handlers.integrations.signing import signature


def test_the_log(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two")
        setting.receiver.replies = [Reply(200, b"thanks\x00\xff")]
        setting.receiver.usual = Reply(500, b"x" * 5000)
        await setting.deliverer().attend(hook["id"])
        first, second = await setting.deliveries(hook)
        assert first["attempts"][0]["answer"] == "thanks��"
        assert first == {
            "id": first["id"],
            "message_id": "msg_1",
            "feed": "activity",
            "offset": 1,
            "type": "one",
            "state": "delivered",
            "tries": 1,
            "next_attempt_at": None,
            "created_at": "2026-03-01T09:00:00Z",
            "finished_at": "2026-03-01T09:00:00Z",
            "attempts": first["attempts"],
        }
        assert (second["state"], second["next_attempt_at"]) == ("pending", "2026-03-01T09:00:05Z")
        assert second["attempts"][0]["answer"] == "x" * 1024
        assert [each["type"] for each in await setting.deliveries(hook, state="pending")] == ["two"]
        one = f"{HERE}/{hook['id']}/deliveries"
        page = (await setting.ada.get(one, params={"limit": 1})).json()
        rest = (await setting.ada.get(one, params={"limit": 1, "cursor": page["next_cursor"]})).json()
        assert [each["type"] for each in page["items"] + rest["items"]] == ["two", "one"]

    play_sending(database_url, scenario)


def test_a_delivery_is_sent_again_before_what_waits_with_the_same_id(database_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make()
        await setting.publish("one", "two")
        await setting.deliverer().attend(hook["id"])
        first = (await setting.deliveries(hook))[0]
        await setting.publish("three")
        replayed = await setting.ada.post(f"{HERE}/{hook['id']}/deliveries/{first['id']}/replay")
        assert (replayed.status_code, replayed.json()["state"]) == (200, "pending")
        again = await setting.ada.post(f"{HERE}/{hook['id']}/deliveries/{first['id']}/replay")
        assert (again.status_code, again.json()["code"]) == (409, "delivery_pending")
        assert await setting.deliverer().due() == [hook["id"]]
        await setting.deliverer().attend(hook["id"])
        assert setting.sent == ["one", "two", "one", "three"]
        requests = setting.receiver.received
        assert requests[0].headers["webhook-id"] == requests[2].headers["webhook-id"]
        assert requests[0].body == requests[2].body
        assert [each["number"] for each in (await setting.deliveries(hook))[0]["attempts"]] == [1, 2]

    play_sending(database_url, scenario)


def test_what_cannot_be_sent_again(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook, other = await setting.make(), await setting.make()
        await setting.publish("one")
        await setting.deliverer().attend(hook["id"])
        [delivery] = await setting.deliveries(hook)
        elsewhere = await setting.ada.post(f"{HERE}/{other['id']}/deliveries/{delivery['id']}/replay")
        assert elsewhere.status_code == 404
        await setting.ada.patch(f"{HERE}/{hook['id']}", json={"enabled": False})
        disabled = await setting.ada.post(f"{HERE}/{hook['id']}/deliveries/{delivery['id']}/replay")
        assert (disabled.status_code, disabled.json()["code"]) == (409, "integration_disabled")

    play_sending(sqlite_url, scenario)


def test_a_test_message_says_how_it_went(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make(enabled=False)
        setting.receiver.replies = [Reply(200), Reply(404, b"not here"), Reply(cuts=True)]
        one = f"{HERE}/{hook['id']}/test"
        answers: list[dict[str, Any]] = [(await setting.ada.post(one)).json() for _ in range(3)]
        assert [(each["ok"], each["status"]) for each in answers] == [(True, 200), (False, 404), (False, None)]
        assert (answers[1]["error"], answers[1]["answer"]) == ("The answer was 404.", "not here")
        request = setting.receiver.received[0]
        assert (request.json["type"], request.json["data"]["name"]) == ("integration.test", "Hook")
        assert request.headers["webhook-id"] == answers[0]["message_id"]
        timestamp = int(request.headers["webhook-timestamp"])
        expected = signature(hook["secret"], answers[0]["message_id"], timestamp, request.body)
        assert request.headers["webhook-signature"] == expected
        # It is no delivery.
        assert await setting.deliveries(hook) == []

    play_sending(sqlite_url, scenario)


def test_a_test_message_goes_to_no_private_address(sqlite_url: str) -> None:
    async def scenario(setting: Setting) -> None:
        hook = await setting.make(url="https://inside.example/hook")
        answer = (await setting.ada.post(f"{HERE}/{hook['id']}/test")).json()
        assert answer["ok"] is False
        assert "not a public address" in answer["error"]

    play_sending(sqlite_url, scenario)
