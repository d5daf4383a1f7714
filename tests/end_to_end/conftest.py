"""The real command in a process of its own, over a folder that outlives it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from filled_demo import FilledDemo, serving_filled_demo
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


@pytest.fixture(scope="session")
def filled_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDemo]:
    """Costs seconds to fill, and so serves more than one test: those that only look come before those that delete."""
    with serving_filled_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo
