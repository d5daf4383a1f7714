"""Every operation of the catalogue, asked by somebody from whom policies keep columns back: no value of these is told.

The owner asks the same and is told all of them, so that the walk bites. Over HTTP, on a socket, on event streams, and
in reports. The analyst is an editor: whoever may see the least of the data and do the most with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from collab_studio import OperationError, connect
from server_process import ServerProcess
from waiting import wait_until
from whole_requests import CannotFill, parameters_of, send

from handlers.catalogue import OPERATIONS
from handlers.registry import Operation
from server.tokens import ServerIssuer

pytestmark = pytest.mark.timeout(240)

SECRET = "a secret for tests, long enough to sign with"
DEADLINE = 60.0
WORKSPACE = "default"
# Of each kept back column, as answers write them. The names are none that a classification takes for sensitive.
PLANTED = {
    "codename": r"zanzibar-quartz|osprey-lantern",
    "budget": r"7[,']?341[,']?9[23]7|7\.34193",
    "launched": r"1987-03-1[45]",
    "ratio": r"0\.8172635",
    "notes": r"quokka",
}
_SECRET = re.compile("|".join(PLANTED.values()))
# What ends what others are about comes last.
_ORDER = {"GET": 0, "PUT": 2, "PATCH": 3, "POST": 1, "DELETE": 4}


def _plant(path: Path) -> None:
    """Values in several types: texts, whole numbers, fractions, dates, documents; and others beside them."""
    first = datetime.date(1987, 3, 14)
    rows = [
        (
            number,
            ("zanzibar-quartz", "osprey-lantern")[number % 2],
            (7341927, 7341937)[number % 2],
            first + datetime.timedelta(days=number % 2),
            0.8172635 + (number % 2),
            '{"quokka": "quokka"}',
            f"region {number % 3}",
            float(number % 7),
            "ann" if number % 2 else "bob",
        )
        for number in range(400)
    ]
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE projects (id INTEGER, codename VARCHAR, budget BIGINT, launched DATE, ratio DOUBLE,"
            " notes JSON, region VARCHAR, score DOUBLE, who VARCHAR)"
        )
        connection.executemany("INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


@dataclass(frozen=True)
class Place:
    """The server, clients of its people, and the ids of what they ask for."""

    server: ServerProcess
    tokens: Mapping[str, str]
    ids: Mapping[str, Any]
    owner: httpx.Client
    analyst: httpx.Client
    policy: int


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("kept-back")
    (folder / "data").mkdir()
    _plant(folder / "data" / "plans.duckdb")
    shared = ("--source-folders", str(folder / "data"), "--secret-key", SECRET)
    server = ServerProcess(folder, "--request-rate", "1000000", "--request-burst", "1000000", shared=shared)
    server.start()
    try:
        # An administrator of the server is an owner of every workspace.
        issuer = ServerIssuer(SECRET, lambda: datetime.datetime.now(datetime.UTC))
        tokens = {"owner": issuer.issue("admin", datetime.timedelta(hours=1)), "analyst": server.token("ann", "editor")}
        with contextlib.ExitStack() as opened:
            clients = {
                name: opened.enter_context(
                    httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
                )
                for name, token in tokens.items()
            }
            ids = _fill(clients["owner"], folder / "data" / "plans.duckdb")
            made = clients["owner"].post("/security/policies", json=_policy(clients["owner"], ids))
            assert made.status_code == 201, made.text
            yield Place(server, tokens, ids, clients["owner"], clients["analyst"], made.json()["id"])
    finally:
        server.kill()


def _policy(owner: httpx.Client, ids: Mapping[str, Any]) -> dict[str, Any]:
    """By name and by tag, masked; see the tests below for columns that are hidden."""
    address = f"/catalog/datasets/{ids['dataset_id']}/columns/codename"
    assert owner.patch(address, json={"tags": ["plans"]}).is_success
    names = ["bud*", "launched", "ratio", "NOTES"]
    rights = {
        "applies_to": {"everyone": True},
        "except_for": {"roles": ["owner", "admin"]},
        "columns": {"names": names, "tags": ["plans"]},
        "effect": "mask",
    }
    return {"workspace_id": WORKSPACE, "name": "plans", "rights": rights}


def _made(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _fill(owner: httpx.Client, path: Path) -> dict[str, Any]:
    """Everything that is made of values, made by the owner before there is a policy."""
    source = _made(owner, "/data-sources", name="plans", kind="duckdb", settings={"path": str(path)})["id"]
    _ended(owner, _made(owner, f"/data-sources/{source}/discover")["run_id"])
    [dataset] = owner.get("/catalog/datasets", params={"source_id": source}).json()["items"]
    compared = {"kind": "sql", "statement": "SELECT max(budget) FROM projects", "compare": "<", "value": 1}
    unique = {"name": "unique", "condition": {"kind": "uniqueness", "columns": ["codename"]}}
    _made(owner, "/scan-rules", source_id=source, dataset="*projects", rule=unique)
    named = f"{dataset['schema']}.{dataset['name']}"
    small = {"name": "small", "condition": compared}
    small_id = _made(owner, "/scan-rules", source_id=source, dataset=named, rule=small)["id"]
    scan = _made(owner, "/scans", source_id=source)
    _ended(owner, scan["run_id"])
    reports = [_made(owner, f"/data-sources/{source}/reports", kind=kind) for kind in ("scan", "profile")]
    for report in reports:
        _ended(owner, report["run_id"])
    insights = _answer(owner, f"/analytics/insights/{dataset['id']}")
    predicted = _answer(owner, f"/analytics/predictions/{dataset['id']}", target="codename", predictions=20)
    ids = {"source_id": source, "data_source_id": source, "dataset_id": dataset["id"], "scan_id": scan["id"]}
    ids |= {"report_id": reports[-1]["id"], "rule_id": small_id, "run_id": reports[-1]["run_id"]}
    return ids | {"result_id": insights["result_id"], "predicted_id": predicted["result_id"]}


def _ended(client: httpx.Client, run_id: str) -> None:
    def is_over() -> bool:
        run = client.get(f"/runs/{run_id}").json()
        assert run["state"] not in ("failed", "cancelled"), run
        return bool(run["state"] == "succeeded")

    wait_until(is_over, DEADLINE, lambda: f"{run_id} is not over")


def _answer(client: httpx.Client, address: str, **asked: Any) -> dict[str, Any]:
    while True:
        answer = client.get(address, params=asked)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        if found["state"] != "computing":
            return found


def _requests(operation: Operation, ids: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the operation is asked: about what was planted, and in each form that it can answer in."""
    asked = parameters_of(operation, {**ids, "user_id": "ann"})
    asked |= {name: ids[name] for name in asked if name in ids}
    if "workspace_id" in asked:
        asked["workspace_id"] = WORKSPACE
    fields = operation.request.__struct_encode_fields__
    more = {"source_id": ids["source_id"]} if operation.method == "GET" and "source_id" in fields else {}
    yield asked | more
    if operation.name == "analytics.predictions":
        yield asked | {"target": "codename", "predictions": 20}
        yield {"dataset_id": ids["dataset_id"], "target": "budget", "time": "launched", "history": 100}
    if operation.name.startswith("analytics.results.") and "result_id" in asked:
        yield asked | {"result_id": ids["predicted_id"]}
    if "feed" in asked and operation.method == "GET":
        yield asked | {"feed": f"scans.{ids['scan_id']}"}
        yield asked | {"feed": f"analytics.{ids['dataset_id']}"}
    if operation.name == "catalog.datasets.list":
        yield asked | {"q": "zanzibar"}
    if operation.name == "reports.content":
        yield asked | {"format": "csv"}
        yield asked | {"report_id": ids["report_id"] - 1}
        yield asked | {"report_id": ids["report_id"] - 1, "format": "csv"}


