"""A process that appends samples until it is killed, and says what was stored: run with a database's URL.

Append n has the value n at n seconds, of each series; its number and that of its batch are printed after it returned.
Meanwhile samples are sealed, closed and forgotten, by a clock that goes ten minutes with each append.
"""

import asyncio
import sys

from storage.database import Database
from storage.samples.columns import SeriesKey
from tests.storage.samples.measured import Clock, columns, store

SOURCE = 3
KEYS = [SeriesKey(f"m{n}", kind="counter" if n % 2 else "gauge") for n in range(40)]


async def main(url: str) -> None:
    database = await Database.open(url)
    clock = Clock()
    samples = store(database, clock=clock)
    keeper = samples.maintenance("appender")
    appended = 0

    async def keep() -> None:
        while True:
            await keeper.work()

    keeping = asyncio.ensure_future(keep())
    while not keeping.done():
        appended += 1
        result = await samples.append(SOURCE, columns(*((key, appended * 1000, float(appended)) for key in KEYS)))
        sys.stdout.write(f"{appended} {result.seq}\n")
        sys.stdout.flush()
        clock.forward(minutes=10)
    await keeping


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
