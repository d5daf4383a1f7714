"""What a series may be called, where its name comes from elsewhere: pushed, or scraped from an exporter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from storage.samples.columns import SeriesKey

# Prometheus' and OpenTelemetry's names are far shorter, and each series keeps its name and labels for good. What is
# longer is refused: cut off, two series could become one.
LONGEST_NAME = 255
LONGEST_VALUE = 1_000
MOST_LABELS = 48
LONGEST_UNIT = 63
TOO_MANY_LABELS = f"the series has more than {MOST_LABELS} labels"


class UnfitSeries(ValueError):
    """No series may be called so. Its text says why, and fits behind "sample: "."""


def series_key(metric: str, labels: Iterable[tuple[str, str]], kind: str, unit: str = "") -> SeriesKey:
    """The series of this name. A label without a value is none. Raises UnfitSeries."""
    kept = tuple(sorted((name, value) for name, value in labels if value))
    check_metric(metric)
    _check_labels(kept)
    if len(unit) > LONGEST_UNIT or not unit.isprintable():
        unit = ""
    return SeriesKey(metric, kept, kind, unit)


def check_metric(name: str) -> None:
    """Raises UnfitSeries for what no metric may be called."""
    if not name:
        raise UnfitSeries("the metric has no name")
    _check_name("metric", name)


def require_distinct(labels: Sequence[tuple[str, str]]) -> None:
    """Raises UnfitSeries for a label that is given twice, and for far too many."""
    if len(labels) > MOST_LABELS + 1:
        raise UnfitSeries(TOO_MANY_LABELS)
    seen: set[str] = set()
    for name, _ in labels:
        if name in seen:
            raise UnfitSeries(f"the label {name[:LONGEST_NAME]!r} is given twice")
        seen.add(name)


def _check_name(what: str, name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise UnfitSeries(f"the name of a {what} has more than {LONGEST_NAME} characters")
    if not name.isprintable():
        raise UnfitSeries(f"the name of a {what} holds characters that cannot be printed")


def _check_labels(labels: tuple[tuple[str, str], ...]) -> None:
    if len(labels) > MOST_LABELS:
        raise UnfitSeries(TOO_MANY_LABELS)
    require_distinct(labels)
    for name, value in labels:
        if not name:
            raise UnfitSeries("a label has no name")
        _check_name("label", name)
        if len(value) > LONGEST_VALUE:
            raise UnfitSeries(f"the label {name!r} has more than {LONGEST_VALUE} characters")
        if "\0" in value or (not value.isascii() and not _is_text(value)):
            raise UnfitSeries(f"the label {name!r} holds what no text may hold")


def _is_text(value: str) -> bool:
    """Whether it can be written: half of a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
