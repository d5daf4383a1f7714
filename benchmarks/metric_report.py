"""benchmarks/METRICS.md and its like: sections that several benchmarks keep, each its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "METRICS.md"


def keep_section(
    token: str, title: str, body: str, *, results: Path = RESULTS, heading: str = "Metrics and alerts, measured"
) -> None:
    """Replaces the section of this token, or adds it."""
    text = results.read_text(encoding="utf-8") if results.exists() else f"# {heading}\n"
    begin, end = f"<!-- {token} -->", f"<!-- end of {token} -->"
    section = f"{begin}\n## {title}\n\nMeasured {datetime.now(UTC):%Y-%m-%d}.\n\n{body}\n{end}\n"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}\n", re.DOTALL)
    changed = pattern.sub(lambda _: section, text) if pattern.search(text) else f"{text.rstrip()}\n\n{section}"
    results.write_text(changed, encoding="utf-8")
