"""Facts as a page that needs nothing else, and as CSV that no spreadsheet takes for formulas. All of it blocks."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from handlers.child_work import Tell
from handlers.csv_cells import cell
from handlers.page_policy import guarded
from handlers.reports.facts import Facts, without_values

# What is told to those from whom something of the source is kept back.
CUT = "_cut"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ facts.title }}</title>
<meta name="viewport" content="width=device-width">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 1080px; margin: 2.5rem auto; padding: 0 1.5rem }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
h3 { font-size: .9rem; margin: 0 0 .4rem }
.sub { color: #5d6b7a; margin: .2rem 0 1.5rem }
.figures { display: flex; flex-wrap: wrap; gap: .8rem }
.figure { border: 1px solid #dbe2ea; border-radius: 8px; padding: .6rem 1rem; min-width: 8rem }
.figure b { display: block; font-size: 1.25rem } .figure span { color: #5d6b7a; font-size: .85rem }
.charts { display: flex; flex-wrap: wrap; gap: 1.2rem }
.chart { border: 1px solid #dbe2ea; border-radius: 8px; padding: .8rem }
.chart svg { max-width: 100%; height: auto } .chart h3 { overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; font-size: .9rem } td { overflow-wrap: anywhere; vertical-align: top }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #e6ebf0 } th { background: #f4f7fa }
.pass { color: #17703b } .fail { color: #b3261e; font-weight: 600 } .unknown { color: #8a6d00 }
.missing { background: #fff8e1; border: 1px solid #ecdca6; border-radius: 8px; padding: .6rem 1rem }
</style></head><body>
<h1>{{ facts.title }}</h1>
<p class="sub">{{ facts.subtitle }}, {{ facts.made_at.strftime("%Y-%m-%d %H:%M") }} UTC</p>
<div class="figures">{% for name, value in facts.figures %}
<div class="figure"><b>{{ value }}</b><span>{{ name }}</span></div>{% endfor %}</div>
{% if facts.missing %}<h2>What is not known</h2><div class="missing">
{% for line in facts.missing %}<div>{{ line }}</div>{% endfor %}</div>{% endif %}
{% if charts %}<h2>Plots</h2><div class="charts">{% for title, svg in charts %}
<div class="chart"><h3>{{ title }}</h3>{{ svg }}</div>{% endfor %}</div>{% endif %}
{% for table in facts.tables %}<h2>{{ table.title }}</h2>
{% if table.rows %}<table><thead><tr>{% for one in table.headings %}<th>{{ one }}</th>{% endfor %}</tr></thead><tbody>
{% for row in table.rows %}<tr>{% for one in row %}
<td{% if one in ("pass", "fail", "unknown") %} class="{{ one }}"{% endif %}>{{ one }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>{% else %}<p>None.</p>{% endif %}{% endfor %}
</body></html>
"""


def render(_: Tell, encoded: bytes) -> dict[str, bytes]:
    """The report in each format, and each again without values, called `html_cut` and `csv_cut`."""
    facts = msgspec.json.decode(encoded, type=Facts)
    cut = without_values(facts)
    plots = [drawn(chart.spec) for chart in facts.charts]
    plots_of_cut = [plot for chart, plot in zip(facts.charts, plots, strict=True) if not chart.tells_values]
    return {
        "html": page(facts, plots).encode(),
        "csv": table(facts).encode(),
        f"html{CUT}": page(cut, plots_of_cut).encode(),
        f"csv{CUT}": table(cut).encode(),
    }


def page(facts: Facts, plots: list[str]) -> str:
    """`plots` are the facts' charts as SVG."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only the process that renders needs it
    from markupsafe import Markup  # noqa: PLC0415

    # Names and values come from the source: whoever may write there must not write into the page.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    titles = [chart.title for chart in facts.charts]
    charts = [
        (title, Markup(plot))  # noqa: S704 - it escapes its texts
        for title, plot in zip(titles, plots, strict=True)
    ]
    return guarded(environment.from_string(_PAGE).render(facts=facts, charts=charts))


def drawn(spec: dict[str, Any]) -> str:
    """The plot as SVG. Nothing is fetched for it."""
    import vl_convert  # noqa: PLC0415 - it starts a JavaScript engine

    shape = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "background": "white", **spec}
    svg: str = vl_convert.vegalite_to_svg(shape, allowed_base_urls=[])
    return svg


def table(facts: Facts) -> str:
    """All tables, one below the other, each row with its table's title."""
    output = io.StringIO()
    writer = csv.writer(output)
    for each in facts.tables:
        writer.writerow(["part", *map(cell, each.headings)])
        for row in each.rows:
            writer.writerow([cell(each.title), *map(cell, row)])
    for line in facts.missing:
        writer.writerow(["missing", cell(line)])
    return output.getvalue()
