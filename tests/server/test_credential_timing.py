"""How long a refusal takes tells nothing of how much of a guess was right, for how that is would be no measurement:
what is compared is seen to."""

import asyncio
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from http_node import Node, play
from sqlalchemy import event

from handlers.credentials import fingerprint, new_api_key, new_ticket
from server.tokens import ServerIssuer


def is_text(value: Any) -> bool:
    return isinstance(value, str | bytes | memoryview)


def test_the_database_is_asked_for_digests_alone(tmp_path: Any) -> None:
    """Its index compares from the first byte on: of a digest, which whoever guesses cannot steer."""
    asked: list[bytes] = []

    async def scenario(node: Node) -> None:
        engine = node.parts.database.engine.sync_engine

        def note(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
            asked.extend(
                value.encode() if isinstance(value, str) else bytes(value) for value in parameters if is_text(value)
            )

        event.listen(engine, "before_cursor_execute", note)
        for secret in (new_api_key(), new_ticket()):
            asked.clear()
            answer = await node.client(None, credential=secret).get("/me")
            assert answer.status_code == 401
            assert fingerprint(secret) in asked
            assert not any(secret[5:].encode() in value for value in asked)

    play(tmp_path, scenario)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def noting(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noting)
    issuer = ServerIssuer("a secret for tests, long enough to sign with", lambda: datetime(2026, 3, 1, tzinfo=UTC))
    token = issuer.issue("ada", timedelta(hours=1))
    head, _, signature = token.rpartition(".")
    for guess in (token, f"{head}.{'A' * len(signature)}"):
        compared.clear()
        result = asyncio.run(_verdict(issuer, guess))
        assert len(compared) == 1
        assert result is (guess == token)


async def _verdict(issuer: ServerIssuer, token: str) -> bool:
    try:
        await issuer.verify(token)
    except Exception as refusal:
        return type(refusal).__name__ != "NotAuthenticated"
    return True
