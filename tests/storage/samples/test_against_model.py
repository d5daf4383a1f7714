"""Samples appended late, twice, by two nodes, and sealed and rolled up meanwhile, are those of a dictionary."""

from __future__ import annotations

import math
import random

import pytest

from storage.database import Database
from storage.samples.columns import SeriesKey
from tests.storage.opened import with_database
from tests.storage.samples.measured import NOW_MS, Clock, Model, assert_as_in_model, columns, store

KEYS = [SeriesKey(f"m{n % 7}", (("n", str(n)),), kind="counter" if n % 3 == 0 else "gauge") for n in range(40)]
Sample = tuple[SeriesKey, int, float]


def value_of(chance: random.Random, key: SeriesKey) -> float:
    if chance.random() < 0.03:
        return math.nan
    if key.kind == "counter":
        return float(chance.randrange(1000)) if chance.random() < 0.1 else float(chance.randrange(100_000, 200_000))
    return chance.choice((round(chance.gauss(50, 10), 2), chance.gauss(0, 1), -0.0, float(chance.randrange(2**40))))


def some_samples(chance: random.Random, clock: Clock) -> list[Sample]:
    """Of now, or late by up to two days; some are of a time that was told before."""
    now = int(clock.at.timestamp() * 1000) - NOW_MS
    late = chance.choice((0, 0, 0, 3_600_000, 20 * 3_600_000, 48 * 3_600_000))
    keys = chance.sample(KEYS, chance.randint(1, 12))
    times = [(now - chance.randrange(late + 60_000)) // 1000 * 1000 for _ in range(chance.randint(1, 10))]
    return [(key, at, value_of(chance, key)) for key in keys for at in times]


@pytest.mark.parametrize("seed", range(1))
def test_samples_and_rollups_are_those_of_a_dictionary(database_url: str, seed: int) -> None:
    async def body(database: Database) -> None:
        chance = random.Random(seed)
        clock = Clock()
        model = Model()
        nodes = [store(database, clock=clock) for _ in range(2)]
        keepers = [node.maintenance(f"node {place}") for place, node in enumerate(nodes)]
        for turn in range(18):
            clock.forward(minutes=chance.choice((0.1, 1, 7, 45, 400)))
            samples = some_samples(chance, clock)
            appended = await chance.choice(nodes).append(5, columns(*samples))
            assert appended.stored == len(samples)
            model.add(*samples)
            if chance.random() < 0.6:
                await chance.choice(keepers).work()
            if turn % 9 == 8:
                await assert_as_in_model(chance.choice(nodes), 5, model)
        clock.forward(hours=7)
        await keepers[0].work()
        await keepers[1].work()
        await assert_as_in_model(nodes[0], 5, model)

    print("seed", seed)
    with_database(database_url, body)
