"""Real servers for the client's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess

from tests.clients.house import House


def open_house(folder: Path) -> Iterator[House]:
    process = ServerProcess(folder)
    process.start()
    try:
        yield House(process, process.token("admin", ""))
    finally:
        process.kill()


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that the tests of a file share; each has people and documents of its own."""
    yield from open_house(tmp_path_factory.mktemp("house"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server of the test's own, to be killed and started again."""
    yield from open_house(tmp_path)
