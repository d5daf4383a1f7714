"""Two nodes as processes over one PostgreSQL and one Redis, and a source that samples are pushed to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from postgres_server import running_postgres
from redis_server import RedisServer
from scanning import write_sqlite
from server_process import ServerProcess

from server.tokens import ServerIssuer

SECRET = "a secret for tests, long enough to sign with"
# Tests ask as one user what many would ask.
MANY = ("--request-rate", "100000", "--request-burst", "100000")
THRESHOLD = 90.0


def token(user: str) -> str:
    return ServerIssuer(SECRET, lambda: datetime.now(UTC)).issue(user, timedelta(hours=1))


@dataclass
class AlertNodes:
    """`admin` administers the server; `source` is a data source of `default`."""

    one: ServerProcess
    other: ServerProcess
    admin: httpx.Client
    source: int = 0

    def make_source(self, path: Path) -> None:
        place = write_sqlite(path / "source.sqlite3", "CREATE TABLE t AS SELECT 1 AS x")
        body = {"name": "source", "kind": "sqlite", "settings": {"path": str(place)}}
        self.source = int(self._post("/data-sources", body)["id"])

    def make_rule(self, metric: str, **spec: Any) -> int:
        """Beyond a threshold, of each series alone."""
        query = {"kind": "threshold", "selector": {"metric": metric}, "op": ">", "threshold": THRESHOLD}
        body = {"name": f"{metric} is high", "spec": {"query": query, **spec}, "data_source_id": self.source}
        return int(self._post("/performance/alert-rules", body)["id"])

    def push(self, metric: str, values: Mapping[str, float]) -> None:
        """A sample of now for the series of each `host`."""
        samples = [{"metric": metric, "labels": {"host": host}, "value": value} for host, value in values.items()]
        pushed = self.admin.post(f"/performance/sources/{self.source}/samples", json=samples)
        assert pushed.status_code == 200, pushed.text
        assert pushed.json()["refused"] == 0, pushed.text

    def alerts(self, **parameters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            asked = {**parameters, "limit": 200} | ({"cursor": cursor} if cursor else {})
            page = self.admin.get("/performance/alerts", params=asked).json()
            found += page["items"]
            if (cursor := page["next_cursor"]) is None:
                return found

    def counts(self) -> dict[str, int]:
        """How many alerts are in each state."""
        counted = self.admin.get("/performance/alerts/counts").json()["counts"]
        return {state: sum(by_severity.values()) for state, by_severity in counted.items()}

    def head(self, feed: str = "alerts.performance") -> int:
        """The newest offset of the feed."""
        position = self.admin.get(f"/feeds/default/{feed}", params={"limit": 1}).json()["position"]
        return int(position["offset"])

    def _post(self, where: str, body: dict[str, Any]) -> Any:
        made = self.admin.post(where, json=body)
        assert made.status_code == 201, made.text
        return made.json()


@contextlib.contextmanager
def alert_nodes(folder: Path) -> Iterator[AlertNodes]:
    with running_postgres() as postgres, RedisServer() as redis, contextlib.ExitStack() as stack:
        shared = ("--database-url", postgres.url, "--redis-url", f"{redis.url}/0", "--secret-key", SECRET)
        started = []
        for name in ("one", "other"):
            place = folder / name
            place.mkdir()
            node = ServerProcess(place, *MANY, shared=shared)
            stack.callback(node.kill)
            node.start()
            started.append(node)
        headers = {"Authorization": f"Bearer {token('admin')}"}
        admin = stack.enter_context(httpx.Client(base_url=started[0].url, headers=headers, timeout=30))
        nodes = AlertNodes(started[0], started[1], admin)
        nodes.make_source(folder)
        yield nodes
