"""The sync and awareness messages that both Yjs dialects share, without any dialect's framing.

``sync`` is type 0 with a sub-type: 0 step 1 (a state vector), 1 step 2 (the update that answers it), 2 update.
"""

from crdt.lib0 import write_var_bytes

SYNC, AWARENESS, AUTH, QUERY_AWARENESS = 0, 1, 2, 3
STEP_1, STEP_2, UPDATE = 0, 1, 2

EMPTY_UPDATE = b"\x00\x00"
EMPTY_STATE_VECTOR = b"\x00"


def step_1(state_vector: bytes) -> bytes:
    return b"\x00\x00" + write_var_bytes(state_vector)


def step_2(update: bytes) -> bytes:
    return b"\x00\x01" + write_var_bytes(update)


def update_message(update: bytes) -> bytes:
    return b"\x00\x02" + write_var_bytes(update)


def awareness_message(update: bytes) -> bytes:
    return b"\x01" + write_var_bytes(update)
