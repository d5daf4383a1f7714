"""Which feeds and events an integration sends: those of its patterns, and what is meant for it by name."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.event_patterns import matches
from handlers.feed_names import is_addressed, notifications_to
from storage.integrations import Integration


def takes(integration: Integration, feed: str) -> bool:
    """Whether it sends anything of the feed of this name. What is meant for another one no pattern takes."""
    if is_addressed(feed):
        return feed == notifications_to(integration.id)
    return matches(feed, integration.feeds)


def sends(integration: Integration, feed: str, event_type: str) -> bool:
    """Whether it sends an event of this type, out of a feed that it takes."""
    return is_addressed(feed) or matches(event_type, integration.events)


def took(patterns: Iterable[str], feed: str) -> bool:
    """Whether it sent the feed while it had these patterns: what is meant for it, always."""
    return is_addressed(feed) or matches(feed, patterns)
