"""Idle connections: many clients in many rooms who have synced and then say nothing.

`kib_per_connection` is what the server's resident memory grew by, over the connections.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from functools import partial

from benchmarks.client import Client, Figures, connect_rooms, dialect_of, parser_of, run
from benchmarks.probe import Probe, Stretch


async def measure(options: argparse.Namespace) -> Figures:
    probe, connections = Probe(options.pid), options.rooms * options.clients
    resident, stretch = probe.resident_kib(), Stretch(probe)
    rooms = [f"idle-{os.getpid()}-{number}" for number in range(options.rooms)]
    clients = await connect_rooms(
        [[partial(Client, dialect_of(options, room, n)) for n in range(options.clients)] for room in rooms]
    )
    used = stretch.end()
    await asyncio.sleep(options.settle)
    grown = probe.resident_kib() - resident
    if any(client.transport.is_disconnected for client in clients):
        raise ConnectionError("the server closed idle connections")
    for client in clients:
        client.close()
    return {
        "kib_per_connection": round(grown / connections, 2),
        "cpu_ms_per_connect": round(used.cpu_seconds / connections * 1e3, 3),
        "seconds": round(used.seconds, 2),
        "others": round(used.others, 3),
        "resident_mib": round((resident + grown) / 1024, 1),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--clients", type=int, default=10, help="clients in each room")
    # By then what connecting left behind has been collected, or the server keeps it.
    parser.add_argument("--settle", type=float, default=5.0, help="seconds between connecting and reading the memory")
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
