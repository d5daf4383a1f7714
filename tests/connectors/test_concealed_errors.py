"""Errors are read by people who may not read rows: what a source quotes from its rows does not get into them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sources import Source

from connectors import errors
from connectors.concealing import without_values
from connectors.datasets import DatasetRef, Kind
from connectors.opening import open_connector
from connectors.settings import SourceLimits, SourceSettings

# As a row would hold it. Statements put it together, so that it stands in none of them.
VALUE = "078-05-1120"
MADE = {Kind.MYSQL: "concat('078-05', '-1120')"}
MADE_BY_DEFAULT = "('078-05' || '-1120')"

STATEMENTS = {
    Kind.POSTGRESQL: [
        "SELECT {value}::int",
        "SELECT {value}::date",
        "SELECT {value}::regclass",
        "SELECT {value}::regrole",
        "SELECT current_setting({value})",
        "SELECT ('{{' || {value})::jsonb",
        "SELECT setseed(78051120)",
        "SELECT * FROM told",
    ],
    Kind.MYSQL: [
        "SELECT extractvalue('<a/>', concat('~', {value}))",
        "SELECT * FROM told",
    ],
    Kind.SQLITE: ["SELECT json_extract('{{}}', {value})"],
    Kind.DUCKDB: [
        "SELECT error({value})",
        "SELECT {value}::int",
        "SELECT {value}::date",
        "SELECT strptime({value}, '%Y')",
        "SELECT json_extract('{{' || {value}, '$.a')",
    ],
    Kind.FILES: ["SELECT error({value})", "SELECT {value}::int"],
}
OWN_ROUTINES = {
    Kind.POSTGRESQL: [
        "CREATE FUNCTION tell() RETURNS int LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'it is %', '078-05' || '-1120'; END$$",
        "CREATE VIEW told AS SELECT tell()",
        "GRANT SELECT ON told TO PUBLIC",
    ],
    Kind.MYSQL: [
        "CREATE FUNCTION tell() RETURNS int DETERMINISTIC BEGIN DECLARE text varchar(100)"
        " DEFAULT concat('078-05', '-1120'); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = text; RETURN 1; END",
        "CREATE VIEW told AS SELECT tell()",
    ],
}


def refused(source: Source, sql: str) -> errors.ConnectorError:
    async def run() -> errors.ConnectorError:
        async with await source.open() as connector:
            with pytest.raises(errors.ConnectorError) as caught:
                await connector.query(sql)
            return caught.value

    return asyncio.run(run())


def test_no_error_of_a_statement_holds_a_value_that_rows_brought(source: Source) -> None:
    if routines := OWN_ROUTINES.get(source.kind):
        for routine in routines:
            source.write(routine)
    made = MADE.get(source.kind, MADE_BY_DEFAULT)
    for statement in STATEMENTS[source.kind]:
        said = str(refused(source, statement.format(value=made)))
        print(source.kind, said)
        assert said
        assert VALUE not in said, statement
        assert "1120" not in said, statement


def test_errors_of_the_statement_itself_still_name_what_is_wrong(source: Source) -> None:
    assert "no_such" in str(refused(source, "SELECT no_such FROM (SELECT 1 AS a) AS t"))
    assert "no_such" in str(refused(source, "SELECT * FROM no_such"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"a,b\n1,2\n{VALUE}\n", "line 3: it has 1 cells, and the first line has 2"),
        (f'a,b\n1,"{VALUE}\n2,3\n', "line 2: a quote that is opened there is never closed"),
        (f"a,b\n1,{VALUE}{'x' * 3_000_000}\n", "line 2: it is longer than"),
    ],
)
def test_a_line_that_does_not_fit_is_named_and_not_shown(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "bad.csv").write_text(content, encoding="utf-8")
    said = str(failed_file(tmp_path, "bad.csv"))
    assert expected in said
    assert VALUE not in said
    assert len(said) < 200


@pytest.mark.parametrize("before", [0, 1, 5000])
def test_a_line_that_is_no_json_is_named_by_its_number(tmp_path: Path, before: int) -> None:
    """DuckDB counts one too many; where it does not any more, this fails."""
    lines = ['{"a": 1}'] * before + [VALUE] + ['{"a": 1}'] * 3
    (tmp_path / "bad.jsonl").write_text("\n".join(lines), encoding="utf-8")
    said = str(failed_file(tmp_path, "bad.jsonl"))
    assert f" in line {before + 1}: " in said
    assert VALUE not in said


def test_no_error_names_the_open_file_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "torn.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT i, md5(i::text) m FROM range(20000) t(i)) TO '{path}'")
    packed = path.read_bytes()
    path.write_bytes(packed[:500] + bytes(200) + packed[700:])
    said = str(failed_file(tmp_path, "torn.parquet"))
    assert said
    assert "/fd/" not in said


def failed_file(folder: Path, name: str) -> errors.ConnectorError:
    async def run() -> Any:
        settings = SourceSettings(path=folder, limits=SourceLimits(memory_bytes=256 * 2**20))
        async with await open_connector("files", settings) as connector:
            with pytest.raises(errors.ConnectorError) as caught:
                async for _ in connector.fetch(DatasetRef(None, name)):
                    pass
            return caught.value

    return asyncio.run(run())  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('invalid input syntax for type integer: "a "quoted" value"', 'invalid input syntax for type integer: "…"'),
        ("Could not convert string 'o'hara' to INT32", 'Could not convert string "…" to INT32'),
        ("value 'that was cut of", 'value "…"'),
        ("setseed parameter 1.5e+06 is out of allowed range [-1,1]", "setseed parameter … is out of allowed range […]"),
        ("Type INT32 with value 300 can't be cast", "Type INT32 with value … can't be cast"),
        ("division by zero", "division by zero"),
    ],
)
def test_what_is_quoted_and_counted_is_left_out(text: str, expected: str) -> None:
    assert without_values(text) == expected
