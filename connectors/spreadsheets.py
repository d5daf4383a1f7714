"""Workbooks through calamine: their sheets, and a sheet as a table of a DuckDB."""

from __future__ import annotations

import datetime
import io
import itertools
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import python_calamine as calamine

from connectors.errors import WrongFormat
from connectors.sql_text import quoted

# A workbook is unpacked into memory.
LARGEST_UNPACKED = 512 * 2**20
_LARGEST_OLD = 64 * 2**20
_ROWS_AT_ONCE = 10_000


def sheets_of(name: str, path: Path) -> list[str]:
    """The names of a workbook's sheets. Raises WrongFormat."""
    with _opened(name, path) as workbook:
        return [sheet.name for sheet in workbook.sheets_metadata if sheet.typ is calamine.SheetTypeEnum.WorkSheet]


def load_sheet(connection: duckdb.DuckDBPyConnection, table: str, name: str, path: Path, sheet_name: str) -> None:
    """Makes a table of a sheet; the first row that is not empty names its columns. Raises WrongFormat."""
    with _opened(name, path) as workbook:
        try:
            rows = workbook.get_sheet_by_name(sheet_name).to_python(skip_empty_area=True)
        except calamine.WorksheetNotFound:
            raise WrongFormat(f"{name!r} has no sheet {sheet_name!r}") from None
        except calamine.CalamineError as error:
            raise WrongFormat(f"{name!r} is broken: {error}") from None
    if not rows:
        raise WrongFormat(f"the sheet {sheet_name!r} of {name!r} is empty")
    names, body = _names(rows[0]), rows[1:]
    types = [_type_of([row[place] for row in body]) for place in range(len(names))]
    columns = ", ".join(f"{quoted(column)} {type_}" for column, type_ in zip(names, types, strict=True))
    connection.execute(f"CREATE TABLE {quoted(table)} ({columns})")
    appender = connection.appender(quoted(table))
    for part in _batched(body):
        converted = [tuple(_converted(cell, type_) for cell, type_ in zip(row, types, strict=True)) for row in part]
        appender.append_rows(converted)
    appender.flush()


def _opened(name: str, path: Path) -> Any:
    size = path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                size = sum(member.file_size for member in packed.infolist())
        elif size > _LARGEST_OLD:
            raise WrongFormat(f"{name!r} is larger than {_LARGEST_OLD // 2**20} MiB; save it as .xlsx or CSV")
        if size > LARGEST_UNPACKED:
            raise WrongFormat(
                f"{name!r} unpacks to more than {LARGEST_UNPACKED // 2**20} MiB; save it as CSV or Parquet"
            )
        return calamine.load_workbook(io.BytesIO(path.read_bytes()))
    except calamine.PasswordError:
        raise WrongFormat(f"{name!r} is protected by a password") from None
    except (calamine.CalamineError, zipfile.BadZipFile, OSError) as error:
        raise WrongFormat(f"{name!r} is not a workbook, or broken: {error}") from None


def _names(row: Sequence[Any]) -> list[str]:
    """Names that are all there and all different, as SQL compares them."""
    names: list[str] = []
    taken: set[str] = set()
    for place, cell in enumerate(row, 1):
        wanted = str(cell).strip() or f"column{place}"
        name = next(
            candidate
            for candidate in itertools.chain((wanted,), (f"{wanted}_{count}" for count in itertools.count(2)))
            if candidate.lower() not in taken
        )
        taken.add(name.lower())
        names.append(name)
    return names


def _type_of(cells: list[Any]) -> str:
    """The DuckDB type that holds every cell; empty ones are null in any."""
    kinds = {type(cell) for cell in cells if cell != ""}
    if not kinds:
        return "VARCHAR"
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds <= {int, float}:
        whole = all(float(cell).is_integer() and abs(cell) < 2**53 for cell in cells if cell != "")
        return "BIGINT" if whole else "DOUBLE"
    if kinds == {datetime.date}:
        return "DATE"
    if kinds <= {datetime.date, datetime.datetime}:
        return "TIMESTAMP"
    return "VARCHAR"


def _converted(cell: Any, type_: str) -> Any:
    if cell == "":
        return None
    match type_:
        case "BIGINT":
            return int(cell)
        case "DOUBLE":
            return float(cell)
        case "VARCHAR":
            return cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else str(cell)
        case "TIMESTAMP" if not isinstance(cell, datetime.datetime):
            return datetime.datetime.combine(cell, datetime.time())
        case _:
            return cell


def _batched(rows: list[list[Any]]) -> Iterator[list[list[Any]]]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[start : start + _ROWS_AT_ONCE]
