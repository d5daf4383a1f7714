"""Regular expressions of strangers, in time that grows with the text and no faster: RE2, as DuckDB brings it.

Python's own `re` backtracks: `(a+)+$` over thirty letters would take minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from analysis.columns import objects
from analysis.rules.rule_types import RuleError


class SafePattern:
    """A checked regular expression. `anywhere` finds it inside of a text, else the whole text has to match."""

    def __init__(self, pattern: str, *, anywhere: bool = False, ignore_case: bool = False) -> None:
        """Raises RuleError with the reason where it is no expression of RE2."""
        self._function = "regexp_matches" if anywhere else "regexp_full_match"
        self._pattern = pattern
        # A dot means any character, a line's end too; $ and ^ are those of the text.
        self._options = "si" if ignore_case else "s"
        # It computes and reads nothing: neither files nor variables of the caller.
        self._engine = duckdb.connect(
            ":memory:",
            config={"threads": 1, "enable_external_access": "false", "python_enable_replacements": "false"},
        )
        try:
            self.matches([""])
        except duckdb.Error as error:
            reason = str(error).split("\n", maxsplit=1)[0].partition("Error: ")[2]
            raise RuleError(f"the pattern is no regular expression of RE2: {reason}") from error

    def matches(self, texts: Sequence[str]) -> list[bool]:
        """Which of them match, in their order."""
        if not texts:
            return []
        values = objects([text.encode("utf-8", "replace").decode() for text in texts])
        self._engine.register("texts", {"value": values})
        try:
            found = self._engine.execute(
                f"SELECT {self._function}(CAST(value AS VARCHAR), ?, ?) AS found FROM texts",  # noqa: S608 - one of two
                [self._pattern, self._options],
            ).fetchnumpy()["found"]
        finally:
            self._engine.unregister("texts")
        return [bool(one) for one in found]

    def close(self) -> None:
        self._engine.close()
