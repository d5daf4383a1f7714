"""Plots of reports, as Vega-Lite has them."""

from __future__ import annotations

from typing import Any

import msgspec

_COLOUR = "#2f6f9f"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A plot as Vega-Lite has it. `tells_values`: values of a dataset are in it."""

    title: str
    spec: dict[str, Any]
    tells_values: bool = False


def bars(title: str, rows: list[list[Any]]) -> Chart:
    """A bar for each name and number."""
    spec = {
        "data": {"values": [{"name": str(name), "value": value} for name, value in rows]},
        "mark": {"type": "bar", "color": _COLOUR, "cornerRadiusEnd": 2},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}},
            "x": {"field": "value", "type": "quantitative", "title": None},
        },
        "width": 420,
    }
    return Chart(title=title, spec=spec)


def histogram_of(title: str, histogram: dict[str, Any]) -> Chart:
    """Rows by value, as a profile has them."""
    edges, counts = histogram["edges"], histogram["counts"]
    values = [{"from": edges[at], "to": edges[at + 1], "rows": count} for at, count in enumerate(counts)]
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "color": _COLOUR},
        "encoding": {
            "x": {"field": "from", "type": "quantitative", "bin": {"binned": True}, "title": None},
            "x2": {"field": "to"},
            "y": {"field": "rows", "type": "quantitative", "title": "rows"},
        },
        "width": 260,
        "height": 130,
    }
    return Chart(title=title, spec=spec, tells_values=True)
