"""Join storm: a large document is uploaded, then many clients join at once, and each is sent the whole state.

`cpu_ms_per_join` is the server's CPU time over the joins, handshakes included. Every state received is decoded
afterwards and must hold the text that was uploaded.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from functools import partial
from pathlib import Path

import pycrdt

from benchmarks.client import DEADLINE, Client, Figures, connect, connect_all, dialect_of, parser_of, run
from benchmarks.document import text_of
from benchmarks.probe import Probe, Stretch
from benchmarks.wire import Dialect


class Uploader(Client):
    """Uploads a state; `uploaded` is set when the server answers with one that is as large."""

    def __init__(self, dialect: Dialect, state: bytes) -> None:
        super().__init__(dialect)
        self._smallest = len(state) * 9 // 10
        self.uploaded = asyncio.get_running_loop().create_future()

    def received(self, payload: bytes) -> None:
        state = self.dialect.state_in(payload)
        if state is not None and len(state) >= self._smallest and not self.uploaded.done():
            self.uploaded.set_result(None)


def small_edit() -> bytes:
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=1)
    document.get("remarks", type=pycrdt.Text).insert(0, ".")
    return document.get_update()


async def upload(state: bytes, options: argparse.Namespace, room: str) -> Client:
    """Bring the document to the server, then change it once more, so that no answer is encoded beforehand."""
    uploader = await connect(partial(Uploader, dialect_of(options, room, 0), state))
    await asyncio.wait_for(uploader.synced, DEADLINE)
    uploader.send(uploader.dialect.update(state))
    uploader.send(uploader.dialect.hello()[-1])
    await asyncio.wait_for(uploader.uploaded, DEADLINE)
    uploader.send(uploader.dialect.update(small_edit()))
    await asyncio.sleep(options.settle)
    return uploader


def check(received: set[bytes], state: bytes) -> None:
    expected = text_of(state)
    if any(text_of(found) != expected for found in received):
        raise ValueError("a joiner was sent another text than the one uploaded")


async def measure(options: argparse.Namespace) -> Figures:
    state, room = options.state.read_bytes(), f"join-{os.getpid()}"
    uploader, probe = await upload(state, options, room), Probe(options.pid)
    resident, stretch = probe.resident_kib(), Stretch(probe)
    joiners = await connect_all([partial(Client, dialect_of(options, room, n)) for n in range(options.joiners)])
    used = stretch.end()
    grown = probe.resident_kib() - resident
    check({joiner.synced.result() for joiner in joiners}, state)
    for client in (uploader, *joiners):
        client.close()
    return {
        "cpu_ms_per_join": round(used.cpu_seconds / options.joiners * 1e3, 3),
        "cpu_s": round(used.cpu_seconds, 3),
        "seconds": round(used.seconds, 2),
        "others": round(used.others, 3),
        "grown_mib": round(grown / 1024, 1),
        "state_bytes": len(state),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--joiners", type=int, default=200)
    parser.add_argument("--state", type=Path, required=True, help="a file that holds one Yjs update: the document")
    # Longer than the 2 s after which servers store a changed document.
    parser.add_argument("--settle", type=float, default=3.0, help="seconds between uploading and joining")
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
