"""docs/security.md: each requirement of its table names a test that exists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = re.compile(r"^\| (?P<requirements>[\d., ]+) \| (?P<what>[^|]+) \| `(?P<file>[^`:]+)::(?P<test>\w+)` \|$")
SECTION = "## OWASP ASVS"
TEXT = (TESTS.parent / "docs" / "security.md").read_text()
TABLE = [line for line in TEXT.partition(SECTION)[2].splitlines() if line.startswith("| ") and line[2].isdigit()]


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}


def test_every_requirement_names_a_test_that_exists() -> None:
    assert len(TABLE) > 40
    missing = []
    for line in TABLE:
        match = ROWS.match(line)
        assert match, f"not of the form that the table has: {line}"
        file = TESTS / match["file"]
        if not file.is_file() or match["test"] not in names_in(file):
            missing.append(f"{match['requirements']}: {match['file']}::{match['test']}")
    assert missing == []


def test_requirements_are_numbered_as_the_standard_does_and_in_its_order() -> None:
    first = [line.split("|")[1].split(",")[0].strip() for line in TABLE]
    assert all(re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{1,2}", number) for number in first)
    keys = [tuple(map(int, number.split("."))) for number in first]
    assert keys == sorted(keys)
