"""Pauses between attempts, and which closes are final."""

import pytest
from collab_studio.errors import ConnectionEnded, NotAllowed, NotAuthenticated
from collab_studio.reconnection import LONGEST, SHORTEST, Backoff, ending_of_close, ending_of_handshake
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response


def test_pauses_double_up_to_the_longest_and_start_over() -> None:
    backoff = Backoff(rand=lambda: 1.0)
    pauses = [backoff.next() for _ in range(20)]
    assert pauses[:3] == [SHORTEST, 2 * SHORTEST, 4 * SHORTEST]
    assert pauses[-1] == LONGEST
    backoff.reset()
    assert backoff.next() == SHORTEST


def test_chance_shortens_a_pause_by_up_to_a_half() -> None:
    assert Backoff(rand=lambda: 0.0).next() == SHORTEST / 2


def test_a_server_that_goes_away_is_left_alone_for_up_to_what_it_says() -> None:
    assert Backoff(rand=lambda: 0.5).within(3000) == 1.5
    assert Backoff(rand=lambda: 1.0).within(10**9) == LONGEST


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (1000, None),
        (1001, None),
        (1006, None),
        (1012, None),
        (1013, None),
        (4205, None),
        (4408, None),
        (1009, ConnectionEnded),
        (4401, NotAuthenticated),
        (4403, NotAllowed),
    ],
)
def test_which_closes_are_final(code: int, end: type[ConnectionEnded] | None) -> None:
    ending = ending_of_close(ConnectionClosedError(Close(code, "why"), None))
    assert ending is None if end is None else type(ending) is end


def test_a_connection_that_just_breaks_is_made_again() -> None:
    assert ending_of_close(ConnectionClosedError(None, None)) is None


@pytest.mark.parametrize(("status", "end"), [(401, NotAuthenticated), (403, NotAllowed), (429, None), (503, None)])
def test_which_answers_to_the_handshake_are_final(status: int, end: type[ConnectionEnded] | None) -> None:
    ending = ending_of_handshake(InvalidStatus(Response(status, "", Headers())))
    assert ending is None if end is None else type(ending) is end
