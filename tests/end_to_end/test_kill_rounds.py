"""Nothing that was answered "stored" is ever lost: SIGKILL at random moments, many times.

Writers send as fast as they can and count the answers. After each kill the server starts again, and a client that knows
nothing asks for the document: whatever was answered must be in it. Writers do not come back with what they
had, so that nothing lost could be healed by them. `make kill-rounds` runs more rounds than the everyday suite.
"""

import asyncio
import os
import random

import pytest
from answered_writer import Writer, text_of
from server_process import ServerProcess

ROUNDS = int(os.environ.get("KILL_ROUNDS", "6"))
SEED = int(os.environ.get("KILL_SEED", "0")) or random.randrange(1 << 32)
DOCUMENTS = ("default/left", "default/right")
WRITERS_EACH = 2


async def one_round(server: ServerProcess, token: str, number: int, chance: random.Random) -> list[Writer]:
    writers = [Writer(name, f"{number}.{n}") for name in DOCUMENTS for n in range(WRITERS_EACH)]
    tasks = [asyncio.create_task(writer.run(server.socket_url, token)) for writer in writers]
    async with asyncio.timeout(30):
        await asyncio.gather(*(writer.first_answer.wait() for writer in writers))
    await asyncio.sleep(chance.uniform(0.0, 0.15))
    server.kill()
    await asyncio.gather(*tasks)
    return writers


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_s2_what_was_answered_stored_survives_a_kill(server: ServerProcess) -> None:
    print(f"KILL_SEED={SEED}")
    chance = random.Random(SEED)
    token = server.token("writer")
    answered = 0
    for number in range(ROUNDS):
        writers = asyncio.run(one_round(server, token, number, chance))
        server.start()
        for document in DOCUMENTS:
            text = asyncio.run(text_of(server.socket_url, document, token))
            for writer in (writer for writer in writers if writer.document == document):
                missing = writer.missing(text)
                assert not missing, f"round {number}: {writer.mark} was told that {missing} are stored"
        answered += sum(writer.answered for writer in writers)
    assert answered > ROUNDS * 10
    print(f"{ROUNDS} kills, {answered} updates answered, none lost")
