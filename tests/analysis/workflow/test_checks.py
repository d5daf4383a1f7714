"""What is said of a workflow: each fault by its code and place, and nothing of one that is right."""

from __future__ import annotations

import pytest

from analysis.workflow.checks import check
from analysis.workflow.references import References, references_in
from tests.analysis.workflow.forms import Json, form, node

END = node("end")
STEP = node("transform", expression="1")
ASKED = node("approval", title="May it?", approvers=["ann", "ben"])
CHOICE = node("switch", cases={"big": {"when": "inputs.n > 3"}})
LOOP = node("loop", items="[1, 2]")
N = {"n": {"type": "integer"}}


def found(diagram: Json, references: References | None = None) -> list[tuple[str, str]]:
    """All but that some nodes are not run yet."""
    violations = check(diagram, references=references)
    return [(violation.code, violation.path) for violation in violations if violation.code != "node.not_run"]


def alone(value: Json) -> Json:
    """A node between a start and an end."""
    return form("s>x x>e", x=value, e=END)


def test_nothing_is_wrong_with_a_good_workflow() -> None:
    good = form(
        "s>q q>c c:big>l c:default>e l:item>t t>l:next l:done>a a:approved>n a:rejected>e n>e a:error>w w>e",
        inputs=N,
        q=node("sql_query", source_id=7, query="select * from t where n > :n", parameters={"n": "${inputs.n}"}),
        c=CHOICE,
        l=node("loop", items="nodes.q.rows"),
        t=node("transform", expression="{'row': item, 'at': index, 'of': nodes.q.rows.size()}"),
        a=node("approval", policy={"on_error": "branch"}, title="Found ${size(nodes.l.items)}", approvers=["ann"]),
        n=node("notify", title="Agreed by ${nodes.a.people[0]}", users=["ben"]),
        w=node("notify", title="Failed: ${nodes.a.error}", integration_id=3),
        e=END,
    )
    assert found(good) == []
    names = {("source", "7"), ("user", "ann"), ("user", "ben"), ("integration", "3")}
    assert references_in(good) == names
    assert found(good, References(dict.fromkeys(names, "found"))) == []


def test_whoever_draws_a_node_that_is_not_run_is_warned() -> None:
    [warning] = check(alone(node("set_content", document_id="d", value=1)))
    assert (warning.code, warning.severity, warning.path) == ("node.not_run", "warning", "/nodes/x/type")


