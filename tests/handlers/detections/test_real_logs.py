"""Logs that real servers wrote: what is understood of them, what is counted, and that nobody keeps a log out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from http_node import Node, play
from logged_traffic import AUDITING, LOGGING, mariadb_log, postgres_logs
from mariadb_server import running_mariadb
from postgres_server import running_postgres
from pushing import Shop, shop

from analysis.detections.events import Event
from analysis.detections.logs import BadLine
from analysis.detections.mysql_logs import read_server_audit
from analysis.detections.postgres_log import read_csv, without_refused
from handlers.detections.keeping import look

TYPES = {"csv": "text/csv", "json": "application/x-ndjson", "log": "text/plain"}


@pytest.fixture(scope="module")
def logs() -> Iterator[dict[str, list[bytes]]]:
    with running_postgres(LOGGING) as server:
        yield postgres_logs(server)


@pytest.fixture(scope="module")
def audit_log() -> Iterator[bytes]:
    with running_mariadb(*AUDITING) as server:
        yield mariadb_log(server)


def read(body: bytes) -> list[Event]:
    found = without_refused(list(read_csv(body.decode(errors="replace"))))
    assert not [each for each in found if isinstance(each, BadLine)]
    return [each for each in found if isinstance(each, Event)]


def by_statement(events: list[Event], beginning: str) -> Event:
    (found,) = (each for each in events if each.kind != "sql_error" and each.statement.startswith(beginning))
    return found


async def push(there: Shop, body: bytes, suffix: str) -> httpx.Response:
    address = f"/security/events/{there.source_id}"
    return await there.pusher.post(address, content=body, headers={"content-type": TYPES[suffix]})


async def alerts_of(there: Shop) -> dict[str, str]:
    there.node.clock += there.node.clock.resolution * 3 * 60_000_000
    await look(there.node.parts, there.node.now)
    items = (await there.ada.get("/security/alerts?workspace_id=lab")).json()["items"]
    return {each["name"][:5]: each["severity"] for each in items}


def test_what_postgresql_writes_is_understood(logs: dict[str, list[bytes]]) -> None:
    older, newer = (read(body) for body in logs["csv"])
    events = older + newer
    refused = Counter(each.actor for each in events if each.kind == "authn_login_fail")
    assert refused == {"guarded": 12, "barred": 1, "ghost": 1, "new\nline": 1, "caf\ufffd\ufffd": 1, 'q"uo,te': 1}
    assert {each.address for each in events} == {"127.0.0.1"}
    # Whom PostgreSQL calls authorized although there is no such role was not let in.
    let_in = {each.actor for each in events if each.kind == "authn_login_success"}
    assert let_in == {"postgres", "guarded"}
    assert {each.application for each in newer if each.actor == "guarded"} == {'my, "app"'}
    kinds = {
        "GRANT": "privilege_permissions_changed", "ALTER ROLE": "privilege_permissions_changed",
        "SELECT '--'": "sensitive_delete", "DELETE": "sensitive_delete", "DROP": "sensitive_delete",
        "SET log_statement": "sys_monitor_disabled", "COPY": "sql_statement", "SELECT *\n": "sql_statement",
    }  # fmt: skip
    assert {each: by_statement(older, each).kind for each in kinds} == kinds
    assert by_statement(older, "ALTER ROLE").target == "guarded"
    assert "hunter2" not in repr(events)
    assert "right" not in repr([each.statement for each in events])
    (error,) = (each for each in older if each.kind == "sql_error")
    assert (error.error, error.statement) == ("42601", "SELEC 1")
    (denied,) = (each for each in newer if each.kind == "authz_fail")
    assert (denied.actor, denied.object) == ("guarded", "pg_authid")
    assert "root" not in {each.actor for each in events}
    assert len(by_statement(older, "SELECT 'xxx").statement) == 10_000


def test_both_forms_of_postgresqls_log_lead_to_the_same_alerts(logs: dict[str, list[bytes]], tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        node.clock = datetime.now(UTC)
        there = await shop(node)
        found = {}
        for suffix in ("csv", "json"):
            answers = [(await push(there, body, suffix)).json() for body in logs[suffix]]
            assert [each["unreadable"] for each in answers] == [0, 0]
            found[suffix] = [(each["taken"] + each["late"], each["ignored"]) for each in answers]
        assert found["csv"] == found["json"]
        streams = (await there.ada.get("/security/detections?workspace_id=lab")).json()["items"]
        # What came again, in the other form, counts once.
        assert streams[0]["looked_at"] + streams[0]["waiting"] == sum(taken for taken, _ in found["csv"])
        assert await alerts_of(there) == {
            "TD-01": "medium", "TD-03": "high", "TD-10": "medium", "TD-17": "high", "TD-18": "high", "TD-19": "high",
        }  # fmt: skip

    play(tmp_path, scenario)


def test_a_torn_record_costs_itself_only(logs: dict[str, list[bytes]]) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    pick = random.Random(seed)
    older, newer = (body.decode(errors="replace") for body in logs["csv"])
    after = len([each for each in read_csv(newer) if isinstance(each, Event)])
    for _ in range(60):
        cut = pick.randrange(1, len(older))
        found = list(read_csv(older[:cut] + "\n" + newer))
        whole = [each for each in read_csv(older[: older.rfind("\n", 0, cut) + 1]) if isinstance(each, Event)]
        events = [each for each in found if isinstance(each, Event)]
        assert [each.id for each in events[-after:]] == [each.id for each in read(newer.encode())], cut
        assert len(whole) - 1 <= len(events) - after <= len(whole) + 1, cut


def test_a_torn_record_is_counted_and_what_is_no_log_is_refused(logs: dict[str, list[bytes]], tmp_path: Any) -> None:
    async def scenario(node: Node) -> None:
        there = await shop(node)
        for suffix, body in ((each, logs[each][0]) for each in ("csv", "json")):
            answer = (await push(there, body[:-40], suffix)).json()
            assert answer["unreadable"] == 1
            assert "1 records cannot be read" in answer["message"]
        refused = await push(there, logs["json"][0], "csv")
        assert refused.status_code == 400
        assert "Record 1 cannot be read" in refused.json()["detail"]
        assert (await push(there, logs["csv"][0], "log")).status_code == 400
        assert (await push(there, b"not a log", "json")).status_code == 400

    play(tmp_path, scenario)


def test_what_mariadb_writes_is_understood(audit_log: bytes, tmp_path: Any) -> None:
    found = list(read_server_audit(audit_log.decode()))
    assert not [each for each in found if isinstance(each, BadLine)]
    events = [each for each in found if isinstance(each, Event)]
    refused = Counter(each.actor for each in events if each.kind == "authn_login_fail")
    assert refused == {"guarded": 12, "ghost": 1, "root,10.0.0.1,9,0,CONNECT,,": 1}
    assert {each.actor for each in events if each.kind == "authn_login_success"} == {"root", "odd, user"}
    assert {each.address for each in events} == {"127.0.0.1"}
    kinds = {
        "GRANT": "privilege_permissions_changed", "DELETE\nFROM": "sensitive_delete", "/*!50000": "sensitive_delete",
        "DROP TABLE": "sensitive_delete", "SET GLOBAL": "sys_monitor_disabled", "SELECT *\nFROM": "sql_statement",
    }  # fmt: skip
    assert {each: by_statement(events, each).kind for each in kinds} == kinds
    assert by_statement(events, "GRANT").statement.endswith("-- more\n WITH GRANT OPTION")
    assert {each.object for each in events if each.kind == "sensitive_read"} == {"test_1.cards"}
    assert len({each.id for each in events}) == len(events)

    async def scenario(node: Node) -> None:
        node.clock = datetime.now(UTC)
        there = await shop(node)
        answer = (await push(there, audit_log, "log")).json()
        assert (answer["taken"], answer["unreadable"]) == (len(events), 0)
        assert await alerts_of(there) == {
            "TD-01": "medium", "TD-10": "medium", "TD-17": "high", "TD-18": "high", "TD-19": "high",
        }  # fmt: skip

    play(tmp_path, scenario)
