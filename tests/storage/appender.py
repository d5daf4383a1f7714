"""A process that appends until it is killed, and says what was stored: run with a database URL and a document's id.

Each append is a line "NUMBER OF THE APPEND, NEW HEAD", printed after it returned. An append has 200 updates, more than
fit into one statement; each update holds the number of its append.
"""

import asyncio
import sys

from storage.database import Database
from storage.update_log import open_update_log
from tests.storage.opened import append_of

UPDATES = 200


async def main(url: str, document_id: int) -> None:
    database = await Database.open(url)
    log = open_update_log(database)
    append = 0
    while True:
        append += 1
        heads = await log.append([append_of(document_id, *[b"%d" % append] * UPDATES)])
        sys.stdout.write(f"{append} {heads[document_id]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
