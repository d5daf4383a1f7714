"""Folders: files that are not what they say, names and links that lead elsewhere, workbooks, and an engine shut in."""

import asyncio
import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from connectors import errors, spreadsheets
from connectors.connector import Connector
from connectors.datasets import ColumnBatch, DatasetRef, Description, LogicalType, QueryResult
from connectors.opening import open_connector
from connectors.settings import SourceLimits, SourceSettings

LIMITS = SourceLimits(statement_seconds=20.0, memory_bytes=256 * 2**20)


def asked(folder: Path, question: Any, **settings: Any) -> Any:
    """What `question(connector)` answers."""

    async def run() -> Any:
        async with await open_connector("files", SourceSettings(path=folder, limits=LIMITS, **settings)) as connector:
            return await question(connector)

    return asyncio.run(run())


def listed(folder: Path, **settings: Any) -> list[str]:
    return [dataset.ref.name for dataset in asked(folder, lambda it: it.list_datasets(), **settings)]


def described(folder: Path, name: str) -> Description:
    found: Description = asked(folder, lambda it: it.describe(DatasetRef(None, name)))
    return found


def queried(folder: Path, sql: str) -> QueryResult:
    found: QueryResult = asked(folder, lambda it: it.query(sql))
    return found


def fetched(folder: Path, name: str) -> ColumnBatch:
    async def question(connector: Connector) -> ColumnBatch:
        [batch] = [batch async for batch in connector.fetch(DatasetRef(None, name))]
        return batch

    batch: ColumnBatch = asked(folder, question)
    return batch


