"""Remote-write 1.0 and 2.0: series, kinds, gaps; read quickly or field by field; hostile bytes become nothing."""

from __future__ import annotations

import contextlib
import math
import random
import struct
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_requests import NOW_MS, WINDOW, by_series, kinds
from otlp_requests import samples as rows

from handlers.gathered_samples import TOO_OLD
from handlers.ingest import wire
from handlers.ingest.remote_write import NATIVE_HISTOGRAM, RemoteWriteReader
from handlers.ingest.remote_write_2 import RemoteWrite2Reader
from handlers.ingest.senders import Reader, Senders
from handlers.ingest.wire import Malformed, write_bytes, write_varint

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]
COUNTER, GAUGE, HISTOGRAM = 1, 2, 3

Samples = Sequence[tuple[int, float]]


def sample(at_ms: int, value: float) -> bytes:
    """As Prometheus writes it: zeros are left out."""
    body = b"" if value == 0 and math.copysign(1, value) > 0 else b"\x09" + struct.pack("<d", value)
    return body + (write_varint(2, at_ms % 2**64) if at_ms else b"")


def series(labels: Mapping[str, str], samples: Samples, more: bytes = b"") -> bytes:
    body = b"".join(
        write_bytes(1, write_bytes(1, name.encode()) + write_bytes(2, value.encode())) for name, value in labels.items()
    )
    return write_bytes(1, body + b"".join(write_bytes(2, sample(at, value)) for at, value in samples) + more)


def metadata(family: str, metric_type: int, unit: str = "") -> bytes:
    return write_bytes(
        3, write_varint(1, metric_type) + write_bytes(2, family.encode()) + write_bytes(5, unit.encode())
    )


def named(name: str, **labels: str) -> dict[str, str]:
    return {"__name__": name, **labels}


def read(*parts: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[int, float | None]]]:
    return by_series(RemoteWriteReader().read(b"".join(parts), WINDOW))


def test_series_are_named_by_their_labels_and_a_stale_marker_is_a_gap() -> None:
    found = read(
        series(named("up", job="a"), [(NOW_MS, 1.0), (NOW_MS + 1, STALE)]),
        series(named("up", job="b", empty=""), [(NOW_MS, 0.0)]),
    )
    assert found == {("up", (("job", "a"),)): [(0, 1.0), (1, None)], ("up", (("job", "b"),)): [(0, 0.0)]}


def test_the_kind_is_what_the_metadata_says_or_else_the_name() -> None:
    reader = RemoteWriteReader()
    names = ("requests_total", "took_bucket", "took_count", "took_sum", "load", "ticks", "disk_count")
    body = b"".join(series(named(name), [(NOW_MS, 1.0)]) for name in names)
    before = {name: kind for name, (kind, _) in kinds(reader.read(body, WINDOW)).items()}
    assert before == dict.fromkeys(names, "counter") | {"load": "gauge", "ticks": "gauge"}
    told = metadata("ticks", COUNTER, "s") + metadata("disk_count", GAUGE) + metadata("took", HISTOGRAM)
    assert reader.read(told, WINDOW).samples == 0
    after = kinds(reader.read(body, WINDOW))
    assert after["ticks"] == ("counter", "s")
    assert (after["disk_count"][0], after["took_sum"][0], after["load"][0]) == ("gauge", "counter", "gauge")


def test_what_is_refused_is_counted_with_its_reason() -> None:
    histogram = series(named("h"), [], write_bytes(4, b"") * 2)
    decoded = RemoteWriteReader().read(
        series(named("a"), [(5, 1.0)]) + series({"job": "x"}, [(NOW_MS, 1.0)]) + histogram, WINDOW
    )
    assert decoded.samples == 0
    assert dict(decoded.refusals.reasons) == {TOO_OLD: 1, "the metric has no name": 1, NATIVE_HISTOGRAM: 2}


