"""docs/threat-detection.md: each detection has its row, and the row names a test that exists."""

import ast
import re
from pathlib import Path

from analysis.detections.engine import RULES

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| (?P<id>TD-\d\d) \| [^|]+ \| [^|]+ \| [^|]+ \| `(?P<test>\w+)` \|$")
LINES = (TESTS.parent / "docs" / "threat-detection.md").read_text().splitlines()
FILE = TESTS / "analysis" / "detections" / "test_each_detection.py"


def test_every_detection_has_a_row_and_every_row_a_test_of_its_own() -> None:
    rows = [line for line in LINES if line.startswith("| TD-")]
    found = [match for match in map(ROW.match, rows) if match]
    assert len(found) == len(rows)
    assert [each["id"] for each in found] == [rule.id for rule in RULES]
    tests = {node.name for node in ast.walk(ast.parse(FILE.read_text())) if isinstance(node, ast.FunctionDef)}
    for each in found:
        assert each["test"] in tests
        assert each["test"].startswith(f"test_{each['id'].lower().replace('-', '_')}_")
