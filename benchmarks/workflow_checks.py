"""What checking a workflow costs while people edit it, and what its expressions and exports do.

`python -m benchmarks.workflow_checks` measures and prints; `--keep` keeps its section in benchmarks/WORKFLOWS.md.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.workflow.checks import Checker, check
from analysis.workflow.expressions import Expression, evaluate
from analysis.workflow.interchange.bpmn import to_bpmn
from benchmarks.metric_report import keep_section

SEED = 7
CHANGES = 300
RESULTS = Path(__file__).parent / "WORKFLOWS.md"

Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the section in benchmarks/WORKFLOWS.md")
    keep = parser.parse_args().keep
    body = "\n".join([*_head(), *_checks(), "", *_expressions()])
    print(body)
    if keep:
        keep_section("workflow-checks", "Checking workflows", body, results=RESULTS, heading="Workflows, measured")
    return 0


def _head() -> list[str]:
    return [
        f"CPU milliseconds of one process (Python {platform.python_version()}, {os.cpu_count()} shared cores). A "
        "tenth of the nodes are switches, a tenth loops, the rest compute something of nodes before them; "
        f"{CHANGES} changes at random: an expression, an edge drawn or removed, a node removed or put back. "
        "`python -m benchmarks.workflow_checks` makes it.",
        "",
    ]


def _checks() -> list[str]:
    lines = [
        "| nodes | edges | checked, nothing compiled | a change: median | p95 | worst | anew again | as BPMN |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for nodes in (100, 1000, 1990):
        form = diagram(nodes)
        first, checker = timed(functools.partial(_opened, form))
        took = sorted(_edited(checker, form))
        again, _ = timed(functools.partial(check, form))
        exported, _ = timed(functools.partial(to_bpmn, form))
        p95 = took[int(len(took) * 0.95)]
        figures = [first, statistics.median(took), p95, took[-1], again, exported]
        lines.append(f"| {nodes} | {len(form['edges'])} | " + " | ".join(f"{each:.1f}" for each in figures) + " |")
    return lines


def _opened(form: Json) -> Checker:
    checker = Checker(form)
    wrong = [violation for violation in checker.violations() if violation.severity == "error"]
    if wrong:
        raise AssertionError(f"the diagram is to be right: {wrong[0]}")
    return checker


def _edited(checker: Checker, form: Json) -> list[float]:
    """How long each of the changes took, and that they came to what a new check says."""
    chance = random.Random(SEED)
    now = {"settings": form["settings"], "nodes": dict(form["nodes"]), "edges": dict(form["edges"])}
    took = []
    for number in range(CHANGES):
        change = _change(chance, number, form, now)
        took.append(timed(functools.partial(_edit, checker, change))[0])
        for root, values in change.items():
            for key, value in values.items():
                now[root].pop(key, None)
                if value is not None:
                    now[root][key] = value
    if checker.violations() != check(now):
        raise AssertionError("the checker says something else than a new one")
    return took


def _edit(checker: Checker, change: Json) -> None:
    checker.change(**change)
    checker.violations()


def _change(chance: random.Random, number: int, form: Json, now: Json) -> Json:
    node = chance.choice([name for name in form["nodes"] if name.startswith("t")])
    match number % 4:
        case 0:
            return {"nodes": {node: _transform(f"inputs.n + {number}")}}
        case 1:
            other = chance.choice(list(form["nodes"]))
            return {"edges": dict([_edge(node, "out", other)])}
        case 2:
            return {"edges": {chance.choice(list(now["edges"])): None}}
        case _:
            return {"nodes": {node: form["nodes"][node] if node not in now["nodes"] else None}}


def _expressions() -> list[str]:
    source = "nodes.a.rows.filter(r, r.n > inputs.n && r.name.startsWith('x')).size() > 2"
    rows = [{"n": at, "name": f"x{at}"} for at in range(100)]
    values = {"inputs": {"n": 3}, "nodes": {"a": {"rows": rows}}}
    compiled = _each(200, lambda: Expression(source, {"n": "integer"}, "boolean"))
    computed = _each(200, lambda: evaluate(source, values))
    short = _each(2000, lambda: evaluate("inputs.n > 3", values))
    return [
        f"An expression is compiled in {compiled:.3f} ms; computed over 100 rows in {computed:.2f} ms, a plain "
        f"comparison in {short:.3f} ms.",
    ]


def _each(times: int, work: Callable[[], Any]) -> float:
    return timed(lambda: [work() for _ in range(times)])[0] / times


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of processor time, and the answer."""
    start = time.process_time()
    answer = work()
    return (time.process_time() - start) * 1000, answer


def diagram(count: int) -> Json:
    """A workflow of about so many nodes that has no errors."""
    nodes: Json = {"s": {"type": "start", "params": {}}}
    edges: list[tuple[str, Json]] = []
    last = ("s", "out")
    for at in range(count // 10):
        switch, loop, join, end = f"c{at}", f"l{at}", f"j{at}", f"b{at}"
        steps = [f"t{at}_{step}" for step in range(6)]
        nodes[switch] = {"type": "switch", "params": {"cases": {"a": {"when": f"inputs.n > {at}"}}}}
        nodes[loop] = {"type": "loop", "params": {"items": "[1, 2, 3]"}}
        nodes[join] = {"type": "join", "params": {"mode": "any"}}
        nodes[end] = _transform(f"item + {at}")
        for step, name in enumerate(steps):
            nodes[name] = _transform(f"nodes.{last[0]}.x + {step}" if at else f"inputs.n + {step}")
        edges += [_edge(*last, switch), _edge(switch, "a", steps[0]), _edge(switch, "default", join)]
        edges += [_edge(one, "out", other) for one, other in itertools.pairwise(steps)]
        edges += [_edge(steps[-1], "out", join), _edge(join, "out", loop), _edge(loop, "item", end)]
        edges.append(_edge(end, "out", loop, "next"))
        last = (loop, "done")
    nodes["e"] = {"type": "end", "params": {}}
    edges.append(_edge(*last, "e"))
    return {"settings": {"inputs": {"n": {"type": "integer"}}}, "nodes": nodes, "edges": dict(edges)}


def _transform(expression: str) -> Json:
    return {"type": "transform", "params": {"expression": expression}}


def _edge(source: str, source_port: str, target: str, target_port: str = "in") -> tuple[str, Json]:
    value = {"source": source, "source_port": source_port, "target": target, "target_port": target_port}
    return f"{source}:{source_port}>{target}:{target_port}", value


if __name__ == "__main__":
    raise SystemExit(main())