def test_known_series_are_the_same_objects_again() -> None:
    reader = RemoteWriteReader()
    first, second = (
        reader.read(series(named("a"), [(NOW_MS, value)]) + series(named("b"), [(NOW_MS, 0.0)]), WINDOW)
        for value in (1.0, 0.0)
    )
    assert [id(key) for key in first.columns.keys] == [id(key) for key in second.columns.keys]


def test_what_only_looks_like_a_sample_in_the_usual_form_is_read_field_by_field() -> None:
    """A time of two bytes, and a field of a later version behind it: as long as a time of today."""
    reader = RemoteWriteReader()
    reader.read(series(named("up"), [(NOW_MS, 1.0)]), WINDOW)
    labels = series(named("up"), [])[2:]
    odd = write_bytes(2, b"\x09" + struct.pack("<d", 5.0) + b"\x10\xac\x02\x18\x80\x80\x01")
    assert len(odd) == 18
    decoded = reader.read(write_bytes(1, labels + odd) + series(named("up"), [(NOW_MS, 2.0)]), WINDOW)
    assert (decoded.samples, decoded.refusals.reasons) == (1, {TOO_OLD: 1})
    assert decoded.columns.value.tolist() == [2.0]


def test_samples_between_labels_are_not_taken_for_a_part_of_the_name() -> None:
    reader = RemoteWriteReader()
    label, other = series({"__name__": "up"}, [])[2:], series({"job": "a"}, [])[2:]
    first, second = (write_bytes(2, sample(NOW_MS + at, 1.0)) for at in (0, 1))
    for more, count in ((b"", 1), (second, 2), (second, 2)):
        decoded = reader.read(write_bytes(1, label + first + other + more), WINDOW)
        assert decoded.samples == count


LABELS = st.dictionaries(st.text("ab_", min_size=1, max_size=2), st.text(max_size=8), max_size=3)
TIMES = st.one_of(st.integers(NOW_MS - 1000, NOW_MS + 1000), st.sampled_from([0, -1, 127, 2**35, 2**42, 2**63 - 1]))
SERIES = st.lists(
    st.tuples(
        st.sampled_from(["up", "a_total", "\x12\x10\x09"]),
        LABELS,
        st.lists(st.tuples(TIMES, st.one_of(st.just(0.0), st.floats())), max_size=2),
    ),
    max_size=4,
)