def _computed(client: httpx.Client, operation: Operation, asked: dict[str, Any]) -> str:
    """The answer, as text, once it is the last word."""
    while True:
        answer = send(client, operation, asked)
        if not (answer.is_success and '"state":"computing"' in answer.text):
            return answer.text


def _walk(client: httpx.Client, ids: Mapping[str, Any], methods: tuple[str, ...]) -> dict[str, set[str]]:
    """The planted values that are in answers, by operation."""
    found: dict[str, set[str]] = {}
    for operation in sorted(OPERATIONS, key=lambda each: _ORDER[each.method]):
        if operation.method not in methods:
            continue
        with contextlib.suppress(CannotFill):
            for asked in _requests(operation, ids):
                told = {_column_of(match) for match in _SECRET.findall(_computed(client, operation, asked))}
                if told:
                    found.setdefault(operation.name, set()).update(told)
    return found


def _column_of(value: str) -> str:
    return next(name for name, pattern in PLANTED.items() if re.fullmatch(pattern, value))


def test_the_owner_is_told_all_that_was_planted(place: Place) -> None:
    found = _walk(place.owner, place.ids, ("GET",))
    print(found)
    assert set().union(*found.values()) == PLANTED.keys()
    assert found.keys() >= {
        "scans.results",
        "catalog.datasets.get",
        "analytics.insights",
        "analytics.predictions",
        "analytics.results.get",
        "reports.content",
    }


