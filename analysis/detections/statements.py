"""Detections on SQL: TD-16 and TD-17."""

from __future__ import annotations

from analysis.detections.events import DAY, MINUTE, Event
from analysis.detections.hits import Ground, Hit, Rule, Severity, alone, behind
from analysis.detections.sql import is_dangerous, reads_catalog, shape_of

# Errors of syntax and of unknown names: SQLSTATE, and MySQL's numbers.
_SYNTAX_ERRORS = frozenset({"42601", "42703", "42P01", "42883", "22P02", "42803", "21000", "1064", "1054", "1222"})
_HIT, _ERROR = "looks like an injection", "syntax error"


def injection(event: Event, on: Ground) -> Hit | None:
    is_hit = bool(event.input) and _is_injection(event.input)
    is_error = event.kind == "sql_error" and event.error in _SYNTAX_ERRORS
    entity = event.actor or event.address
    if not (is_hit or is_error):
        return None
    window = on.state.window("TD-16", entity)
    if is_hit:
        window.add(event, _HIT, 10 * MINUTE)
    if is_error:
        window.add(event, _ERROR, 10 * MINUTE)
    hits, errors = window.values.get(_HIT, 0), window.values.get(_ERROR, 0)
    threshold = on.lookup.settings.injections
    if not (hits and errors) and hits < threshold:
        return None
    text = f"{hits} inputs of {entity or 'somebody'} within 10 minutes look like SQL injection"
    text += f", and {errors} statements of the same had errors of syntax." if errors else "."
    return Hit(entity, "high", text, hits, 1 if errors else threshold, behind(window.entries))


def new_shape(event: Event, on: Ground) -> Hit | None:
    if is_dangerous(event.statement):
        text = f"{event.actor or 'Somebody'} ran a statement that reaches files or programs of the database server."
        return Hit(event.actor, "high", text, 1, 1, alone(event, event.statement[:200]))
    if not (event.is_service or event.actor in on.lookup.service_accounts) or not event.statement:
        return None
    seen = on.state.seen.setdefault("TD-17", {})
    key = f"{event.actor}\n{shape_of(event.statement)}"
    is_known = key in seen
    if not on.frozen:
        seen[key] = event.at
    if is_known or event.at - on.state.started_at < on.lookup.settings.learning_days * DAY:
        return None
    severity: Severity = "medium" if reads_catalog(event.statement) else "low"
    text = f"The service account {event.actor} ran a statement of a shape that it never ran before."
    return Hit(event.actor, severity, text, 1, 1, alone(event, event.statement[:200]))


RULES = (
    Rule(
        "TD-16",
        "SQL injection",
        "high",
        "initial access",
        frozenset({"sql_error", "input_validation_fail", "sensitive_read", "sql_statement"}),
        injection,
    ),
    Rule(
        "TD-17",
        "A new shape of statement",
        "low",
        "execution",
        frozenset({"sql_statement", "sensitive_read", "privilege_permissions_changed", "sensitive_delete"}),
        new_shape,
        learns_days=14,
    ),
)


def _is_injection(entered: str) -> bool:
    from analysis.detections.injection import is_injection  # noqa: PLC0415 - the parser is loaded when events come

    return is_injection(entered)
