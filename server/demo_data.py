"""The demo's data: small real data sets of the package `vega-datasets`, as files, as SQLite and as DuckDB.

Only its data files are read, by path: the package itself would import pandas.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb

FILES = "files"
MARKETS = "markets.sqlite3"
WEATHER = "weather.duckdb"
# How each file is made of which: the query that reads it, `{0}` being the original.
_CSV = "SELECT * FROM read_csv('{0}')"
_FILES = {
    "airports.csv": ("airports.csv", _CSV),
    "employment/us-employment.csv": ("us-employment.csv", _CSV),
    "temperatures/sf-temps.parquet": ("sf-temps.csv", _CSV),
    "temperatures/seattle-temps.parquet": ("seattle-temps.csv", _CSV),
    "cars.parquet": ("cars.json", "SELECT * FROM read_json('{0}')"),
    "iris.jsonl": ("iris.json", "SELECT * FROM read_json('{0}')"),
}
_WRITTEN_AS = {".csv": "(FORMAT csv, HEADER)", ".parquet": "(FORMAT parquet)", ".jsonl": "(FORMAT json)"}
_MARKETS = """
CREATE TABLE companies (symbol TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE prices (
    symbol TEXT NOT NULL REFERENCES companies (symbol), month DATE NOT NULL, price REAL NOT NULL,
    PRIMARY KEY (symbol, month)
);
CREATE INDEX prices_month ON prices (month);
CREATE VIEW yearly_prices AS
SELECT c.name AS company, substr(p.month, 1, 4) AS year, avg(p.price) AS average_price, count(*) AS months
FROM prices p JOIN companies c ON c.symbol = p.symbol GROUP BY c.name, substr(p.month, 1, 4);
CREATE TABLE origins (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE cars (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, origin_id INTEGER NOT NULL REFERENCES origins (id),
    year DATE NOT NULL, miles_per_gallon REAL, cylinders INTEGER NOT NULL, horsepower INTEGER,
    weight_lbs INTEGER NOT NULL
);
CREATE VIEW efficient_cars AS
SELECT cars.name, origins.name AS origin, miles_per_gallon FROM cars JOIN origins ON origins.id = cars.origin_id
WHERE miles_per_gallon > 30;
"""
_COMPANIES = {"MSFT": "Microsoft", "AMZN": "Amazon", "IBM": "IBM", "GOOG": "Google", "AAPL": "Apple"}
_PRICES = """
SELECT symbol, strftime(strptime(date, '%b %-d %Y'), '%Y-%m-%d'), price
FROM read_csv('{0}', types = {{'date': 'VARCHAR'}})
"""
_CARS = """
SELECT "Name", "Origin", strftime("Year"::DATE, '%Y-%m-%d'), "Miles_per_Gallon"::DOUBLE, "Cylinders"::INTEGER,
       "Horsepower"::INTEGER, "Weight_in_lbs"::INTEGER FROM read_json('{0}')
"""
_WEATHER = """
CREATE TABLE seattle AS SELECT * FROM read_csv('{0}');
COMMENT ON TABLE seattle IS 'The weather of Seattle, day by day.';
CREATE VIEW rainy_days AS SELECT date, precipitation, wind FROM seattle WHERE weather = 'rain';
"""


class DemoDataMissingError(Exception):
    """The data sets are not installed; the message says how to install them."""


def originals() -> Path:
    """The folder of the package's data files. Raises DemoDataMissingError."""
    found = importlib.util.find_spec("vega_datasets")
    folder = Path(found.origin).parent / "_data" if found is not None and found.origin else None
    if folder is None or not folder.is_dir():
        raise DemoDataMissingError(
            "the demo's data sets are not installed; install them with: pip install 'collab-studio[demo]'"
        )
    return folder


def make_all(folder: Path, data: Path) -> list[Path]:
    """Makes what is not there yet, each whole or not at all; the paths that were made."""
    made = []
    for name, (original, query) in _FILES.items():
        path = folder / FILES / name
        made += _make(path, lambda place, sql=query, source=original: _copy(place, sql.format(data / source)))  # type: ignore[misc]
    made += _make(folder / MARKETS, lambda place: _make_markets(place, data))
    made += _make(folder / WEATHER, lambda place: _make_weather(place, data))
    return made


def _make(path: Path, make: Callable[[Path], None]) -> list[Path]:
    if path.exists():
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    unfinished.unlink(missing_ok=True)
    make(unfinished)
    unfinished.replace(path)
    return [path]


def _copy(place: Path, query: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{_escaped(place)}' {_WRITTEN_AS[place.suffix]}")


def _make_markets(place: Path, data: Path) -> None:
    with duckdb.connect() as reader:
        prices = reader.execute(_PRICES.format(_escaped(data / "stocks.csv"))).fetchall()
        cars = reader.execute(_CARS.format(_escaped(data / "cars.json"))).fetchall()
    with contextlib.closing(sqlite3.connect(place)) as connection, connection:
        connection.executescript(_MARKETS)
        connection.executemany("INSERT INTO companies VALUES (?, ?)", _COMPANIES.items())
        connection.executemany("INSERT INTO prices VALUES (?, ?, ?)", prices)
        origins = {name: number for number, name in enumerate(sorted({car[1] for car in cars}), 1)}
        connection.executemany("INSERT INTO origins (name, id) VALUES (?, ?)", origins.items())
        connection.executemany(
            "INSERT INTO cars VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            [(name, origins[origin], *rest) for name, origin, *rest in cars],
        )
        connection.execute("ANALYZE")


def _make_weather(place: Path, data: Path) -> None:
    with duckdb.connect(str(place)) as connection:
        connection.execute(_WEATHER.format(_escaped(data / "seattle-weather.csv")))


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
