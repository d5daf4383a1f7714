"""How listeners are told: one that raises neither keeps others from hearing nor ends the bus."""

import logging

from storage.bus.channels import Listener

logger = logging.getLogger(__name__)


def deliver(listeners: list[Listener], message: bytes) -> None:
    """Give the message to each, but for those that are taken out of the list meanwhile."""
    for listener in listeners.copy():
        if listener in listeners:
            try:
                listener.received(message)
            except Exception:
                logger.exception("a listener could not take a message")


def resume(listener: Listener) -> None:
    """Tell it that messages arrive from here on."""
    try:
        listener.resumed()
    except Exception:
        logger.exception("a listener could not resume")
