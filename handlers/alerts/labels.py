"""What matchers look at: an alert's labels, and what else it is known by."""

from __future__ import annotations

import hashlib

import msgspec

from analysis.alerting.matching import check_matchers
from analysis.alerting.specs import Matcher, Matchers, SpecError
from handlers.registry import InvalidRequest
from storage.alerts import Alert


def labels_of(alert: Alert) -> dict[str, str]:
    """Its labels, and `alertname`, `severity`, `source` (the number of the data source) and `domain`."""
    source = "" if alert.source_id is None else str(alert.source_id)
    own = {"alertname": alert.name, "severity": alert.severity, "source": source, "domain": alert.domain}
    return {**alert.labels, **own}


def read_matchers(text: str) -> tuple[Matcher, ...]:
    """Matchers as they are stored."""
    return msgspec.json.decode(text, type=Matchers)


def written(value: object) -> str:
    return msgspec.json.encode(value).decode()


def check(parameter: str, matchers: Matchers) -> None:
    """Raises InvalidRequest for a pattern that is none."""
    try:
        check_matchers(matchers)
    except SpecError as error:
        raise InvalidRequest(f"{parameter}: {error}.", code="bad_pattern", details={"parameter": parameter}) from None


def key_of(labels: dict[str, str]) -> str:
    """A digest of labels."""
    return hashlib.sha256(msgspec.json.encode(sorted(labels.items()))).hexdigest()[:32]
