"""What the designer says is run is what runs know how to do."""

from analysis.workflow.node_types import NODE_TYPES
from handlers.workflow_runs.action_nodes import actions
from handlers.workflow_runs.flow_nodes import FLOW_NODES
from handlers.workflow_runs.waiting_nodes import WAITING_NODES


def test_the_types_that_are_run_are_those_that_are_said_to_be() -> None:
    known = {*FLOW_NODES, *WAITING_NODES, *actions(lambda: ())}
    assert known == {name for name, node_type in NODE_TYPES.items() if node_type.is_run}
