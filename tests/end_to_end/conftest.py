"""The real command in a process of its own, over a folder that outlives it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A running server on the embedded default; killed at the end if it is still there."""
    process = ServerProcess(tmp_path)
    process.start()
    try:
        yield process
    finally:
        process.kill()
