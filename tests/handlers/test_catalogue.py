"""What holds for every operation, whoever wrote it."""

import inspect
import keyword
import re
import sys
from typing import get_args, get_origin

import msgspec
import pytest
from msgspec import structs

from handlers.catalogue import OPERATIONS, services
from handlers.paging import MAX_ITEMS
from handlers.registry import METHODS, Operation, OperationError, Page, Permission, errors_of

each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def test_names_and_routes_are_unique() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
    shapes = [(operation.method, re.sub(r"\{[^}]*\}", "{}", operation.path)) for operation in OPERATIONS]
    assert len(set(shapes)) == len(OPERATIONS)


def test_paths_that_differ_in_names_only_name_alike() -> None:
    """`/a/{x}` and `/a/{y}` are one path: a client that follows one would find the other."""
    paths = {operation.path for operation in OPERATIONS}
    assert len({re.sub(r"\{[^}]*\}", "{}", path) for path in paths}) == len(paths)


@each
def test_it_says_what_it_is(operation: Operation) -> None:
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", operation.name)
    assert re.fullmatch(r"[A-Z][^\n]{5,100}\.", operation.summary), operation.summary
    assert operation.method in METHODS
    assert 200 <= operation.status < 300


@each
def test_it_has_schemas(operation: Operation) -> None:
    """Each by itself: a union of results need not be one that could be read back."""
    for described in (operation.request, *operation.results):
        [schema], components = msgspec.json.schema_components([described], ref_template="#/{name}")
        assert schema
        assert described is type(None) or components


@each
def test_it_documents_its_errors(operation: Operation) -> None:
    errors = errors_of(operation)
    assert all(issubclass(error, OperationError) and error.status >= 400 for error in errors)
    statuses = {error.status for error in errors}
    assert 400 in statuses
    assert (401 in statuses) == (operation.permission is not Permission.PUBLIC)


@each
def test_its_request_is_plain(operation: Operation) -> None:
    """Names on the wire are names in the code, but for Python's own words; no default is mutable."""
    for field in structs.fields(operation.request):
        own_word = keyword.iskeyword(field.encode_name)
        assert field.name == (f"{field.encode_name}_" if own_word else field.encode_name)
        assert field.default is msgspec.NODEFAULT or field.default.__hash__ is not None


@each
def test_a_misspelt_name_is_refused_at_any_depth(operation: Operation) -> None:
    """What dispatch does for the parameters themselves, the structs within them have to do."""
    lenient = {
        found.__name__
        for found in structs_within(operation.request)
        if not found.__struct_config__.forbid_unknown_fields
    }
    assert not lenient


def structs_within(outer: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """The structs that values of its fields may be, or may hold."""
    found: set[type[msgspec.Struct]] = set()
    waiting: list[object] = [msgspec.inspect.type_info(outer)]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, tuple | list):
            waiting += kind
        elif isinstance(kind, msgspec.inspect.StructType) and kind.cls not in found:
            found.add(kind.cls)
            waiting += [field.type for field in kind.fields]
        elif isinstance(kind, msgspec.inspect.Type) and not isinstance(kind, msgspec.inspect.StructType):
            waiting += [getattr(kind, name) for name in kind.__struct_fields__]
    return found - {outer}


@each
def test_a_list_is_paged(operation: Operation) -> None:
    if get_origin(operation.result) is not Page:
        assert not operation.name.endswith(".list")
        return
    assert operation.method == "GET"
    fields = {field.name: field for field in structs.fields(operation.request)}
    assert fields["cursor"].default is None
    assert 1 <= fields["limit"].default <= MAX_ITEMS
    assert isinstance(get_args(operation.result)[0], type)


@each
def test_reading_is_not_audited_and_deleting_always(operation: Operation) -> None:
    if operation.method == "GET":
        assert operation.audited is False
    if operation.method in ("DELETE", "PUT", "PATCH"):
        assert operation.audited is True


def test_services_are_made_anew_for_each_node() -> None:
    assert len(services()) >= 1


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.audited], ids=lambda operation: operation.name
)
def test_what_changes_state_writes_its_own_name_into_the_audit(operation: Operation) -> None:
    """Its name stands where it is listed, and where it is recorded."""
    source = inspect.getsource(sys.modules[operation.handler.__module__])
    assert "record(" in source
    assert source.count(f'"{operation.name}"') >= 2
