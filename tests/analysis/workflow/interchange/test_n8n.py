"""Workflows of n8n: what has a counterpart becomes it, the rest is a placeholder that keeps the original."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.workflow.checks import check
from analysis.workflow.interchange.n8n import NotN8nError, from_n8n

Json = dict[str, Any]


def node(name: str, kind: str, /, version: float = 1, **fields: Any) -> Json:
    return {
        "id": name.lower(),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [len(name), 20],
        "parameters": {},
        **fields,
    }


def file(*nodes: Json, **connections: list[list[str]]) -> Json:
    """Connections by name: for each output the names of the nodes that it leads to."""
    return {
        "name": "From elsewhere",
        "nodes": list(nodes),
        "connections": {
            name: {"main": [[{"node": to, "type": "main", "index": 0} for to in targets] for targets in outputs]}
            for name, outputs in connections.items()
        },
        "settings": {"executionOrder": "v1"},
    }


REQUEST = node(
    "Fetch",
    "httpRequest",
    4.2,
    parameters={
        "url": "=https://a.example/{{ $json.id }}?${x}",
        "sendHeaders": True,
        "headerParameters": {"parameters": [{"name": "X-A", "value": "1"}]},
        "options": {},
    },
    retryOnFail=True,
    maxTries=4,
    waitBetweenTries=2000,
    onError="continueErrorOutput",
)
LARGE = node(
    "Large",
    "if",
    2.2,
    parameters={
        "conditions": {
            "combinator": "and",
            "conditions": [
                {"leftValue": "={{ $json.count }}", "rightValue": 5, "operator": {"type": "number", "operation": "gt"}},
                {
                    "leftValue": "={{ $('Fetch').item.json.body.name }}",
                    "rightValue": "x",
                    "operator": {"type": "string", "operation": "startsWith"},
                },
            ],
        }
    },
)


def test_common_nodes_become_ours_and_can_be_checked() -> None:
    imported = from_n8n(
        file(
            node("Begin", "scheduleTrigger"),
            REQUEST,
            LARGE,
            node("Rest", "wait", parameters={"amount": 5, "unit": "minutes"}),
            node("Told", "slack", parameters={"text": "hi"}, credentials={"slackApi": {"id": "1", "name": "me"}}),
            node("Odd", "stickyNote", parameters={"content": "read me"}),
            Begin=[["Fetch"]],
            Fetch=[["Large"], ["Told"]],
            Large=[["Rest"], ["Told"]],
        )
    )
    form = imported.form
    assert {key: value["type"] for key, value in form["nodes"].items()} == {
        "begin": "start",
        "fetch": "http_request",
        "large": "condition",
        "rest": "delay",
        "told": "placeholder",
        "join_told": "join",
    }
    assert form["nodes"]["fetch"]["params"] == {
        "url": 'https://a.example/${nodes["begin"].id}?$${x}',
        "method": "GET",
        "headers": {"X-A": "1"},
    }
    assert form["nodes"]["fetch"]["policy"] == {"retry_max": 3, "interval": 2.0, "on_error": "branch"}
    expression = form["nodes"]["large"]["params"]["expression"]
    assert expression == 'nodes["fetch"].body.count > 5.0 && nodes["fetch"].body.body.name.startsWith("x")'
    assert form["nodes"]["rest"]["params"] == {"seconds": 300.0}
    assert sorted(form["edges"]) == [
        "begin:out>fetch:in",
        "fetch:error>join_told:in",
        "fetch:out>large:in",
        "join_told:out>told:in",
        "large:false>join_told:in",
        "large:true>rest:in",
    ]
    assert form["layout"]["nodes"]["fetch"] == {"position": {"x": 5, "y": 20}}
    assert form["layout"]["notes"] == {"note1": {"text": "read me", "position": {"x": 3, "y": 20}}}
    assert [violation.code for violation in check(form) if violation.severity == "error"] == []


def test_a_placeholder_is_switched_off_and_keeps_the_original() -> None:
    original = node("Told", "slack", 2.1, parameters={"text": "={{ $json.a.toUpperCase() }}"}, extra={"kept": True})
    imported = from_n8n(file(node("Begin", "manualTrigger"), original, Begin=[["Told"]]))
    assert imported.placeholders == ("told",)
    told = imported.form["nodes"]["told"]
    assert told["disabled"] is True
    assert told["params"] == {"source": "n8n", "original": original}
    assert check(imported.form) == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"url": "={{ $json.a.toUpperCase() }}"},
        {"url": "={{ $('Nobody').item.json.a }}"},
        {"url": "https://a.example", "authentication": "genericCredentialType"},
        {"url": "https://a.example", "sendQuery": True},
        {"url": "https://a.example", "sendHeaders": True, "headerParameters": {"parameters": [{"name": 5}]}},
        {"url": 5},
        {"url": "https://a.example", "options": {"redirect": {}}},
    ],
)
def test_what_cannot_be_said_here_is_not_guessed(parameters: Json) -> None:
    imported = from_n8n(file(node("A", "manualTrigger"), node("B", "httpRequest", parameters=parameters), A=[["B"]]))
    assert imported.placeholders == ("b",)


@pytest.mark.parametrize(
    ("operation", "left", "options", "expression"),
    [
        ("exists", "={{ $json.a }}", {}, 'has(nodes["a"].a)'),
        ("notExists", "={{ $json.a.b }}", {"version": 2}, '!has(nodes["a"].a.b)'),
        ("exists", "={{ $json }}", {}, None),
        ("equals", "={{ $json.a }}", {}, 'nodes["a"].a == "x"'),
        ("equals", "={{ $json.a }}", {"caseSensitive": False}, None),
        ("regex", "={{ $json.a }}", {}, None),
        ("equals", "={{ $json.a + 1 }}", {}, None),
    ],
)
def test_conditions_are_what_they_were_or_placeholders(
    operation: str, left: str, options: Json, expression: str | None
) -> None:
    entry = {"leftValue": left, "rightValue": "x", "operator": {"type": "string", "operation": operation}}
    parameters = {"conditions": {"options": options, "conditions": [entry], "combinator": "and"}}
    imported = from_n8n(file(node("A", "webhook"), node("B", "if", 2.2, parameters=parameters), A=[["B"]]))
    assert imported.form["nodes"]["b"]["params"].get("expression") == expression
    assert (imported.placeholders == ()) is (expression is not None)


@pytest.mark.parametrize(
    ("version", "parameters", "seconds"), [(1, {"amount": 2}, 7200.0), (1.1, {"amount": "2"}, 2.0), (1.1, {}, 1.0)]
)
def test_a_wait_without_a_unit_is_as_long_as_there(version: float, parameters: Json, seconds: float) -> None:
    form = from_n8n(file(node("B", "wait", version, parameters=parameters))).form
    assert form["nodes"]["b"]["params"] == {"seconds": seconds}


@pytest.mark.parametrize(("version", "outputs"), [(3, [["After"], ["Each"]]), (1, [["Each"], ["After"]])])
def test_loops_are_closed_by_next(version: float, outputs: list[list[str]]) -> None:
    fields = {"assignments": {"assignments": [{"name": "a", "value": '={{ $node["Loop"].json.b }}', "type": "string"}]}}
    form = from_n8n(
        file(
            node("Begin", "manualTrigger"),
            node("Loop", "splitInBatches", version),
            node("Each", "set", 3.4, parameters=fields),
            node("After", "noOp"),
            Each=[["Loop"]],
            Begin=[["Loop"]],
            Loop=outputs,
        )
    ).form
    assert sorted(form["edges"]) == [
        "begin:out>loop:in",
        "each:out>loop:next",
        "loop:done>after:in",
        "loop:item>each:in",
    ]
    assert form["nodes"]["loop"]["params"] == {"items": 'nodes["begin"]'}
    assert form["nodes"]["each"]["params"] == {"expression": '{"a": item.b}'}
    assert [violation.code for violation in check(form) if violation.severity == "error"] == []


def test_ids_that_expressions_cannot_name_are_replaced_and_a_second_trigger_is_kept_aside() -> None:
    imported = from_n8n(
        file(
            {**node("A", "manualTrigger"), "id": "a:b"},
            {**node("B", "cron"), "id": "same"},
            {**node("C", "noOp"), "id": "same"},
            {**node("D", "noOp"), "id": "node1"},
            A=[["C"]],
            B=[["C", "Gone"]],
            Gone=[["A"]],
        )
    )
    assert list(imported.form["nodes"]) == ["node1", "same", "node3", "node4"]
    assert imported.placeholders == ("same",)


@pytest.mark.parametrize(
    "document",
    [
        5,
        {},
        {"nodes": 5},
        {"nodes": [{"name": "a"}]},
        {"nodes": [{"name": "", "type": "x"}]},
        {"nodes": [], "connections": {"a": {"main": 5}}},
        {"nodes": [{"name": "a", "type": "x"}] * 2001},
    ],
)
def test_what_is_no_workflow_of_n8n_is_refused(document: Any) -> None:
    with pytest.raises(NotN8nError, match="no workflow of n8n"):
        from_n8n(document)


def test_what_is_plain_text_there_is_plain_text_here() -> None:
    form = from_n8n(file(node("B", "httpRequest", parameters={"url": "https://a.example/${x}/{{ $json.a }}"}))).form
    assert form["nodes"]["b"]["params"]["url"] == "https://a.example/$${x}/{{ $json.a }}"
