"""What a workflow names outside of itself: looked up, allowed, and never calling back."""

from __future__ import annotations

from analysis.workflow.checks import check
from analysis.workflow.references import References, Standing, references_in
from tests.analysis.workflow.forms import Json, form, node

END = node("end")


def found(diagram: Json, references: References) -> list[tuple[str, str]]:
    """All but that some nodes are not run yet."""
    violations = check(diagram, references=references)
    return [(violation.code, violation.path) for violation in violations if violation.code != "node.not_run"]


def calling(callee: str) -> Json:
    return form("s>x x>e", x=node("sub_workflow", workflow_id=callee), e=END)


def test_ids_and_secrets_are_found_wherever_they_stand_and_what_comes_from_the_run_is_not() -> None:
    diagram = form(
        a=node("http_request", url="https://a.example", headers={"X": {"secret": "key"}}, body=[{"secret": "deep"}]),
        b=node("sql_query", source_id="${inputs.source}", query="select 1"),
        c=node("set_content", document_id="doc", value={"secret": "kept", "other": 1}),
        d=node("operation", operation="runScan", parameters={"source_id": 5}),
        e={**node("create_alert", title="A", source_id=9), "disabled": True},
    )
    assert references_in(diagram) == {
        ("secret", "key"),
        ("secret", "deep"),
        ("document", "doc"),
        ("operation", "runScan"),
        ("source", "9"),
    }


def test_what_is_missing_or_not_allowed_is_said_at_its_place() -> None:
    request = node("http_request", policy={"timeout": 5}, url="https://a.example", headers={"X": {"secret": "key"}})
    diagram = form("s>h h>q q>e", h=request, q=node("sql_query", source_id=7, query="select 1"), e=END)
    standings: dict[tuple[str, str], Standing] = {("secret", "key"): "forbidden"}
    assert found(diagram, References(standings)) == [
        ("reference.forbidden", "/nodes/h/params/headers/X"),
        ("reference.missing", "/nodes/q/params/source_id"),
    ]
    assert {violation.code for violation in check(diagram)} == {"node.not_run"}


def test_what_is_switched_off_is_not_looked_up() -> None:
    off = {**node("sql_query", source_id=7, query="select 1"), "disabled": True}
    assert found(form("s>q q>e", q=off, e=END), References()) == []


def test_a_workflow_that_would_call_itself_is_refused() -> None:
    standings: dict[tuple[str, str], Standing] = {("workflow", "w"): "found", ("workflow", "b"): "found"}
    recursion = [("workflow.recursion", "/nodes/x/params/workflow_id")]
    assert found(calling("w"), References(standings, workflow="w")) == recursion
    calls = {"b": frozenset({"c"}), "c": frozenset({"d", "w"})}
    assert found(calling("b"), References(standings, calls, workflow="w")) == recursion
    assert found(calling("b"), References(standings, calls, workflow="v")) == []


def test_calls_go_five_deep_and_others_that_never_end_are_too_deep() -> None:
    standings: dict[tuple[str, str], Standing] = {("workflow", "c0"): "found"}
    chain = {f"c{at}": frozenset({f"c{at + 1}"}) for at in range(4)}
    assert found(calling("c0"), References(standings, chain, workflow="w")) == []
    longer = {**chain, "c4": frozenset({"c5"})}
    too_deep = [("workflow.too_deep", "/nodes/x/params/workflow_id")]
    assert found(calling("c0"), References(standings, longer, workflow="w")) == too_deep
    circle = {"c0": frozenset({"c1"}), "c1": frozenset({"c0"})}
    assert found(calling("c0"), References(standings, circle, workflow="w")) == too_deep


def test_only_operations_that_may_be_done_twice_are_tried_again_without_a_word() -> None:
    again = node("operation", policy={"retry_max": 3}, operation="getSource")
    diagram = form("s>o o>e", o=again, e=END)
    standings: dict[tuple[str, str], Standing] = {("operation", "getSource"): "found"}
    assert found(diagram, References(standings)) == [("retry.not_idempotent", "/nodes/o/policy/retry_max")]
    assert found(diagram, References(standings, safe_operations=frozenset({"getSource"}))) == []


def test_a_schedule_that_is_faster_than_a_run() -> None:
    diagram = form("s>e", e=END)
    assert found(diagram, References(busy_seconds=90, every_seconds=60)) == [
        ("schedule.too_frequent", "/meta/settings")
    ]
    assert found(diagram, References(busy_seconds=50, every_seconds=60)) == []
