"""A server starts without what only readers need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = ("scipy", "sklearn", "sqlglot", "analysis.insights.registry", "analysis.associations.matrix")


def test_the_catalogue_loads_no_analysis() -> None:
    program = f"import sys, handlers.catalogue; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