def test_watched_answers_and_sockets_tell_what_requests_tell(place: Place) -> None:
    async def told(name: str) -> str:
        texts: list[str] = []
        async with connect(place.server.url, token=place.tokens[name]) as studio:
            for operation in OPERATIONS:
                if operation.method == "GET":
                    for asked in _requests(operation, place.ids):
                        with contextlib.suppress(OperationError):
                            texts.append(repr(await studio.call(operation.name, **asked)))
            dataset = place.ids["dataset_id"]
            watch = studio.watch_operation("analytics.insights", dataset_id=dataset)
            async with asyncio.timeout(DEADLINE):
                async for answer in watch:
                    texts.append(repr(answer))
                    if answer["state"] != "computing":
                        break
        return " ".join(texts)

    assert _SECRET.search(asyncio.run(told("owner")))
    assert not _SECRET.search(asyncio.run(told("analyst")))


def test_event_streams_tell_no_more(place: Place) -> None:
    address = f"/analytics/insights/{place.ids['dataset_id']}/stream"

    def told(client: httpx.Client) -> str:
        read = ""
        with client.stream("GET", address, timeout=DEADLINE) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                read += line
                if '"state":"done"' in line or '"state":"partial"' in line:
                    return read
        raise AssertionError(read)

    assert _SECRET.search(told(place.owner))
    assert not _SECRET.search(told(place.analyst))


def test_a_policy_that_changes_reaches_who_watches_at_once(place: Place) -> None:
    address = f"/security/policies/{place.policy}"

    async def scenario() -> None:
        async with connect(place.server.url, token=place.tokens["analyst"]) as studio:
            watch = studio.watch_operation("analytics.insights", dataset_id=place.ids["dataset_id"])

            async def until_told(is_told: bool) -> None:
                async with asyncio.timeout(DEADLINE):
                    async for answer in watch:
                        if answer["state"] != "computing" and bool(_SECRET.search(repr(answer))) is is_told:
                            return
                raise AssertionError("the watch ended")

            await until_told(False)
            await asyncio.to_thread(place.owner.patch, address, json={"enabled": False})
            await until_told(True)
            await asyncio.to_thread(place.owner.patch, address, json={"enabled": True})
            await until_told(False)

    asyncio.run(scenario())


def test_whoever_may_not_see_them_is_told_none_whatever_they_ask(place: Place) -> None:
    """Comes last, as it changes and deletes what an editor may."""
    assert _walk(place.analyst, place.ids, ("GET",)) == {}
    assert _walk(place.analyst, place.ids, ("POST", "PUT", "PATCH")) == {}