@given(st.lists(SERIES, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_read_quickly_or_field_by_field_it_is_the_same(
    requests: list[list[tuple[str, dict[str, str], Samples]]],
) -> None:
    """A reader that knows the series from before says what one says that has never seen them."""
    reader = RemoteWriteReader()
    for each in [*requests, *requests]:
        body = b"".join(series({**labels, "__name__": name}, samples) for name, labels, samples in each)
        known, fresh = reader.read(body, WINDOW), RemoteWriteReader().read(body, WINDOW)
        assert sorted(rows(known.columns), key=repr) == sorted(rows(fresh.columns), key=repr)
        assert known.refusals == fresh.refusals
        expected = sum(
            WINDOW.oldest_ms <= at <= WINDOW.newest_ms and not math.isinf(value) and _is_fit(name, labels)
            for name, labels, samples in each
            for at, value in samples
        )
        assert known.samples == expected


def _is_fit(name: str, labels: dict[str, str]) -> bool:
    return name.isprintable() and not any("\0" in value for value in labels.values())


class Symbols:
    """The table of texts of a request of 2.0; the first is empty."""

    def __init__(self) -> None:
        self.texts = [""]

    def place(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def message(self) -> bytes:
        return b"".join(write_bytes(4, text.encode()) for text in self.texts)


def series_2(
    symbols: Symbols,
    labels: Mapping[str, str],
    samples: Samples,
    *,
    metric_type: int = 0,
    unit: str = "",
    created: int = 0,
    start: int = 0,
) -> bytes:
    places = [symbols.place(text) for pair in labels.items() for text in pair]
    body = write_bytes(1, b"".join(write_varint(0, place)[1:] for place in places))
    for at, value in samples:
        body += write_bytes(2, sample(at, value) + (write_varint(3, start) if start else b""))
    body += write_bytes(5, write_varint(1, metric_type) + write_varint(4, symbols.place(unit)))
    return write_bytes(5, body + (write_varint(6, created) if created else b""))


def test_2_0_names_texts_by_their_place() -> None:
    symbols = Symbols()
    body = series_2(symbols, named("up", job="a"), [(NOW_MS, 1.0)])
    body += series_2(
        symbols, named("ticks", job="a"), [(NOW_MS, 2.0)], metric_type=COUNTER, unit="s", created=NOW_MS - 5
    )
    body += series_2(symbols, named("more"), [(NOW_MS, 3.0)], metric_type=COUNTER, start=NOW_MS - 7)
    reader = RemoteWrite2Reader()
    decoded = reader.read(symbols.message() + body, WINDOW)
    decoded.confirm()
    assert by_series(decoded) == {
        ("up", (("job", "a"),)): [(0, 1.0)],
        ("ticks", (("job", "a"),)): [(-6, None), (0, 2.0)],
        ("more", ()): [(-8, None), (0, 3.0)],
    }
    assert kinds(decoded) == {"up": ("gauge", ""), "ticks": ("counter", "s"), "more": ("counter", "")}
    # Another table, the same series.
    other = Symbols()
    other.place("padding")
    again = series_2(other, named("more"), [(NOW_MS + 1, 4.0)], metric_type=COUNTER, start=NOW_MS - 7)
    assert list(by_series(reader.read(other.message() + again, WINDOW)).values()) == [[(1, 4.0)]]


@pytest.mark.parametrize(
    "body", [write_bytes(5, write_bytes(1, b"\x05\x05")), write_bytes(4, b"") + b"\x2a\x03\x0a\x01\x00"]
)
def test_2_0_without_its_texts_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        RemoteWrite2Reader().read(body, WINDOW)


@pytest.mark.parametrize("make", [RemoteWriteReader, RemoteWrite2Reader])
def test_damaged_requests_are_read_or_refused(make: Callable[[], Reader]) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    symbols = Symbols()
    twice = [named("a", i=str(i)) for i in range(9)]
    body = b"".join(series(labels, [(NOW_MS, 1.0)]) for labels in twice)
    if make is RemoteWrite2Reader:
        body = b"".join(series_2(symbols, labels, [(NOW_MS, 1.0)]) for labels in twice) + symbols.message()
    reader = make()
    for _ in range(2000):
        damaged = bytearray(body)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        with contextlib.suppress(Malformed):
            reader.read(bytes(damaged[: dice.randrange(1, 2 * len(body))]), WINDOW)
    assert reader.read(body, WINDOW).samples == 9


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for reader in (RemoteWriteReader(), RemoteWrite2Reader()):
        with contextlib.suppress(Malformed):
            reader.read(data, WINDOW)


def test_fields_never_leave_their_message() -> None:
    assert list(wire.fields(b"\x08\x96\x01", 0, 3)) == [(1, wire.VARINT, 150, 3)]
    for bad in (b"\x08", b"\x08\xff", b"\x0a\x05a", b"\x09\x00", b"\x0d\x00", b"\x00\x00", b"\x0b", b"\xff" * 11):
        with pytest.raises(Malformed):
            list(wire.fields(bad, 0, len(bad)))


def test_readers_that_remember_too_much_begin_anew() -> None:
    senders = Senders(most_bytes=3000, most_bytes_of_one=2000)
    first = senders.reader(1, RemoteWriteReader)
    assert senders.reader(1, RemoteWriteReader) is first
    assert senders.reader(1, RemoteWrite2Reader) is not first
    assert senders.reader(2, RemoteWriteReader) is not first
    first.read(b"".join(series(named(f"m{i}"), []) for i in range(5)), WINDOW)
    assert first.size > 2000
    assert senders.reader(1, RemoteWriteReader) is not first
    for source_id in range(3, 6):
        senders.reader(source_id, RemoteWriteReader).read(series(named("x" * 900), []), WINDOW)
    assert senders.reader(3, RemoteWriteReader).size == 0