def parquet(path: Path, sql: str = "SELECT i, i / 2 AS half FROM range(10) t(i)") -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    """The least that is an Excel workbook."""

    def cell(value: Any) -> str:
        if value is None:
            return "<c/>"
        if isinstance(value, bool):
            return f'<c t="b"><v>{int(value)}</v></c>'
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    numbered = list(enumerate(sheets.items(), 1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{office}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        )
        names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, (name, _) in numbered)
        file.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n, _ in numbered
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        for n, (_, rows) in numbered:
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            file.writestr(
                f"xl/worksheets/sheet{n}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            )


def truncated_parquet(path: Path) -> None:
    parquet(path)
    os.truncate(path, path.stat().st_size - 20)


def holed_parquet(path: Path) -> None:
    parquet(path, "SELECT i, 'text ' || i AS t FROM range(100000) t(i)")
    data = bytearray(path.read_bytes())
    data[100:3000] = b"\xff" * 2900
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"a,b\n1,2\n", "not a Parquet file; it looks like text"),
        ("a.parquet", truncated_parquet, "cut off"),
        ("a.parquet", b"", "is empty"),
        ("a.parquet", b"PAR1", "Parquet"),
        ("a.csv", parquet, "not CSV; it looks like a Parquet file"),
        ("a.csv", b"", "is empty"),
        ("a.csv", bytes(range(256)) * 50, "not CSV; it holds bytes that are not text"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("a.csv", "größe,b\n1,ü\n".encode("latin-1"), "not UTF-8"),
        ("a.csv", b"a,b\n1,2\n3\n4,5\n", "line 3: it has 1 cells"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "an image"),
        ("a.csv.gz", b"a,b\n1,2\n", "gzip"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "Malformed JSON"),
        ("a.jsonl", b"\0\1\2", "bytes that are not text"),
        ("a.xlsx", b"a,b\n1,2\n", "not a workbook"),
        ("a.xlsx", b"PK\x03\x04" + b"x" * 500, "not a workbook, or broken"),
        ("a.xlsx", lambda path: workbook(path, {"One": []}), "is empty"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_says(tmp_path: Path, name: str, content: Any, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    [shown] = listed(tmp_path)
    with pytest.raises(errors.WrongFormat) as raised:
        described(tmp_path, shown)
    assert words in str(raised.value)
    assert name in str(raised.value)
    assert str(tmp_path) not in str(raised.value)
    assert "/proc/" not in str(raised.value)


def test_a_parquet_file_with_a_hole_fails_when_it_is_read(tmp_path: Path) -> None:
    holed_parquet(tmp_path / "a.parquet")
    assert described(tmp_path, "a.parquet").dataset.estimated_rows == 100_000
    with pytest.raises(errors.ConnectorError):
        fetched(tmp_path, "a.parquet")


def test_every_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;name\n1;x\n2;y\n", encoding="utf-8")
    (tmp_path / "a.tsv").write_text("id\tname\n1\tx,y\n2\ty\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"id": 1, "name": "x"}\n{"id": 2, "name": "y"}\n', encoding="utf-8")
    (tmp_path / "a.json").write_text('[{"id": 1, "name": "x"}, {"id": 2, "name": "y"}]', encoding="utf-8")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,name\n1,x\n2,y\n"))
    parquet(tmp_path / "a.parquet", "SELECT i + 1 AS id, 'x' AS name FROM range(2) t(i)")
    workbook(tmp_path / "a.xlsx", {"One": [["id", "name"], [1, "x"], [2, "y"]]})
    (tmp_path / "README.md").write_text("no data")
    names = listed(tmp_path)
    assert names == ["a.csv", "a.csv.gz", "a.json", "a.jsonl", "a.parquet", "a.tsv", "a.xlsx#One"]
    for name in names:
        batch = fetched(tmp_path, name)
        assert (tuple(batch.columns), batch.columns["id"].values.tolist()) == (("id", "name"), [1, 2]), name
        assert queried(tmp_path, f'SELECT sum(id) FROM "{name}"').rows[0] == (3,)


def test_sheets_have_types(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["n", "x", "ok", "mixed", "n", None, "void"],
        [1, 0.5, True, 1, 7, "a", None],
        [2, 2, False, "two", 8, "b", None],
        [None, None, None, None, None, None, None],
    ]
    workbook(tmp_path / "b.xlsx", {"First sheet": rows, "it's #2": [["single"], [1]]})
    assert listed(tmp_path) == ["b.xlsx#First sheet", "b.xlsx#it's #2"]
    description = described(tmp_path, "b.xlsx#First sheet")
    assert [(column.name, column.logical_type) for column in description.columns] == [
        ("n", LogicalType.INTEGER),
        ("x", LogicalType.NUMBER),
        ("ok", LogicalType.BOOLEAN),
        ("mixed", LogicalType.TEXT),
        ("n_2", LogicalType.INTEGER),
        ("column6", LogicalType.TEXT),
        ("void", LogicalType.TEXT),
    ]
    assert description.dataset.estimated_rows == 2  # what is empty at the end is no row
    assert queried(tmp_path, """SELECT single FROM "b.xlsx#it's #2" """).rows[0] == (1,)
    with pytest.raises(errors.WrongFormat, match="no sheet 'Third'"):
        described(tmp_path, "b.xlsx#Third")


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "LARGEST_UNPACKED", 5 * 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(6):
            file.writestr(f"xl/{number}", b"\0" * 2**20)
    with pytest.raises(errors.WrongFormat, match="unpacks to more than 5 MiB"):
        described(tmp_path, "bomb.xlsx")


def test_types_are_told_by_all_rows_of_a_csv(tmp_path: Path) -> None:
    """Not by the first some thousands, which would fail at the rest."""
    lines = [*map(str, range(30_000)), "n/a"]
    (tmp_path / "a.csv").write_text("v\n" + "\n".join(lines) + "\n", encoding="utf-8")
    assert described(tmp_path, "a.csv").columns[0].logical_type is LogicalType.TEXT
    assert asked(tmp_path, lambda it: it.count_rows(DatasetRef(None, "a.csv"))) == 30_001


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_csv_of_nothing_but_names_has_columns_and_no_rows(tmp_path: Path, end: str) -> None:
    """Of which t and 1 could be values, too."""
    (tmp_path / "a.csv").write_bytes(f"a,t,1{end}".encode())
    assert [column.name for column in described(tmp_path, "a.csv").columns] == ["a", "t", "1"]
    assert asked(tmp_path, lambda it: it.count_rows(DatasetRef(None, "a.csv"))) == 0


@pytest.mark.parametrize("name", ["we*ird[1]?.csv", "a'b\"c.csv", "ünïcode 🧑.csv", "a#b.csv", "-- x.csv", "%41.csv"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "we1ird1x.csv").write_text("a\n2\n")
    assert name in listed(tmp_path)
    assert fetched(tmp_path, name).columns["a"].values.tolist() == [1]
    quoted = name.replace('"', '""')
    assert queried(tmp_path, f'SELECT a FROM "{quoted}"').rows[0] == (1,)


def test_a_pattern_picks_files(tmp_path: Path) -> None:
    for name in ("a.csv", "2024/a.csv", "2024/06/a.csv", "2024/06/b.tsv", ".hidden/a.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    assert listed(tmp_path) == ["2024/06/a.csv", "2024/06/b.tsv", "2024/a.csv", "a.csv"]
    assert listed(tmp_path, pattern="*.csv") == ["a.csv"]
    assert listed(tmp_path, pattern="2024/**/*.csv") == ["2024/06/a.csv", "2024/a.csv"]
    assert listed(tmp_path, pattern="2024/??/*") == ["2024/06/a.csv", "2024/06/b.tsv"]
    for pattern in ("../*.csv", "/etc/*", ""):
        with pytest.raises(errors.BadSettings):
            listed(tmp_path, pattern=pattern)
    with pytest.raises(errors.DatasetNotFound):
        asked(tmp_path, lambda it: it.describe(DatasetRef(None, "2024/a.csv")), pattern="*.csv")


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("a\nsecret\n")
    (folder / "own.csv").write_text("a\nown\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inner.csv").symlink_to(folder / "own.csv")
    assert listed(folder) == ["inner.csv", "own.csv"]
    for name in ("link.csv", "up/secret.csv", "../secret.csv", "./own.csv", str(tmp_path / "secret.csv")):
        with pytest.raises(errors.DatasetNotFound):
            described(folder, name)


def test_the_engine_reaches_nothing_but_the_files_that_a_statement_names(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("a\nsecret\n")
    (folder / "own.csv").write_text("a\nown\n")
    secret = tmp_path / "secret.csv"
    attempts = (
        f"SELECT * FROM '{secret}'",
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM read_text('{secret}')",
        f"SELECT * FROM read_csv('{folder}/../secret.csv')",
        f"SELECT * FROM read_csv('{folder}/own.csv')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        f"""SELECT * FROM "own.csv", read_blob('{secret}')""",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM folder",
        "SELECT getenv('PATH')",
    )
    for attempt in attempts:
        with pytest.raises(errors.StatementFailed) as raised:
            queried(folder, attempt)
        assert "own" not in str(raised.value).replace("own.csv", "") or "unknown" in str(raised.value)
    assert queried(folder, 'SELECT * FROM "own.csv"').rows == [("own",)]


def test_a_file_may_be_replaced_between_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")

    async def question(connector: Connector) -> None:
        ref = DatasetRef(None, "a.csv")
        first = await connector.change_marker(ref)
        assert await connector.count_rows(ref) == 1
        other = tmp_path / "b"
        other.write_text("a\n1\n2\n")
        other.replace(path)
        assert await connector.count_rows(ref) == 2
        assert not (await connector.change_marker(ref)).same_as(first)

    asked(tmp_path, question)


def test_memory_is_bounded(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", "SELECT i FROM range(1000) t(i)")
    sql = """SELECT list(a.i || '-' || b.i || repeat('x', 100)) FROM "a.parquet" a, "a.parquet" b, range(20)"""
    with pytest.raises(errors.OutOfMemory):
        queried(tmp_path, sql)


def test_nested_and_odd_columns_come_as_text(tmp_path: Path) -> None:
    parquet(
        tmp_path / "a.parquet",
        "SELECT [1, 2] AS l, {'a': 1} AS s, 12345678901234567890::HUGEINT AS h, 'infinity'::TIMESTAMP AS inf,"
        " TIMESTAMPTZ '2024-01-01 12:00:00+02' AS tz, INTERVAL 1 DAY AS i, TIME '12:00' AS t, 'x'::BLOB AS b",
    )
    batch = fetched(tmp_path, "a.parquet")
    shown = {name: values.values[0] for name, values in batch.columns.items()}
    assert (shown["l"], shown["s"], shown["h"], shown["b"]) == ("[1, 2]", "{'a': 1}", 12345678901234567890.0, b"x")
    assert shown["tz"] == np.datetime64("2024-01-01T10:00:00")
    nulls = batch.columns["inf"].nulls
    assert nulls is not None
    assert nulls.tolist() == [True]


def test_nulls_and_booleans_at_any_offset(tmp_path: Path) -> None:
    """Bits are packed eight to a byte, and batches begin anywhere."""
    parquet(
        tmp_path / "a.parquet",
        "SELECT CASE WHEN i % 3 = 0 THEN NULL ELSE i END AS n, i % 7 = 0 AS b,"
        " CASE WHEN i % 5 = 0 THEN NULL ELSE 'ä' || i END AS t FROM range(300_000) t(i)",
    )

    async def question(connector: Connector) -> list[ColumnBatch]:
        return [batch async for batch in connector.fetch(DatasetRef(None, "a.parquet"), batch_rows=1013)]

    start = 0
    for batch in asked(tmp_path, question):
        at = np.arange(start, start + batch.rows)
        numbers, flags, texts = (batch.columns[name] for name in ("n", "b", "t"))
        no_numbers = numbers.nulls if numbers.nulls is not None else np.zeros(batch.rows, bool)
        no_texts = texts.nulls if texts.nulls is not None else np.zeros(batch.rows, bool)
        assert (no_numbers == (at % 3 == 0)).all()
        assert (numbers.values[~no_numbers] == at[~no_numbers]).all()
        assert (flags.values == (at % 7 == 0)).all()
        assert (no_texts == (at % 5 == 0)).all()
        assert texts.values[~no_texts].tolist() == [f"ä{i}" for i in at[~no_texts]]
        start += batch.rows
    assert start == 300_000
