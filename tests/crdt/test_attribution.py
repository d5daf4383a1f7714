"""Whose content is whose, from the rows of a log."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from raw_updates import gc, update

from crdt.attribution import Attribution, Writer, bindings

LIVE, SYNCED, HTTP = 0, 1, 2
START = datetime(2024, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    author: str
    origin: int
    created_at: datetime
    data: bytes


def row(number: int, author: str, origin: int, *runs: tuple[int, int, int]) -> Row:
    data = update(*((client, clock, [gc(length)]) for client, clock, length in runs))
    return Row(number, author, origin, START + timedelta(minutes=number), data)


def writers(attribution: Attribution, client: int, clock: int, length: int) -> list[tuple[int, str | None, str | None]]:
    found = attribution.writers(client, clock, length)
    return [(part, writer and writer.author, writer and writer.relayed_by) for part, writer in found]


def test_content_belongs_to_the_first_row_that_brings_it() -> None:
    attribution = Attribution([row(1, "ann", LIVE, (5, 0, 3)), row(2, "bob", LIVE, (5, 1, 5), (6, 0, 1))])
    assert writers(attribution, 5, 1, 7) == [(2, "ann", None), (3, "bob", None), (2, None, None)]
    assert next(attribution.writers(6, 0, 1)) == (1, Writer("bob", 2, START + timedelta(minutes=2)))
    assert writers(attribution, 9, 0, 4) == [(4, None, None)]


def test_what_others_relay_is_the_writers() -> None:
    rows = [
        row(1, "ann", LIVE, (5, 0, 2)),
        row(2, "bob", SYNCED, (5, 2, 3)),
        row(3, "cid", SYNCED, (6, 0, 2)),
        row(4, "ann", LIVE, (5, 5, 1)),
    ]
    attribution = Attribution(rows)
    assert writers(attribution, 5, 0, 6) == [(2, "ann", None), (3, "ann", "bob"), (1, "ann", None)]
    assert writers(attribution, 6, 0, 2) == [(2, "cid", None)]
    assert attribution.bindings == bindings(rows) == {5: "ann"}


def test_a_client_is_bound_even_by_a_later_row() -> None:
    attribution = Attribution([row(1, "bob", SYNCED, (5, 0, 2)), row(2, "ann", LIVE, (5, 2, 1))])
    assert writers(attribution, 5, 0, 2) == [(2, "ann", "bob")]


def test_a_repetition_binds_nobody_and_the_first_binding_stays() -> None:
    attribution = Attribution(
        [row(1, "ann", LIVE, (5, 0, 2)), row(2, "bob", LIVE, (5, 0, 2)), row(3, "bob", LIVE, (5, 2, 1))]
    )
    assert attribution.bindings == {5: "ann"}
    assert writers(attribution, 5, 0, 3) == [(2, "ann", None), (1, "bob", None)]


def test_clients_that_the_server_writes_with_are_nobodys() -> None:
    attribution = Attribution(
        [row(1, "ann", LIVE, (5, 0, 1)), row(2, "bob", HTTP, (5, 1, 1)), row(3, "cid", SYNCED, (5, 2, 1))]
    )
    assert attribution.bindings == {}
    assert writers(attribution, 5, 0, 3) == [(1, "ann", None), (1, "bob", None), (1, "cid", None)]


def test_malformed_rows_are_left_out() -> None:
    attribution = Attribution([Row(1, "ann", LIVE, START, b"\xff"), row(2, "bob", LIVE, (5, 0, 1))])
    assert attribution.bindings == {5: "bob"}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=12), st.integers(0, 20), st.integers(1, 20))
def test_runs_in_any_order_and_over_each_other(runs: list[tuple[int, int]], start: int, length: int) -> None:
    rows = [row(number, str(number), LIVE, (5, clock, size)) for number, (clock, size) in enumerate(runs, 1)]
    first: dict[int, str] = {}
    for number, (clock, size) in enumerate(runs, 1):
        for at in range(clock, clock + size):
            first.setdefault(at, str(number))
    parts = writers(Attribution(rows), 5, start, length)
    assert [author for part, author, _ in parts for _ in range(part)] == [
        first.get(at) for at in range(start, start + length)
    ]
