"""One way through an operation for every transport: authorise, validate, run, note refusals."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from handlers.choices import choices_at, form_at
from handlers.registry import (
    WORKSPACE_PERMISSIONS,
    Binary,
    Context,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Operation,
    Permission,
    Unavailable,
)
from storage.errors import Unavailable as StorageUnavailable

logger = logging.getLogger(__name__)

_WHERE = re.compile(r" - at `(?P<where>.*)`$")


async def execute(operation: Operation, context: Context, parameters: Mapping[str, Any]) -> Any:
    """Runs the operation for the context's principal and returns its result struct (not yet encoded).

    `parameters` are the request's fields as JSON-like values. Raises OperationError; whatever else comes
    out is a fault of the server. Who may not is told so before the parameters are looked at closely.
    """
    with noting_refusals(operation, context, parameters):
        request = await admit(operation, context, parameters)
        value = await operation.handler(context, request)
    if operation.audited:
        dataset_id = parameters.get("dataset_id")
        subject = None if dataset_id is None else f"dataset:{dataset_id}"
        context.parts.changes.done(operation.name, workspace_of(operation, parameters), subject)
    elif operation.method == "GET" and context.principal is not None and not context.is_watched:
        context.parts.audit.read(
            user_id=context.principal.user_id,
            workspace_id=workspace_of(operation, parameters),
            operation=operation.name,
            things=things_in(value),
        )
    return value


async def admit(operation: Operation, context: Context, parameters: Mapping[str, Any]) -> msgspec.Struct:
    """The request struct, if the context's principal may ask for it. Raises OperationError."""
    await _authorise(operation, context, parameters)
    return validate(operation, parameters)


@contextlib.contextmanager
def noting_refusals(operation: Operation, context: Context, parameters: Mapping[str, Any]) -> Iterator[None]:
    """Refusals go into the audit trail, as do many misses, and a database that cannot be used becomes Unavailable."""
    try:
        yield
    except (NotAuthenticated, Forbidden) as refusal:
        _note_refusal(operation, context, parameters, refusal)
        raise
    except NotFound:
        if context.principal is not None and not context.is_watched:
            target = target_of(operation, parameters)
            context.parts.audit.missed(user_id=context.principal.user_id, operation=operation.name, target=target)
        raise
    except StorageUnavailable:
        logger.warning("request %s: the database cannot be used now", context.request_id, exc_info=True)
        raise Unavailable("The database cannot be used at this moment; try again.") from None


def validate(operation: Operation, parameters: Mapping[str, Any]) -> msgspec.Struct:
    """The request struct of the parameters. Unknown names are refused: a misspelt filter must not widen an answer."""
    known = operation.request.__struct_encode_fields__
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InvalidRequest(
            f"{operation.name} has no parameter {unknown[0]!r}.", details={"unknown": unknown, "known": list(known)}
        )
    _refuse_nul(operation, parameters)
    try:
        return msgspec.convert(dict(parameters), operation.request)
    except msgspec.ValidationError as error:
        return _validate_anew(operation, parameters, error)


def _validate_anew(
    operation: Operation, parameters: Mapping[str, Any], error: msgspec.ValidationError
) -> msgspec.Struct:
    """JSON has one kind of number, and 1.0 is the integer 1: looked at only where the request did not fit as it was."""
    try:
        return msgspec.convert(_with_whole_numbers(dict(parameters)), operation.request)
    except msgspec.ValidationError as still:
        raise invalid(still, operation.request) from None
    except RecursionError:
        raise invalid(error, operation.request) from None


def _with_whole_numbers(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _with_whole_numbers(each) for name, each in value.items()}
        case list():
            return [_with_whole_numbers(each) for each in value]
        case _:
            return value


def _refuse_nul(operation: Operation, parameters: Mapping[str, Any]) -> None:
    """What names or filters things never holds U+0000: one of the databases cannot even be asked for it."""
    named = in_address_of(operation)
    for name, value in parameters.items():
        values = value if isinstance(value, list) else (value,)
        if name in named and any(isinstance(each, str) and "\0" in each for each in values):
            raise InvalidRequest(f"{name}: U+0000 is not allowed.", details={"parameter": name})


def in_address_of(operation: Operation) -> tuple[str, ...]:
    """The parameters that stand in an operation's address: in its path, or in the query where there is no body."""
    if operation.method in ("GET", "DELETE"):
        return operation.request.__struct_encode_fields__
    return operation.path_parameters


def invalid(error: msgspec.ValidationError, request: type[msgspec.Struct]) -> InvalidRequest:
    """The request error of a validation error; `details.parameter` says where, as in `splices[0].delete`."""
    text = str(error)
    match = _WHERE.search(text)
    if match is None:
        return InvalidRequest(f"{text}.")
    where = match["where"].removeprefix("$").removeprefix(".")
    message = text[: match.start()]
    if "matching regex" in message and (form := form_at(request, where)):
        message = f"Not of the form that it has to have: {form}"
    elif message.startswith("Invalid ") and (choices := choices_at(request, where)):
        message += f"; use {' or '.join(', '.join(map(repr, choices)).rsplit(', ', 1))}"
    return InvalidRequest(f"{where}: {message}." if where else f"{message}.", details={"parameter": where})


@functools.cache
def _default_workspace_of(request: type[msgspec.Struct]) -> object:
    """The workspace that a request is about where it names none; no text if it has to name one."""
    return next((field.default for field in msgspec.structs.fields(request) if field.name == "workspace_id"), None)


async def _authorise(operation: Operation, context: Context, parameters: Mapping[str, Any]) -> None:
    workspace_id, changes = None, operation.changes or bool(operation.audited)
    if operation.permission in WORKSPACE_PERMISSIONS:
        workspace_id = workspace_of(operation, parameters)
        if workspace_id is None:
            await context.parts.access.require(
                context.principal, Permission.SIGNED_IN, operation=operation.name, changes=changes
            )
            raise InvalidRequest("workspace_id: Expected `str`.", details={"parameter": "workspace_id"})
    await context.parts.access.require(
        context.principal, operation.permission, workspace_id, operation=operation.name, changes=changes
    )


def workspace_of(operation: Operation, parameters: Mapping[str, Any]) -> str | None:
    """The workspace that the parameters name, or that stands for none named; None where there is no such."""
    workspace_id = parameters.get("workspace_id", _default_workspace_of(operation.request))
    return workspace_id if isinstance(workspace_id, str) else None


def _note_refusal(
    operation: Operation, context: Context, parameters: Mapping[str, Any], refusal: NotAuthenticated | Forbidden
) -> None:
    context.parts.audit.refused(
        actor=context.principal.user_id if context.principal else None,
        action=operation.name,
        target=target_of(operation, parameters),
        code=refusal.code,
        request_id=context.request_id,
    )


def target_of(operation: Operation, parameters: Mapping[str, Any]) -> str:
    """What a call is about, for the audit trail: its path parameters joined, as in `default/notes`."""
    return "/".join(str(parameters.get(name, "")) for name in operation.path_parameters)


def things_in(value: Any) -> int:
    """How much an answer gives away: the items of a list, the KiB of a file, or one thing."""
    if isinstance(value, Binary):
        return len(value.data) // 1024 + 1
    items = getattr(value, "items", None)
    return len(items) if isinstance(items, list) else 1


def find(operations: Mapping[str, Operation], name: str) -> Operation:
    """The operation of that name; raises NotFound."""
    operation = operations.get(name)
    if operation is None:
        raise NotFound(f"There is no operation {name!r}.", code="unknown_operation")
    return operation
