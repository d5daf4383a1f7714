"""Statements that strangers wrote: read as databases read them, in a time that grows with their length alone."""

from __future__ import annotations

import time

import pytest

from analysis.detections.sql import is_dangerous, kind_of, object_of, shape_of, target_of, without_secrets
from analysis.detections.sql_text import parts_of, plain

LENGTH = 30_000
# It takes a few milliseconds; where each beginning was looked at to the end of the text, over a second.
MOST_SECONDS = 0.2


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("SELECT  1 -- one\n, 2", "SELECT 1 , 2"),
        ("DR/* a */OP /*!50000 TABLE */ t", "DR OP TABLE t"),
        ("SELECT '--', \"/*\", $a$ -- $a$ -- end", "SELECT '--', \"/*\", $a$ -- $a$"),
        ("SELECT 'it''s -- one' /* two */", "SELECT 'it''s -- one'"),
        ("SELECT 1 /* never; ended", "SELECT 1 /* never; ended"),
        ("SELECT 'never -- ended", "SELECT 'never"),
    ],
)
def test_comments_go_and_what_is_quoted_stays(statement: str, text: str) -> None:
    assert plain(statement) == text


def test_semicolons_part_statements_where_they_are_not_quoted() -> None:
    assert parts_of("a ';' ; b \";\";$x$;$x$ c;; 'd;e") == ["a ';'", 'b ";"', "$x$;$x$ c", "'d", "e"]
    assert kind_of("SELECT ';'; DROP TABLE t") == "sensitive_delete"
    assert kind_of("SELECT '; DROP TABLE t'") == "sql_statement"


def test_programs_are_run_by_copy_alone() -> None:
    assert is_dangerous("COPY t FROM PROGRAM 'id'")
    assert is_dangerous("COPY (SELECT a, b FROM t) TO PROGRAM 'id'")
    assert is_dangerous("LOAD DATA LOW_PRIORITY LOCAL INFILE 'a' INTO TABLE t")
    assert not is_dangerous("SELECT a FROM program")


@pytest.mark.parametrize(
    "repeated",
    [
        "/*;",
        "--\n/*;",
        "$a$;/*",
        "' /*;",
        "\"';/*",
        "load data ",
        "copy ",
        "to program ",
        "copy to program1 ",
        "password '",
    ],
)
def test_no_text_takes_long(repeated: str) -> None:
    text = (repeated * LENGTH)[:LENGTH]
    numbered = "-- \n" + "".join(f"${each}$ ;" for each in range(LENGTH))[:LENGTH]
    for statement in (text, numbered):
        for look in (plain, without_secrets, shape_of, kind_of, is_dangerous, target_of, object_of):
            began = time.process_time()
            look(statement)
            assert time.process_time() - began < MOST_SECONDS, look
