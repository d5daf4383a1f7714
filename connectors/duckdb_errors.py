"""DuckDB's errors in our words, without values of the rows: it shows the row that it stumbled over."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import duckdb

from connectors import errors
from connectors.arrow_stream import ArrowError
from connectors.concealing import without_values
from connectors.network import one_line

# Raised while a statement is prepared, so about the statement and the names in it, or about a file as a whole.
_WITHOUT_ROWS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.IOException,
    duckdb.NotImplementedException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.PermissionException,
)
# Whatever else is invalid input may be a text of the rows' own, as `error(column)` makes it.
_OF_THE_READER = re.compile(
    r"Failed to read |Unexpected end of |No magic bytes |More than one row |Could not parse |Malformed JSON at "
    r"|JSON transform error|Cannot execute statement of type |Cannot change configuration "
)
_JSON_PLACE = re.compile(
    r"Malformed JSON in file .{0,500}, at byte (\d+) in (line|record/value) (\d+): ([a-z ,]{1,100})\.?", re.DOTALL
)
_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CSV_REASONS = (
    (re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)"), "it has {1} cells, and the first line has {0}"),
    (re.compile(r"Value with unterminated quote"), "a quote that is opened there is never closed"),
    (re.compile(r"Maximum line size of (\d+) bytes exceeded"), "it is longer than {0} bytes"),
    (
        re.compile(r"Error when converting column \"(.{1,200}?)\"\. Could not convert .* to '([A-Z0-9_(),]+)'"),
        "its value of the column {0!r} is no {1}, as the values before it are",
    ),
    (re.compile(r"not utf-8 encoded"), "it is not UTF-8"),
)
_OPEN_FILE = re.compile(r"(?:[Ff]ile )?\"?(?:/proc/self|/dev)/fd/\d+\"?")


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Raises a ConnectorError for what DuckDB raises inside the block."""
    try:
        yield
    except (duckdb.Error, ArrowError) as error:
        raise told(error) from error


def told(error: Exception) -> errors.ConnectorError:
    text = sentence_of(error)
    match error:
        case duckdb.InterruptException():
            return errors.StatementTimeout("it was stopped")
        case duckdb.OutOfMemoryException():
            return errors.OutOfMemory(f"it needs more memory than a statement may have: {text}")
        case duckdb.PermissionException():
            return errors.RightsMissing(f"only the source itself may be read: {text}")
        case _ if "read-only mode" in text or "configuration has been locked" in text:
            return errors.NotReadOnly(f"the source is only read: {text}")
        case duckdb.IOException() | duckdb.InvalidInputException() | duckdb.SerializationException():
            return errors.WrongFormat(text)
        case _:
            return errors.StatementFailed(text)


def sentence_of(error: Exception) -> str:
    """What DuckDB says, without the kind of error before it, the statement after it and values of rows."""
    text = one_line(error).partition(" LINE 1:")[0]
    text = re.sub(r"^([A-Z][A-Za-z]*|INTERRUPT)( [A-Z][a-z]+)* Error: ", "", text)
    if line := _CSV_LINE.match(text):
        return f"line {line[1]}: {_csv_reason(text)}"
    if place := _JSON_PLACE.match(text):
        # It counts from 2.
        return f"Malformed JSON at byte {place[1]} in {place[2]} {int(place[3]) - 1}: {place[4]}"
    text = _OPEN_FILE.sub("the file", text)
    if isinstance(error, _WITHOUT_ROWS) and not text.startswith("JSON path"):
        return text[:500]
    if isinstance(error, duckdb.InvalidInputException) and not _OF_THE_READER.match(text):
        return "a value is not what the statement needs; DuckDB's own words may hold values of rows and are not shown"
    return without_values(text)[:500]


def _csv_reason(text: str) -> str:
    found = ((pattern.search(text), sentence) for pattern, sentence in _CSV_REASONS)
    return next((sentence.format(*match.groups()) for match, sentence in found if match), "it does not fit the others")
