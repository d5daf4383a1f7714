"""What a source says of an error, without what it quotes from the rows."""

from __future__ import annotations

import re

# From the first quote to the last one of its kind, for values may hold quotes; a text that was cut ends in the middle.
_QUOTED = re.compile(r"(?<!\w)([\"'`])(?:.*\1|.*\Z)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\w.,:+-]*")


def without_values(text: str) -> str:
    """The text with an ellipsis for whatever stands in quotes and for every number: rows may have brought it, and
    who reads errors may not be one who may read rows. Unquoted words stay."""
    return _NUMBER.sub("…", _QUOTED.sub('"…"', text))
