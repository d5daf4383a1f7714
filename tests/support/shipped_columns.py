"""Columns of the data that installed packages ship, labelled by hand: real values that nobody here made.

Of vega-datasets all that is local, of scikit-learn the passengers of the Titanic (from the tests of its OpenML reader),
its tables, and what the installed packages say of themselves: their authors' names and addresses, and the rest.
"""

from __future__ import annotations

import csv
import gzip
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses
from importlib.resources import files
from pathlib import Path
from typing import Any, cast


def _folder(package: str) -> Path:
    return Path(str(files(package)))


VEGA = _folder("vega_datasets") / "_data"
TITANIC = _folder("sklearn") / "datasets/tests/data/openml/id_40945/data-v1-dl-16826755.arff.gz"


@dataclass(frozen=True)
class Shipped:
    """A column of `table`, whose type is `label`; `beside` are the names around it. `None` is of no sensitive type."""

    table: str
    name: str
    label: str | None
    values: list[Any]
    beside: list[str]


# Every other column is of none. Of airports nothing is: where a place is tells of nobody.
LABELS = {
    ("la-riots", "first_name"): "first_name",
    ("la-riots", "last_name"): "last_name",
    ("la-riots", "gender"): "gender",
    ("la-riots", "address"): "street_address",
    ("la-riots", "latitude"): "latitude",
    ("la-riots", "longitude"): "longitude",
    ("titanic", "name"): "full_name",
    ("titanic", "sex"): "gender",
    ("packages", "author_email"): "email",
    ("packages", "author"): "full_name",
}


def shipped_columns() -> Iterator[Shipped]:
    for path in sorted(VEGA.iterdir()):
        yield from _columns(path.stem, _vega(path))
    yield from _columns("titanic", _titanic())
    yield from _columns("packages", _packages())


def _columns(table: str, rows: list[Mapping[str, Any]]) -> Iterator[Shipped]:
    names = [name for name, value in rows[0].items() if not isinstance(value, list | dict)]
    for name in names:
        values = [_plain(row.get(name)) for row in rows]
        yield Shipped(table, name, LABELS.get((table, name)), values, [table, *names])


def _vega(path: Path) -> list[Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines())) if path.suffix == ".csv" else json.loads(text)


def _titanic() -> list[Mapping[str, Any]]:
    lines = gzip.decompress(TITANIC.read_bytes()).decode().splitlines()
    names = [line.split("'")[1] for line in lines if line.startswith("@attribute")]
    rows = csv.reader(lines[lines.index("@data") + 1 :])
    return [dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names)]


def _packages() -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for one in importlib.metadata.distributions():
        told = cast("Message", one.metadata)  # which it is
        people = getaddresses([told.get("Author-email") or ""])
        rows += [
            {
                "package": told["Name"],
                "version": one.version,
                "summary": told.get("Summary"),
                "license": told.get("License-Expression"),
                "author": name or told.get("Author"),
                "author_email": address,
                "requires_python": told.get("Requires-Python"),
            }
            for name, address in people
        ]
    return sorted(rows, key=lambda row: (str(row["package"]).lower(), str(row["author_email"])))


def _plain(value: Any) -> Any:
    """Numbers as numbers, and what says that there is nothing as null."""
    if value in (None, "", "?"):
        return None
    if not isinstance(value, str):
        return value
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value
