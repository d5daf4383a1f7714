"""What a page of `/metrics` says, for tests."""

from collections.abc import Iterator
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Figures:
    """One reading. A sample is found by its name, as in `studio_members`, and by all of its labels."""

    def __init__(self, page: str) -> None:
        self.families = list(text_string_to_metric_families(page))
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """Raises KeyError for what is not there."""
        return self._values[name, frozenset(labels.items())]

    def get(self, name: str, **labels: str) -> float:
        """0 for what is not there."""
        return self._values.get((name, frozenset(labels.items())), 0.0)

    def samples(self) -> Iterator[tuple[str, dict[str, str]]]:
        for name, labels in self._values:
            yield name, dict(labels)


def asgi_client(app: Any, *, host: str = "127.0.0.1", base_url: str = "http://127.0.0.1:8400") -> httpx.AsyncClient:
    """A client of an application in this process, as if it came from that address."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(host, 50_000)), base_url=base_url)


async def figures_of(app: Any) -> Figures:
    async with asgi_client(app) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Figures(answer.text)
