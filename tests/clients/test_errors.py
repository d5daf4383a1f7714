"""What the server refuses by a word of its own is an error of its own."""

import asyncio

import pytest
from collab_studio import LockedOut, OperationError, OutOfScope, SessionEnded
from collab_studio.requests import Requests
from collab_studio.studio_frames import Refusal


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("session_ended", SessionEnded),
        ("out_of_scope", OutOfScope),
        ("locked_out", LockedOut),
        ("not_found", OperationError),
    ],
)
def test_a_refused_request_raises_the_error_of_its_code(code: str, kind: type[OperationError]) -> None:
    async def scenario() -> None:
        requests = Requests(lambda: None)
        answer = requests.add("users.me", {})
        requests.take()
        requests.answer(Refusal(1, code, "No.", {"retry_after": 3}, "r"))
        with pytest.raises(kind) as caught:
            await answer
        assert type(caught.value) is kind
        assert (caught.value.code, caught.value.details) == (code, {"retry_after": 3})

    asyncio.run(scenario())
