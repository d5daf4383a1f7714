"""Real stores with the API of Prometheus, where they are installed: samples pushed to them as senders do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import cramjam
import httpx
from server_process import free_port

from storage.samples.columns import SeriesKey

DEADLINE = 30.0
STORES = ("prometheus", "victoria-metrics")


def is_installed(name: str) -> bool:
    return shutil.which(name) is not None


@contextlib.asynccontextmanager
async def running_store(name: str, folder: Path) -> AsyncIterator[str]:
    """The URL of a store that begins empty."""
    port = free_port()
    process = subprocess.Popen(_command(name, folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(DEADLINE), httpx.AsyncClient() as client:
            while not await _is_ready(client, url):
                assert process.poll() is None, f"{name} ended by itself"
                await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _command(name: str, folder: Path, port: int) -> list[str]:
    if name == "victoria-metrics":
        return [name, f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=1"]
    configuration = folder / "prometheus.yml"
    configuration.write_text("global:\n  scrape_interval: 1h\n")
    return [
        name,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
    ]


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        answer = await client.get(f"{url}/api/v1/query", params={"query": "1"})
    except httpx.TransportError:
        return False
    return answer.status_code == 200


async def push(url: str, source_id: int, samples: Mapping[SeriesKey, Sequence[tuple[int, float]]]) -> None:
    """By remote-write 1.0, and waits until they can be asked for."""
    message = b"".join(_field(1, _series(key, source_id, values)) for key, values in samples.items())
    async with asyncio.timeout(DEADLINE), httpx.AsyncClient() as client:
        answer = await client.post(
            f"{url}/api/v1/write",
            content=bytes(cramjam.snappy.compress_raw(message)),
            headers={
                "Content-Encoding": "snappy",
                "Content-Type": "application/x-protobuf",
                "X-Prometheus-Remote-Write-Version": "0.1.0",
            },
        )
        assert answer.status_code == 204, answer.text
        newest = max(at for values in samples.values() for at, _ in values) / 1000
        query = {"query": f'count({{data_source_id="{source_id}"}})', "time": f"{newest:.3f}"}
        while True:
            found = json.loads((await client.get(f"{url}/api/v1/query", params=query)).text)["data"]["result"]
            if found and int(found[0]["value"][1]) == len(samples):
                return
            await asyncio.sleep(0.05)


def _series(key: SeriesKey, source_id: int, values: Sequence[tuple[int, float]]) -> bytes:
    labels = sorted([("__name__", key.metric), ("data_source_id", str(source_id)), *key.labels])
    written = [_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels]
    written += [_field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at)) for at, value in values]
    return b"".join(written)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
