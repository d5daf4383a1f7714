"""Numbers of CVSS vectors. A vector is kept as it was published; its number is computed whenever it is shown."""

from __future__ import annotations

from collections.abc import Sequence

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from analysis.advisories.records import Severity

_READERS = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
# The bands of CVSS 3.1 and 4.0: from this score on.
_BANDS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"), (0.0, "info"))


def base_score(severity: Severity) -> float:
    """0.0 to 10.0. Raises ValueError for a vector that is none."""
    try:
        return float(_READERS[severity.type](severity.score).base_score)
    except CVSSError as error:
        raise ValueError(f"{severity.score!r} is no vector of {severity.type}: {error}") from None


def newest(severities: Sequence[Severity]) -> Severity | None:
    """The one of the newest version of CVSS, as that is the one which its authors would go by."""
    return max(severities, key=lambda severity: severity.type, default=None)


def band(score: float) -> str:
    """critical, high, medium, low or info."""
    return next(word for least, word in _BANDS if score >= least)
