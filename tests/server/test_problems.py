"""Errors as documents: one shape, and only headers that a client may rely on."""

import json

import pytest

from handlers.registry import Conflict, RateLimited
from server.problems import problem_response


def test_a_document_says_all_there_is_to_say() -> None:
    error = Conflict("One owner must stay.", code="last_owner", details={"workspace": "lab"})
    response = problem_response(error, "r-1")
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "One owner must stay.",
        "code": "last_owner",
        "message": "One owner must stay.",
        "details": {"workspace": "lab"},
        "request_id": "r-1",
    }


@pytest.mark.parametrize(("seconds", "header"), [(0.01, "1"), (2.6, "3"), (60, "60"), ("soon", None), (None, None)])
def test_when_to_come_back_is_a_whole_number_of_seconds(seconds: object, header: str | None) -> None:
    response = problem_response(RateLimited("Later.", details={"retry_after": seconds}), "r-1")
    assert response.headers.get("retry-after") == header
