"""How feeds are called: `workspace/feed`, and `@user/notifications` for somebody's inbox, which no workspace can be."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.registry import InvalidRequest

ACTIVITY = "activity"
NOTIFICATIONS = "notifications"

# What the server itself publishes, now or later; nobody else may, so that whoever reads it knows where it is from.
_RESERVED_PREFIXES = ("alerts.", "analytics.", "scans.", "security.", "workflow.", NOTIFICATIONS)
_ADDRESSED = "alerts.to."
# Comes right after the slash, so that the names of a workspace's feeds are the range between.
_AFTER_SLASH = "0"

FeedName = Annotated[
    str,
    Meta(
        pattern=r"^(?!\.{1,2}$)[a-z0-9._-]{1,64}$(?!\n)",
        description="A feed's name: 1 to 64 lower-case letters, digits, `.`, `_` and `-`.",
        examples=[ACTIVITY],
    ),
]


def is_reserved(feed: str) -> bool:
    """Whether only the server publishes to the feed of this name."""
    return feed == ACTIVITY or feed.startswith(_RESERVED_PREFIXES)


def check_name(feed: str) -> str:
    """The name, if a feed may have it. Raises InvalidRequest, which says what would be right."""
    try:
        return msgspec.convert(feed, FeedName)
    except msgspec.ValidationError:
        raise InvalidRequest(
            f"feed: {feed[:80]!r} is no feed's name, which has 1 to 64 lower-case letters, digits, `.`, `_` and `-`.",
            details={"parameter": "feed"},
        ) from None


def feed_of(workspace_id: str, feed: str) -> str:
    """What storage and nodes call a workspace's feed."""
    return f"{workspace_id}/{feed}"


def activity_of(workspace_id: str) -> str:
    """The feed of what happens in a workspace."""
    return feed_of(workspace_id, ACTIVITY)


def inbox_of(user_id: str) -> str:
    """The feed of what concerns one user; nobody else reads it."""
    return f"@{user_id}/{NOTIFICATIONS}"


def notifications_to(integration_id: int) -> str:
    """The feed, within its workspace, of what is meant for one integration and is sent by no other.

    The data of its events has a `title`, which is one line, and a `text`.
    """
    return f"{_ADDRESSED}{integration_id}"


def is_addressed(feed: str) -> bool:
    """Whether the feed of this name is meant for one integration."""
    return feed.startswith(_ADDRESSED)


def names_in(workspace_id: str) -> tuple[str, str]:
    """The first name that a feed of the workspace could have, and the first beyond."""
    return f"{workspace_id}/", f"{workspace_id}{_AFTER_SLASH}"


def short(name: str) -> str:
    """The name of a feed within its workspace."""
    return name.partition("/")[2]
