"""What may be a name, and what nearly is one."""

import msgspec
import pytest

from handlers.names import Title, UserId, WorkspaceId, is_workspace_id


@pytest.mark.parametrize("name", ["a", "default", "team-1_x", "0", "x" * 63])
def test_workspace_names(name: str) -> None:
    assert msgspec.convert(name, WorkspaceId) == name
    assert is_workspace_id(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "a\n", "x" * 64, "é", "a\0"])
def test_no_workspace_names(name: str) -> None:
    assert not is_workspace_id(name)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name, WorkspaceId)


@pytest.mark.parametrize("name", ["a", "ada", "ada@example.org", "Ada Lovelace", "auth0|5f", "é"])
def test_user_names(name: str) -> None:
    assert msgspec.convert(name, UserId) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "a\nb", "a\n", "\0", "x" * 201])
def test_no_user_names(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name, UserId)


@pytest.mark.parametrize("title", ["", "a\nb", "a\n", "\x1b[31m", "x" * 201])
def test_no_titles(title: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(title, Title)
