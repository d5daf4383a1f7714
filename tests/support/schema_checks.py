"""What schemathesis is told of this API: MessagePack, and two checks beside its own.

Its command loads this as the `hooks` of tests/end_to_end/schemathesis.toml, in a process of its own.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import schemathesis
from schemathesis.checks import CheckContext
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response

MESSAGEPACK = "application/msgpack"
PROBLEM = "application/problem+json"
# Those in whose name it is asked, and what their sessions may be called.
ASKING = frozenset({"admin", "vera"})
FIRST_SESSIONS = frozenset(map(str, range(100)))
# How a value that does not fit its type is told of: what the document calls valid is never answered so.
_NOT_OF_ITS_TYPE = re.compile(r"(^|: )(Expected `|Invalid |Object (contains|missing) )|U\+0000 is not allowed")


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Who asks stays signed in, or all that comes after is asked by nobody: their sessions are not ended."""
    if case.method.upper() != "DELETE" or "/sessions" not in case.operation.path:
        return True
    named = case.path_parameters or {}
    if "user_id" in named:
        return str(named["user_id"]) not in ASKING
    return "session_id" not in named or str(named["session_id"]) not in FIRST_SESSIONS


@schemathesis.serializer(MESSAGEPACK)
def pack(_: schemathesis.SerializationContext, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return msgspec.msgpack.encode(_packable(value))


def _packable(value: Any) -> Any:
    """The value without what MessagePack does not have: integers beyond 64 bits and halves of characters."""
    if isinstance(value, dict):
        return {_packable(key): _packable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_packable(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return 2**63 - 1 if value > 0 else -(2**63)
    return value


@schemathesis.deserializer(MESSAGEPACK)
def unpack(_: schemathesis.DeserializationContext, response: Response) -> Any:
    return msgspec.msgpack.decode(response.content)


@schemathesis.deserializer("application/x-ndjson")
def lines(_: schemathesis.DeserializationContext, response: Response) -> str:
    return response.content.decode()


@schemathesis.check
def failures_are_problems(_: CheckContext, response: Response, case: schemathesis.Case[Any]) -> None:
    """Every failure is a problem document, and every answer has the request id that a failure quotes."""
    request_ids = response.headers.get("x-request-id")
    if not request_ids:
        raise Failure(operation=case.operation.label, message="the answer has no X-Request-Id", title="No request id")
    if response.status_code < 400 or case.method == "HEAD":
        return
    if response.headers["content-type"] != [PROBLEM]:
        raise _no_problem(case, f"it is {response.headers['content-type']}")
    problem = json.loads(response.content)
    expected = {"status": response.status_code, "request_id": request_ids[0], "detail": problem.get("message")}
    if wrong := {name: problem.get(name) for name, value in expected.items() if problem.get(name) != value}:
        raise _no_problem(case, f"these do not fit: {wrong}")
    if not re.fullmatch(r"[a-z0-9_]+", problem.get("code", "")):
        raise _no_problem(case, "it has no code")


@schemathesis.check
def what_is_valid_is_of_its_type(_: CheckContext, response: Response, case: schemathesis.Case[Any]) -> None:
    """Where the document calls a request valid, it may be refused for what it means, but not for how it looks.

    In place of `positive_data_acceptance`, which knows no refusal for a reason that JSON Schema cannot say: a cursor of
    another list, a point in time that is yet to come, two parameters that exclude each other.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    problem = json.loads(response.content)
    if problem["code"] == "invalid_request" and _NOT_OF_ITS_TYPE.search(problem["message"]):
        raise Failure(
            operation=case.operation.label, message=problem["message"], title="What the document calls valid is refused"
        )


def _no_problem(case: schemathesis.Case[Any], why: str) -> Failure:
    return Failure(operation=case.operation.label, message=why, title="A failure that is no problem document")
