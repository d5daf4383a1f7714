"""Vega-Lite specifications with their data inside, small enough to send: what a panel draws as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.columns import Array

Chart = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_PLAIN, _SPECIAL = "#9ab0c4", "#d1495b"
# Points and bars that a chart has room for.
MOST_POINTS, MOST_BARS = 400, 30


def _chart(title: str, rows: list[dict[str, Any]], **more: Any) -> Chart:
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "anchor": "start", "fontSize": 13},
        "width": 360,
        "height": 200,
        "data": {"values": rows},
        **more,
    }


def plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value.astype("datetime64[s]"))
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def bars(title: str, labels: Sequence[str], values: Sequence[float], told: set[int], axis: str, label: str) -> Chart:
    """A bar for each label, those at the places `told` in another colour."""
    keep = [place for place in range(len(labels)) if place < MOST_BARS or place in told]
    rows = [{"label": labels[place], "value": plain(values[place]), "told": place in told} for place in keep]
    return _chart(
        title,
        rows,
        mark={"type": "bar", "tooltip": True},
        encoding={
            "y": {"field": "label", "type": "nominal", "sort": None, "title": label, "axis": {"labelLimit": 160}},
            "x": {"field": "value", "type": "quantitative", "title": axis},
            "color": _told_colour(),
        },
    )


def _told_colour() -> dict[str, Any]:
    return {"condition": {"test": "datum.told", "value": _SPECIAL}, "value": _PLAIN}


def lines(title: str, stamps: Array, values: Array, axis: str, *, fit: Array | None = None, told: Array | None = None,
          rules: Sequence[Any] = ()) -> Chart:  # fmt: skip
    """A series over time: with a fitted line, points told and vertical rules where given."""
    places = thinned(len(values), MOST_POINTS, told)
    marked = set() if told is None else set(told.tolist())
    rows = [
        {
            "time": plain(stamps[place]),
            "value": plain(values[place]),
            "fit": None if fit is None else plain(fit[place]),
            "told": place in marked,
        }
        for place in places
    ]
    x = {"field": "time", "type": "temporal", "title": None}
    scale = {"zero": False}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "color": _PLAIN},
            "encoding": {"x": x, "y": {"field": "value", "type": "quantitative", "title": axis, "scale": scale}},
        }
    ]
    if fit is not None:
        layers.append(
            {
                "mark": {"type": "line", "color": _SPECIAL, "strokeWidth": 2},
                "encoding": {"x": x, "y": {"field": "fit", "type": "quantitative", "title": axis, "scale": scale}},
            }
        )
    if marked:
        layers.append(
            {
                "transform": [{"filter": "datum.told"}],
                "mark": {"type": "point", "color": _SPECIAL, "filled": True, "size": 60, "tooltip": True},
                "encoding": {"x": x, "y": {"field": "value", "type": "quantitative", "title": axis, "scale": scale}},
            }
        )
    if rules:
        layers.append(
            {
                "data": {"values": [{"at": plain(stamp)} for stamp in rules]},
                "mark": {"type": "rule", "color": _SPECIAL, "strokeDash": [4, 3]},
                "encoding": {"x": {"field": "at", "type": "temporal"}},
            }
        )
    return _chart(title, rows, layer=layers)


def points(title: str, x: Array, y: Array, x_title: str, y_title: str) -> Chart:
    """A cloud of evenly chosen rows that have both values."""
    both = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    chosen = both[thinned(len(both), MOST_POINTS)]
    rows = [{"x": plain(x[row]), "y": plain(y[row])} for row in chosen]
    scale = {"zero": False}
    return _chart(
        title,
        rows,
        mark={"type": "point", "color": "#33658a", "opacity": 0.5, "tooltip": True},
        encoding={
            "x": {"field": "x", "type": "quantitative", "title": x_title, "scale": scale},
            "y": {"field": "y", "type": "quantitative", "title": y_title, "scale": scale},
        },
    )


def histogram(title: str, values: Array, axis: str, *, told: Sequence[float] = (), bins: int = 30) -> Chart:
    """Of finite values; `told` are single ones marked on the axis. Where few values make the most of the range, the
    scale is logarithmic away from 0."""
    low, high = float(np.min(values)), float(np.max(values))
    inner = float(np.subtract(*np.quantile(values, [0.95, 0.05])))
    bend = inner / 4.0 if 0.0 < inner < (high - low) / 10.0 else None
    counts, edges = np.histogram(values, bins=_edges(low, high, bins, bend))
    rows = [
        {"from": float(edges[i]), "to": float(edges[i + 1]), "rows": int(number)} for i, number in enumerate(counts)
    ]
    scale: dict[str, Any] = {"zero": False} if bend is None else {"type": "symlog", "constant": bend}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "bar", "color": _PLAIN, "tooltip": True},
            "encoding": {
                "x": {"field": "from", "type": "quantitative", "bin": {"binned": True}, "title": axis, "scale": scale},
                "x2": {"field": "to"},
                "y": {"field": "rows", "type": "quantitative", "title": "rows"},
            },
        }
    ]
    if told:
        layers.append(
            {
                "data": {"values": [{"value": plain(value)} for value in list(told)[:50]]},
                "mark": {"type": "rule", "color": _SPECIAL, "strokeWidth": 2, "strokeDash": [4, 3]},
                "encoding": {"x": {"field": "value", "type": "quantitative"}},
            }
        )
    return _chart(title, rows, layer=layers)


def _edges(low: float, high: float, bins: int, bend: float | None) -> Array:
    if not high > low:
        return np.array([low, low + (abs(low) or 1.0)])
    if bend is None:
        return np.linspace(low, high, bins + 1)
    ends = np.arcsinh(np.array([low, high]) / bend)
    edges = np.sinh(np.linspace(ends[0], ends[1], bins + 1)) * bend
    edges[0], edges[-1] = low, high
    return np.unique(edges)


def grouped_bars(title: str, labels: Sequence[str], series: dict[str, Sequence[float]], axis: str, label: str) -> Chart:
    """Bars side by side, one of each series for every label."""
    rows = [
        {"label": text, "series": name, "value": plain(values[place])}
        for name, values in series.items()
        for place, text in enumerate(labels[:MOST_BARS])
    ]
    return _chart(
        title,
        rows,
        mark={"type": "bar", "tooltip": True},
        encoding={
            "x": {"field": "label", "type": "nominal", "sort": None, "title": label, "axis": {"labelLimit": 120}},
            "xOffset": {"field": "series"},
            "y": {"field": "value", "type": "quantitative", "title": axis},
            "color": {"field": "series", "type": "nominal", "title": None, "scale": {"range": [_PLAIN, _SPECIAL]}},
        },
    )


def thinned(count: int, most: int, kept: Array | None = None) -> Array:
    """Places of at most about `most`, evenly spread, with those to be kept."""
    places = np.arange(count) if count <= most else np.unique(np.linspace(0, count - 1, most).astype(np.int64))
    return np.unique(np.r_[places, kept]) if kept is not None and len(kept) else places
