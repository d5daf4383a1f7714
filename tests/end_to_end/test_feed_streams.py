"""Server-sent events from a real server: read, resumed, refused, ended."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_process import ServerProcess
from waiting import wait_until

DEADLINE = 30.0
FEED = "/feeds/default/builds"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the tests of this file share; each that needs a feed has one of its own."""
    process = ServerProcess(tmp_path_factory.mktemp("streams"))
    process.start()
    try:
        yield process
    finally:
        process.kill()


class EndOfStream(Exception):
    """Nothing comes any more."""


@dataclass
class Stream:
    """What an EventSource would make of the text."""

    lines: Iterator[str]
    last_id: str = ""
    seen: list[int] = field(default_factory=list)

    def next(self) -> tuple[str, Any]:
        """The next message: the name of its event, and its data. Raises EndOfStream."""
        fields: dict[str, str] = {}
        for line in self.lines:
            if not line and "data" in fields:
                self.last_id = fields.get("id", self.last_id)
                return fields.get("event", "message"), json.loads(fields["data"])
            name, _, value = line.partition(": ")
            fields[name] = value
        raise EndOfStream

    def rest(self) -> Iterator[tuple[str, Any]]:
        """All messages until the stream ends."""
        with contextlib.suppress(EndOfStream):
            while True:
                yield self.next()

    def next_event(self) -> Any:
        kind, data = self.next()
        assert kind == "message", (kind, data)
        self.seen.append(data["offset"])
        return data