@pytest.mark.parametrize(
    ("diagram", "expected"),
    [
        (alone(node("robot")), ("node.type_unknown", "/nodes/x/type")),
        (alone({**STEP, "type_version": 9}), ("node.version_unknown", "/nodes/x/type_version")),
        (alone(node("transform")), ("parameter.missing", "/nodes/x/params/expression")),
        (alone(node("delay", seconds="soon")), ("parameter.invalid", "/nodes/x/params/seconds")),
        (alone(node("delay", seconds=-1)), ("parameter.invalid", "/nodes/x/params/seconds")),
        (alone(node("delay", seconds=1, hours=2)), ("parameter.unknown", "/nodes/x/params/hours")),
        (alone(node("delay", policy={"retry_max": -1}, seconds=1)), ("policy.invalid", "/nodes/x/policy/retry_max")),
        (alone(node("transform", expression="1 +")), ("expression.invalid", "/nodes/x/params/expression")),
        (alone(node("transform", expression="1 + 'a'")), ("expression.invalid", "/nodes/x/params/expression")),
        (alone(node("transform", expression="inputs.z")), ("expression.invalid", "/nodes/x/params/expression")),
        (alone(node("transform", expression="nodes.z.a")), ("expression.unknown_node", "/nodes/x/params/expression")),
        (alone(node("transform", expression="nodes.x.a")), ("expression.not_upstream", "/nodes/x/params/expression")),
        (alone(node("transform", expression="nodes.e.a")), ("expression.not_upstream", "/nodes/x/params/expression")),
        (alone(node("transform", expression="item.a")), ("expression.no_item", "/nodes/x/params/expression")),
        (alone(node("transform", expression="event.a")), ("expression.no_event", "/nodes/x/params/expression")),
        (alone(node("notify", users=["ann"], title="${1 + }")), ("expression.invalid", "/nodes/x/params/title")),
        (alone(node("notify", users=["ann"], title="${1")), ("expression.invalid", "/nodes/x/params/title")),
        (alone(node("notify", title="Hello")), ("notify.nobody", "/nodes/x/params")),
        (alone(node("sql_query", source_id=1, query="select ${1}")), ("sql.interpolated", "/nodes/x/params/query")),
        (alone(node("http_request", url="https://a.example")), ("http.no_timeout", "/nodes/x/policy")),
        (
            alone(node("create_alert", policy={"retry_max": 2}, title="A")),
            ("retry.not_idempotent", "/nodes/x/policy/retry_max"),
        ),
        (
            alone(node("http_request", policy={"retry_max": 2, "timeout": 9}, url="https://a.example", method="POST")),
            ("retry.not_idempotent", "/nodes/x/policy/retry_max"),
        ),
        (alone(node("placeholder", source="n8n", original={})), ("node.placeholder", "/nodes/x")),
        (alone({**STEP, "params": {"expression": "'" + "x" * 300_000 + "'"}}), ("node.too_large", "/nodes/x")),
        (form("s>x x>z", x=STEP), ("edge.dangling", "/edges/x:out>z:in")),
        (form("s>x x:maybe>e x>e", x=STEP, e=END), ("edge.port_unknown", "/edges/x:maybe>e:in/source_port")),
        (form("s>x x>e:side", x=STEP, e=END), ("edge.port_unknown", "/edges/x:out>e:side/target_port")),
        (form("s>a s>b a>x b>x x>e", a=STEP, b=STEP, x=STEP, e=END), ("node.several_edges", "/nodes/x")),
        (form("x>e", x=STEP, e=END), ("node.unreachable", "/nodes/x")),
        (form("s>x", x=STEP), ("output.unused", "/nodes/x/out")),
        (form("s>t t>e", t=node("start"), e=END), ("graph.several_starts", "/nodes/t")),
        (form("s>c c:big>e", inputs=N, c=CHOICE, e=END), ("branch.no_default", "/nodes/c")),
        (alone(node("condition", expression="3")), ("expression.invalid", "/nodes/x/params/expression")),
        (alone(node("switch", cases={"a": {"when": "'x'"}})), ("expression.invalid", "/nodes/x/params/cases/a/when")),
        (alone(node("loop", items="'x'")), ("expression.invalid", "/nodes/x/params/items")),
        (form("s>j a>j j>a", j=node("join"), a=STEP), ("graph.cycle", "/nodes/a")),
        (form("s>l l:item>a a>l l:done>e", l=LOOP, a=STEP, e=END), ("graph.cycle", "/nodes/a")),
        (
            form("s>j j>a l:item>j l:done>e s>l", l=LOOP, j=node("join"), a=STEP, e=END),
            ("loop.entered", "/edges/s:out>j:in"),
        ),
        (form("s>l l:item>e", l=LOOP, e=END), ("loop.end_inside", "/nodes/e")),
        (form("s>a a>l:next s>l l:item>b", l=LOOP, a=STEP, b=STEP), ("loop.next_from_outside", "/edges/a:out>l:next")),
        (alone(node("approval", title="?")), ("approval.no_approvers", "/nodes/x/params/approvers")),
        (
            alone(node("approval", title="?", approvers=["ann"], required=2)),
            ("approval.too_few", "/nodes/x/params/required"),
        ),
        (form(inputs={"bad name": {}}), ("settings.invalid", "/meta/settings")),
        ({"nodes": {"x": STEP}}, ("graph.no_start", "/nodes")),
    ],
)
def test_each_fault_is_found_at_its_place(diagram: Json, expected: tuple[str, str]) -> None:
    assert expected in found(diagram)
