"""Another store of measurements, with the HTTP API of Prometheus, that the operator points the server at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from handlers.outgoing import Answer, NotAllowed, OutgoingHttp, OutgoingPolicy, SendError

TIMEOUT_SECONDS = 20.0
# A thousand series of a thousand points each.
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class StoreFailed(Exception):
    """The store could not be asked, or did not answer the question; the message is a sentence."""


class _Answer(msgspec.Struct):
    status: str
    data: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class PrometheusStore:
    """`url` is what comes before `/api/v1`."""

    url: str
    token: str | None = field(default=None, repr=False)
    http: OutgoingHttp = field(default_factory=OutgoingHttp, repr=False)

    async def ask(self, path: str, parameters: Sequence[tuple[str, str]], data: Any) -> Any:
        """The answer's `data`, of this type. Raises StoreFailed."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode([*parameters, ("timeout", f"{TIMEOUT_SECONDS:g}s")]).encode()
        try:
            answer = await self.http.post(
                self._address(path), body, self._headers | form, answer_bytes=MAX_ANSWER_BYTES, seconds=TIMEOUT_SECONDS
            )
        except (NotAllowed, SendError) as error:
            raise _unreached(error) from None
        return _data(answer, data)

    async def look_up(self, path: str, data: Any) -> Any:
        """As `ask`, of what only answers to GET."""
        try:
            answer = await self.http.get(
                self._address(path), self._headers, answer_bytes=MAX_ANSWER_BYTES, seconds=TIMEOUT_SECONDS
            )
        except (NotAllowed, SendError) as error:
            raise _unreached(error) from None
        return _data(answer, data)

    def _address(self, path: str) -> str:
        return f"{self.url}/api/v1/{path}"

    @property
    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


def _unreached(error: Exception) -> StoreFailed:
    return StoreFailed(f"The metrics store was not reached. {error}")


def _data(answer: Answer, data: Any) -> Any:
    if len(answer.body) >= MAX_ANSWER_BYTES:
        raise StoreFailed("The metrics store answered with more than 64 MiB; ask for less.")
    try:
        told = msgspec.json.decode(answer.body, type=_Answer)
        if told.status == "success":
            return msgspec.convert(told.data, data)
    except msgspec.MsgspecError:
        raise StoreFailed(f"The metrics store answered with status {answer.status}, and not as one does.") from None
    raise StoreFailed(f"The metrics store refused the question with status {answer.status}: {told.error}")


def store_at(url: str, token: str | None = None) -> PrometheusStore:
    """The store at an address that the operator set, wherever that is."""
    host = urlsplit(url).hostname or ""
    return PrometheusStore(url.rstrip("/"), token, OutgoingHttp(OutgoingPolicy([host])))
