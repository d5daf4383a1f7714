"""Stock clients stay where they are when their tokens end, as long as they can give new ones."""

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from javascript import JAVASCRIPT, NODE
from server_process import ServerProcess

from server.tokens import ServerIssuer

SECRET = "a secret for tests, long enough to sign with"
TOKEN_SECONDS = 4
STAY_SECONDS = 7


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path, shared=("--secret-key", SECRET))
    process.start()
    yield process
    process.kill()


def tokens(user: str) -> list[str]:
    """One for each second from now on, made now, each to hold for as long from its second on."""
    now = datetime.now(UTC)
    issuer = ServerIssuer(SECRET, lambda: now)
    return [issuer.issue(user, timedelta(seconds=TOKEN_SECONDS + after)) for after in range(60)]


def test_h6_stock_clients_renew_their_tokens_in_place(server: ServerProcess) -> None:
    server.token("ada")
    options = {"url": server.socket_url, "document": "default/notes", "tokens": tokens("ada"), "seconds": STAY_SECONDS}
    started = time.monotonic()
    printed = subprocess.run(
        [NODE, "renew.mjs", json.dumps(options)], cwd=JAVASCRIPT, check=True, capture_output=True, timeout=60
    )
    assert time.monotonic() - started > TOKEN_SECONDS
    lives: dict[str, dict[str, Any]] = json.loads(printed.stdout)
    renewing, by_hand = lives["renewing"], lives["renewing y-websocket"]
    # Once to come in, and at least once more. No connection was lost, and both still edit together.
    assert (renewing["asked"] >= 3, renewing["lost"], renewing["text"]) == (True, 0, "xx"), lives
    assert (by_hand["asked"] >= 2, by_hand["connected"], by_hand["lost"], by_hand["text"]) == (True, 1, 0, "xx"), lives
    # Tokens do end for those who have no other.
    assert lives["static"]["lost"] >= 1, lives
    assert lives["static y-websocket"]["lost"] >= 1, lives
    assert "Unable to compute message" not in printed.stderr.decode()