def client_of(server: ServerProcess, user: str = "ada", role: str = "editor") -> httpx.Client:
    headers = {"Authorization": f"Bearer {server.token(user, role)}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=DEADLINE)


@contextlib.contextmanager
def stream(client: httpx.Client, address: str, *, last: str = "", **parameters: str) -> Iterator[Stream]:
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", address, params=parameters, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response.iter_lines())


def refusals(server: ServerProcess) -> set[tuple[str, str]]:
    """What the audit trail says of strangers who wanted streams."""
    with client_of(server, "admin", "owner") as admin:
        rows = admin.get("/audit", params={"actor": "anonymous", "outcome": "refused"}).json()["items"]
    return {(row["action"], row["target"]) for row in rows if row["action"].endswith(".stream")}


def publish(client: httpx.Client, *keys: str, feed: str = FEED) -> None:
    events = [{"type": "a", "key": key} for key in keys]
    assert client.post(f"{feed}/events", json={"events": events}).status_code == 200


def test_e11_a_stream_is_live_and_goes_on_where_it_was(server: ServerProcess) -> None:
    """Over a restart and a kill, with the id that a browser sends by itself."""
    with client_of(server) as ada:
        with stream(ada, f"{FEED}/stream") as first:
            assert first.next() == ("watching", {"position": {"epoch": "", "offset": 0}, "recovered": False})
            publish(ada, "1", "2", "3")
            assert [first.next_event()["offset"] for _ in range(2)] == [1, 2]
        server.stop()
        server.start()
        with stream(ada, f"{FEED}/stream", since=":0", last=first.last_id) as second:
            assert second.next()[1]["recovered"] is True
            assert second.next_event()["offset"] == 3
            publish(ada, "4")
            assert second.next_event()["offset"] == 4
            server.kill()
            with contextlib.suppress(httpx.HTTPError):
                assert list(second.lines) == []
        server.start()
        publish(ada, "4", "5")
        with stream(ada, f"{FEED}/stream", last=second.last_id) as third:
            third.next()
            assert third.next_event()["offset"] == 5
        assert first.seen + second.seen + third.seen == [1, 2, 3, 4, 5]


def test_e4_positions_that_cannot_be_gone_on_from(shared_server: ServerProcess) -> None:
    with client_of(shared_server) as ada:
        feed = "/feeds/default/short"
        publish(ada, "1", "2", feed=feed)
        with stream(ada, f"{feed}/stream", since="another:1") as lost:
            kind, data = lost.next()
            assert (kind, data["position"]["offset"], lost.last_id) == ("resync_required", 2, "")
            with pytest.raises(EndOfStream):
                lost.next()
        position = data["position"]
        with stream(ada, f"{feed}/stream", since=f"{position['epoch']}:1") as found:
            found.next()
            assert found.next_event()["offset"] == 2


def test_a_page_signs_in_with_a_ticket_in_the_address(shared_server: ServerProcess) -> None:
    with client_of(shared_server) as ada, httpx.Client(base_url=shared_server.url, timeout=DEADLINE) as page:
        ticket = ada.post("/tickets").json()["ticket"]
        with stream(page, f"{FEED}/stream", ticket=ticket) as read:
            assert read.next()[0] == "watching"
        again = page.get(f"{FEED}/stream", params={"ticket": ticket})
        assert (again.status_code, again.json()["code"]) == (401, "invalid_token")


def test_who_may_not_read_gets_no_stream(shared_server: ServerProcess) -> None:
    with client_of(shared_server) as ada, httpx.Client(base_url=shared_server.url, timeout=DEADLINE) as nobody:
        refused = [
            (nobody.get(f"{FEED}/stream"), 401, "not_authenticated"),
            (nobody.get("/notifications/stream"), 401, "not_authenticated"),
            (nobody.get(f"{FEED}/stream", params={"token": "nonsense"}), 401, "invalid_token"),
            (ada.get("/feeds/nowhere/builds/stream"), 404, "not_found"),
            (ada.get("/feeds/default/No%20Name/stream"), 400, "invalid_request"),
            (ada.get(f"{FEED}/stream", params={"since": "x"}), 400, "invalid_request"),
            (ada.get(f"{FEED}/stream", params={"sinse": ":0"}), 400, "invalid_request"),
            (ada.get(f"{FEED}/stream", headers={"Last-Event-ID": "x"}), 400, "invalid_request"),
            (ada.post(f"{FEED}/stream"), 405, "method_not_allowed"),
        ]
        for answer, status, code in refused:
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert nobody.get(f"{FEED}/stream").headers["www-authenticate"] == "Bearer"
        wait_until(lambda: len(refusals(shared_server)) == 2, DEADLINE, lambda: str(refusals(shared_server)))
        head = ada.head(f"{FEED}/stream")
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_e6_a_stream_ends_with_the_membership(shared_server: ServerProcess) -> None:
    with (
        client_of(shared_server, "admin", "owner") as admin,
        client_of(shared_server, "bob", "viewer") as bob,
        stream(bob, "/feeds/default/activity/stream") as read,
        stream(bob, "/notifications/stream") as inbox,
    ):
        assert [one.next()[0] for one in (read, inbox)] == ["watching", "watching"]
        began = time.monotonic()
        assert admin.delete("/collaboration/workspaces/default/members/bob").status_code == 204
        # What led to it may still be told.
        *_, (kind, data) = read.rest()
        assert time.monotonic() - began < 2
        assert (kind, data["code"]) == ("ended", "not_found")
        assert inbox.next_event()["type"] == "membership.removed"


def test_e11_a_server_that_stops_ends_its_streams(server: ServerProcess) -> None:
    with client_of(server) as ada, stream(ada, f"{FEED}/stream") as read:
        read.next()
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
        assert read.next() == ("ended", {"code": "going_away", "message": "The server is restarting; come back."})
        with pytest.raises(EndOfStream):
            read.next()


def test_a_user_has_a_limited_number_of_streams(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path, "--max-connections-per-user", "2")
    process.start()
    try:
        with client_of(process) as ada, contextlib.ExitStack() as stack:
            opened = [stack.enter_context(stream(ada, f"{FEED}/stream")) for _ in range(2)]
            for one in opened:
                one.next()
            refused = ada.get(f"{FEED}/stream")
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_connections")
    finally:
        process.kill()


def test_a_watched_operation_is_a_stream_of_answers(shared_server: ServerProcess) -> None:
    with client_of(shared_server) as ada:
        address = "/dashboard/summary/stream"
        with stream(ada, address, workspace_id="default") as watched:
            kind, first = watched.next()
            assert (kind, first["sequence"]) == ("answer", 1)
            asked = ada.get("/dashboard/summary").json()
            assert first["value"]["people"]["documents"] == asked["people"]["documents"]
            made = ada.post("/collaboration/documents/default", json={"id": "streamed"})
            assert made.status_code == 201, made.text
            kind, change = watched.next()
            assert (kind, change["sequence"]) == ("changed", 2)
            assert change["patch"]["people"]["documents"] == asked["people"]["documents"] + 1
        assert ada.head(address).headers["content-type"].startswith("text/event-stream")
        refused = ada.get(address, params={"workspace_id": "elsewhere"})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        wrong = ada.get("/dashboard/trends/stream", params={"days": 0})
        assert (wrong.status_code, wrong.json()["details"]) == (400, {"parameter": "days"})
        assert httpx.get(shared_server.url + address).status_code == 401
        token = ada.headers["Authorization"].removeprefix("Bearer ")
        with (
            httpx.Client(base_url=shared_server.url, timeout=DEADLINE) as browser,
            stream(browser, address, token=token) as watched,
        ):
            assert watched.next()[0] == "answer"
