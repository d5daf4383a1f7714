"""What people enter is told from what is meant to change a statement."""

from __future__ import annotations

import time

import pytest

from analysis.detections.injection import is_injection


@pytest.mark.parametrize(
    "entered",
    [
        "1' OR '1'='1", "1 OR 1=1", "' OR 1=1--", "admin'--", "admin' #", "1; DROP TABLE users", "') OR ('1'='1",
        "1' UNION SELECT NULL,NULL--", "1 UNION ALL SELECT 1,2,3", "' AND SLEEP(5)--", "1/**/OR/**/1=1",
        "1 AND (SELECT 1 FROM pg_sleep(5))", "'; EXEC xp_cmdshell('dir')--", "1 HAVING 1=1", "' or 'a' like 'a",
        "1' AND extractvalue(1,concat(0x7e,version()))--", '" OR ""="', "1' ORDER BY 3--", "1'||pg_sleep(5)--",
        "x' AND 1=(SELECT COUNT(*) FROM t)--",
    ],
)  # fmt: skip
def test_attempts(entered: str) -> None:
    assert is_injection(entered)


@pytest.mark.parametrize(
    "entered",
    [
        "O'Brien", "rock 'n' roll", "Tom & Jerry's", "select a color", "5 or 6 items", 'he said "hi" -- then left',
        "it's 10% off; order by phone", "AT&T; union station", "name = 'x'", "don't drop; update later", "l'été",
        "C# or F#", "where are you from?", "a and b", "1--2", '"quoted"', "order by friday #1", "I or you = us",
        "union members select leaders", "mother's day; father's day", "x; y; z", "What's this? -- Bob", "",
    ],
)  # fmt: skip
def test_ordinary_texts(entered: str) -> None:
    assert not is_injection(entered)


@pytest.mark.parametrize("before", ["", "a" * 900, "it''s " * 150, " " * 900])
@pytest.mark.parametrize("between", [" ", " " * 400, "/* " + "b" * 400 + " */", "\n" * 400])
def test_attempts_in_long_texts(before: str, between: str) -> None:
    assert is_injection(f"{before}x'{between}OR{between}1=1 -- ")
    assert is_injection(f"{before}x'){between}UNION{between}SELECT name FROM users -- {before}")
    assert is_injection(f"{before[:600]}x' AND {'a + ' * 90}1 = 2 OR 1=1 -- {before}")


@pytest.mark.parametrize("repeated", ["(", "1=1 or ", "case when 1 then ", "union select 1 ", "w ", "- "])
def test_no_text_takes_long(repeated: str) -> None:
    """Strangers write these texts, and many of them."""
    text = f"1 ' or 1=1 \" {repeated * 2_000}"[:2_000]
    began = time.process_time()
    for each in range(20):
        is_injection(f"{text}{each}"[-2_000:])
    assert time.process_time() - began < 20 * 0.012
